//! Workers do what they are asked, die, hang, babble and run out of memory; the node's side of it lives on.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bundle_spec::{
    Cid,
    adu::{Failure, Kind, Value},
};
use bytes::BytesMut;
use pannier::{
    inference::{
        Piece, TaskInput, WorkerLimits,
        frame::{self, Reply, Request},
        supervisor::{Supervisor, SupervisorConfig, TaskEnd, TaskModelFile, TaskReport, TaskRequest},
    },
    node::mailbox::Clock,
    time::Time,
};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_worker_that_runs_is_offered_and_one_that_is_missing_is_not() {
    let supervisor = supervisor_with(|config| config.engines = vec!["echo".to_owned(), "nothing".to_owned()]);
    let probe = supervisor.probe().await;
    let engines: Vec<_> = probe.engines.iter().map(|engine| engine.name.as_str()).collect();
    assert_eq!(engines, ["echo"]);
    assert_eq!(probe.engines[0].kinds, [Kind::Echo]);
    assert!(probe.engines[0].fingerprint.starts_with("echo "));
    assert_eq!(probe.failures[0].0, "nothing");
    assert!(probe.failures[0].1.contains("pannier-nothing"), "{:?}", probe.failures);
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_not_offered() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/echo", directory.path().join("pannier-echo")).unwrap();
    std::os::unix::fs::symlink("/bin/false", directory.path().join("pannier-false")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/yes", directory.path().join("pannier-yes")).unwrap();
    let supervisor = supervisor_with(|config| {
        config.directory = directory.path().to_owned();
        config.engines = ["echo", "false", "yes"].map(str::to_owned).to_vec();
    });
    let failures = supervisor.probe().await.failures;
    assert!(failures[2].1.contains("another build"), "{failures:?}");
    assert_eq!(processes(directory.path()), 0);
    assert!(failures[0].1.contains("the worker ended with exit code 0"), "{failures:?}");
    assert!(failures[1].1.contains("the worker ended with exit code 1"), "{failures:?}");
}

#[tokio::test]
async fn an_engine_that_is_not_configured_is_not_started() {
    let supervisor = supervisor_with(|config| config.engines.clear());
    let report = run(&supervisor, &echo("a", &[])).await;
    assert!(failure(&report).1.contains("`echo` is not used on this node"));
    assert!(report.retryable);
}

#[tokio::test]
async fn an_answer_comes_back_with_its_pieces_and_whose_it_is() {
    let supervisor = supervisor();
    let mut pieces = Vec::new();
    let request = echo("ha", &[("repeat", 3.into_value())]);
    let report = supervisor.run(&request, |piece| pieces.push(piece), &CancellationToken::new()).await;
    assert_eq!(output(&report), "hahaha");
    assert_eq!(pieces, vec![Piece::Text("ha".to_owned()); 3]);
    assert_eq!(report.engine, "echo");
    assert!(report.fingerprint.starts_with("echo "));
    assert!(!report.retryable);
}

#[tokio::test]
async fn a_large_input_comes_back_whole() {
    let text = "0123456789abcdef".repeat(512 * 1024);
    assert_eq!(output(&run(&supervisor(), &echo(&text, &[])).await), text);
}

#[tokio::test]
async fn an_input_that_is_too_large_is_refused_and_the_worker_kept() {
    let supervisor = supervisor();
    let text = "0123456789abcdef".repeat(5 * 1024 * 1024);
    let failure = failure(&run(&supervisor, &echo(&text, &[])).await);
    assert_eq!(failure.0, Failure::BadInput);
    assert_eq!(output(&run(&supervisor, &echo("a", &[])).await), "a");
}

#[tokio::test]
async fn what_a_library_prints_does_not_disturb_the_answer() {
    let request = echo("a", &[("print", "junk\0junk".into_value())]);
    assert_eq!(output(&run(&supervisor(), &request).await), "a");
}

#[tokio::test]
async fn a_clean_failure_is_handed_on() {
    let supervisor = supervisor();
    for (name, expected, retryable) in [
        ("bad_model", Failure::BadModel, false),
        ("bad_input", Failure::BadInput, false),
        ("exhausted", Failure::Exhausted, true),
    ] {
        let report = run(&supervisor, &echo("a", &[("fail", name.into_value())])).await;
        assert_eq!(failure(&report).0, expected);
        assert_eq!(report.retryable, retryable);
    }
    let (expected, detail) = failure(&run(&supervisor, &echo("a", &[("fial", "x".into_value())])).await);
    assert_eq!(expected, Failure::BadInput);
    assert!(detail.contains("unknown parameter `fial`"), "{detail}");
}

#[tokio::test]
async fn a_worker_that_dies_leaves_a_reason_and_the_next_task_is_done() {
    let supervisor = supervisor();
    for (crash, reason) in [
        ("abort", "the worker died by signal 6 (SIGABRT)"),
        ("panic", "the worker ended with exit code 101: "),
    ] {
        let report = run(&supervisor, &echo("a", &[("crash", crash.into_value())])).await;
        let (kind, detail) = failure(&report);
        assert_eq!(kind, Failure::Crashed);
        assert!(detail.contains(reason), "{detail}");
        assert!(!report.retryable);
    }
    assert_eq!(output(&run(&supervisor, &echo("b", &[])).await), "b");
}

#[tokio::test]
async fn a_task_whose_worker_died_once_is_tried_again_and_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let model = model(directory.path(), "crash = abort");
    let request = TaskRequest { model: Some(model.clone()), ..echo("ha", &[("repeat", 3.into_value())]) };
    let mut pieces = Vec::new();
    let healed = |piece| {
        pieces.push(piece);
        // The first attempt has loaded the model and dies; the second one loads it anew.
        fs::write(&model.path, "").unwrap();
    };
    let report = supervisor().run(&request, healed, &CancellationToken::new()).await;
    assert_eq!(output(&report), "hahaha");
    assert_eq!(pieces, vec![Piece::Text("ha".to_owned()); 3]);
}

