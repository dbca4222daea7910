//! What agents ask for, done in order: records first, then effects; and a crash anywhere between two of them.

use bundle_spec::{BlockRef, BundleId, Cid, Digest};
use bytes::Bytes;
use pannier::{
    agent::{Assembled, AssemblyError, Event, Input, LinkId, Output, Part, Record, Task, TaskOutcome},
    limits,
};

use super::{Due, Frame, World};
use crate::{
    engine::{self, Running},
    event::WorldEvent,
    host::Sabotage,
};

/// How long until a result that found no room is written again.
const ROOM_PAUSE_MS: u64 = 60_000;
/// How fast bundles are put together, in bytes a millisecond.
const ASSEMBLY_BYTES_PER_MS: u64 = 20_000;
/// How long until an agent is told that its resources have changed.
const LOOK_PAUSE_MS: u64 = 2_000;

impl World {
    /// Steps 1 and 2 of the loop: everything that the agent asks for is done, records first.
    pub(super) fn drain(&mut self, host: usize) {
        let (records, effects) = self.hosts[host].drain();
        let early = match self.hosts[host].sabotage {
            Some(Sabotage::AcknowledgeEarly) => {
                effects.iter().find(|effect| matches!(effect, Output::Acknowledge { .. }))
            }
            _ => None,
        };
        if let Some(effect) = early.cloned() {
            self.execute(host, effect);
        }
        if self.write(host, &records) {
            return;
        }
        for effect in effects {
            self.execute(host, effect);
            if self.step(host) {
                return;
            }
        }
        self.plan_look(host);
        self.plan_wake(host);
    }

    /// Whether the host has crashed on the way.
    fn write(&mut self, host: usize, records: &[Record]) -> bool {
        for record in records {
            if self.step(host) {
                return true;
            }
            self.hosts[host].append(record);
        }
        false
    }

    /// One step further: whether the host crashes here, or has been taken down by its own effect.
    fn step(&mut self, host: usize) -> bool {
        if let Some(down_ms) = self.hosts[host].count_step() {
            self.go_down(host, down_ms, true);
        }
        self.hosts[host].agent.is_none()
    }

    fn execute(&mut self, host: usize, effect: Output) {
        match effect {
            Output::Record(_) => unreachable!("records are written before effects are executed"),
            Output::Answer { call, result } => self.answer(host, call, result),
            Output::Acknowledge { link, bundle } => self.acknowledge(host, link, bundle),
            Output::Refuse { link, bundle, reason } => {
                self.send_frame(link, host, Frame::Refuse(bundle, reason));
            }
            Output::Transmit { link, outgoing } => self.transmit(host, link, outgoing),
            Output::Abort { link, bundle } => self.abort(host, link, &bundle),
            Output::Announce { link, adu } => self.send_frame(link, host, Frame::Announce(adu)),
            Output::Close { link } => self.send_frame(link, host, Frame::Close),
            Output::Deliver { .. } => self.plan_fetch(host),
            Output::Assemble { bundle, len, parts, .. } => self.put_together(host, bundle, len, parts),
            Output::Block { bytes } => {
                let boot = self.hosts[host].boots;
                if let Some(block) = self.hosts[host].disk.finish(bytes) {
                    self.schedule(self.now + 1, Due::Gained { host, boot, block });
                }
            }
            Output::Run(task) => self.run_task(host, task),
            Output::Stop { task } => self.stop_task(host, task),
            Output::Release { cid } => self.hosts[host].disk.release(cid.digest()),
            Output::Event(event) => self.tell_people(host, event),
        }
    }

    fn tell_people(&mut self, host: usize, event: Event) {
        self.tell(&WorldEvent::Told { host, event });
    }

    fn acknowledge(&mut self, host: usize, link: LinkId, bundle: BundleId) {
        self.tell(&WorldEvent::Acknowledged { host, bundle: bundle.clone() });
        if std::mem::take(&mut self.hosts[host].loses_acknowledgement) {
            // The sender never learns of it: the contact breaks before the frame arrives.
            self.schedule(self.now, Due::Break { link });
            return;
        }
        self.send_frame(link, host, Frame::Acknowledge(bundle));
    }

    pub(super) fn gained(&mut self, host: usize, boot: u64, block: BlockRef) {
        if self.hosts[host].boots == boot {
            self.feed(host, Input::BlockGained { block });
        }
    }

    /// A bundle is to be put together: that takes a moment, in which much may happen.
    fn put_together(&mut self, host: usize, bundle: BundleId, len: u64, parts: Vec<Part>) {
        let boot = self.hosts[host].boots;
        let at = self.now + len / ASSEMBLY_BYTES_PER_MS + 1;
        self.schedule(at, Due::Assembled { host, boot, bundle, parts });
    }

