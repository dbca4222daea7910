//! Starts worker processes: where they are, and what of this process they get to see.
//!
//! Called by `supervisor`. A worker gets no environment but its own, no open file but three pipes, and a
//! process group of its own, so that an interrupt typed at the terminal reaches the node first. Limits are
//! the worker's to set (`serve`), before it loads anything.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::{Child, Command};

use super::{WorkerLimits, serve};

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no such program.
    #[error("there is no worker `{}`: build it or install it beside `pannier`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The name is no engine's.
    #[error("`{name}` is no name of an engine: lower-case letters, digits and `-` are allowed")]
    Name {
        /// What was given.
        name: String,
    },
    /// The system refused.
    #[error("the worker `{}` does not start: {error}", path.display())]
    Refused {
        /// Which program.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The directory in which this program lies, and its workers with it.
///
/// # Errors
/// If the system does not know.
pub fn own_directory() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let directory = program.parent().ok_or_else(|| io::Error::other("this program lies nowhere"))?;
    Ok(directory.to_owned())
}

/// Starts `pannier-<engine>` of `directory`.
///
/// # Errors
/// See [`LaunchError`].
pub(in crate::inference) fn launch(
    directory: &Path,
    engine: &str,
    limits: &WorkerLimits,
) -> Result<Child, LaunchError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if engine.is_empty() || !engine.bytes().all(is_plain) {
        return Err(LaunchError::Name { name: engine.to_owned() });
    }
    let path = directory.join(format!("pannier-{engine}"));
    let mut command = Command::new(&path);
    command
        .args(serve::arguments(limits))
        .env_clear()
        // Threads that wait must sleep: spinning ones starve everything else on a small machine.
        .env("OMP_WAIT_POLICY", "passive")
        .env("OMP_NUM_THREADS", limits.threads.to_string())
        // A backtrace would be made by a debugger that the dying engine starts.
        .env("GGML_NO_BACKTRACE", "1")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    match command.spawn() {
        Ok(child) => Ok(child),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LaunchError::Missing { path }),
        Err(error) => Err(LaunchError::Refused { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WorkerLimits = WorkerLimits { threads: 1, memory: 1 << 30, task_ms: 1000 };

    #[tokio::test]
    async fn a_worker_that_is_not_there_is_named_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let error = launch(directory.path(), "nothing", &LIMITS).unwrap_err().to_string();
        assert!(error.contains(directory.path().join("pannier-nothing").to_str().unwrap()), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", "../../bin/sh", "a b", "Echo"] {
            let launched = launch(Path::new("/"), name, &LIMITS);
            assert!(matches!(launched, Err(LaunchError::Name { .. })), "{name}");
        }
    }
}