#[tokio::test]
async fn a_model_that_crashed_its_engine_twice_is_refused_and_others_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervisor();
    let hostile = TaskRequest { model: Some(model(directory.path(), "load = crash")), ..echo("a", &[]) };
    let (kind, detail) = failure(&run(&supervisor, &hostile).await);
    assert_eq!(kind, Failure::Crashed);
    assert!(detail.starts_with("the worker died by signal 6"), "{detail}");
    let (kind, detail) = failure(&run(&supervisor, &hostile).await);
    assert_eq!(kind, Failure::Crashed);
    assert!(detail.starts_with("this model has crashed this engine 2 times and is refused here"), "{detail}");

    let harmless = TaskRequest { model: Some(model(directory.path(), "repeat = 2")), ..echo("a", &[]) };
    assert_eq!(output(&run(&supervisor, &harmless).await), "aa");
}

#[tokio::test]
async fn a_model_that_cannot_be_read_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervisor();
    let mut missing = model(directory.path(), "");
    missing.path = directory.path().join("missing");
    let nonsense = model(directory.path(), "nonsense");
    for (model, reason) in [(missing, "No such file"), (nonsense, "`nonsense`")] {
        let (kind, detail) =
            failure(&run(&supervisor, &TaskRequest { model: Some(model), ..echo("a", &[]) }).await);
        assert_eq!(kind, Failure::BadModel);
        assert!(detail.contains(reason), "{detail}");
    }
    assert_eq!(output(&run(&supervisor, &echo("a", &[])).await), "a");
}

#[tokio::test]
async fn a_worker_keeps_its_model_only_for_tasks_that_want_it() {
    let directory = tempfile::tempdir().unwrap();
    let supervisor = supervisor();
    let twice = TaskRequest { model: Some(model(directory.path(), "repeat = 2")), ..echo("a", &[]) };
    let thrice = TaskRequest { model: Some(model(directory.path(), "repeat = 3")), ..echo("a", &[]) };
    assert_eq!(output(&run(&supervisor, &twice).await), "aa");
    // It is not read again.
    fs::write(&twice.model.as_ref().unwrap().path, "nonsense").unwrap();
    assert_eq!(output(&run(&supervisor, &twice).await), "aa");
    assert_eq!(output(&run(&supervisor, &thrice).await), "aaa");
    assert_eq!(output(&run(&supervisor, &echo("a", &[])).await), "a");
    assert_eq!(failure(&run(&supervisor, &twice).await).0, Failure::BadModel);
}

#[tokio::test]
async fn a_worker_that_takes_too_much_memory_is_exhausted_not_crashed() {
    let supervisor = supervisor();
    let report = run(&supervisor, &echo("a", &[("memory", (1_i64 << 30).into_value())])).await;
    let (kind, detail) = failure(&report);
    assert_eq!(kind, Failure::Exhausted, "{detail}");
    assert!(detail.contains("memory"), "{detail}");
    assert!(report.retryable);
    assert_eq!(output(&run(&supervisor, &echo("b", &[])).await), "b");
}

#[tokio::test]
async fn a_task_that_takes_too_long_is_cut_off() {
    let impatient = supervisor_with(|config| config.limits.task_ms = 200);
    for parameter in ["sleep_ms", "deaf_ms"] {
        let report = run(&impatient, &echo("a", &[(parameter, 3_600_000.into_value())])).await;
        let (kind, detail) = failure(&report);
        assert_eq!(kind, Failure::Exhausted);
        assert!(detail.contains("time limit"), "{detail}");
        assert!(report.retryable);
    }
    assert_eq!(output(&run(&supervisor(), &echo("b", &[])).await), "b");
}

#[tokio::test]
async fn a_task_is_stopped_between_two_pieces_or_killed_when_it_does_not_look_up() {
    let supervisor = supervisor();
    for parameter in ["sleep_ms", "deaf_ms"] {
        let cancel = CancellationToken::new();
        let request = echo("a", &[(parameter, 3_600_000.into_value())]);
        let report = supervisor.run(&request, |_| cancel.cancel(), &cancel).await;
        assert_eq!(report.end, TaskEnd::Stopped, "{parameter}");
    }
    assert_eq!(output(&run(&supervisor, &echo("b", &[])).await), "b");
}

