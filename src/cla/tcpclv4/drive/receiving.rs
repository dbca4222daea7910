//! The drive's side of receptions: starts them, feeds them, and tells the peer what came of them.

use std::collections::btree_map::Entry;

use bundle_spec::BundleDigest;
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tracing::debug;

use super::{Drive, Ended, FEED_MAX, RECEPTIONS_MAX, gather};
use crate::{
    agent::{CloseReason, Refusal},
    cla::{
        frame::Frame,
        partial::Partial,
        tcpclv4::{
            message::{RefuseCode, TransferId},
            receive::{self, Claim, Claimed, Feed, Outcome, Reception},
            short::{GATHERED_BYTES_MAX, Short},
        },
    },
};

impl Drive {
    /// A transfer begins. What may be short waits here until all of it has come, or too much for that.
    pub(super) fn began(&mut self, transfer: TransferId, resume: u64, is_whole: bool) {
        if is_whole && resume == 0 && self.gathering.len() < RECEPTIONS_MAX {
            self.gathering.insert(transfer, BytesMut::new());
        } else {
            self.begin_reception(transfer, resume);
        }
    }

    fn begin_reception(&mut self, transfer: TransferId, resume: u64) {
        let link = self.link.as_ref().expect("transfers begin when the contact is open");
        let (feed, fed) = mpsc::channel(FEED_MAX);
        self.feeds.insert(transfer, feed);
        self.receptions += 1;
        let inlet = link.inlet.clone();
        self.tasks
            .spawn(async move { Ended::Received(receive::receive(transfer, resume, fed, inlet).await) });
    }

    /// More of a transfer has come.
    pub(super) fn arrived(&mut self, transfer: TransferId, data: Bytes) {
        let Some(gathered) = self.gathering.get_mut(&transfer) else {
            return self.feed(transfer, Feed::Data(data));
        };
        if gathered.len() + data.len() <= GATHERED_BYTES_MAX {
            return gathered.extend_from_slice(&data);
        }
        let gathered = self.gathering.remove(&transfer).expect("it was just seen").freeze();
        self.begin_reception(transfer, 0);
        if !gathered.is_empty() {
            self.feed(transfer, Feed::Data(gathered));
        }
        self.feed(transfer, Feed::Data(data));
    }

    /// All of a transfer has come.
    pub(super) async fn ended(&mut self, transfer: TransferId) -> Result<(), CloseReason> {
        let Some(gathered) = self.gathering.remove(&transfer) else {
            self.feed(transfer, Feed::End);
            return Ok(());
        };
        let link = self.link.as_ref().expect("transfers begin when the contact is open");
        let gathered = gathered.freeze();
        match Short::read(&gathered, &link.inlet.lax) {
            Ok(Short { header, payload }) => {
                let digest = header.bundle_id().digest();
                if self.receiving.contains_key(&digest) {
                    self.refuse(transfer, Some(digest), Outcome::Again(None));
                    return Ok(());
                }
                self.receiving.insert(digest, transfer);
                self.partials.take(&digest);
                let reporter = link.port.reporter.clone();
                reporter.received_short(header, payload).await.map_err(|_| CloseReason::Finished)
            }
            Err((digest, outcome)) => {
                self.refuse(transfer, digest, outcome);
                Ok(())
            }
        }
    }

    /// Gives a reception what came for it, or keeps it until there is room.
    pub(super) fn feed(&mut self, transfer: TransferId, feed: Feed) {
        let Some(sender) = self.feeds.get(&transfer) else { return };
        if !self.stalled.is_empty() {
            return self.stalled.push_back((transfer, feed));
        }
        let is_last = matches!(feed, Feed::End);
        match sender.try_send(feed) {
            Ok(()) if is_last => drop(self.feeds.remove(&transfer)),
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(feed)) => self.stalled.push_back((transfer, feed)),
            // It is over already, and will say so.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    /// A reception has room, or is gone.
    pub(super) fn fed(
        &mut self,
        transfer: TransferId,
        room: Result<mpsc::OwnedPermit<Feed>, mpsc::error::SendError<()>>,
    ) {
        let Some((_, feed)) = self.stalled.pop_front() else { return };
        match room {
            Ok(permit) => {
                let is_last = matches!(feed, Feed::End);
                let _ = permit.send(feed);
                if is_last {
                    self.feeds.remove(&transfer);
                }
            }
            Err(_) => self.stalled.retain(|(stalled, _)| *stalled != transfer),
        }
    }

    pub(super) fn claimed(&mut self, claim: Claim) {
        let Claim { transfer, digest, reply } = claim;
        let answer = match self.receiving.entry(digest) {
            Entry::Occupied(_) => Claimed::Busy,
            Entry::Vacant(free) => {
                free.insert(transfer);
                Claimed::Go(self.partials.take(&digest).map(Box::new))
            }
        };
        // A reception that is gone already is gathered like any other.
        let _ = reply.send(answer);
    }

    pub(super) async fn received(&mut self, reception: Reception) {
        self.receptions -= 1;
        let (transfer, digest) = (reception.transfer, reception.digest);
        self.feeds.remove(&transfer);
        if matches!(reception.outcome, Outcome::Reported) {
            return;
        }
        if let Some(digest) = digest.filter(|_| reception.is_claimed) {
            self.receiving.remove(&digest);
        }
        if matches!(reception.outcome, Outcome::Gone(_)) {
            let now = self.now();
            return gather(&mut self.partials, now, reception);
        }
        if let Some((digest, partial)) = self.refuse(transfer, digest, reception.outcome) {
            let now = self.now();
            self.partials.put(now, digest, partial);
        }
    }

    /// Says that a transfer comes to nothing, and why; what is to be kept of it.
    fn refuse(
        &mut self,
        transfer: TransferId,
        digest: Option<BundleDigest>,
        outcome: Outcome,
    ) -> Option<(BundleDigest, Partial)> {
        let now = self.now();
        let (code, frame) = match &outcome {
            Outcome::Reported | Outcome::Gone(_) => return None,
            Outcome::Refused(reason) => {
                (code_of(*reason), digest.map(|digest| Frame::Refused(digest, *reason)))
            }
            Outcome::Again(partial) => {
                let offset = partial.as_ref().map_or(0, |partial| partial.offset);
                (RefuseCode::RETRANSMIT, digest.map(|digest| Frame::Partial(digest, offset)))
            }
        };
        debug!(?code, "reception ended early");
        // A node of pannier is told exactly why, before it is told that.
        if let Some(frame) = frame {
            self.session.handle_frame(now, frame.encode());
        }
        self.session.handle_refusal(now, transfer, code);
        match outcome {
            Outcome::Again(Some(partial)) => digest.map(|digest| (digest, *partial)),
            Outcome::Reported | Outcome::Refused(_) | Outcome::Again(None) | Outcome::Gone(_) => None,
        }
    }
}

/// How a refusal is said in TCPCLv4 (RFC 9174 §5.2.4).
pub(super) const fn code_of(reason: Refusal) -> RefuseCode {
    match reason {
        Refusal::Duplicate => RefuseCode::COMPLETED,
        Refusal::NoRoom | Refusal::TooLarge => RefuseCode::NO_RESOURCES,
        Refusal::Expired | Refusal::Malformed | Refusal::Pointless => RefuseCode::NOT_ACCEPTABLE,
    }
}
