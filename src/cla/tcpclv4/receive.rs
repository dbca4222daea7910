//! Receives one bundle: header, admission, payload into the store, checksum, report.
//!
//! One of these runs per transfer that comes in; the connection's task gives it the data. It keeps at most a
//! short bundle in memory, and it never says that a bundle is taken: that is the agent's word, given once the
//! bundle is durable.

use std::sync::Arc;

use bundle_spec::{BlockRef, BundleDigest, CrcType, Header, PayloadTail, fragment};
use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::message::TransferId;
use crate::{
    agent::Refusal,
    cla::{
        offload::offload,
        partial::{Partial, Spoiled},
    },
    limits::{CONTROL_ADU_BYTES_MAX, PAYLOAD_BYTES_MAX},
    node::mailbox::{LinkReporter, Stopped, Store, StoreError},
};

/// Up to this length a payload waits in memory until all of it is there: one call to the store and not five.
const SHORT_BYTES_MAX: u64 = 64 * 1024;
/// Fewer bytes of a bundle that was cut off are not worth a fragment.
const FRAGMENT_BYTES_MIN: u64 = 64 * 1024;
/// How many pieces of data are written in one go.
const BATCH_MAX: usize = 16;

/// What a reception is given.
pub(super) enum Feed {
    /// The next bytes.
    Data(Bytes),
    /// There are no more.
    End,
}

/// What a reception needs of its session.
#[derive(Clone)]
pub(super) struct Inlet {
    pub(super) store: Arc<dyn Store>,
    pub(super) reporter: LinkReporter,
    /// What the session must know.
    pub(super) claims: mpsc::Sender<Claim>,
    /// What is overlooked in bundles.
    pub(super) lax: bundle_spec::Lax,
    /// Whether the peer goes on with what was cut off; if not, what has come is kept as a fragment.
    pub(super) resumes: bool,
}

/// A reception would begin.
pub(super) struct Claim {
    /// Its transfer.
    pub(super) transfer: TransferId,
    /// The bundle.
    pub(super) digest: BundleDigest,
    /// Where the answer goes.
    pub(super) reply: oneshot::Sender<Claimed>,
}

/// What the session says to that.
pub(super) enum Claimed {
    /// The same bundle is being received already.
    Busy,
    /// It may begin, or go on with what was kept.
    Go(Option<Box<Partial>>),
}

/// How a reception ended, for the session.
pub(super) struct Reception {
    /// Its transfer.
    pub(super) transfer: TransferId,
    /// Which bundle, if its header was read.
    pub(super) digest: Option<BundleDigest>,
    /// Whether the session was told that it comes.
    pub(super) is_claimed: bool,
    /// What came of it.
    pub(super) outcome: Outcome,
}

/// What came of a reception.
pub(super) enum Outcome {
    /// The agent has it and will say whether it is taken.
    Reported,
    /// It is not taken.
    Refused(Refusal),
    /// It must come again; so much is kept.
    Again(Option<Box<Partial>>),
    /// The connection or the node is gone; so much is kept.
    Gone(Option<Box<Partial>>),
}

/// What is known of a bundle that comes.
struct Seen {
    digest: Option<BundleDigest>,
    is_claimed: bool,
}

/// Why a reception came to nothing.
enum Failed {
    Refused(Refusal),
    Again(Option<Box<Partial>>),
    Gone(Option<Box<(Header, Partial)>>),
}

impl From<Stopped> for Failed {
    fn from(_: Stopped) -> Self {
        Self::Gone(None)
    }
}

/// Receives what comes from `feed`, the payload from byte `resume` on.
pub(super) async fn receive(
    transfer: TransferId,
    resume: u64,
    feed: mpsc::Receiver<Feed>,
    inlet: Inlet,
) -> Reception {
    let mut seen = Seen { digest: None, is_claimed: false };
    let mut input = Data { feed, rest: BytesMut::new(), is_ended: false };
    let received = read_bundle(transfer, resume, &mut input, &inlet, &mut seen).await;
    let outcome = match received {
        Ok(()) => Outcome::Reported,
        Err(Failed::Refused(reason)) => Outcome::Refused(reason),
        Err(Failed::Again(partial)) => Outcome::Again(partial),
        Err(Failed::Gone(Some(kept))) if !inlet.resumes => {
            keep_fragment(&inlet, &kept.0, kept.1).await;
            Outcome::Gone(None)
        }
        Err(Failed::Gone(kept)) => Outcome::Gone(kept.map(|kept| Box::new(kept.1))),
    };
    Reception { transfer, digest: seen.digest, is_claimed: seen.is_claimed, outcome }
}

