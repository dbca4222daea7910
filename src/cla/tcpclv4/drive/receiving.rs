//! The drive's side of receptions: starts them, feeds them, and tells the peer what came of them.

use std::collections::btree_map::Entry;

use tokio::sync::mpsc;
use tracing::debug;

use super::{Drive, Ended, FEED_MAX, gather};
use crate::{
    agent::Refusal,
    cla::{
        frame::Frame,
        tcpclv4::{
            message::{RefuseCode, TransferId},
            receive::{self, Claim, Claimed, Feed, Outcome, Reception},
        },
    },
};

impl Drive {
    pub(super) fn began(&mut self, transfer: TransferId, resume: u64) {
        let link = self.link.as_ref().expect("transfers begin when the contact is open");
        let (feed, fed) = mpsc::channel(FEED_MAX);
        self.feeds.insert(transfer, feed);
        self.receptions += 1;
        let inlet = link.inlet.clone();
        self.tasks
            .spawn(async move { Ended::Received(receive::receive(transfer, resume, fed, inlet).await) });
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
        let now = self.now();
        let (code, frame) = match &reception.outcome {
            Outcome::Reported | Outcome::Gone(_) => return gather(&mut self.partials, reception),
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
        gather(&mut self.partials, reception);
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
