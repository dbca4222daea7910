//! Import: what lies on the stick is offered to the agent like anything that arrives on a link; what the
//! stick need not carry any further is removed, once it is durable here.

use std::{io::Read, path::Path, sync::Arc};

use bundle_spec::{BundleId, PayloadTail};
use bytes::Bytes;
use tracing::debug;

use super::{
    Damage, Report, SpoolError,
    layout::{Folder, Layout},
    stick::{Entry, Stick, Wish, read_tail},
    words::{Endings, Words},
};
use crate::{
    agent::{CloseReason, LinkClass, Refusal},
    cla::offload::offload,
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::{Handle, LinkCommand, LinkPort, Store, StoreError},
};

/// How many bytes are read from the stick at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// See [`super::import`].
pub(super) async fn import(handle: &Handle, dir: &Path) -> Result<Report, SpoolError> {
    let dir = dir.to_owned();
    let mut stick = offload(move || Stick::read(Layout::open(&dir)?)).await?;
    // Nothing is written to the stick but words.
    let class = LinkClass { summaries: true, durable: true, sends: false, ..LinkClass::plain("spool") };
    let mut port = handle.open_link(Some(stick.layout.node.clone()), class).await?;
    let mut reader = Reader {
        handle,
        layout: stick.layout.clone(),
        over: Endings::default(),
        words: Vec::new(),
        done: Vec::new(),
        report: Report::default(),
    };
    for (name, damage) in std::mem::take(&mut stick.damaged) {
        reader.set_aside(&name, &damage).await?;
    }
    let served = reader.serve(&mut port, stick).await;
    let reason = if served.is_ok() { CloseReason::Finished } else { CloseReason::Lost };
    port.reporter.closed(reason).await?;
    served?;
    Ok(reader.report)
}

struct Reader<'a> {
    handle: &'a Handle,
    layout: Layout,
    /// Wishes that are known to be over.
    over: Endings,
    /// What this node has said.
    words: Vec<Bytes>,
    /// Bundle files that the stick need not carry any further if what is said here is so.
    done: Vec<(String, Reason)>,
    report: Report,
}

/// Why a stick need not carry a bundle any further.
enum Reason {
    /// It has arrived.
    Arrived,
    /// This node says that it is pointless.
    Pointless,
    /// If its job is over for who asked.
    Over(Wish),
}

