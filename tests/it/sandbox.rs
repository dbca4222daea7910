//! Real nodes, each a process with a home and ports of its own. The only place of these tests that waits: it looks
//! again and again, and not for ever. A node that is dropped is killed, and its home goes with it.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::shell::{Home, stderr, stdout};

/// How often something is looked at before it is given up.
const LOOKS: usize = 3000;
/// How long it is left alone between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Longest silence of a node that is asked over HTTP.
const SILENCE: Duration = Duration::from_secs(60);
/// How much somebody else writes to a small disk at a time, in bytes.
const FILLER_BYTES: usize = 64 * 1024;

/// Looks until there is something, or fails and says what was waited for.
pub(crate) fn await_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        pause();
    }
    panic!("waited too long for {what}");
}

/// Looks until it holds.
pub(crate) fn await_that(what: &str, mut holds: impl FnMut() -> bool) {
    await_some(what, || holds().then_some(()));
}

#[expect(clippy::disallowed_methods, reason = "processes are looked at from outside")]
fn pause() {
    thread::sleep(PAUSE);
}

/// A node: a home, and a process while it runs.
pub(crate) struct Node {
    pub(crate) home: Home,
    settings: Vec<String>,
    variables: Vec<(String, PathBuf)>,
    /// Where it says what it does and that it is ready. Not in the home: that one may be a full disk.
    desk: tempfile::TempDir,
    child: Option<Child>,
}

impl Node {
    /// A home with an identity and with these settings (`SECTION.KEY=VALUE`); not running.
    pub(crate) fn create(home: Home, settings: &[&str]) -> Self {
        let made = home.pannier(&["init"], b"");
        assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        Self { home, settings, variables: Vec::new(), desk: tempfile::tempdir().unwrap(), child: None }
    }

    /// A running node that answers echo jobs.
    pub(crate) fn start() -> Self {
        Self::start_with(&["inference.engines=echo"])
    }

    /// A running node that only asks and carries.
    pub(crate) fn start_carrier() -> Self {
        Self::start_with(&["inference.engines=[]"])
    }

