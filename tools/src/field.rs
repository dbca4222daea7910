//! Real nodes on this machine, each a process under its own `PANNIER_HOME`, driven through the command line
//! as a person would.

use std::{
    env, fs,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
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
    /// What it is started with, as `KEY=VALUE`.
    settings: Vec<String>,
    process: Option<Child>,
}

impl FieldNode {
    /// Makes the node's home. It is not running yet.
    pub fn create(name: &str, folder: &Path, binary: &Path) -> Result<Self, FieldError> {
        let home = folder.join(name);
        fs::create_dir_all(&home)?;
        let (name, binary) = (name.to_owned(), binary.to_owned());
        let node = Self { name, home, binary, settings: Vec::new(), process: None };
        node.command(&["-q", "init"])?;
        Ok(node)
    }

    /// The same node, started with these settings.
    pub fn with(mut self, settings: &[&str]) -> Self {
        self.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
        self
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
        let settings = self.settings.iter().flat_map(|setting| ["--set", setting]);
        let child = Command::new(&self.binary)
            .args(["-q", "run", "--ready-file"])
            .arg(&ready)
            .args(settings)
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
        Ok(format!("quic://{}", self.listens("quic")?))
    }

    /// Where its convergence layer of this name listens.
    pub fn listens(&self, cla: &str) -> Result<SocketAddr, FieldError> {
        let ready = self.ready()?;
        let links = ready["links"].as_array().cloned().unwrap_or_default();
        let address = links.iter().find(|link| link["cla"] == cla).and_then(|link| link["addr"].as_str());
        let address = address.and_then(|address| address.parse().ok());
        address.ok_or_else(|| FieldError::Broken(format!("{} does not listen on {cla}", self.name)))
    }

    /// Its node ID.
    pub fn eid(&self) -> Result<String, FieldError> {
        Ok(self.ready()?["eid"].as_str().unwrap_or_default().to_owned())
    }

    /// The port of its gateway.
    pub fn gateway(&self) -> Result<u16, FieldError> {
        let ready = self.ready()?;
        let address = ready["api_addr"].as_str().and_then(|address| address.parse::<SocketAddr>().ok());
        let address = address.map(|address| address.port());
        address.ok_or_else(|| FieldError::Broken(format!("the gateway of {} does not listen", self.name)))
    }

    /// Its greatest resident memory so far, in bytes; zero if it does not run.
    pub fn memory_peak(&self) -> u64 {
        self.process.as_ref().map_or(0, |child| memory_peak(child.id()))
    }

    fn ready(&self) -> Result<serde_json::Value, FieldError> {
        let text = fs::read_to_string(self.ready_file())?;
        Ok(serde_json::from_str(&text).map_err(io::Error::from)?)
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

/// Builds the programs and says where `pannier` is.
pub fn build(arguments: &[&str]) -> Result<PathBuf, FieldError> {
    let status = Command::new("cargo").args(["build", "--release"]).args(arguments).status()?;
    if !status.success() {
        return Err(FieldError::Broken("the build failed".to_owned()));
    }
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(fs::canonicalize(target.join("release/pannier"))?)
}

/// Runs something with a folder of its own, which stays only if that fails.
pub fn in_folder<T>(name: &str, run: impl FnOnce(&Path) -> Result<T, FieldError>) -> Result<T, FieldError> {
    let folder = env::temp_dir().join(format!("pannier-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = run(&folder);
    match &result {
        Ok(_) => fs::remove_dir_all(&folder)?,
        Err(_) => eprintln!("the nodes' homes are left in {}", folder.display()),
    }
    result
}

/// The greatest resident memory of a process so far, in bytes; zero if it has ended.
pub fn memory_peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The clock of runs with real processes.
#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Waits. The only place of the tools that does.
#[expect(clippy::disallowed_methods, reason = "real processes are looked at from outside")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
