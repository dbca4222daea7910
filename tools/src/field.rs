//! Real nodes on this machine, each a process under its own `PANNIER_HOME`, driven through the command line
//! as a person would.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// How long anything may take before the run is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often something is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// A program could not be started or its files not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A command said no.
    #[error("`{command}` at {node} failed: {output}")]
    Command {
        /// Where.
        node: String,
        /// What.
        command: String,
        /// What it said.
        output: String,
    },
    /// Something did not come.
    #[error("waited too long for {0}")]
    TooLong(String),
    /// What must hold does not.
    #[error("{0}")]
    Broken(String),
}

/// One node.
pub struct FieldNode {
    name: String,
    home: PathBuf,
    binary: PathBuf,
    process: Option<Child>,
}

impl FieldNode {
    /// Makes the node's home. It is not running yet.
    pub fn create(name: &str, folder: &Path, binary: &Path) -> Result<Self, FieldError> {
        let home = folder.join(name);
        fs::create_dir_all(&home)?;
        let node = Self { name: name.to_owned(), home, binary: binary.to_owned(), process: None };
        node.command(&["-q", "init"])?;
        Ok(node)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts it and waits until it accepts submissions.
    pub fn start(&mut self) -> Result<(), FieldError> {
        let ready = self.ready_file();
        match fs::remove_file(&ready) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.home.join("node.log"))?;
        let child = Command::new(&self.binary)
            .args(["-q", "run", "--ready-file"])
            .arg(&ready)
            .env("PANNIER_HOME", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        self.process = Some(child);
        self.wait_until("its readiness file", |node| {
            if let Some(status) = node.process.as_mut().expect("it was started").try_wait()? {
                let mut said = String::new();
                fs::File::open(node.home.join("node.log"))?.read_to_string(&mut said)?;
                return Err(FieldError::Broken(format!(
                    "{} ended at start with {status}: {said}",
                    node.name
                )));
            }
            Ok(node.ready_file().exists())
        })
    }

    /// Whether it is running, as far as anybody has been told.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Switches it off in good order.
    pub fn stop(&mut self) -> Result<(), FieldError> {
        if let Some(mut child) = self.process.take() {
            Command::new("kill").arg(child.id().to_string()).status()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Takes its power away.
    pub fn kill(&mut self) -> Result<(), FieldError> {
        if let Some(mut child) = self.process.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Where its QUIC link listens.
    pub fn address(&self) -> Result<String, FieldError> {
        let text = fs::read_to_string(self.ready_file())?;
        let ready: serde_json::Value = serde_json::from_str(&text).map_err(io::Error::from)?;
        let links = ready["links"].as_array().cloned().unwrap_or_default();
        let quic = links.iter().find(|link| link["cla"] == "quic").and_then(|link| link["addr"].as_str());
        let quic = quic.ok_or_else(|| FieldError::Broken(format!("{} has no QUIC link", self.name)))?;
        Ok(format!("quic://{quic}"))
    }

    /// Runs a command there and gives what it printed.
    pub fn command(&self, arguments: &[&str]) -> Result<String, FieldError> {
        let Output { status, stdout, stderr } = Command::new(&self.binary)
            .args(arguments)
            .env("PANNIER_HOME", &self.home)
            .stdin(Stdio::null())
            .output()?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned());
        }
        Err(FieldError::Command {
            node: self.name.clone(),
            command: arguments.join(" "),
            output: format!(
                "{status}: {}{}",
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            ),
        })
    }

    /// Runs a command with `--json` and gives its lines.
    pub fn ask(&self, arguments: &[&str]) -> Result<Vec<serde_json::Value>, FieldError> {
        let text = self.command(&[&["--json"], arguments].concat())?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
        Ok(lines.map_err(io::Error::from)?)
    }

    /// Looks again and again until something holds.
    pub fn wait_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<bool, FieldError>,
    ) -> Result<(), FieldError> {
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            if holds(self)? {
                return Ok(());
            }
            pause(LOOK);
        }
        Err(FieldError::TooLong(format!("{what} of {}", self.name)))
    }

    fn ready_file(&self) -> PathBuf {
        self.home.join("ready.json")
    }
}

impl Drop for FieldNode {
    fn drop(&mut self) {
        // Nothing is left behind, whatever went wrong.
        let _ = self.kill();
    }
}

/// Waits. The only place of the tools that does.
#[expect(clippy::disallowed_methods, reason = "real processes are looked at from outside")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