    pub(super) fn assembled(&mut self, host: usize, boot: u64, bundle: BundleId, parts: &[Part]) {
        let it = &mut self.hosts[host];
        if it.boots != boot || it.agent.is_none() {
            return;
        }
        let range = |part: &Part| {
            let place = |at: u64| usize::try_from(at).ok();
            let bytes = it.disk.read(part.block.cid.digest())?;
            bytes.get(place(part.start)?..place(part.start.saturating_add(part.len))?)
        };
        let ranges: Option<Vec<&[u8]>> = parts.iter().map(range).collect();
        let result = match ranges.map(|ranges| Bytes::from(ranges.concat())) {
            // Its fragments have expired meanwhile.
            None => Err(AssemblyError::Failed),
            Some(bytes) => match it.disk.finish(bytes.clone()) {
                None => Err(AssemblyError::NoRoom),
                Some(payload) => {
                    let adu = (bytes.len() <= limits::CONTROL_ADU_BYTES_MAX).then_some(bytes);
                    Ok(Assembled { header: None, payload, adu, opened: None })
                }
            },
        };
        self.feed(host, Input::Assembled { bundle, result });
    }

    fn run_task(&mut self, host: usize, task: Task) {
        let job = task.job;
        let fails = std::mem::take(&mut self.hosts[host].fails_next);
        self.tell(&WorldEvent::Started { host, job, fails });
        let it = &mut self.hosts[host];
        let began = if it.plan.clock { crate::host::EPOCH.saturating_add(self.now) } else { 0 };
        let run_ms = match engine::read_job(&it.disk, &task.payload) {
            Ok((_, input)) => engine::duration_ms(it, &input),
            Err(what) => return self.wrong(host, format!("{job}: {what}")),
        };
        let boot = it.boots;
        it.tasks.insert(*job.digest(), Running { task, fails, began });
        self.schedule(self.now + run_ms, Due::Task { host, boot, job: *job.digest(), run_ms });
    }

    fn stop_task(&mut self, host: usize, job: Cid) {
        if self.hosts[host].tasks.remove(job.digest()).is_some() {
            let boot = self.hosts[host].boots;
            self.schedule(self.now + 1, Due::Stopped { host, boot, job });
        }
    }

    pub(super) fn stopped(&mut self, host: usize, boot: u64, job: Cid) {
        if self.hosts[host].boots == boot {
            self.feed(host, Input::TaskEnded { task: job, outcome: TaskOutcome::Stopped });
        }
    }

    /// A task has come to its end; its result is written as soon as there is room for it.
    pub(super) fn end_task(&mut self, host: usize, boot: u64, job: &Digest, run_ms: u64) {
        let it = &mut self.hosts[host];
        if it.boots != boot || it.agent.is_none() {
            return;
        }
        let Some(running) = it.tasks.get(job).cloned() else { return };
        let outcome = match engine::finish(it, &running, run_ms) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                let due = Due::Task { host, boot, job: *job, run_ms };
                return self.schedule(self.now + ROOM_PAUSE_MS, due);
            }
            Err(what) => return self.wrong(host, what),
        };
        it.tasks.remove(job);
        let again = match it.sabotage {
            Some(Sabotage::RunTwice) => engine::once_more(&outcome, &it.key, &mut it.disk),
            _ => None,
        };
        let (task, is_success) = (running.task.job, !running.fails);
        for outcome in [Some(outcome), again].into_iter().flatten() {
            self.feed(host, Input::TaskEnded { task, outcome });
            if self.hosts[host].agent.is_some() {
                self.tell(&WorldEvent::Completed { host, job: task, is_success });
            }
        }
    }

    /// The agent is told soon if its resources are not what it was told last.
    pub(super) fn plan_look(&mut self, host: usize) {
        let it = &self.hosts[host];
        if it.told.as_ref().is_some_and(|told| *told != it.resources()) {
            let boot = it.boots;
            self.hosts[host].told = None;
            self.schedule(self.now + LOOK_PAUSE_MS, Due::Look { host, boot });
        }
    }

    /// The agent is told what is at its disposal.
    pub(super) fn look(&mut self, host: usize, boot: u64) {
        let it = &mut self.hosts[host];
        if it.boots != boot || it.agent.is_none() {
            return;
        }
        let resources = it.resources();
        it.told = Some(resources.clone());
        self.feed(host, Input::Resources(resources));
    }
}