impl Reader<'_> {
    async fn serve(&mut self, port: &mut LinkPort, stick: Stick) -> Result<(), SpoolError> {
        stick.words.iter().for_each(|word| self.over.hear(word));
        for word in stick.words.iter().cloned().chain(stick.summary()) {
            port.reporter.heard(word).await?;
        }
        for entry in stick.entries {
            self.offer(port, entry).await?;
        }
        // An answer to this question comes behind every answer to what was said before it.
        self.handle.status().await?;
        while let Ok(command) = port.commands.try_recv() {
            self.commanded(port, command).await?;
        }
        let (layout, spoken) = (self.layout.clone(), std::mem::take(&mut self.words));
        let kept = offload(move || {
            let mut words = Words::open(layout)?;
            let kept = spoken.iter().try_for_each(|adu| words.keep(adu));
            kept.map_err(|cause| SpoolError::Folder { path: "control".into(), cause })
        })
        .await;
        if let Err(error) = kept {
            // What ends a job has not been passed on: the bundles of that job stay.
            self.report.warn(format!("what agents say was not written: {error}"));
            self.over = Endings::default();
        }
        self.clear().await
    }

    async fn offer(&mut self, port: &mut LinkPort, entry: Entry) -> Result<(), SpoolError> {
        let bundle = entry.header.bundle_id();
        let (name, len) = (entry.name.clone(), entry.header.bundle_len().unwrap_or_default());
        let destination = entry.header.primary().destination();
        let is_for_us =
            destination.is_singleton() && destination.node_id().as_ref() == Some(self.handle.node_id());
        let wish = entry.wish.clone();
        let answer = match port.reporter.admit(&entry.header).await? {
            Ok(()) => self.take(port, entry, &bundle).await?,
            Err(reason) => Some(Err(reason)),
        };
        match answer {
            None => return Ok(()),
            Some(Ok(())) => {
                self.report.imported += 1;
                self.report.bytes += len;
            }
            Some(Err(Refusal::Duplicate)) => self.report.duplicates += 1,
            Some(Err(reason)) => {
                debug!(%bundle, ?reason, "not taken");
                self.report.refused.push((bundle, reason));
            }
        }
        let is_here = matches!(answer, Some(Ok(()) | Err(Refusal::Duplicate)));
        if is_for_us && is_here {
            self.done.push((name, Reason::Arrived));
        } else if matches!(answer, Some(Err(Refusal::Pointless))) {
            self.done.push((name, Reason::Pointless));
        } else if let Some(wish) = wish {
            self.done.push((name, Reason::Over(wish)));
        }
        Ok(())
    }

    /// Brings a bundle into the store and hears what the agent says; `None` if the file is damaged.
    async fn take(
        &mut self,
        port: &mut LinkPort,
        entry: Entry,
        bundle: &BundleId,
    ) -> Result<Option<Result<(), Refusal>>, SpoolError> {
        let (layout, store) = (self.layout.clone(), Arc::clone(self.handle.store()));
        let (header, name) = (entry.header.clone(), entry.name.clone());
        let read = offload(move || read_payload(&layout, store.as_ref(), &entry)).await;
        let (payload, adu) = match read {
            Ok(read) => read,
            Err(Unread::Damaged(damage)) => {
                self.set_aside(&name, &damage).await?;
                return Ok(None);
            }
            Err(Unread::Store(StoreError::Full { .. })) => return Ok(Some(Err(Refusal::NoRoom))),
            Err(Unread::Store(error)) => return Err(error.into()),
        };
        port.reporter.received(header, payload, adu).await?;
        while let Some(command) = port.commands.recv().await {
            match command {
                LinkCommand::Acknowledge(known) if known == *bundle => return Ok(Some(Ok(()))),
                LinkCommand::Refuse(known, reason) if known == *bundle => return Ok(Some(Err(reason))),
                other => self.commanded(port, other).await?,
            }
        }
        Err(SpoolError::NodeStopped)
    }

    async fn commanded(&mut self, port: &LinkPort, command: LinkCommand) -> Result<(), SpoolError> {
        match command {
            LinkCommand::Announce(adu) => {
                self.over.hear(&adu);
                self.words.push(adu);
            }
            // An import writes no bundles.
            LinkCommand::Transmit(outgoing) => {
                port.reporter.refused(outgoing.bundle, Refusal::NoRoom).await?
            }
            LinkCommand::Abort(_)
            | LinkCommand::Acknowledge(_)
            | LinkCommand::Refuse(..)
            | LinkCommand::Close => {}
        }
        Ok(())
    }

    async fn set_aside(&mut self, name: &str, damage: &Damage) -> Result<(), SpoolError> {
        let (layout, moved) = (self.layout.clone(), name.to_owned());
        match offload(move || layout.set_aside(&moved)).await {
            Ok(_) => {}
            Err(error) => {
                self.report.warn(format!("`{name}` is damaged and could not be set aside: {error}"))
            }
        }
        self.report.bad.push((name.to_owned(), damage.to_string()));
        Ok(())
    }

    /// Removes what the stick need not carry any further.
    async fn clear(&mut self) -> Result<(), SpoolError> {
        for (name, reason) in std::mem::take(&mut self.done) {
            let is_done = match reason {
                Reason::Arrived | Reason::Pointless => true,
                Reason::Over(wish) => self.over.cover(&wish),
            };
            if !is_done {
                continue;
            }
            let (layout, removed) = (self.layout.clone(), name.clone());
            match offload(move || layout.remove(Folder::Bundles, &removed)).await {
                Ok(()) => self.report.removed += 1,
                Err(error) => self.report.warn(format!("`{name}` could not be removed: {error}")),
            }
        }
        Ok(())
    }
}

enum Unread {
    Damaged(Damage),
    Store(StoreError),
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        Self::Damaged(error.into())
    }
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn read_payload(
    layout: &Layout,
    store: &dyn Store,
    entry: &Entry,
) -> Result<(bundle_spec::BlockRef, Option<Bytes>), Unread> {
    let mut file = entry.payload(layout)?;
    let len = entry.header.payload_len();
    let mut writer = store.create(len)?;
    let mut checksum = PayloadTail::new(&entry.header);
    let keeps = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
    let (mut left, mut adu) = (len, Vec::new());
    let mut chunk = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(CHUNK_BYTES)];
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        file.read_exact(&mut chunk[..want])?;
        checksum.update(&chunk[..want]);
        writer.write(&chunk[..want])?;
        if keeps {
            adu.extend_from_slice(&chunk[..want]);
        }
        left -= u64::try_from(want).expect("a length fits 64 bits");
    }
    let tail = read_tail(&mut file)?;
    checksum.finish(&tail).map_err(|error| Unread::Damaged(error.into()))?;
    let payload = writer.finish(None)?;
    Ok((payload, keeps.then(|| Bytes::from(adu))))
}
