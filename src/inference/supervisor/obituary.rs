//! Why a worker died, in words, from what is left of it.
//!
//! Used by the supervisor alone. It reads the exit status and the last words on standard error, nothing else.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

use bundle_spec::adu::Failure;
use bytes::{Buf, BytesMut};

use crate::{
    inference::{EngineError, reason::quote},
    limits::WORKER_STDERR_BYTES_MAX,
};

/// What engines and runtimes say when they get no memory.
const OUT_OF_MEMORY: [&str; 7] = [
    "bad_alloc",
    "memory allocation of",
    "failed to allocate",
    "unable to allocate",
    "annot allocate memory",
    "out of memory",
    "mem_buffer != NULL",
];

/// The last words on a worker's standard error.
#[derive(Debug, Default)]
pub(super) struct LastWords(BytesMut);

impl LastWords {
    /// The worker said more.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let surplus = self.0.len().saturating_sub(WORKER_STDERR_BYTES_MAX);
        self.0.advance(surplus);
    }

    /// The last line that is not empty, fit to be quoted.
    fn line(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.0);
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(quote(line))
    }

    fn tells_of_memory(&self) -> bool {
        let text = String::from_utf8_lossy(&self.0);
        OUT_OF_MEMORY.iter().any(|words| text.contains(words))
    }
}

/// What a death means for the task: `Exhausted` if memory ran out, else `Crashed`.
pub(super) fn obituary(
    status: Option<ExitStatus>,
    violation: Option<&str>,
    words: &LastWords,
) -> EngineError {
    let signal = status.and_then(|status| status.signal());
    let mut detail = match (violation, status.map(|status| (status.code(), signal))) {
        (Some(violation), _) => format!("the worker broke the protocol: {violation}"),
        (None, Some((_, Some(signal)))) => {
            format!("the worker died by signal {signal}{}", signal_name(signal))
        }
        (None, Some((Some(code), _))) => format!("the worker ended with exit code {code}"),
        (None, Some((None, None)) | None) => "the worker hung up".to_owned(),
    };
    if let Some(line) = words.line() {
        detail = format!("{detail}: {line}");
    }
    // The kernel kills by this signal when the machine has no memory left, and nobody else has reason to.
    let is_killed = violation.is_none() && signal == Some(9);
    if is_killed || (violation.is_none() && words.tells_of_memory()) {
        return EngineError::exhausted(format!("memory ran out: {detail}"));
    }
    EngineError { failure: Failure::Crashed, detail }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[u8]) -> LastWords {
        let mut words = LastWords::default();
        words.heard(text);
        words
    }

    #[test]
    fn a_death_by_signal_quotes_the_last_line() {
        let error = obituary(
            Some(ExitStatus::from_raw(6)),
            None,
            &words(b"loading\nGGML_ASSERT(x)\x1b[0m failed\n\n"),
        );
        assert_eq!(error.failure, Failure::Crashed);
        assert_eq!(error.detail, "the worker died by signal 6 (SIGABRT): GGML_ASSERT(x)[0m failed");
    }

    #[test]
    fn an_exit_says_its_code() {
        let error = obituary(Some(ExitStatus::from_raw(7 << 8)), None, &words(b""));
        assert_eq!(error.detail, "the worker ended with exit code 7");
    }

    #[test]
    fn memory_that_ran_out_is_no_crash() {
        let killed = obituary(Some(ExitStatus::from_raw(9)), None, &words(b""));
        assert_eq!(killed.failure, Failure::Exhausted);
        let refused = obituary(Some(ExitStatus::from_raw(6)), None, &words(b"what():  std::bad_alloc\n"));
        assert_eq!(refused.failure, Failure::Exhausted);
    }

    #[test]
    fn only_the_last_words_are_kept() {
        let mut words = LastWords::default();
        for _ in 0..1000 {
            words.heard(&[b'x'; 100]);
        }
        words.heard(b"\nthe end");
        assert_eq!(words.0.len(), WORKER_STDERR_BYTES_MAX);
        assert_eq!(words.line().unwrap(), "the end");
    }

    #[test]
    fn any_last_words_can_be_quoted() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let detail = obituary(None, None, &words(bytes)).detail;
            assert!(!detail.contains(char::is_control));
        });
    }
}
