//! Tells the outside that submissions are accepted: the readiness file and the service manager.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// What the readiness file says. Field names are stable.
#[derive(Debug, Serialize)]
pub(super) struct Ready {
    /// Process id.
    pub(super) pid: u32,
    /// Version of the program.
    pub(super) version: &'static str,
    /// Node ID.
    pub(super) eid: String,
    /// The key as a libp2p peer id.
    pub(super) peer_id: String,
    /// Where the gateway listens, `127.0.0.1:PORT`; empty if it does not.
    pub(super) api_addr: String,
    /// The control socket.
    pub(super) socket: PathBuf,
    /// The console's address; empty if there is none.
    pub(super) console: String,
    /// Where each convergence layer listens.
    pub(super) links: Vec<ReadyLink>,
}

/// Where a convergence layer listens.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ReadyLink {
    /// Its name.
    pub(super) cla: &'static str,
    /// Its address.
    pub(super) addr: String,
}

/// The readiness file while it is there; dropping it removes it.
pub(super) struct ReadyFile(Option<PathBuf>);

impl ReadyFile {
    /// Writes the file by an atomic rename and tells the service manager.
    pub(super) fn announce(path: Option<&Path>, ready: &Ready) -> io::Result<Self> {
        if let Some(path) = path {
            let mut line = serde_json::to_string(ready).expect("plain fields become JSON");
            line.push('\n');
            let part = path.with_extension("part");
            let mut file = fs::File::create(&part)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            fs::rename(&part, path)?;
        }
        // Without a service manager there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        Ok(Self(path.map(Path::to_owned)))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        if let Some(path) = &self.0 {
            // If somebody has removed it already, it is gone.
            let _ = fs::remove_file(path);
        }
    }
}
