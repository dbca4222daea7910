//! A hardy node as an agent of a run: the program of `tools/interop/hardy`, driven over its standard input.

use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command},
    sync::mpsc::{Receiver, channel},
    thread,
};

use super::{
    agent::{Agent, Road, Wish, folder_of},
    process::{PATIENCE, Process, free_port},
};
use crate::field::FieldError;

/// A running hardy node.
pub struct Hardy {
    name: String,
    node: u32,
    port: u16,
    folder: PathBuf,
    process: RefCell<Process>,
    input: RefCell<ChildStdin>,
    said: Said,
    /// How many payloads were taken and sent.
    counts: RefCell<(u64, u64)>,
}

/// What the program says on its output.
struct Said {
    lines: Receiver<String>,
    /// The kinds of status reports that came.
    reports: RefCell<Vec<String>>,
}

impl Said {
    /// The next answer, reports put aside.
    fn answer(&self) -> Result<String, FieldError> {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.map_err(|_| FieldError::TooLong("an answer of hardy".to_owned()))?;
            match line.strip_prefix("report ") {
                Some(kind) => self.reports.borrow_mut().push(kind.to_owned()),
                None => return Ok(line),
            }
        }
    }

    /// Puts aside the reports that came.
    fn gather(&self) {
        let came = self.lines.try_iter().filter_map(|line| line.strip_prefix("report ").map(str::to_owned));
        self.reports.borrow_mut().extend(came);
    }
}

impl Hardy {
    /// Starts one with the node number `node`, which takes at most `transfer_mru` bytes at once, and waits
    /// until it is ready.
    pub fn start(
        binary: &Path,
        node: u32,
        transfer_mru: Option<u64>,
        folder: &Path,
    ) -> Result<Self, FieldError> {
        let name = format!("hardy{node}");
        let folder = folder_of(folder, &name)?;
        let inbox = folder_of(&folder, "inbox")?;
        let port = free_port()?;
        let mut command = Command::new(binary);
        command.arg(format!("ipn:{node}.0")).arg(format!("127.0.0.1:{port}")).arg(inbox);
        command.args(transfer_mru.map(|bytes| bytes.to_string()));
        let (process, input, output) = Process::converse(&name, command, &folder)?;
        let (sender, lines) = channel();
        // The thread ends with the program's output.
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
        });
        let hardy = Self {
            name,
            node,
            port,
            folder,
            process: RefCell::new(process),
            input: RefCell::new(input),
            said: Said { lines, reports: RefCell::default() },
            counts: RefCell::default(),
        };
        match hardy.said.answer() {
            Ok(line) if line == "ready" => Ok(hardy),
            other => {
                hardy.process.borrow_mut().check()?;
                Err(FieldError::Broken(format!("hardy is not ready: {other:?}")))
            }
        }
    }

    /// The endpoint that sends back what it gets.
    pub fn echo(&self) -> String {
        format!("ipn:{}.7", self.node)
    }

    fn command(&self, line: &str) -> Result<String, FieldError> {
        writeln!(self.input.borrow_mut(), "{line}")?;
        let answer = self.said.answer()?;
        match answer.strip_prefix("ok ") {
            Some(said) => Ok(said.to_owned()),
            None => Err(FieldError::Broken(format!("hardy answers `{line}` with `{answer}`"))),
        }
    }
}

impl Agent for Hardy {
    fn name(&self) -> &str {
        &self.name
    }

    fn node(&self) -> String {
        format!("ipn:{}.0", self.node)
    }

    fn inbox(&self) -> String {
        format!("ipn:{}.1", self.node)
    }

    fn listens(&self, road: Road) -> Result<String, FieldError> {
        match road {
            Road::Tcpcl => Ok(format!("127.0.0.1:{}", self.port)),
            _ => Err(FieldError::Broken(format!("hardy has no {road}"))),
        }
    }

    fn meet(&self, road: Road, other: &dyn Agent) -> Result<(), FieldError> {
        self.command(&format!("connect {}", other.listens(road)?))?;
        Ok(())
    }

    fn send(&self, to: &str, payload: &[u8], _wish: Wish) -> Result<(), FieldError> {
        let number = {
            let mut counts = self.counts.borrow_mut();
            counts.1 += 1;
            counts.1
        };
        let file = self.folder.join(format!("sent-{number}"));
        fs::write(&file, payload)?;
        self.command(&format!("send {to} 3600 {}", file.display()))?;
        fs::remove_file(&file)?;
        Ok(())
    }

    fn take(&self) -> Result<Option<Vec<u8>>, FieldError> {
        let mut counts = self.counts.borrow_mut();
        let file = self.folder.join("inbox").join(format!("{:08}", counts.0));
        match fs::read(&file) {
            Ok(payload) => {
                counts.0 += 1;
                fs::remove_file(&file)?;
                Ok(Some(payload))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn has_delivery_report(&self) -> Result<bool, FieldError> {
        self.said.gather();
        Ok(self.said.reports.borrow().iter().any(|kind| kind == "Delivered"))
    }

    fn memory_peak(&self) -> u64 {
        self.process.borrow().memory_peak()
    }
}
