//! `pannier trigger`: a command for every bundle that comes to an endpoint. A bundle is taken once its
//! command has succeeded; until then it stays, and no other reader gets it while the command runs.

mod words;

use std::{
    cell::Cell,
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use self::words::{Facts, Words};
use super::{
    Context, Exit, Failure,
    args::Trigger,
    waiting::{HOLD, RENEWAL, Reader},
};
use crate::gateway::wire::{BundleWire, WaitingWire};

/// Bundles that are looked at together.
const LISTED: usize = 100;

/// Runs a command for every bundle, until interrupted or, if that is wanted, until nothing waits.
pub(super) async fn trigger(context: &Context, args: Trigger) -> Result<Exit, Failure> {
    let words = Words::read(&args.command).map_err(|error| Failure::usage(error.to_string()))?;
    let reader = Reader::new(context.client()?);
    reader.register(&args.endpoint).await?;
    let desk = Desk::new()?;
    let runner = Runner { context, reader, args: &args, words, desk, current: Cell::default() };
    let mut told = signal(SignalKind::terminate())
        .map_err(|error| Failure::io("this process cannot be told to end", &error))?;
    context.printer.talk(&format!("waits for bundles at `{}`", args.endpoint))?;
    tokio::select! {
        outcome = runner.run() => outcome,
        _ = told.recv() => runner.give_up().await,
    }
}

struct Runner<'a> {
    context: &'a Context,
    reader: Reader,
    args: &'a Trigger,
    words: Words,
    desk: Desk,
    /// The bundle whose command runs.
    current: Cell<Option<String>>,
}

impl Runner<'_> {
    async fn run(&self) -> Result<Exit, Failure> {
        let mut done = 0_u64;
        let mut failed = BTreeSet::new();
        let patience = self.args.once.then_some(Duration::ZERO);
        loop {
            let waiting = self.reader.waiting(&self.args.endpoint, patience, LISTED).await?;
            let mut is_idle = true;
            for WaitingWire { bundle, .. } in waiting {
                if self.args.once && failed.contains(&bundle.id) {
                    continue;
                }
                is_idle = false;
                if !self.reader.claim(&bundle.id, HOLD).await? {
                    continue;
                }
                match self.handle(&bundle).await? {
                    true => done += 1,
                    false if self.args.once => drop(failed.insert(bundle.id)),
                    false => {}
                }
            }
            if self.args.once && is_idle {
                break;
            }
        }
        for bundle in &failed {
            self.reader.claim(bundle, Duration::ZERO).await?;
        }
        self.context.printer.line("result", json!({ "done": done, "failed": failed.len() }))?;
        Ok(if failed.is_empty() { Exit::Done } else { Exit::Failed })
    }

    /// Runs the command for one bundle; says whether it has succeeded.
    async fn handle(&self, bundle: &BundleWire) -> Result<bool, Failure> {
        let printer = &self.context.printer;
        let file = self.desk.file();
        self.current.set(Some(bundle.id.clone()));
        let written = self.write(bundle, &file.path).await;
        let status = match written {
            Ok(()) => self.execute(bundle, &file.path).await,
            Err(failure) => Err(failure),
        };
        let status = match status {
            Ok(status) => status,
            Err(failure) => {
                // Whoever comes next may be able to do it.
                let _ = self.reader.claim(&bundle.id, Duration::ZERO).await;
                return Err(failure);
            }
        };
        self.current.set(None);
        printer.line("bundle", self.line(bundle, status))?;
        if !status.success() {
            let retry = crate::settings::quantity::show_duration(self.args.retry);
            let then = if self.args.once { String::new() } else { format!(", tried again after {retry}") };
            printer.talk(&format!("`{}` stays: the command ended with {status}{then}", bundle.id))?;
            // Nobody looks at it in the meantime.
            self.reader.claim(&bundle.id, self.args.retry).await?;
            return Ok(false);
        }
        if printer.is_verbose() {
            printer.talk(&format!("done with `{}`", bundle.id))?;
        }
        self.reader.take(&bundle.id).await?;
        Ok(true)
    }

    /// Ends on request. The command that runs is killed; others may have its bundle at once.
    async fn give_up(&self) -> Result<Exit, Failure> {
        if let Some(bundle) = self.current.take() {
            self.reader.claim(&bundle, Duration::ZERO).await?;
        }
        Ok(Exit::Done)
    }

    async fn write(&self, bundle: &BundleWire, path: &Path) -> Result<(), Failure> {
        let unwritable =
            |error: io::Error| Failure::io(format!("`{}` cannot be written", path.display()), &error);
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(unwritable)?;
        let each = async |piece: &hyper::body::Bytes| file.write_all(piece).map_err(unwritable);
        self.reader.read(&bundle.id, false, true, each).await?;
        Ok(())
    }

    async fn execute(&self, bundle: &BundleWire, path: &Path) -> Result<ExitStatus, Failure> {
        let facts = Facts {
            source: &bundle.source,
            destination: &bundle.destination,
            id: &bundle.id,
            len: bundle.len,
            file: &path.to_string_lossy(),
        };
        let mut command = tokio::process::Command::new(self.words.program());
        command.args(self.words.arguments(&facts)).envs(facts.variables()).stdin(Stdio::null());
        command.kill_on_drop(true);
        if self.context.printer.is_json() {
            // Standard output is for lines.
            let talk = io::stderr().as_fd().try_clone_to_owned();
            command.stdout(talk.map_err(|error| Failure::io("standard error cannot be used", &error))?);
        }
        let unstartable = |error: io::Error| {
            Failure::io(format!("`{}` cannot be started", self.words.program()), &error)
                .hint("name a program, with its path if it is not in `PATH`")
        };
        let mut child = command.spawn().map_err(unstartable)?;
        loop {
            tokio::select! {
                status = child.wait() => return status.map_err(unstartable),
                () = tokio::time::sleep(RENEWAL) => {
                    self.reader.claim(&bundle.id, HOLD).await?;
                }
            }
        }
    }

    fn line(&self, bundle: &BundleWire, status: ExitStatus) -> serde_json::Value {
        json!({
            "id": bundle.id,
            "source": bundle.source,
            "destination": bundle.destination,
            "len": bundle.len,
            "success": status.success(),
            "code": status.code(),
        })
    }
}

/// A folder of our own for payloads. Gone at the end.
struct Desk {
    folder: PathBuf,
}

impl Desk {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("pannier-{:016x}", rand::random::<u64>()));
        let made = fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| Failure::io(format!("`{}` cannot be made", folder.display()), &error))?;
        Ok(Self { folder })
    }

    fn file(&self) -> Sheet {
        Sheet { path: self.folder.join(format!("{:016x}", rand::random::<u64>())) }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A payload on the desk. Gone when its command has ended.
struct Sheet {
    path: PathBuf,
}

impl Drop for Sheet {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
