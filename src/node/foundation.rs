//! What a node stands on: its key, its store, its clock, and the agent as it was.

use std::{io, path::Path, sync::Arc};

use bundle_spec::{NodeId, sign::SigningKey};
use tracing::{info, warn};

use super::{NodeError, clock::Clock, identity};
use crate::{
    agent::{Agent, Config},
    limits,
    route::Epidemic,
    settings::Settings,
    store::{LogStore, Options, Store},
    time::Time,
};

/// What a node stands on.
pub(super) struct Foundation {
    /// Who it is, and can prove to be.
    pub(super) key: SigningKey,
    /// What it is called.
    pub(super) node: NodeId,
    /// What it remembers.
    pub(super) store: Arc<dyn Store>,
    /// What time it is.
    pub(super) clock: Arc<Clock>,
    /// What it was about to do.
    pub(super) agent: Agent,
}

impl Foundation {
    /// Opens everything that was there before, or makes it.
    pub(super) async fn lay(settings: &Settings) -> Result<Self, NodeError> {
        let key = identity::load(&settings.paths.identity())?;
        let node = match &settings.eid {
            Some(text) => text.parse::<NodeId>().map_err(|_| NodeError::Eid(text.clone()))?,
            None => key.public().node_id(),
        };
        let store = open_store(settings).await?;
        let clock = Arc::new(resume_clock(&settings.paths.data));
        let agent = restore(&store, &node, &key, &clock, settings).await?;
        Ok(Self { key, node, store, clock, agent })
    }
}

async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, NodeError> {
    let (path, quota, keep_free) =
        (settings.store.path.clone(), settings.store.quota, settings.store.keep_free);
    let store = tokio::task::spawn_blocking(move || {
        LogStore::open(&path, Options { quota, keep_free, segment_bytes: None })
    })
    .await
    .expect("opening the store does not panic")?;
    Ok(Arc::new(store))
}

/// The agent as the records say. Blocks that nothing needs (their record never became durable) are forgotten.
async fn restore(
    store: &Arc<dyn Store>,
    node: &NodeId,
    key: &SigningKey,
    clock: &Arc<Clock>,
    settings: &Settings,
) -> Result<Agent, NodeError> {
    let (store, clock) = (Arc::clone(store), Arc::clone(clock));
    let config = Config {
        node: node.clone(),
        key: key.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        bundles_max: limits::BUNDLES_MAX,
        status_reports: settings.status_reports,
        rules: settings.security.rules.clone(),
    };
    tokio::task::spawn_blocking(move || {
        let records = store.recover()?;
        info!(records = records.len(), "records recovered");
        let router = Box::new(Epidemic);
        let agent = Agent::restore(config, router, rand::random(), records, clock.now());
        let needed = agent.blocks();
        for digest in store.blocks()?.into_iter().filter(|digest| !needed.contains(digest)) {
            store.release(&digest)?;
        }
        Ok(agent)
    })
    .await
    .expect("restoring does not panic")
}

/// When the node first started is kept in a file; without it, it starts at this moment.
fn resume_clock(data: &Path) -> Clock {
    let path = data.join("clock");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let mut numbers = kept.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
    let (first, last) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let clock = Clock::resume(first, Time(last));
    if let Err(error) = write_clock(&clock, &path) {
        // A full disk is no reason not to run: what is here may be carried on, and room be made.
        warn!(%error, "the clock file cannot be written");
    }
    clock
}

/// Keeps what the clock says, by an atomic rename.
pub(super) fn write_clock(clock: &Clock, path: &Path) -> io::Result<()> {
    let now = clock.now().0;
    // Where the wall clock is unknown, zero says so, and only the node's own time goes on.
    let first = clock.wall().map_or(0, |(wall, _)| wall.0.saturating_sub(now));
    let part = path.with_extension("part");
    std::fs::write(&part, format!("{first} {now}\n"))?;
    std::fs::rename(&part, path)
}
