//! A program that a run starts and ends: its log in a file, its end with its owner, whatever went wrong.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::field::{FieldError, memory_peak, now, pause};

/// How long anything may take before a cell is given up.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often something is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// How much of a log is shown.
const TAIL_BYTES: usize = 600;

/// One running program.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says goes to a log in `folder`.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, FieldError> {
        let log = folder.join(format!("{name}.log"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { name: name.to_owned(), child: command.spawn()?, log })
    }

    /// Starts `command` with its input and output in our hands.
    pub fn converse(
        name: &str,
        mut command: Command,
        folder: &Path,
    ) -> Result<(Self, ChildStdin, ChildStdout), FieldError> {
        let log = folder.join(format!("{name}.log"));
        let file = fs::OpenOptions::new().create(true).append(true).open(&log)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn()?;
        let input = child.stdin.take().expect("its input is piped");
        let output = child.stdout.take().expect("its output is piped");
        Ok((Self { name: name.to_owned(), child, log }, input, output))
    }

    /// Fails if the program has ended, with the end of its log.
    pub fn check(&mut self) -> Result<(), FieldError> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                Err(FieldError::Broken(format!("{} ended with {status}: {}", self.name, self.tail())))
            }
        }
    }

    /// Its greatest resident memory so far, in bytes; zero if it has ended.
    pub fn memory_peak(&self) -> u64 {
        memory_peak(self.child.id())
    }

    /// Asks it to end in good order, and waits until it has.
    pub fn interrupt(mut self) -> Result<(), FieldError> {
        Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// The end of its log.
    fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let start = text.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&text[start..]).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left behind; one that has ended already is only reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on at the moment.
pub fn free_port() -> Result<u16, FieldError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Looks again and again until something is there.
pub fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<Option<T>, FieldError>,
) -> Result<T, FieldError> {
    let start = now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > patience {
            return Err(FieldError::TooLong(what.to_owned()));
        }
        pause(LOOK);
    }
}