    /// A running node with these settings, on ports that nobody else has.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let ports = ["gateway.listen=127.0.0.1:0", "cla.quic.listen=127.0.0.1:0"];
        let mut node = Self::create(Home::new(), &[&ports[..], settings].concat());
        node.run();
        node
    }

    /// Other settings from the next start on; a later one counts.
    pub(crate) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// A variable of the process's environment, from the next start on.
    pub(crate) fn set_variable(&mut self, name: &str, value: &Path) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Starts the process and waits until it accepts submissions.
    pub(crate) fn run(&mut self) {
        self.begin();
        let ready = self.ready_file();
        await_that("the readiness file", || {
            let child = self.child.as_mut().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the node ended at start with {status}: {}", self.log());
            }
            ready.exists()
        });
    }

    /// Starts the process without waiting for anything.
    pub(crate) fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        // One that was killed has left its file behind.
        let _ = fs::remove_file(self.ready_file());
        let ready = self.ready_file();
        let mut arguments = vec!["run", "--ready-file", ready.to_str().unwrap()];
        arguments.extend(self.settings.iter().flat_map(|setting| ["--set", setting.as_str()]));
        let log = File::options().create(true).append(true).open(self.desk.path().join("log")).unwrap();
        let mut command = self.home.command(&arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        // It stays ours until it has ended, so that one that does not is killed.
        let child = self.child.as_mut().unwrap();
        let status = await_some("the end of the node", || child.try_wait().unwrap());
        self.child = None;
        status
    }

    /// Tells it to end, as a service manager does, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended()
    }

    /// Takes its power away.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The workers that it has started.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let threads = format!("/proc/{}/task", self.pid());
        let children = fs::read_dir(threads).unwrap().flatten().map(|thread| thread.path().join("children"));
        let listed: Vec<String> = children.flat_map(fs::read_to_string).collect();
        listed.iter().flat_map(|list| list.split_whitespace()).map(|pid| pid.parse().unwrap()).collect()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.desk.path().join("log")).unwrap()
    }

    /// What the readiness file says.
    pub(crate) fn ready(&self) -> Value {
        serde_json::from_slice(&fs::read(self.ready_file()).unwrap()).unwrap()
    }

    /// Where the readiness file is.
    pub(crate) fn ready_file(&self) -> PathBuf {
        self.desk.path().join("ready.json")
    }

    /// Where its QUIC link listens, as others dial it.
    pub(crate) fn address(&self) -> String {
        format!("quic://{}", self.ready()["links"][0]["addr"].as_str().unwrap())
    }

    /// Where its gateway listens.
    pub(crate) fn api(&self) -> String {
        self.ready()["api_addr"].as_str().unwrap().to_owned()
    }

    /// A command that must succeed; what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        self.command_with(arguments, b"")
    }

    /// A command with an input that must succeed; what it printed.
    pub(crate) fn command_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.home.pannier(arguments, input);
        let said = format!("{arguments:?}: {}{}\n{}", stdout(&output), stderr(&output), self.log());
        assert_eq!(output.status.code(), Some(0), "{said}");
        stdout(&output).trim_end().to_owned()
    }

    /// The lines of a command with `--json`.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        self.lines_with(arguments, b"")
    }

    /// The lines of a command with `--json` and an input.
    pub(crate) fn lines_with(&self, arguments: &[&str], input: &[u8]) -> Vec<Value> {
        let text = self.command_with(&[&["--json"], arguments].concat(), input);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line of a command with `--json`.
    pub(crate) fn told(&self, arguments: &[&str]) -> Value {
        self.lines(arguments).pop().unwrap()
    }

    /// Submits an echo job with these arguments; its id.
    pub(crate) fn echo(&self, arguments: &[&str], input: &str) -> String {
        self.command_with(&[&["submit", "--kind", "echo"], arguments, &["-"]].concat(), input.as_bytes())
    }

    /// Where a job stands; empty if it is not known.
    pub(crate) fn state(&self, job: &str) -> String {
        let jobs = self.lines(&["list"]);
        let found = jobs.iter().find(|line| line["id"] == job);
        found.map(|line| line["state"].as_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// The steps of a job, in words.
    pub(crate) fn journey(&self, job: &str) -> Vec<String> {
        let told = self.told(&["status", job]);
        let steps = told["journey"].as_array().unwrap();
        steps.iter().map(|step| step["step"].as_str().unwrap().to_owned()).collect()
    }

    /// How often a step stands in a job's journey.
    pub(crate) fn count(&self, job: &str, step: &str) -> usize {
        self.journey(job).iter().filter(|taken| *taken == step).count()
    }

    /// Bundles that are held.
    pub(crate) fn bundles(&self) -> Vec<Value> {
        let answer = self.http("GET", "/api/bundles", &[], "");
        answer.json().as_array().unwrap().clone()
    }

    /// Asks the gateway over its port.
    pub(crate) fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut stream = self.request(method, path, headers, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer::read(&text)
    }

    /// Asks the gateway and does not wait for the answer.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let api = self.api();
        let mut stream = TcpStream::connect(&api).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            text.push_str(&format!("Host: {api}\r\n"));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        stream
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the gateway said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(": "));
        found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Whether a process lives.
pub(crate) fn lives(pid: u32) -> bool {
    // A zombie has ended; only its parent has not looked yet.
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Bundle files on a stick, by name.
pub(crate) fn on_stick(stick: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(stick.join("pannier-spool").join(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A disk of a few megabytes, in memory, gone at the end.
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` if it may not be mounted here.
    pub(crate) fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("disk")).unwrap();
        let mut command = Command::new("mount");
        let mounted = command
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(folder.path().join("disk"))
            .output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        is_mounted.then_some(Self { folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Somebody else takes every byte that is left.
    pub(crate) fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        while filler.write_all(&[1; FILLER_BYTES]).is_ok() {}
        while filler.write_all(&[1]).is_ok() {}
    }

    pub(crate) fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.path());
    }
}

fn unmount(path: &Path) {
    // Lazily: the last file of a node that was killed may be open for a moment.
    let _ = Command::new("umount").arg("-l").arg(path).status();
}