async fn read_bundle(
    transfer: TransferId,
    resume: u64,
    input: &mut Data,
    inlet: &Inlet,
    seen: &mut Seen,
) -> Result<(), Failed> {
    let header = input.header(&inlet.lax).await?;
    let digest = header.bundle_id().digest();
    seen.digest = Some(digest);
    if header.payload_len() > PAYLOAD_BYTES_MAX {
        return Err(Failed::Refused(Refusal::TooLarge));
    }
    inlet.reporter.admit(&header).await?.map_err(Failed::Refused)?;
    let (reply, answer) = oneshot::channel();
    let asked = inlet.claims.send(Claim { transfer, digest, reply }).await;
    asked.map_err(|_| Failed::Gone(None))?;
    let Claimed::Go(kept) = answer.await.map_err(|_| Failed::Gone(None))? else {
        return Err(Failed::Again(None));
    };
    seen.is_claimed = true;
    let (payload, adu) = if header.payload_len() <= SHORT_BYTES_MAX && resume == 0 {
        short(input, inlet, &header).await?
    } else {
        let partial = match kept {
            Some(kept) if resume > 0 && kept.fits(&header, resume) => *kept,
            _ if resume > 0 => return Err(Failed::Again(None)),
            _ => begin(inlet, &header).await?,
        };
        long(input, &header, partial, resume > 0).await?
    };
    inlet.reporter.received(header, payload, adu).await?;
    Ok(())
}

/// Takes a payload that is short enough to wait in memory.
async fn short(
    input: &mut Data,
    inlet: &Inlet,
    header: &Header,
) -> Result<(BlockRef, Option<Bytes>), Failed> {
    let len = narrow(header.payload_len());
    while input.rest.len() < len && !input.is_ended {
        input.more().await?;
    }
    if input.rest.len() < len {
        return Err(Failed::Again(None));
    }
    let payload = Bytes::copy_from_slice(&input.rest[..len]);
    let tail = input.tail(len, header.payload_crc()).await?;
    let mut checksum = PayloadTail::new(header);
    checksum.update(&payload);
    if let Err(error) = checksum.finish(&tail) {
        warn!(%error, "a bundle was damaged");
        return Err(Failed::Refused(Refusal::Malformed));
    }
    let (store, bytes) = (Arc::clone(&inlet.store), payload.clone());
    let written = offload(move || {
        let mut writer = store.create(wide(bytes.len()))?;
        writer.write(&bytes)?;
        writer.finish(None)
    });
    let block = written.await.map_err(store_failed)?;
    Ok((block, Some(payload).filter(|payload| payload.len() <= CONTROL_ADU_BYTES_MAX)))
}

async fn begin(inlet: &Inlet, header: &Header) -> Result<Partial, Failed> {
    let (store, header) = (Arc::clone(&inlet.store), header.clone());
    offload(move || Partial::begin(store.as_ref(), &header)).await.map_err(store_failed)
}

/// Streams a payload into `partial`. A batch is written while the next one comes.
async fn long(
    input: &mut Data,
    header: &Header,
    mut partial: Partial,
    resumed: bool,
) -> Result<(BlockRef, Option<Bytes>), Failed> {
    let len = header.payload_len();
    let Some(mut left) = len.checked_sub(partial.offset) else { return Err(Failed::Again(None)) };
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while left > 0 {
        batch.clear();
        let is_over = input.take(&mut batch, &mut left).await;
        let chunks = std::mem::take(&mut batch);
        partial = offload(move || {
            for chunk in &chunks {
                partial.take(chunk)?;
            }
            Ok(partial)
        })
        .await
        .map_err(store_failed)?;
        match is_over {
            Some(Over::Early) => return Err(Failed::Again(Some(Box::new(partial)))),
            Some(Over::Gone) => return Err(Failed::Gone(Some(Box::new((header.clone(), partial))))),
            None => {}
        }
    }
    let tail = match input.tail(0, header.payload_crc()).await {
        Ok(tail) => tail,
        Err(_) => return Err(Failed::Gone(Some(Box::new((header.clone(), partial))))),
    };
    offload(move || partial.finish(&tail)).await.map_err(|error| match error {
        Spoiled::Damaged(error) => {
            warn!(%error, resumed, "a bundle was damaged");
            // What was kept may be the damaged part: the next attempt begins anew.
            if resumed { Failed::Again(None) } else { Failed::Refused(Refusal::Malformed) }
        }
        Spoiled::Store(error) => store_failed(error),
    })
}

/// Keeps what has come of a bundle whose sender is gone as its first fragment (RFC 9171 §5.8).
async fn keep_fragment(inlet: &Inlet, header: &Header, partial: Partial) {
    let len = partial.offset;
    if !(FRAGMENT_BYTES_MIN..header.payload_len()).contains(&len) {
        return;
    }
    let Ok(mut parts) = fragment::split(header, &[len]) else { return };
    let first = parts.swap_remove(0);
    let store = Arc::clone(&inlet.store);
    let kept = offload(move || {
        let block = partial.writer.finish_early()?;
        let is_short = usize::try_from(len).is_ok_and(|len| len <= CONTROL_ADU_BYTES_MAX);
        let adu = if is_short { read(store.as_ref(), &block)? } else { None };
        Ok::<_, StoreError>((block, adu))
    });
    match kept.await {
        Ok((block, adu)) => {
            debug!(bundle = %first.bundle_id(), "what has come is kept as a fragment");
            // A node that has stopped keeps nothing.
            let _ = inlet.reporter.received(first, block, adu).await;
        }
        Err(error) => warn!(%error, "what has come of a bundle could not be kept"),
    }
}

