//! Asks an engine directly, without a node: `pannier-llama --ask MODEL --kind chat [-p KEY=VALUE]... FILE`.
//! For comparing what came over a gap with what the model says, and for trying a model before it is added.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    ops::ControlFlow,
    path::Path,
    process::ExitCode,
};

use bundle_spec::adu::{Kind, Value};

use super::{Engine, EngineError, TaskInput, WorkerLimits};

/// What was asked for on the command line.
struct Question<'a> {
    model: &'a str,
    kind: Kind,
    parameters: BTreeMap<String, Value>,
    file: &'a str,
}

/// Runs one task and prints its first output. `arguments` are those behind `--ask`.
pub(super) fn ask<E: Engine>(
    make: impl FnOnce(&WorkerLimits) -> Result<E, EngineError>,
    arguments: &[String],
) -> ExitCode {
    match parse(arguments).and_then(|question| run(make, &question)) {
        Ok(output) => match io::stdout().write_all(&output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(reason) => {
            // Standard error is all there is to say it on.
            let _ = writeln!(io::stderr(), "error: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run<E: Engine>(
    make: impl FnOnce(&WorkerLimits) -> Result<E, EngineError>,
    question: &Question<'_>,
) -> Result<Vec<u8>, String> {
    let limits = WorkerLimits { threads: 1, memory: u64::MAX, task_ms: u64::MAX };
    let said = |error: EngineError| error.to_string();
    let data = fs::read(question.file).map_err(|error| format!("`{}`: {error}", question.file))?;
    let input = TaskInput {
        kind: question.kind,
        inputs: vec![("text/plain".to_owned(), data)],
        parameters: question.parameters.clone(),
    };
    let mut engine = make(&limits).map_err(said)?;
    engine.load(Path::new(question.model), &limits).map_err(said)?;
    let finished = engine.run(input, &mut |_| ControlFlow::Continue(())).map_err(said)?;
    finished.outputs.into_iter().next().map(|(_, data)| data).ok_or_else(|| "no output".to_owned())
}

fn parse(arguments: &[String]) -> Result<Question<'_>, String> {
    let usage = "usage: --ask MODEL --kind KIND [-p KEY=VALUE]... FILE";
    let (mut kind, mut parameters, mut places) = (None, BTreeMap::new(), Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--kind" => {
                let name = arguments.next().ok_or(usage)?;
                kind = Some(name.parse::<Kind>().map_err(|_| format!("no kind `{name}`"))?);
            }
            "-p" => {
                let (key, value) = arguments.next().and_then(|pair| pair.split_once('=')).ok_or(usage)?;
                parameters.insert(key.to_owned(), Value::from_text(value));
            }
            place => places.push(place),
        }
    }
    let (Some(kind), [model, file]) = (kind, places.as_slice()) else { return Err(usage.to_owned()) };
    Ok(Question { model, kind, parameters, file })
}
