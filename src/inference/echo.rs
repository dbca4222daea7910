//! The engine that gives back what it gets, for tests, simulations of trouble, and `doctor`.
//!
//! Lives in `pannier-echo`. It is deterministic, needs no model, and can be asked to misbehave as real
//! engines do. A model, if one is given, is a text of default parameters, one `name = value` a line.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::Path,
    thread,
    time::Duration,
};

use bundle_spec::adu::{Failure, Kind, Usage, Value};

use super::{Engine, EngineError, Finished, Piece, TaskInput, WorkerLimits, parameters::Parameters};

/// Longest model, in bytes.
const MODEL_BYTES_MAX: u64 = 64 * 1024;
/// How long it sleeps between two looks at whether somebody still waits.
const NAP: Duration = Duration::from_millis(10);
/// Longest sleep, in milliseconds.
const SLEEP_MS_MAX: i64 = 24 * 3600 * 1000;

const NAMES: [&str; 7] = ["crash", "deaf_ms", "fail", "memory", "print", "repeat", "sleep_ms"];

/// The engine that gives back what it gets.
///
/// Parameters: `repeat` gives it back so many times, piece by piece; `sleep_ms` works for so long; `deaf_ms`
/// does so without looking up; `fail` fails with `bad_model`, `bad_input` or `exhausted`; `crash` dies by
/// `abort` or `panic` after the last piece; `memory` takes so many bytes; `print` writes to standard output
/// as C libraries do.
#[derive(Debug, Default)]
pub struct Echo {
    defaults: BTreeMap<String, Value>,
}

/// How an echo misbehaves.
struct Mood<'a> {
    repeat: usize,
    sleep: Duration,
    deaf: Duration,
    memory: usize,
    fail: Option<&'a str>,
    crash: Option<&'a str>,
    print: Option<&'a str>,
}

impl Engine for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn fingerprint(&self) -> String {
        concat!("echo ", env!("CARGO_PKG_VERSION")).to_owned()
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Echo]
    }

    fn load(&mut self, file: &Path, _: &WorkerLimits) -> Result<(), EngineError> {
        let unreadable =
            |error: io::Error| EngineError::bad_model(format!("the model cannot be read: {error}"));
        if fs::metadata(file).map_err(unreadable)?.len() > MODEL_BYTES_MAX {
            return Err(EngineError::bad_model(format!(
                "a model of echo has at most {MODEL_BYTES_MAX} bytes"
            )));
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        self.defaults = text.lines().map(parse_line).collect::<Result<_, _>>()?;
        if self.defaults.remove("load") == Some(Value::Text("crash".to_owned())) {
            std::process::abort();
        }
        Ok(())
    }

    fn run(
        &mut self,
        input: TaskInput,
        emit: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finished, EngineError> {
        let mut given = self.defaults.clone();
        given.extend(input.parameters);
        let mut parameters = Parameters::new(&given, &NAMES)?;
        let mood = Mood::parse(&mut parameters)?;
        mood.before()?;
        mood.sleep(emit)?;
        for (_, bytes) in &input.inputs {
            let Ok(text) = std::str::from_utf8(bytes) else { continue };
            for _ in 0..mood.repeat {
                if emit(Piece::Text(text.to_owned())).is_break() {
                    return Err(EngineError::cancelled());
                }
            }
        }
        mood.crash()?;
        let outputs = input.inputs.into_iter().map(|(media, bytes)| (media, bytes.repeat(mood.repeat)));
        Ok(Finished {
            outputs: outputs.collect(),
            finish: "stop".to_owned(),
            usage: Usage::default(),
            parameters: parameters.in_force(),
        })
    }
}

impl<'a> Mood<'a> {
    fn parse(parameters: &mut Parameters<'a>) -> Result<Self, EngineError> {
        let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).expect("the range is positive"));
        let count = |count: i64| usize::try_from(count).expect("the range is positive");
        Ok(Self {
            repeat: count(parameters.integer("repeat", 0..=10_000, 1)?),
            sleep: ms(parameters.integer("sleep_ms", 0..=SLEEP_MS_MAX, 0)?),
            deaf: ms(parameters.integer("deaf_ms", 0..=SLEEP_MS_MAX, 0)?),
            memory: count(parameters.integer("memory", 0..=i64::from(u32::MAX), 0)?),
            fail: parameters.text("fail")?,
            crash: parameters.text("crash")?,
            print: parameters.text("print")?,
        })
    }

    fn before(&self) -> Result<(), EngineError> {
        if let Some(text) = self.print {
            // Whoever reads it is not our concern.
            let _ = writeln!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
        }
        std::hint::black_box(vec![1_u8; self.memory]);
        let failure = match self.fail {
            None => return Ok(()),
            Some("bad_model") => Failure::BadModel,
            Some("bad_input") => Failure::BadInput,
            Some("exhausted") => Failure::Exhausted,
            Some(_) => {
                return Err(EngineError::bad_input("`fail` must be bad_model, bad_input or exhausted"));
            }
        };
        Err(EngineError { failure, detail: "failed as asked".to_owned() })
    }

    fn sleep(&self, emit: &mut dyn FnMut(Piece) -> ControlFlow<()>) -> Result<(), EngineError> {
        if !self.deaf.is_zero() {
            // The last sign of life.
            let _ = emit(Piece::Progress(0));
            sleep(self.deaf);
        }
        let mut left = self.sleep;
        while !left.is_zero() {
            let done = 1000 - left.as_millis() * 1000 / self.sleep.as_millis();
            let done = u16::try_from(done).expect("a share is at most 1000");
            if emit(Piece::Progress(done)).is_break() {
                return Err(EngineError::cancelled());
            }
            sleep(left.min(NAP));
            left = left.saturating_sub(NAP);
        }
        Ok(())
    }

    fn crash(&self) -> Result<(), EngineError> {
        match self.crash {
            None => Ok(()),
            Some("abort") => std::process::abort(),
            Some("panic") => panic!("as asked"),
            Some(_) => Err(EngineError::bad_input("`crash` must be abort or panic")),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an engine that takes long is what was asked for")]
fn sleep(time: Duration) {
    thread::sleep(time);
}

fn parse_line(line: &str) -> Result<(String, Value), EngineError> {
    let Some((name, value)) = line.split_once('=') else {
        return Err(EngineError::bad_model(format!("`{line}` in the model is not `name = value`")));
    };
    let (name, value) = (name.trim().to_owned(), value.trim());
    let value = value.parse().map_or_else(|_| Value::Text(value.to_owned()), Value::Integer);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_an_echo_are_its_output() {
        let input = TaskInput {
            kind: Kind::Echo,
            inputs: vec![("text/plain".to_owned(), b"ha".to_vec())],
            parameters: [("repeat".to_owned(), Value::Integer(3))].into(),
        };
        let mut pieces = Vec::new();
        let finished = Echo::default().run(input, &mut |piece| {
            pieces.push(piece);
            ControlFlow::Continue(())
        });
        assert_eq!(finished.unwrap().outputs, [("text/plain".to_owned(), b"hahaha".to_vec())]);
        assert_eq!(pieces, vec![Piece::Text("ha".to_owned()); 3]);
    }
}
