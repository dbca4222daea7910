//! The drive's side of transmissions and of words: what the agent wants goes to the session, what the peer
//! says of it goes to the agent.

use bundle_spec::{BundleDigest, BundleId, Cid};
use bytes::Bytes;
use tracing::{debug, warn};

use super::{Drive, receiving::code_of};
use crate::{
    agent::{CloseReason, Input, Refusal},
    cla::{
        frame::{ANNOUNCEMENT_BYTES_MAX, Frame, PARTIALS_MAX},
        pace::Pace,
        tcpclv4::{
            message::{Message, RefuseCode, Segment, TerminateCode, TransferId},
            transmit::{Word, Wrote},
        },
    },
    node::mailbox::{LinkCommand, LinkReporter, Outgoing, Stopped},
};

/// How many commands are taken in a row.
const COMMANDS_MAX: usize = 64;

/// A bundle under way to the peer.
pub(super) struct Sending {
    bundle: BundleId,
    digest: BundleDigest,
    /// The block of its payload.
    block: Cid,
    /// Where its bytes come from, until the writer has that.
    pub(super) source: Option<Box<Outgoing>>,
    /// From which byte of the payload on it goes.
    pub(super) resume: u64,
    pace: Pace,
    /// What a node of pannier said of it, before it refuses the transfer.
    told: Option<Told>,
}

/// More than a code can say.
#[derive(Clone, Copy)]
enum Told {
    /// It is not taken.
    Refused(Refusal),
    /// It must come again; so much of it is kept.
    Partial(u64),
}

impl Drive {
    /// Takes a command, and those that wait behind it already.
    pub(super) async fn commanded_all(&mut self, first: LinkCommand) -> Result<(), CloseReason> {
        let mut next = Some(first);
        for _ in 0..COMMANDS_MAX {
            let Some(command) = next else { break };
            self.commanded(command).await?;
            let link = self.link.as_mut().expect("commands come when the contact is open");
            next = link.port.commands.try_recv().ok();
        }
        match next {
            Some(command) => self.commanded(command).await,
            None => Ok(()),
        }
    }

    async fn commanded(&mut self, command: LinkCommand) -> Result<(), CloseReason> {
        let now = self.now();
        match command {
            LinkCommand::Transmit(outgoing) => return self.transmit(outgoing).await,
            LinkCommand::Abort(bundle) => {
                let digest = bundle.digest();
                let found = self.sending.iter().find(|(_, sending)| sending.digest == digest);
                if let Some(transfer) = found.map(|(transfer, _)| *transfer) {
                    self.session.handle_call_off(now, transfer);
                    // Whether or not it still arrives, nobody waits for it.
                    self.sending.remove(&transfer);
                }
            }
            LinkCommand::Announce(adu) if adu.len() > ANNOUNCEMENT_BYTES_MAX => {
                warn!(bytes = adu.len(), "an announcement is too long for this link");
            }
            LinkCommand::Announce(adu) => self.session.handle_frame(now, Frame::Announce(adu).encode()),
            LinkCommand::Acknowledge(bundle) => {
                if let Some(transfer) = self.receiving.remove(&bundle.digest()) {
                    self.session.handle_stored(now, transfer);
                }
            }
            LinkCommand::Refuse(bundle, reason) => {
                let digest = bundle.digest();
                if let Some(transfer) = self.receiving.remove(&digest) {
                    self.session.handle_frame(now, Frame::Refused(digest, reason).encode());
                    self.session.handle_refusal(now, transfer, code_of(reason));
                }
            }
            LinkCommand::Close => self.session.handle_end(now, TerminateCode::UNKNOWN),
        }
        Ok(())
    }

    async fn transmit(&mut self, outgoing: Outgoing) -> Result<(), CloseReason> {
        let link = self.link.as_ref().expect("commands come when the contact is open");
        let (bundle, digest) = (outgoing.bundle.clone(), outgoing.bundle.digest());
        if self.sending.values().any(|sending| sending.digest == digest) {
            debug!(%bundle, "under way already");
            return Ok(());
        }
        let payload_len = outgoing.header.payload_len();
        let transfer_max = if link.peer.lax.transfer_mru { u64::MAX } else { link.peer.init.transfer_mru };
        let fits = outgoing.header.bundle_len().filter(|len| *len <= transfer_max);
        let Some(len) = fits.filter(|_| payload_len <= link.payload_max) else {
            return link.port.reporter.refused(bundle, Refusal::TooLarge).await.map_err(stopped);
        };
        // Only the peer knows what it has kept.
        let kept = self.resumable.iter().position(|(known, _)| *known == digest);
        let resume = kept.map_or(0, |at| self.resumable.remove(at).1);
        let resume = if resume <= payload_len { resume } else { 0 };
        let now = self.now();
        let Some(transfer) = self.session.handle_begin(now, len - resume, resume) else {
            debug!(%bundle, "the session is about to end");
            return Ok(());
        };
        let sending = Sending {
            bundle,
            digest,
            block: outgoing.payload.cid,
            source: Some(Box::new(outgoing)),
            resume,
            pace: Pace::begin(now, payload_len - resume),
            told: None,
        };
        self.sending.insert(transfer, sending);
        Ok(())
    }

