//! Meetings and contacts: who is near whom, and when that becomes a contact.

use pannier::agent::{CloseReason, Input, LinkId};

use super::{Due, World};
use crate::{
    event::WorldEvent,
    link::{Contact, LinkModel},
    pattern::Meeting,
};

/// How long until two hosts that are near try again after their contact broke, at least and at most.
const DIAL_MS: (u64, u64) = (5_000, 60_000);

impl World {
    /// Two hosts come near each other.
    pub(super) fn come_near(&mut self, meeting: Meeting, model: LinkModel) {
        let until = self.near.get(&meeting.pair).map_or(0, |(until, _)| *until);
        self.near.insert(meeting.pair, (until.max(meeting.to), model));
        self.dial(meeting.pair);
    }

    /// They go apart, unless another meeting of theirs lasts longer.
    pub(super) fn go_far(&mut self, meeting: Meeting) {
        if self.near.get(&meeting.pair).is_none_or(|(until, _)| *until > self.now) {
            return;
        }
        self.near.remove(&meeting.pair);
        if let Some(link) = self.link_between(meeting.pair) {
            self.close(link, CloseReason::Lost);
        }
    }

    /// Two hosts make contact if they are near, up, and not in contact.
    pub(super) fn dial(&mut self, pair: (usize, usize)) {
        let Some((_, model)) = self.near.get(&pair).copied() else { return };
        let ends = [pair.0, pair.1];
        let is_ready = |host: usize| self.hosts[host].agent.is_some() && self.hosts[host].has_radio;
        if !ends.into_iter().all(is_ready) || self.link_between(pair).is_some() {
            return;
        }
        let link = LinkId(self.number());
        self.contacts.insert(link, Contact::new(ends, model));
        self.tell(&WorldEvent::Met { ends, cla: model.physics().cla });
        for (host, peer) in [(pair.0, pair.1), (pair.1, pair.0)] {
            // The first may have crashed over it: then there is no contact any more.
            if self.contacts.contains_key(&link) {
                let peer = Some(self.hosts[peer].node.clone());
                self.feed(host, Input::ContactOpened { link, peer, class: model.class() });
            }
        }
    }

    /// A host tries to make contact with everybody who is near.
    pub(super) fn dial_all(&mut self, host: usize) {
        let pairs = self.near.keys().filter(|pair| pair.0 == host || pair.1 == host);
        let pairs: Vec<(usize, usize)> = pairs.copied().collect();
        for pair in pairs {
            let at = self.now + self.dice.between(DIAL_MS.0, DIAL_MS.1);
            self.schedule(at, Due::Dial { pair });
        }
    }

    /// A contact ends at both ends at once; what is under way is lost.
    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.keep_parts(link);
        let Some(contact) = self.contacts.remove(&link) else { return };
        let ends = contact.ends;
        self.tell(&WorldEvent::Parted { ends, is_cut: reason != CloseReason::Finished });
        for host in ends {
            self.feed(host, Input::ContactClosed { link, reason });
        }
        let at = self.now + self.dice.between(DIAL_MS.0, DIAL_MS.1);
        self.schedule(at, Due::Dial { pair: (ends[0], ends[1]) });
    }

    /// The contacts of a host.
    pub(super) fn links_of(&self, host: usize) -> Vec<LinkId> {
        let contacts = self.contacts.iter().filter(|(_, contact)| contact.ends.contains(&host));
        contacts.map(|(link, _)| *link).collect()
    }

    fn link_between(&self, pair: (usize, usize)) -> Option<LinkId> {
        let mut contacts = self.contacts.iter();
        contacts.find(|(_, contact)| contact.ends == [pair.0, pair.1]).map(|(link, _)| *link)
    }
}
