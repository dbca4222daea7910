//! Why a command failed: an exit code, a name for `--json`, words, causes and a hint.

use std::io;

use super::exit::{self, Exit};
use crate::settings::SettingsError;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// The name that `--json` gives it.
    pub(super) code: Box<str>,
    /// In words.
    pub(super) what: String,
    /// What is behind it, outermost first.
    pub(super) causes: Vec<String>,
    /// What to do about it, preferably a command; empty if there is nothing to do.
    pub(super) hint: Box<str>,
    /// The name of the job that is meant.
    pub(super) job: Option<Box<str>>,
}

impl Failure {
    pub(super) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            code: exit.name().into(),
            what: what.into(),
            causes: Vec::new(),
            hint: Box::default(),
            job: None,
        }
    }

    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into().into(), ..self }
    }

    pub(super) fn cause(mut self, cause: impl ToString) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// What the gateway said, as problem details.
    pub(super) fn of_problem(status: u16, body: &[u8]) -> Self {
        let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| problem[key].as_str().unwrap_or("").to_owned();
        let code = text("code");
        if code.is_empty() {
            return Self::new(Exit::Failed, format!("the node answered with status {status}"));
        }
        Self {
            exit: exit::of_problem(&code),
            what: text("detail"),
            causes: Vec::new(),
            hint: text("hint").into(),
            job: problem["job"].as_str().map(Into::into),
            code: code.into(),
        }
    }

    /// A file or stream that cannot be read or written.
    pub(super) fn io(what: impl Into<String>, error: &io::Error) -> Self {
        Self::new(Exit::Failed, what).cause(error)
    }

    /// Whether the reader of our output has gone, which is no error of ours.
    pub(super) fn is_broken_pipe(&self) -> bool {
        *self.code == *BROKEN_PIPE
    }
}

/// The name of an error that is none: nobody reads on.
const BROKEN_PIPE: &str = "broken_pipe";

/// Only writing to stdout or stderr ends here.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let mut failure = Self::new(Exit::Failed, "the output cannot be written").cause(&error);
        if error.kind() == io::ErrorKind::BrokenPipe {
            failure.code = BROKEN_PIPE.into();
        }
        failure
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::new(Exit::Configuration, error.to_string()).hint(error.hint())
    }
}
