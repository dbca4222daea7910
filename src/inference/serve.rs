//! The loop of a worker process around one engine.
//!
//! Called by the `main` of a worker binary and by nobody else. It takes standard input and output for itself
//! before the engine exists, so that whatever a C library prints lands on standard error; limits the process
//! before anything is loaded; and dies when the node is gone, whatever the engine is doing. It never opens a
//! socket or a store.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write},
    ops::ControlFlow,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use bytes::BytesMut;
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, nice, setrlimit};

use super::{
    Engine, EngineError, TaskInput, WorkerLimits,
    ask::ask,
    frame::{self, FrameError, GREETING, Kinds, Reply, Request},
};

/// How far a worker steps back behind everything else on the machine (19 is the most): links come first.
const NICENESS: i32 = 19;
/// The task number that no task has.
const NO_TASK: u64 = 0;
/// A worker that was called with arguments that are none of its node's.
const EXIT_USAGE: u8 = 2;

/// Runs the engine that `make` makes until the node has no more to ask.
///
/// The arguments of the process are those that `launch` gives, or `--ask` and a question (`ask`).
pub fn serve<E: Engine>(make: impl FnOnce(&WorkerLimits) -> Result<E, EngineError>) -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    if arguments.first().is_some_and(|first| first == "--ask") {
        return ask(make, &arguments[1..]);
    }
    let Some(limits) = parse_arguments(&arguments) else {
        say("this is a worker of pannier; `pannier run` starts it by itself");
        return ExitCode::from(EXIT_USAGE);
    };
    std::panic::set_hook(Box::new(|panic| say(&panic.to_string().replace('\n', " "))));
    match confine(&limits).map_err(FrameError::Stream).and_then(|pipes| work(make, limits, pipes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The arguments that make [`parse_arguments`] give these limits.
pub(in crate::inference) fn arguments(limits: &WorkerLimits) -> [String; 3] {
    [limits.threads.to_string(), limits.memory.to_string(), limits.task_ms.to_string()]
}

fn parse_arguments(arguments: &[String]) -> Option<WorkerLimits> {
    let [threads, memory, task_ms] = arguments else { return None };
    Some(WorkerLimits {
        threads: threads.parse().ok()?,
        memory: memory.parse().ok()?,
        task_ms: task_ms.parse().ok()?,
    })
}

/// The ends of the pipes to the node.
struct Pipes {
    requests: File,
    replies: File,
}

/// Limits the process and takes its standard input and output away from everybody else in it.
fn confine(limits: &WorkerLimits) -> io::Result<Pipes> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // Not RLIMIT_AS: that would count the mapped model.
    setrlimit(Resource::Data, Rlimit { current: Some(limits.memory), maximum: Some(limits.memory) })?;
    nice(NICENESS)?;

    let requests = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?);
    let replies = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(Pipes { requests, replies })
}

/// What the reader hands on.
enum Order {
    Load(Vec<u8>, WorkerLimits),
    Run(u64, TaskInput),
    End,
}

fn work<E: Engine>(
    make: impl FnOnce(&WorkerLimits) -> Result<E, EngineError>,
    limits: WorkerLimits,
    pipes: Pipes,
) -> Result<(), FrameError> {
    let mut replies = pipes.replies;
    let cancelled = Arc::new(AtomicU64::new(NO_TASK));
    // The node asks for one thing at a time; one that does not is killed by what it then misses.
    let (sender, orders) = mpsc::sync_channel(1);
    let reader = Reader { requests: pipes.requests, cancelled: Arc::clone(&cancelled), orders: sender };
    thread::Builder::new().name("requests".to_owned()).spawn(move || reader.run())?;

    let mut engine = match make(&limits) {
        Ok(engine) => engine,
        Err(error) => return Err(FrameError::Stream(io::Error::other(error.detail))),
    };
    replies.write_all(GREETING)?;
    let ready = Reply::Ready {
        name: engine.name().to_owned(),
        fingerprint: engine.fingerprint(),
        kinds: Kinds(engine.kinds().to_vec()),
    };
    send(&mut replies, &ready)?;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Load(path, limits) => {
                let loaded = engine.load(Path::new(OsStr::from_bytes(&path)), &limits);
                send(&mut replies, &loaded.map_or_else(Reply::NotLoaded, |()| Reply::Loaded))?;
            }
            Order::Run(task, input) => run(&mut engine, task, input, &cancelled, &mut replies)?,
            Order::End => break,
        }
    }
    Ok(())
}

fn run(
    engine: &mut impl Engine,
    task: u64,
    input: TaskInput,
    cancelled: &AtomicU64,
    replies: &mut File,
) -> Result<(), FrameError> {
    let mut broken = None;
    let result = engine.run(input, &mut |piece| {
        if cancelled.load(Ordering::Acquire) == task {
            return ControlFlow::Break(());
        }
        match send(replies, &Reply::Piece { task, piece }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                broken = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    if let Some(error) = broken {
        return Err(error);
    }
    let reply = match result {
        Ok(finished) => Reply::Finished { task, finished },
        Err(error) => Reply::Failed { task, error },
    };
    match send(replies, &reply) {
        Err(error @ (FrameError::TooLong { .. } | FrameError::Unfit(_))) => {
            let error = EngineError::exhausted(format!("the answer cannot be handed over: {error}"));
            send(replies, &Reply::Failed { task, error })
        }
        sent => sent,
    }
}

fn send(replies: &mut File, reply: &Reply) -> Result<(), FrameError> {
    replies.write_all(&frame::encode(reply)?)?;
    Ok(())
}

/// Reads requests on a thread of its own, so that a cancellation and the node's end are seen while the engine
/// works.
struct Reader {
    requests: File,
    cancelled: Arc<AtomicU64>,
    orders: mpsc::SyncSender<Order>,
}

impl Reader {
    fn run(mut self) {
        let mut buffer = BytesMut::new();
        loop {
            let order = match frame::read(&mut self.requests, &mut buffer) {
                Ok(Some(Request::Load { path, limits })) => Order::Load(path, limits),
                Ok(Some(Request::Run { task, input })) => Order::Run(task, input),
                Ok(Some(Request::Cancel { task })) => {
                    self.cancelled.store(task, Ordering::Release);
                    continue;
                }
                Ok(Some(Request::Shutdown)) => Order::End,
                Ok(None) => die(),
                Err(error) => {
                    say(&error.to_string());
                    die()
                }
            };
            if self.orders.send(order).is_err() {
                return;
            }
        }
    }
}

/// The node is gone or talks nonsense. There is no state worth keeping and the engine may be deep in C code,
/// so nothing is unwound.
fn die() -> ! {
    // If even this fails, abort does it.
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}

/// One line on standard error: the node keeps the last of them as the reason of a death.
fn say(line: &str) {
    // Standard error may be gone with the node.
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_understands_the_limits_it_is_given() {
        let limits = WorkerLimits { threads: 3, memory: 1 << 30, task_ms: 60_000 };
        assert_eq!(parse_arguments(&arguments(&limits)), Some(limits));
        assert_eq!(parse_arguments(&[]), None);
        assert_eq!(parse_arguments(&["--help".to_owned()]), None);
        assert_eq!(parse_arguments(&["1".to_owned(), "-1".to_owned(), "1".to_owned()]), None);
    }
}
