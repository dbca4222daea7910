//! Running the program as a shell does, each time with a home of its own.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A folder that is one node's home.
pub(crate) struct Home {
    path: PathBuf,
    /// Removes the folder at the end, if it is ours.
    _folder: Option<tempfile::TempDir>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().to_owned(), _folder: Some(folder) }
    }

    /// In a folder that somebody else removes.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _folder: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `pannier` with these arguments, as a shell in the home would start it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pannier"));
        command
            .args(arguments)
            .env_clear()
            .env("PANNIER_HOME", self.path())
            .env("COLUMNS", "80")
            .current_dir(self.path());
        command
    }

    /// Runs `pannier` with these arguments and this input.
    pub(crate) fn pannier(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Exit code of a command.
    pub(crate) fn exit(&self, arguments: &[&str]) -> i32 {
        self.pannier(arguments, b"").status.code().unwrap()
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The last line of `--json`.
pub(crate) fn last_line(output: &Output) -> serde_json::Value {
    serde_json::from_str(stdout(output).lines().last().unwrap()).unwrap()
}