    /// Gives the writer a segment, and before the first one of a transfer where its data comes from.
    pub(super) fn segment(&mut self, segment: Segment) -> Result<(), CloseReason> {
        let Segment { flags, transfer, data_len: len, .. } = segment;
        if let Some(outgoing) = self.sending.get_mut(&transfer).and_then(|sending| sending.source.take()) {
            let resume = self.sending[&transfer].resume;
            self.dialect.begin(transfer, &outgoing);
            self.word(Word::Begin { transfer, outgoing, resume })?;
        }
        let end = (!flags.is_start()).then(|| self.dialect.end(transfer));
        let (lane, head) = self.dialect.say(&Message::Segment(segment));
        self.word(Word::Segment { transfer, lane, head, end, len })
    }

    /// The writer said so.
    pub(super) async fn wrote(&mut self, wrote: Wrote) -> Result<(), CloseReason> {
        let now = self.now();
        match wrote {
            Wrote::Data(len) => self.session.handle_written(now, len),
            Wrote::Missing { transfer, written } => {
                self.session.handle_failed(now, transfer, written);
                if let Some(sending) = self.sending.remove(&transfer) {
                    let lost = Input::BlockLost { cid: sending.block };
                    self.desk.handle.input(lost).await.map_err(stopped)?;
                    self.reporter().interrupted(sending.bundle, 0).await.map_err(stopped)?;
                }
            }
        }
        Ok(())
    }

    /// The peer has acknowledged all of a transfer.
    pub(super) async fn delivered(&mut self, transfer: TransferId) -> Result<(), CloseReason> {
        let Some(sending) = self.sending.remove(&transfer) else { return Ok(()) };
        let reporter = self.reporter();
        if let Some((round_trip, rate)) = sending.pace.measure(self.now(), self.round_trip) {
            reporter.measured(round_trip, rate).await.map_err(stopped)?;
        }
        reporter.transmitted(sending.bundle).await.map_err(stopped)
    }

    /// The peer does not take a transfer.
    pub(super) async fn was_refused(
        &mut self,
        transfer: TransferId,
        code: RefuseCode,
    ) -> Result<(), CloseReason> {
        let Some(sending) = self.sending.remove(&transfer) else { return Ok(()) };
        let told = sending.told.unwrap_or(match code {
            RefuseCode::COMPLETED => Told::Refused(Refusal::Duplicate),
            RefuseCode::NO_RESOURCES => Told::Refused(Refusal::NoRoom),
            RefuseCode::NOT_ACCEPTABLE => Told::Refused(Refusal::Malformed),
            _ => Told::Partial(0),
        });
        let reporter = self.reporter();
        let reported = match told {
            Told::Refused(reason) => reporter.refused(sending.bundle, reason).await,
            Told::Partial(len) => {
                self.resumes(sending.digest, len);
                reporter.interrupted(sending.bundle, len).await
            }
        };
        reported.map_err(stopped)
    }

    /// The peer said `frame`, with its length before it.
    pub(super) async fn told(&mut self, frame: &Bytes) -> Result<(), CloseReason> {
        let frame = Frame::decode(&frame.slice(4..)).map_err(|error| {
            debug!(%error, "not a frame");
            CloseReason::Violation
        })?;
        match frame {
            Frame::Announce(adu) => return self.reporter().heard(adu).await.map_err(stopped),
            Frame::Refused(digest, reason) => self.note(&digest, Told::Refused(reason)),
            Frame::Partial(digest, len) => {
                if self.sending.values().any(|sending| sending.digest == digest) {
                    self.note(&digest, Told::Partial(len));
                } else {
                    self.resumes(digest, len);
                }
            }
            // Acknowledgements and good-byes have messages of their own here.
            Frame::Stored(_) | Frame::Bye | Frame::Unreadable(_) | Frame::Unknown(_) => {
                debug!(?frame, "passed over");
            }
            Frame::Hello(_) => return Err(CloseReason::Violation),
        }
        Ok(())
    }

    /// Remembers what was said of a bundle under way until its transfer is refused.
    fn note(&mut self, digest: &BundleDigest, told: Told) {
        let found = self.sending.values_mut().find(|sending| sending.digest == *digest);
        if let Some(sending) = found {
            sending.told = Some(told);
        }
    }

    /// The peer keeps `len` bytes of a payload.
    fn resumes(&mut self, digest: BundleDigest, len: u64) {
        self.resumable.retain(|(known, _)| *known != digest);
        self.resumable.push((digest, len));
        if self.resumable.len() > PARTIALS_MAX {
            self.resumable.remove(0);
        }
    }

    fn reporter(&self) -> LinkReporter {
        let link = self.link.as_ref().expect("transfers go when the contact is open");
        link.port.reporter.clone()
    }
}

fn stopped(_: Stopped) -> CloseReason {
    CloseReason::Finished
}
