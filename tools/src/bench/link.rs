//! The QUIC link against bare QUIC streams, over loopback in the same run: streams of quinn as it comes, and
//! streams with the settings of our links.

use std::{path::Path, sync::Arc, time::Duration};

use pannier::{
    agent::Outgoing,
    cla::quic::workload::{Load, Tuning, blocks, bundles, streams},
    store::{LogStore, Options, Store},
};

/// What was measured.
pub struct Row {
    /// How many bytes of payload went over.
    pub bytes: u64,
    /// How long bundles took until the last one was durable at the other end.
    pub ours: Duration,
    /// How long the same bytes took over bare streams of quinn as it comes.
    pub quinn: Duration,
    /// How long they took over bare streams with the settings of our links.
    pub tuned: Duration,
    /// How much more memory the link took at its peak for the whole load than for a quarter of it, in bytes.
    pub memory_growth: u64,
    /// How much memory it took at its peak beyond what the process had before, in bytes.
    pub memory: u64,
}

impl Row {
    /// Which part of a peer's throughput the link reaches.
    pub fn ratio(&self, peer: Duration) -> f64 {
        peer.as_secs_f64() / self.ours.as_secs_f64()
    }

    /// Bytes per second.
    pub fn rate(&self, took: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let bytes = self.bytes as f64;
        bytes / took.as_secs_f64()
    }
}

/// Rounds; the median counts.
const ROUNDS: usize = 5;
const LOAD: Load = Load { bundles: 256, len: 1024 * 1024 };
/// How long stores get to do what they put off, before something is measured.
const CALM: Duration = Duration::from_secs(2);

/// Measures with stores under `folder`.
///
/// # Errors
/// What the link, a store or the system says.
pub fn run(folder: &Path) -> Result<Row, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let source = open(&folder.join("source"))?;
        let outgoing = blocks(LOAD, &source).await.map_err(|error| error.to_string())?;
        let bare = |tuning| async move { streams(LOAD, tuning).await.map_err(|error| error.to_string()) };
        let (mut ours, mut quinn, mut tuned) = (Vec::new(), Vec::new(), Vec::new());
        let (mut memory, mut quarter) = (0, 0);
        for _ in 0..ROUNDS {
            quarter = link(&outgoing[..outgoing.len() / 4], &source, folder).await?.1.max(quarter);
            let (took, peak) = link(&outgoing, &source, folder).await?;
            ours.push(took);
            memory = memory.max(peak);
            quinn.push(bare(Tuning::Quinn).await?);
            tuned.push(bare(Tuning::Link).await?);
        }
        let middle = |mut times: Vec<Duration>| {
            times.sort();
            times[ROUNDS / 2]
        };
        let len = u64::try_from(LOAD.len).map_err(|error| error.to_string())?;
        Ok(Row {
            bytes: LOAD.bundles * len,
            ours: middle(ours),
            quinn: middle(quinn),
            tuned: middle(tuned),
            memory_growth: memory.saturating_sub(quarter),
            memory,
        })
    })
}

/// An empty store in a folder.
fn open(path: &Path) -> Result<Arc<dyn Store>, String> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
        Ok(()) | Err(_) => {}
    }
    let options = Options { quota: 4 << 30, keep_free: 0, segment_bytes: None };
    Ok(Arc::new(LogStore::open(path, options).map_err(|error| error.to_string())?))
}

/// Sends bundles into an empty store; how long it took, and how much memory at its peak.
async fn link(
    outgoing: &[Outgoing],
    source: &Arc<dyn Store>,
    folder: &Path,
) -> Result<(Duration, u64), String> {
    let target = open(&folder.join("target"))?;
    tokio::time::sleep(CALM).await;
    // From here on the kernel counts the peak anew (Linux, proc_pid_clear_refs(5)).
    std::fs::write("/proc/self/clear_refs", "5").map_err(|error| error.to_string())?;
    let before = memory("VmRSS:");
    let took = bundles(outgoing.to_vec(), Arc::clone(source), target).await;
    let peak = memory("VmHWM:").saturating_sub(before);
    took.map(|took| (took, peak)).map_err(|error| error.to_string())
}

/// A line of what the kernel says of this process's memory, in bytes.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    let kilobytes = found.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
