//! The QUIC link against bare QUIC streams of the same transport, both over loopback in the same run.

use std::{path::Path, sync::Arc, time::Duration};

use pannier::{
    cla::quic::workload::{Load, bundles, streams},
    store::{LogStore, Options, Store},
};

/// What was measured.
pub struct Row {
    /// How many bytes of payload went over.
    pub bytes: u64,
    /// How long bundles took until the last one was durable at the other end.
    pub ours: Duration,
    /// How long the same bytes took over bare streams.
    pub bare: Duration,
    /// How much the process's greatest memory grew over that of one tenth of the load, in bytes.
    pub memory_growth: u64,
}

impl Row {
    /// Which part of the bare streams' throughput the link reaches.
    pub fn ratio(&self) -> f64 {
        self.bare.as_secs_f64() / self.ours.as_secs_f64()
    }

    /// Bytes per second of the link.
    pub fn rate(&self, took: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let bytes = self.bytes as f64;
        bytes / took.as_secs_f64()
    }
}

/// Rounds; the median counts.
const ROUNDS: usize = 5;
const LOAD: Load = Load { bundles: 256, len: 1024 * 1024 };

/// Measures with stores under `folder`.
///
/// # Errors
/// What the link, a store or the system says.
pub fn run(folder: &Path) -> Result<Row, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let few = Load { bundles: LOAD.bundles / 10, ..LOAD };
        link(few, folder).await?;
        streams(few).await.map_err(|error| error.to_string())?;
        let before = memory_peak();
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(link(LOAD, folder).await?);
            bare.push(streams(LOAD).await.map_err(|error| error.to_string())?);
        }
        ours.sort();
        bare.sort();
        let len = u64::try_from(LOAD.len).map_err(|error| error.to_string())?;
        Ok(Row {
            bytes: LOAD.bundles * len,
            ours: ours[ROUNDS / 2],
            bare: bare[ROUNDS / 2],
            memory_growth: memory_peak().saturating_sub(before),
        })
    })
}

async fn link(load: Load, folder: &Path) -> Result<Duration, String> {
    let open = |name: &str| -> Result<Arc<dyn Store>, String> {
        let path = folder.join(name);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            Ok(()) | Err(_) => {}
        }
        let options = Options { quota: 4 << 30, keep_free: 0, segment_bytes: None };
        Ok(Arc::new(LogStore::open(&path, options).map_err(|error| error.to_string())?))
    };
    bundles(load, open("source")?, open("target")?).await.map_err(|error| error.to_string())
}

/// The greatest resident memory of this process so far, in bytes.
fn memory_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