/// Reads a short block. Blocks.
fn read(store: &dyn Store, block: &BlockRef) -> Result<Option<Bytes>, StoreError> {
    let Some(reader) = store.open(block.cid.digest())? else { return Ok(None) };
    let mut bytes = vec![0; narrow(block.len)];
    let read = reader.read_at(0, &mut bytes)?;
    Ok((read == bytes.len()).then(|| Bytes::from(bytes)))
}

/// Why no more data comes.
enum Over {
    /// The sender has ended the transfer.
    Early,
    /// The connection is gone.
    Gone,
}

/// The data of one transfer as it comes.
struct Data {
    feed: mpsc::Receiver<Feed>,
    /// What has come and was not taken.
    rest: BytesMut,
    /// Whether there is no more.
    is_ended: bool,
}

impl Data {
    /// Waits for more.
    async fn more(&mut self) -> Result<(), Failed> {
        match self.feed.recv().await {
            Some(Feed::Data(bytes)) => self.rest.extend_from_slice(&bytes),
            Some(Feed::End) => self.is_ended = true,
            None => return Err(Failed::Gone(None)),
        }
        Ok(())
    }

    /// Reads the header.
    async fn header(&mut self, lax: &bundle_spec::Lax) -> Result<Header, Failed> {
        // A header is looked at again only when there is twice as much of it, so that single bytes cost no
        // more.
        let mut look_at = 1;
        loop {
            if self.rest.len() >= look_at || self.is_ended {
                let bytes = Bytes::copy_from_slice(&self.rest[..self.rest.len().min(HEAD_BYTES_MAX)]);
                match Header::parse(&bytes, lax) {
                    Ok(Some(header)) => {
                        let header = header.detached();
                        let _ = self.rest.split_to(header.len_bytes());
                        return Ok(header);
                    }
                    Ok(None) if self.is_ended || self.rest.len() >= HEAD_BYTES_MAX => {
                        debug!("a transfer without a whole header");
                        return Err(Failed::Refused(Refusal::Malformed));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        debug!(%error, "unreadable bundle");
                        return Err(Failed::Refused(Refusal::Malformed));
                    }
                }
                look_at = (2 * self.rest.len()).clamp(1, HEAD_BYTES_MAX);
            }
            self.more().await?;
        }
    }

    /// Takes some of the next `left` bytes. Waits only if there are none.
    async fn take(&mut self, batch: &mut Vec<Bytes>, left: &mut u64) -> Option<Over> {
        let mut feeds = Vec::with_capacity(BATCH_MAX);
        if self.rest.is_empty() {
            if self.is_ended {
                return Some(Over::Early);
            }
            if self.feed.recv_many(&mut feeds, BATCH_MAX).await == 0 {
                return Some(Over::Gone);
            }
        }
        let first = self.rest.split().freeze();
        let fed = feeds.into_iter().filter_map(|feed| match feed {
            Feed::Data(bytes) => Some(bytes),
            Feed::End => {
                self.is_ended = true;
                None
            }
        });
        for mut bytes in std::iter::once(first).chain(fed).collect::<Vec<_>>() {
            let taken = bytes.split_to(bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX)));
            *left -= wide(taken.len());
            if !taken.is_empty() {
                batch.push(taken);
            }
            self.rest.extend_from_slice(&bytes);
        }
        None
    }

    /// What follows the next `skip` bytes: everything up to the end, at most one byte more than a tail has.
    async fn tail(&mut self, skip: usize, crc: CrcType) -> Result<Bytes, Failed> {
        let max = skip + PayloadTail::tail_len(crc) + 1;
        while !self.is_ended && self.rest.len() < max {
            self.more().await?;
        }
        let _ = self.rest.split_to(skip);
        Ok(self.rest.split().freeze())
    }
}

/// Longest that stands before a payload.
const HEAD_BYTES_MAX: usize = bundle_spec::HEADER_BYTES_MAX;

fn store_failed(error: StoreError) -> Failed {
    match error {
        StoreError::Full { .. } => Failed::Refused(Refusal::NoRoom),
        other => {
            warn!(error = %other, "a bundle could not be stored");
            Failed::Again(None)
        }
    }
}

fn narrow(len: u64) -> usize {
    usize::try_from(len).expect("a short length fits memory")
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}
