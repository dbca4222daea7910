//! A supervisor with real workers, and where the models lie.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bundle_spec::{
    Cid,
    adu::{Failure, Kind, Value},
};
use pannier::{
    inference::{
        Finished, TaskInput, WorkerLimits,
        supervisor::{Supervisor, SupervisorConfig, TaskEnd, TaskModelFile, TaskReport, TaskRequest},
    },
    node::mailbox::Clock,
    time::Time,
};
use tokio_util::sync::CancellationToken;

/// A supervisor of the llama worker.
pub(crate) fn supervisor(threads: u32) -> Supervisor {
    supervisor_within(threads, 1 << 30)
}

/// One whose worker may use so many bytes.
pub(crate) fn supervisor_within(threads: u32, memory: u64) -> Supervisor {
    let config = SupervisorConfig {
        engines: vec!["llama".to_owned()],
        directory: Path::new(env!("CARGO_BIN_EXE_pannier-llama")).parent().unwrap().to_owned(),
        limits: WorkerLimits { threads, memory, task_ms: 120_000 },
        keep_loaded: Duration::from_secs(3600),
    };
    Supervisor::new(config, Arc::new(Clock::resume(0, Time::ZERO)))
}

/// The stories model; `None`, and a line that says so, where the shared models are not.
pub(crate) fn stories() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = std::env::var_os("PANNIER_MODELS").map(PathBuf::from);
    let places = [named, Some(root.join("../shared/models")), Some(root.join("shared/models"))];
    let file = places.into_iter().flatten().map(|place| place.join("stories260K/stories260K-f32.gguf"));
    let found = file.into_iter().find(|file| file.exists());
    if found.is_none() {
        eprintln!("skipped: no stories260K-f32.gguf (set PANNIER_MODELS to the folder of the models)");
    }
    found
}

/// A file as the model of a task.
pub(crate) fn model(path: &Path) -> TaskModelFile {
    TaskModelFile { cid: Cid::raw(&fs::read(path).unwrap()), path: path.to_owned() }
}

pub(crate) fn task(
    model: &TaskModelFile,
    kind: Kind,
    text: &str,
    parameters: &[(&str, Value)],
) -> TaskRequest {
    let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let inputs = vec![("text/plain".to_owned(), text.as_bytes().to_vec())];
    let input = TaskInput { kind, inputs, parameters };
    TaskRequest { engine: "llama".to_owned(), input, model: Some(model.clone()) }
}

pub(crate) async fn run(supervisor: &Supervisor, request: &TaskRequest) -> TaskReport {
    supervisor.run(request, |_| {}, &CancellationToken::new()).await
}

pub(crate) fn finished(report: TaskReport) -> Finished {
    match report.end {
        TaskEnd::Completed(finished) => finished,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn failure(report: &TaskReport) -> (Failure, String) {
    match &report.end {
        TaskEnd::Failed(error) => (error.failure, error.detail.clone()),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn text(finished: &Finished) -> &str {
    std::str::from_utf8(&finished.outputs[0].1).unwrap()
}

/// Types of values in a GGUF header.
pub(crate) const UNSIGNED: u32 = 4;
pub(crate) const FLOAT: u32 = 6;
pub(crate) const BOOLEAN: u32 = 7;
pub(crate) const TEXT: u32 = 8;

/// A text as it stands in a GGUF header.
pub(crate) fn gguf_text(text: &str) -> Vec<u8> {
    let mut bytes = u64::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A GGUF model with more entries in its header: key, type, value.
pub(crate) fn with_entries(model: &[u8], entries: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
    const COUNT: std::ops::Range<usize> = 16..24;
    const ALIGNMENT: usize = 32;
    let entry = |key: &str, kind: u32, value: &[u8]| {
        [gguf_text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    };
    let mut added: Vec<u8> = entries.iter().flat_map(|(key, kind, value)| entry(key, *kind, value)).collect();
    // What follows stays aligned.
    let surplus = (added.len() + entry("filler", TEXT, &gguf_text("")).len()) % ALIGNMENT;
    added.extend(entry("filler", TEXT, &gguf_text(&" ".repeat(ALIGNMENT - surplus))));
    let mut model = model.to_vec();
    let count =
        u64::from_le_bytes(model[COUNT].try_into().unwrap()) + u64::try_from(entries.len()).unwrap() + 1;
    model[COUNT].copy_from_slice(&count.to_le_bytes());
    model.splice(COUNT.end..COUNT.end, added);
    model
}

/// The model with other 32 bits under this key, whose value is of this type.
pub(crate) fn with_number(model: &[u8], key: &str, kind: u32, number: u32) -> Vec<u8> {
    let mut model = model.to_vec();
    let value_type = position(&model, key.as_bytes()).unwrap() + key.len();
    assert_eq!(model[value_type..value_type + 4], kind.to_le_bytes(), "{key}");
    model[value_type + 4..value_type + 8].copy_from_slice(&number.to_le_bytes());
    model
}

/// Where something begins for the first time.
pub(crate) fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
