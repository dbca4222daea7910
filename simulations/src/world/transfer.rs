//! Bundles and frames through a contact: one transfer at a time in each direction, in the order of the
//! agent's wishes. Every header goes as bytes and is read again at the other end.

use bundle_spec::{BlockRef, BundleId, Header, Lax, fragment};
use bytes::Bytes;
use pannier::{
    agent::{CloseReason, Input, LinkId, Outgoing, Refusal},
    limits,
};

use super::{Due, Frame, World};
use crate::link::{Current, Transfer, duration_ms};

/// How much later a bundle arrives for the second time, in milliseconds.
const DUPLICATE_MS: u64 = 1_500;

impl World {
    /// A frame goes to the other end.
    pub(super) fn send_frame(&mut self, link: LinkId, host: usize, frame: Frame) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let from = contact.end_of(host);
        let at = contact.arrival(from, self.now, &mut self.dice);
        self.schedule(at, Due::Frame { link, to: 1 - from, frame });
    }

    /// An agent wants a bundle sent.
    pub(super) fn transmit(&mut self, host: usize, link: LinkId, outgoing: Outgoing) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let from = contact.end_of(host);
        contact.lanes[from].queue.push_back(outgoing);
        self.begin_next(link, from);
    }

    /// The next transfer of a direction begins, if it has none.
    fn begin_next(&mut self, link: LinkId, from: usize) {
        let number = self.number();
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let host = contact.ends[from];
        if contact.lanes[from].current.is_some() {
            return;
        }
        let Some(outgoing) = contact.lanes[from].queue.pop_front() else { return };
        let transfer = match self.hosts[host].disk.read(outgoing.payload.cid.digest()) {
            Some(payload) => cut(outgoing, payload, number),
            None => {
                let what = format!("the payload of {} is to be sent and not there", outgoing.bundle);
                return self.wrong(host, what);
            }
        };
        let physics = contact.model.physics();
        let len = transfer.header.len() + transfer.rest.len();
        let ends = self.now + duration_ms(len, physics.rate);
        let is_broken = self.dice.chance(physics.broken_per_mille);
        let ends = if is_broken { self.dice.between(self.now + 1, ends) } else { ends };
        let lane = &mut contact.lanes[from];
        lane.current = Some(Current { transfer: transfer.clone(), began: self.now, ends });
        let at = contact.arrival(from, self.now, &mut self.dice);
        self.schedule(at, Due::Frame { link, to: 1 - from, frame: Frame::Header(Box::new(transfer)) });
        self.schedule(ends, Due::Sent { link, from, number, is_broken });
    }

    /// The last byte of a transfer has left, or it has broken off.
    pub(super) fn sent(&mut self, link: LinkId, from: usize, number: u64, is_broken: bool) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let lane = &mut contact.lanes[from];
        let Some(current) = lane.current.take_if(|current| current.transfer.number == number) else { return };
        if is_broken {
            self.interrupt(link, from, &current);
        } else {
            let at = contact.arrival(from, self.now, &mut self.dice);
            let frame = Frame::Whole(Box::new(current.transfer));
            self.schedule(at, Due::Frame { link, to: 1 - from, frame });
        }
        self.begin_next(link, from);
    }

    /// A transfer has broken off: the receiver keeps what has come.
    fn interrupt(&mut self, link: LinkId, from: usize, current: &Current) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        if contact.model.class().keeps_parts {
            return self.keep_part(link, from, current);
        }
        let host = contact.ends[from];
        let transfer = &current.transfer;
        let lane = &mut contact.lanes[from];
        let id = transfer.bundle.digest();
        let mut acknowledged = 0;
        if !lane.refused.contains(&transfer.number) {
            let sent = current.sent(self.now, contact.model.physics().rate);
            let new =
                usize::try_from(sent.saturating_sub(transfer.offset)).expect("a payload fits in memory");
            let before = lane.partials.remove(&id).unwrap_or_default();
            let kept = usize::try_from(transfer.offset).expect("a payload fits in memory");
            let bytes = [&before[..kept], &transfer.rest[..new]].concat();
            acknowledged = u64::try_from(bytes.len()).expect("a length in memory fits 64 bits");
            lane.partials.insert(id, bytes.into());
        }
        let bundle = transfer.bundle.clone();
        self.feed(host, Input::Interrupted { link, bundle, acknowledged });
    }

    /// A contact is about to end: what is under way is kept as parts, if its link does that.
    pub(super) fn keep_parts(&mut self, link: LinkId) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        if !contact.model.class().keeps_parts {
            return;
        }
        let under_way = [contact.lanes[0].current.take(), contact.lanes[1].current.take()];
        for (from, current) in under_way.into_iter().enumerate() {
            if let Some(current) = current {
                self.keep_part(link, from, &current);
            }
        }
    }

    /// A transfer has broken off where the receiver keeps what has come as a fragment. The sender knows of
    /// some of it: acknowledgements may have been lost.
    fn keep_part(&mut self, link: LinkId, from: usize, current: &Current) {
        let Some(contact) = self.contacts.get(&link) else { return };
        let ([sender, receiver], transfer) =
            ([contact.ends[from], contact.ends[1 - from]], &current.transfer);
        let sent = current.sent(self.now, contact.model.physics().rate);
        let header = match read_header(transfer) {
            Ok(header) => header,
            Err(what) => return self.wrong(receiver, what),
        };
        let it = &mut self.hosts[receiver];
        let part = fragment::split(&header, &[sent]).ok().and_then(|parts| parts.into_iter().next());
        let now = it.time(self.now);
        let is_wanted =
            |part: &Header| it.agent.as_ref().is_some_and(|agent| agent.admit(now, link, part).is_ok());
        let mut acknowledged = 0;
        if let Some(part) = part.filter(is_wanted) {
            let bytes = transfer.rest.slice(..usize::try_from(sent).expect("a payload fits in memory"));
            if let Some(payload) = self.hosts[receiver].disk.finish(bytes.clone()) {
                acknowledged = self.dice.between(0, sent);
                self.receive(receiver, link, part, payload, bytes);
            }
        }
        let bundle = transfer.bundle.clone();
        self.feed(sender, Input::Interrupted { link, bundle, acknowledged });
    }

    /// An agent no longer wants a bundle sent.
    pub(super) fn abort(&mut self, host: usize, link: LinkId, bundle: &BundleId) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let from = contact.end_of(host);
        let lane = &mut contact.lanes[from];
        let queued = lane.queue.iter().position(|outgoing| outgoing.bundle == *bundle);
        if let Some(place) = queued {
            lane.queue.remove(place);
            let frame = Frame::Dropped(bundle.clone());
            self.schedule(self.now + 1, Due::Frame { link, to: from, frame });
            return;
        }
        let is_current = |current: &&Current| current.transfer.bundle == *bundle;
        if let Some(current) = lane.current.as_ref().filter(is_current) {
            let number = current.transfer.number;
            self.schedule(self.now + 1, Due::Sent { link, from, number, is_broken: true });
        }
    }

    /// A frame has arrived at an end of a contact.
    pub(super) fn take_frame(&mut self, link: LinkId, to: usize, frame: Frame) {
        let Some(contact) = self.contacts.get(&link) else { return };
        let host = contact.ends[to];
        match frame {
            Frame::Announce(adu) => self.feed(host, Input::Heard { link, adu }),
            Frame::Header(transfer) => self.take_header(link, to, &transfer),
            Frame::Whole(transfer) => self.take_whole(link, to, *transfer),
            Frame::Acknowledge(bundle) => self.feed(host, Input::Transmitted { link, bundle }),
            Frame::Refuse(bundle, reason) => self.take_refusal(link, to, bundle, reason),
            Frame::Close => self.close(link, CloseReason::Finished),
            Frame::Dropped(bundle) => {
                self.feed(host, Input::Interrupted { link, bundle, acknowledged: 0 });
            }
        }
    }

    /// A header has arrived: the agent says whether it wants the rest.
    fn take_header(&mut self, link: LinkId, to: usize, transfer: &Transfer) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let host = contact.ends[to];
        let header = match read_header(transfer) {
            Ok(header) => header,
            Err(what) => return self.wrong(host, what),
        };
        let it = &self.hosts[host];
        let Some(agent) = &it.agent else { return };
        if let Err(reason) = agent.admit(it.time(self.now), link, &header) {
            contact.lanes[1 - to].refused.insert(transfer.number);
            self.send_frame(link, host, Frame::Refuse(transfer.bundle.clone(), reason));
        }
    }

    /// A bundle has arrived whole, as far as the receiver has kept what was sent before.
    fn take_whole(&mut self, link: LinkId, to: usize, transfer: Transfer) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let host = contact.ends[to];
        let lane = &mut contact.lanes[1 - to];
        if lane.refused.remove(&transfer.number) {
            return;
        }
        let bundle = transfer.bundle.clone();
        let kept = lane.partials.remove(&bundle.digest());
        let offset = usize::try_from(transfer.offset).expect("a payload fits in memory");
        let before = kept.unwrap_or_default();
        let Some(before) = before.get(..offset) else {
            return self
                .wrong(host, format!("{bundle} goes on at byte {offset}, which nobody has said is here"));
        };
        let payload: Bytes = [before, &transfer.rest].concat().into();
        if std::mem::take(&mut self.hosts[host].duplicates_next) {
            let whole = Transfer { rest: payload.clone(), offset: 0, ..transfer.clone() };
            let frame = Frame::Whole(Box::new(whole));
            self.schedule(self.now + DUPLICATE_MS, Due::Frame { link, to, frame });
        }
        let header = match read_header(&transfer) {
            Ok(header) => header,
            Err(what) => return self.wrong(host, what),
        };
        let Some(block) = self.hosts[host].disk.finish(payload.clone()) else {
            return self.send_frame(link, host, Frame::Refuse(bundle, Refusal::NoRoom));
        };
        self.receive(host, link, header, block, payload);
    }

    fn receive(&mut self, host: usize, link: LinkId, header: Header, payload: BlockRef, bytes: Bytes) {
        let adu = (bytes.len() <= limits::CONTROL_ADU_BYTES_MAX).then_some(bytes);
        self.feed(host, Input::Received { link, header, payload, adu, opened: None });
    }

    /// The other end does not want a bundle: if it is under way, the rest is not sent.
    fn take_refusal(&mut self, link: LinkId, to: usize, bundle: BundleId, reason: Refusal) {
        let Some(contact) = self.contacts.get_mut(&link) else { return };
        let host = contact.ends[to];
        let lane = &mut contact.lanes[to];
        let stopped = lane.current.take_if(|current| current.transfer.bundle == bundle);
        self.feed(host, Input::Refused { link, bundle, reason });
        if stopped.is_some() {
            self.begin_next(link, to);
        }
    }
}

/// The bytes of a bundle, from those on that the receiver does not have.
fn cut(outgoing: Outgoing, payload: &Bytes, number: u64) -> Transfer {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(payload.len());
    let end = place(outgoing.start.saturating_add(outgoing.header.payload_len()));
    let begin = place(outgoing.start.saturating_add(outgoing.offset)).min(end);
    Transfer {
        number,
        bundle: outgoing.bundle,
        header: outgoing.header.raw().clone(),
        rest: payload.slice(begin..end),
        offset: outgoing.offset,
    }
}

/// The header as the receiver reads it.
fn read_header(transfer: &Transfer) -> Result<Header, String> {
    let bytes = Bytes::copy_from_slice(&transfer.header);
    let header = Header::parse(&bytes, &Lax::strict())
        .map_err(|error| format!("the header of {} cannot be read: {error}", transfer.bundle))?
        .ok_or_else(|| format!("the header of {} is cut off", transfer.bundle))?;
    match header.bundle_id() == transfer.bundle {
        true => Ok(header),
        false => Err(format!("the header of {} is that of {}", transfer.bundle, header.bundle_id())),
    }
}
