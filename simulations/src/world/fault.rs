//! Transitions: what happens to hosts and contacts from outside.

use pannier::agent::{CloseReason, LinkId};

use super::{Due, World};
use crate::{event::WorldEvent, host::Call, transition::Transition};

impl World {
    /// A transition happens.
    pub(super) fn transit(&mut self, transition: Transition) {
        match transition {
            Transition::Submit { host, order } => self.submit(host, order),
            Transition::Post { host, parcel } => self.post(host, parcel),
            Transition::Cancel { host, order } => self.cancel(host, order),
            Transition::Crash { host, steps, down_ms } => {
                self.hosts[host].crash_after = Some((steps, down_ms));
            }
            Transition::PowerOff { host, down_ms } => self.go_down(host, down_ms, false),
            Transition::ClockSet { host, error_ms, is_late } => {
                let error = i64::try_from(error_ms).unwrap_or(i64::MAX);
                self.set_clock(host, if is_late { -error } else { error });
            }
            Transition::Cut { which } => self.cut(which),
            Transition::Duplicate { host } => self.hosts[host].duplicates_next = true,
            Transition::LoseAcknowledgement { host } => self.hosts[host].loses_acknowledgement = true,
            Transition::DiskFull { host } => self.fill_disk(host, true),
            Transition::DiskBack { host } => self.fill_disk(host, false),
            Transition::TaskFailure { host } => self.hosts[host].fails_next = true,
            Transition::Engine { host, is_there } => self.switch_engine(host, is_there),
            Transition::Radio { host, is_on } => self.switch_radio(host, is_on),
            Transition::Calm { host } => self.calm(host),
        }
    }

    /// The surroundings of a host have changed.
    fn change(&mut self, host: usize, what: &'static str, by: i64) {
        self.tell(&WorldEvent::Changed { host, what, by });
        self.plan_look(host);
    }

    /// A host starts from what is durable.
    pub(super) fn boot(&mut self, host: usize) {
        if self.hosts[host].agent.is_some() {
            return;
        }
        if let Err(what) = self.hosts[host].start(self.now) {
            return self.wrong(host, what);
        }
        // What has ended while it was down goes first.
        self.drain(host);
        if self.hosts[host].agent.is_some() {
            self.tell(&WorldEvent::Up { host });
            self.settle_takes(host);
            self.plan_fetch(host);
        }
        if let Some(clock) = self.hosts[host].wall(self.now) {
            self.feed(host, clock);
        }
        let boot = self.hosts[host].boots;
        self.look(host, boot);
        if boot == 1 {
            for name in self.hosts[host].plan.models.clone() {
                self.add_model(host, &name);
            }
        }
        self.dial_all(host);
    }

    /// A host goes down; who was in contact with it loses the contact, and who waited for an answer asks
    /// again.
    pub(super) fn go_down(&mut self, host: usize, down_ms: u64, is_crash: bool) {
        if self.hosts[host].agent.is_none() {
            return;
        }
        self.tell(&WorldEvent::Down { host, is_crash });
        let calls = self.hosts[host].stop();
        for link in self.links_of(host) {
            self.close(link, CloseReason::Lost);
        }
        for call in calls {
            match call {
                Call::Submit { order } => self.come_again(Transition::Submit { host, order }),
                Call::Cancel { order } => self.come_again(Transition::Cancel { host, order }),
                Call::Post { parcel } => self.come_again(Transition::Post { host, parcel }),
                Call::Take { bundle } => self.hosts[host].unsure.push(bundle),
                // Models are put in place again when the host is up.
                Call::AddModel => {}
            }
        }
        self.schedule(self.now + down_ms.max(1), Due::Boot { host });
    }

    /// Nothing is wrong with a host any more.
    fn calm(&mut self, host: usize) {
        self.set_clock(host, 0);
        self.fill_disk(host, false);
        self.switch_engine(host, true);
        self.switch_radio(host, true);
        let it = &mut self.hosts[host];
        it.crash_after = None;
        it.fails_next = false;
        it.duplicates_next = false;
        it.loses_acknowledgement = false;
    }

    fn switch_engine(&mut self, host: usize, is_there: bool) {
        self.hosts[host].has_engine = is_there;
        self.change(host, if is_there { "engine back" } else { "engine away" }, 0);
    }

    fn set_clock(&mut self, host: usize, error: i64) {
        if self.hosts[host].clock_error == error {
            return;
        }
        self.hosts[host].clock_error = error;
        self.change(host, "clock", error);
        if let Some(clock) = self.hosts[host].wall(self.now) {
            self.feed(host, clock);
        }
    }

    fn fill_disk(&mut self, host: usize, is_full: bool) {
        let disk = &mut self.hosts[host].disk;
        disk.take(if is_full { disk.quota() } else { 0 });
        self.change(host, if is_full { "disk full" } else { "disk back" }, 0);
    }

    fn switch_radio(&mut self, host: usize, is_on: bool) {
        if self.hosts[host].has_radio == is_on {
            return;
        }
        self.hosts[host].has_radio = is_on;
        self.change(host, if is_on { "radio on" } else { "radio off" }, 0);
        match is_on {
            true => self.dial_all(host),
            false => {
                for link in self.links_of(host) {
                    self.close(link, CloseReason::Lost);
                }
            }
        }
    }

    fn cut(&mut self, which: u64) {
        let links: Vec<LinkId> = self.contacts.keys().copied().collect();
        let count = u64::try_from(links.len()).expect("a length in memory fits 64 bits");
        let place = which.checked_rem(count).and_then(|place| usize::try_from(place).ok());
        if let Some(link) = place.and_then(|place| links.get(place)) {
            self.close(*link, CloseReason::Lost);
        }
    }
}