#[tokio::test]
async fn tasks_at_the_same_time_each_get_their_own_answer() {
    let supervisor = supervisor();
    let (a, b) = (echo("a", &[("sleep_ms", 50.into_value())]), echo("b", &[("sleep_ms", 50.into_value())]));
    let (a, b) = tokio::join!(run(&supervisor, &a), run(&supervisor, &b));
    assert_eq!((output(&a), output(&b)), ("a".to_owned(), "b".to_owned()));
}

#[tokio::test]
async fn no_process_is_left_when_the_supervisor_ends() {
    let directory = own_worker();
    let supervisor = supervisor_with(|config| config.directory = directory.path().to_owned());
    let stop = CancellationToken::new();
    run(&supervisor, &echo("a", &[])).await;
    run(&supervisor, &echo("a", &[("crash", "abort".into_value())])).await;
    run(&supervisor, &echo("a", &[])).await;
    assert_eq!(processes(directory.path()), 1);
    stop.cancel();
    supervisor.tend(stop).await;
    assert_eq!(processes(directory.path()), 0);
}

#[test]
fn a_worker_dies_with_its_node_whatever_it_is_doing() {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_pannier-echo"))
        .args(["1", "536870912", "1000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let request = echo("a", &[("deaf_ms", 3_600_000.into_value())]);
    let task = frame::encode(&Request::Run { task: 1, input: request.input }).unwrap();
    let mut node = worker.stdin.take().unwrap();
    node.write_all(&task).unwrap();
    // It greets, is ready, and gives its last sign of life.
    let mut replies = worker.stdout.take().unwrap();
    replies.read_exact(&mut vec![0; frame::GREETING.len()]).unwrap();
    let mut buffer = BytesMut::new();
    while !matches!(frame::read(&mut replies, &mut buffer).unwrap(), Some(Reply::Piece { .. })) {}
    drop(node);
    assert_eq!(worker.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_worker_that_a_person_starts_says_what_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_pannier-echo")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8(output.stderr).unwrap().contains("`pannier run` starts it"));
}

#[tokio::test]
async fn an_idle_worker_is_ended_when_its_time_is_up() {
    let directory = own_worker();
    let supervisor = supervisor_with(|config| {
        config.directory = directory.path().to_owned();
        config.keep_loaded = Duration::from_millis(1);
    });
    run(&supervisor, &echo("a", &[])).await;
    let stop = CancellationToken::new();
    let ended = async {
        while processes(directory.path()) > 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(supervisor.tend(stop.clone()), ended);
}

/// A directory with a worker that no other test starts.
fn own_worker() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let worker = directory.path().join("pannier-echo");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pannier-echo"), worker).unwrap();
    directory
}

/// How many processes run a program of this directory.
fn processes(directory: &Path) -> usize {
    let is_from = |process: &fs::DirEntry| {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        command.starts_with(directory.as_os_str().as_encoded_bytes())
    };
    fs::read_dir("/proc").unwrap().filter(|process| process.as_ref().is_ok_and(is_from)).count()
}

fn supervisor() -> Supervisor {
    supervisor_with(|_| {})
}

fn supervisor_with(change: impl FnOnce(&mut SupervisorConfig)) -> Supervisor {
    let mut config = SupervisorConfig {
        engines: vec!["echo".to_owned()],
        directory: Path::new(env!("CARGO_BIN_EXE_pannier-echo")).parent().unwrap().to_owned(),
        limits: WorkerLimits { threads: 1, memory: 512 << 20, task_ms: 120_000 },
        keep_loaded: Duration::from_secs(3600),
    };
    change(&mut config);
    Supervisor::new(config, Arc::new(Clock::resume(0, Time::ZERO)))
}

fn echo(text: &str, parameters: &[(&str, Value)]) -> TaskRequest {
    let parameters: BTreeMap<_, _> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let inputs = vec![("text/plain".to_owned(), text.as_bytes().to_vec())];
    TaskRequest {
        engine: "echo".to_owned(),
        input: TaskInput { kind: Kind::Echo, inputs, parameters },
        model: None,
    }
}

/// A model of the echo engine: default parameters, one a line.
fn model(directory: &Path, text: &str) -> TaskModelFile {
    let cid = Cid::raw(text.as_bytes());
    let path: PathBuf = directory.join(cid.to_string());
    fs::write(&path, text).unwrap();
    TaskModelFile { cid, path }
}

async fn run(supervisor: &Supervisor, request: &TaskRequest) -> TaskReport {
    sent(supervisor.run(request, |_| {}, &CancellationToken::new())).await
}

/// A node's tasks move between threads.
fn sent<T: Send>(future: T) -> T {
    future
}

fn output(report: &TaskReport) -> String {
    match &report.end {
        TaskEnd::Completed(finished) => String::from_utf8(finished.outputs[0].1.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn failure(report: &TaskReport) -> (Failure, String) {
    match &report.end {
        TaskEnd::Failed(error) => (error.failure, error.detail.clone()),
        other => panic!("{other:?}"),
    }
}

trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for i64 {
    fn into_value(self) -> Value {
        Value::Integer(self)
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Text(self.to_owned())
    }
}
