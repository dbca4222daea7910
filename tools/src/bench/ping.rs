//! How long an echo takes between two real nodes on this machine, over TCPCLv4: with stores in memory (a file
//! system in memory, where a synchronisation costs nothing) and with stores on the disk, beside what one
//! append and `fdatasync` of the same file system takes.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use super::now;
use crate::{
    cut::settings,
    field::{FieldError, FieldNode, build, in_folder},
    interop::http::Http,
    relay::Road,
};

/// Echoes of one measurement; the median counts.
const ECHOES: usize = 301;
/// Where files lie in memory.
const MEMORY: &str = "/dev/shm";
/// As much as a record of a small bundle takes in the log, in bytes.
const RECORD_BYTES: usize = 1024;

/// What was measured, in milliseconds.
pub struct Row {
    /// An echo with stores in memory.
    pub memory: f64,
    /// An echo with stores on the disk.
    pub durable: f64,
    /// One append and `fdatasync` on that disk.
    pub commit: f64,
}

/// Measures; durable stores lie under `folder`.
pub fn run(folder: &Path) -> Result<Row, FieldError> {
    let binary = build(&["--package", "pannier", "--bin", "pannier"])?;
    let scratch = Path::new(MEMORY).join(format!("pannier-ping-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let memory = in_folder("ping", |homes| echo(homes, &scratch, &binary));
    fs::remove_dir_all(&scratch)?;
    let folder = folder.join("bench-ping");
    fs::create_dir_all(&folder)?;
    let durable = in_folder("ping", |homes| echo(homes, &folder, &binary));
    let commit = commit(&folder.join("commit"));
    fs::remove_dir_all(&folder)?;
    Ok(Row { memory: memory?, durable: durable?, commit: commit? })
}

/// The median of echoes between two nodes whose stores lie under `stores`.
fn echo(homes: &Path, stores: &Path, binary: &Path) -> Result<f64, FieldError> {
    let start = |name: &str| {
        let place = format!("store.path={}", stores.join(name).display());
        let node = FieldNode::create(name, homes, binary)?.with(&settings(Road::Tcpclv4)).with(&[&place]);
        let mut node = node;
        node.start()?;
        Ok::<_, FieldError>(node)
    };
    let (near, far) = (start("near")?, start("far")?);
    near.command(&["peer", "add", &format!("tcpclv4://{}", far.listens("tcpclv4")?)])?;
    let gateway = Http::new(near.gateway()?);
    let path = format!("/api/ping?to={}echo", far.eid()?);
    let mut took = Vec::with_capacity(ECHOES);
    // The first one waits for the contact.
    for _ in 0..=ECHOES {
        let began = now();
        let answer = gateway.post(&path, &[])?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        if !(200..300).contains(&answer.status) {
            let words = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(FieldError::Broken(format!("no echo: {} {words}", answer.status)));
        }
    }
    took.remove(0);
    Ok(median(took))
}

/// The median of appending and synchronising.
fn commit(path: &Path) -> Result<f64, FieldError> {
    let mut file = File::create(path)?;
    let mut took = Vec::with_capacity(ECHOES);
    for _ in 0..ECHOES {
        let began = now();
        file.write_all(&[7; RECORD_BYTES])?;
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(took))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
