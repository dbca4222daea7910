//! The thread behind the log: prepares spare segments before they are needed and writes the catalogue to the
//! index. Nobody waits for it. An index that fails is thrown away and written again from what the log knows.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    StoreError,
    catalogue::{Holding, Name},
    disk::Disk,
    index::{BATCH, Index, IndexError, Mark, SledIndex},
    log::{Bounds, Log, replay::Checkpoint},
    segment::Position,
};

/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the index may stay behind the log.
const LAG: Duration = Duration::from_secs(5);
/// How many changes the index may stay behind the log.
const LAG_CHANGES: usize = 32_768;
/// How many changes are taken from the log at a time.
const ROUND: usize = 4096;
/// How long until an index that could not be made is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// The thread behind the log.
pub(super) struct Follower {
    /// Dropped to end it.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
    /// Whether the index was of no use at open.
    is_rebuilt: bool,
}

/// What the thread has.
struct Following {
    log: Arc<Log>,
    path: PathBuf,
    index: Option<Box<dyn Index>>,
    /// When the index was complete, or was tried last.
    last: Instant,
}

impl Follower {
    /// Opens the log with what the index knows of it, and follows it.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        bounds: Bounds,
        path: &Path,
    ) -> Result<(Arc<Log>, Self), StoreError> {
        let opened = open_index(path);
        let is_rebuilt = opened.is_none();
        let (index, checkpoint) = opened.or_else(|| open_new_index(path)).map_or_else(
            || (None, Checkpoint { is_followed: true, ..Checkpoint::default() }),
            |(index, checkpoint)| (Some(index), checkpoint),
        );
        let log = Arc::new(Log::open(disk, bounds, checkpoint)?);
        let mut following = Following { log: Arc::clone(&log), path: path.to_owned(), index, last: tick() };
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("pannier-store".into()).spawn(move || {
            while stopped.recv_timeout(PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
                following.look();
            }
            following.follow();
        })?;
        Ok((log, Self { stop, thread, is_rebuilt }))
    }

    /// Whether the index was of no use when the store was opened.
    pub(super) const fn is_rebuilt(&self) -> bool {
        self.is_rebuilt
    }

    /// Completes the index, ends the thread and waits for it.
    pub(super) fn finish(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }
}

impl Following {
    fn look(&mut self) {
        if let Err(error) = self.log.prepare_spare() {
            tracing::debug!(%error, "no segment is prepared");
        }
        if self.index.is_none() && self.last.elapsed() > RETRY {
            self.renew();
        }
        let is_late = self.last.elapsed() > LAG || self.log.state().catalogue.changed() > LAG_CHANGES;
        if is_late && self.index.is_some() {
            self.follow();
        }
    }

    /// Brings the index up to where the log is.
    fn follow(&mut self) {
        let Some(mut index) = self.index.take() else { return };
        self.last = tick();
        match self.catch_up(&mut *index) {
            Ok(()) if !index.is_bloated() => self.index = Some(index),
            Ok(()) => {
                tracing::info!("the catalogue takes up too much space and is written again");
                drop(index);
                self.renew();
            }
            Err(error) => {
                tracing::warn!(%error, "the catalogue is of no use and is written again from the log");
                drop(index);
                self.renew();
            }
        }
    }

    fn catch_up(&self, index: &mut dyn Index) -> Result<(), IndexError> {
        loop {
            let (changes, mark) = self.log.take_changes(ROUND);
            if changes.is_empty() && mark.is_none() {
                return Ok(());
            }
            // The index is never ahead of what is durable.
            if self.log.sync_all().is_err() {
                return Ok(());
            }
            for batch in changes.chunks(BATCH) {
                index.apply(batch)?;
            }
            if let Some(mark) = mark {
                index.complete(mark)?;
                return Ok(());
            }
        }
    }

    /// Begins an empty index and has everything written to it.
    fn renew(&mut self) {
        self.last = tick();
        self.index = open_new_index(&self.path).map(|(index, _)| index);
        self.log.state().catalogue.note_all();
    }
}

impl Log {
    /// Some names that changed and what holds of them. If these are all, also the place in the log where that
    /// is so.
    fn take_changes(&self, most: usize) -> (Vec<(Name, Option<Holding>)>, Option<Mark>) {
        let mut state = self.state();
        if state.catalogue.changed() == 0 {
            return (Vec::new(), None);
        }
        let names = state.catalogue.take_changed(most);
        let changes = names.into_iter().map(|name| {
            let holding = state.catalogue.get(&name).copied();
            (name, holding)
        });
        let changes = changes.collect();
        let mark = (state.catalogue.changed() == 0).then(|| Mark {
            segment: state.active,
            position: Position { offset: state.tail, seq: state.next_seq - 1 },
            next_number: state.next_number,
        });
        (changes, mark)
    }

    /// Makes everything durable that was written before.
    fn sync_all(&self) -> Result<(), StoreError> {
        let target = self.state().next_seq - 1;
        self.sync_to(target)
    }
}

/// The index as it is; `None` if it is of no use or was not there.
fn open_index(path: &Path) -> Option<(Box<dyn Index>, Checkpoint)> {
    if !path.exists() {
        return None;
    }
    match SledIndex::open(path) {
        Ok((index, checkpoint)) if checkpoint.segment > 0 => Some((Box::new(index), checkpoint)),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "the catalogue is of no use and is written again from the log");
            None
        }
    }
}

/// An empty index in place of whatever is there; `None` if it cannot be made: the log does without.
fn open_new_index(path: &Path) -> Option<(Box<dyn Index>, Checkpoint)> {
    let opened = SledIndex::remove(path).map_err(IndexError::from).and_then(|()| SledIndex::open(path));
    match opened {
        Ok((index, checkpoint)) => Some((Box::new(index), checkpoint)),
        Err(error) => {
            tracing::warn!(%error, "there is no catalogue beside the log for the time being");
            None
        }
    }
}

/// How long ago the catalogue was written is nobody's time but the follower's.
#[expect(clippy::disallowed_methods, reason = "measures a pause of a background thread")]
fn tick() -> Instant {
    Instant::now()
}
