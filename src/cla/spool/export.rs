//! Export: what the agent sends is written to the stick, in its order, until it has nothing more or there is
//! no room.

use std::{io, path::Path, sync::Arc};

use bundle_spec::{NodeId, PayloadTail};
use tracing::warn;

use super::{
    Report, SpoolError,
    layout::{Folder, Layout, STEPS, bundle_name, put},
    stick::Stick,
    words::Words,
};
use crate::{
    agent::{CloseReason, Input, LinkClass, Outgoing, Refusal},
    cla::{offload::offload, payload::Payload},
    node::mailbox::{Handle, LinkCommand, LinkPort, Store},
};

/// How many bytes are read from the store at a time.
const CHUNK_BYTES: usize = 256 * 1024;

/// See [`super::export`].
pub(super) async fn export(
    handle: &Handle,
    dir: &Path,
    toward: Vec<NodeId>,
    bytes_max: Option<u64>,
) -> Result<Report, SpoolError> {
    let (dir, id) = (dir.to_owned(), rand::random::<[u8; 16]>());
    let looked = offload(move || {
        let layout = Layout::open_or_make(&dir, id)?;
        let words = Words::open(layout.clone())?;
        Ok::<_, SpoolError>((Stick::read(layout)?, words))
    });
    let (stick, words) = looked.await?;
    let layout = stick.layout.clone();
    let room = layout.room()?;
    let budget = bytes_max.map_or(room, |max| max.saturating_sub(stick.bytes()).min(room));
    // The writer keeps to the budget, and counts what stays behind.
    let class =
        LinkClass { summaries: true, durable: true, toward, drains: true, ..LinkClass::plain("spool") };
    let mut port = handle.open_link(Some(layout.node.clone()), class).await?;
    for word in stick.words.iter().cloned().chain(stick.summary()) {
        port.reporter.heard(word).await?;
    }
    let mut writer = Writer { handle, layout, words: Some(words), budget, report: Report::default() };
    let served = writer.serve(&mut port).await;
    let reason = if served.is_ok() { CloseReason::Finished } else { CloseReason::Lost };
    port.reporter.closed(reason).await?;
    served?;
    Ok(writer.report)
}

struct Writer<'a> {
    handle: &'a Handle,
    layout: Layout,
    /// What agents have said; away only while it is written to.
    words: Option<Words>,
    /// Bytes that may still be written.
    budget: u64,
    report: Report,
}

impl Writer<'_> {
    async fn serve(&mut self, port: &mut LinkPort) -> Result<(), SpoolError> {
        while let Some(command) = port.commands.recv().await {
            match command {
                LinkCommand::Transmit(outgoing) => self.transmit(port, outgoing).await?,
                LinkCommand::Announce(adu) => {
                    let mut words = self.words.take().expect("words are back when they are written");
                    let (words, kept) = offload(move || {
                        let kept = words.keep(&adu);
                        (words, kept)
                    })
                    .await;
                    self.words = Some(words);
                    if let Err(error) = kept {
                        // Bundles matter more than words; they may still fit.
                        self.report.warn(format!("a control file was not written: {error}"));
                    }
                }
                LinkCommand::Close => return Ok(()),
                // Nothing is under way between two commands, and a stick sends nothing during an export.
                LinkCommand::Abort(_) | LinkCommand::Acknowledge(_) | LinkCommand::Refuse(..) => {}
            }
        }
        Err(SpoolError::NodeStopped)
    }

    async fn transmit(&mut self, port: &LinkPort, outgoing: Outgoing) -> Result<(), SpoolError> {
        let (bundle, cid) = (outgoing.bundle.clone(), outgoing.payload.cid);
        let len = outgoing.header.bundle_len().unwrap_or(u64::MAX);
        if len > self.budget {
            self.report.left += 1;
            return Ok(port.reporter.refused(bundle, Refusal::NoRoom).await?);
        }
        let (layout, store) = (self.layout.clone(), Arc::clone(self.handle.store()));
        match offload(move || write_bundle(&layout, store.as_ref(), &outgoing)).await {
            Ok(()) => {
                self.budget -= len;
                self.report.exported += 1;
                self.report.bytes += len;
                Ok(port.reporter.transmitted(bundle).await?)
            }
            Err(Unwritten::NoRoom) => {
                self.budget = 0;
                self.report.left += 1;
                Ok(port.reporter.refused(bundle, Refusal::NoRoom).await?)
            }
            Err(Unwritten::Missing(cause)) => {
                warn!(cause, "a payload cannot be read");
                self.handle.input(Input::BlockLost { cid }).await?;
                Ok(port.reporter.interrupted(bundle, 0).await?)
            }
            Err(Unwritten::Stick(cause)) => {
                Err(SpoolError::Folder { path: self.layout.folder(Folder::Bundles), cause })
            }
        }
    }
}

/// Why a bundle is not on the stick.
enum Unwritten {
    NoRoom,
    Missing(String),
    Stick(io::Error),
}

fn write_bundle(layout: &Layout, store: &dyn Store, outgoing: &Outgoing) -> Result<(), Unwritten> {
    let missing = |cause: String| Unwritten::Missing(cause);
    let opened = Payload::open(store, outgoing).map_err(|error| missing(error.to_string()))?;
    let payload = opened.ok_or_else(|| missing("not in the store, or of another length".to_owned()))?;
    let len = payload.len();
    let mut lost = None;
    let name = bundle_name(&outgoing.bundle.digest());
    let written = put(&layout.folder(Folder::Bundles), &name, &STEPS, |file| {
        use std::io::Write;
        file.write_all(outgoing.header.raw())?;
        let mut tail = PayloadTail::new(&outgoing.header);
        let (mut position, mut chunk) = (0, vec![0; CHUNK_BYTES]);
        while position < len {
            let read = match payload.read_at(position, &mut chunk) {
                Ok(read) if read > 0 => read,
                Ok(_) => return Err(end_of(&mut lost, "it ends early".to_owned())),
                Err(error) => return Err(end_of(&mut lost, error.to_string())),
            };
            tail.update(&chunk[..read]);
            file.write_all(&chunk[..read])?;
            position += u64::try_from(read).expect("a length fits 64 bits");
        }
        file.write_all(&tail.emit())
    });
    match (written, lost) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(cause)) => Err(Unwritten::Missing(cause)),
        (Err(error), None) => match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Err(Unwritten::NoRoom)
            }
            _ => Err(Unwritten::Stick(error)),
        },
    }
}

fn end_of(lost: &mut Option<String>, cause: String) -> io::Error {
    *lost = Some(cause.clone());
    io::Error::other(cause)
}
