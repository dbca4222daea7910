//! What people want of a host, and what it answers. People are patient: who finds the host down comes again.

use bundle_spec::{BlockRef, Cid, Codec};
use pannier::agent::{Answer, CallId, Input, JobState, NewJob, Submission, SubmitError};

use super::{Due, World};
use crate::{
    event::WorldEvent,
    host::Call,
    transition::Transition,
    workload::{ModelFile, Order},
};

/// How long until somebody comes again who found the host down.
const PATIENCE_MS: u64 = 10 * 60_000;

impl World {
    /// Somebody asks.
    pub(super) fn submit(&mut self, host: usize, order: Order) {
        let job = order.job();
        self.reference.know(&job, &order.input);
        if self.hosts[host].agent.is_none() {
            return self.come_again(Transition::Submit { host, order });
        }
        let (adu, linked) = order.adu();
        let disk = &mut self.hosts[host].disk;
        let payload = disk.finish(adu.clone());
        let blocks: Option<Vec<BlockRef>> = linked.into_iter().map(|block| disk.finish(block)).collect();
        let (Some(payload), Some(blocks)) = (payload, blocks) else {
            // Nothing reaches the agent; what was written goes with the next sweep, or with the next try.
            return self.give_up(host, job, "the store is full");
        };
        let lifetime = order.lifetime;
        let call = self.hosts[host].call(Call::Submit { order });
        let submission = Submission::Job(NewJob { payload, adu, seal: None, blocks, lifetime });
        self.feed(host, Input::Submit { call, submission });
    }

    /// What was written for a command that is not given is not needed, unless something else needs it.
    fn give_up(&mut self, host: usize, job: Cid, why: &str) {
        let it = &mut self.hosts[host];
        if let Some(agent) = &it.agent {
            it.disk.sweep(&agent.blocks());
        }
        self.tell(&WorldEvent::Rejected { host, job, why: why.to_owned() });
    }

    /// Somebody takes back.
    pub(super) fn cancel(&mut self, host: usize, order: Order) {
        if self.hosts[host].agent.is_none() {
            return self.come_again(Transition::Cancel { host, order });
        }
        let job = order.job();
        let call = self.hosts[host].call(Call::Cancel { order });
        self.feed(host, Input::Cancel { call, job });
    }

    fn is_cancelled(&self, host: usize, order: &Order) -> bool {
        let agent = self.hosts[host].agent.as_ref();
        let known = agent.and_then(|agent| agent.job(order.job().digest()));
        known.is_some_and(|known| known.state == JobState::Cancelled)
    }

    /// A command comes again later.
    pub(super) fn come_again(&mut self, transition: Transition) {
        self.schedule(self.now + PATIENCE_MS, Due::Happen(Box::new(transition)));
    }

    /// A model is put into the store and kept under its name.
    pub(super) fn add_model(&mut self, host: usize, name: &str) {
        let file = ModelFile::named(name);
        let disk = &mut self.hosts[host].disk;
        let manifest = disk.finish(file.manifest.clone());
        let blocks: Option<Vec<BlockRef>> = file.blocks.into_iter().map(|block| disk.finish(block)).collect();
        let (Some(manifest), Some(mut blocks)) = (manifest, blocks) else {
            return self.wrong(host, "there is no room for the model that the scenario puts here");
        };
        blocks.push(manifest);
        let manifest = BlockRef { cid: manifest.cid.with_codec(Codec::DagCbor), ..manifest };
        let call = self.hosts[host].call(Call::AddModel);
        let name = name.to_owned();
        self.feed(host, Input::ModelAdded { call, name, manifest, adu: file.manifest, blocks });
    }

    /// A command is answered.
    pub(super) fn answer(&mut self, host: usize, call: CallId, result: Result<Answer, SubmitError>) {
        let Some(asked) = self.hosts[host].calls.remove(&call) else {
            return self.wrong(host, format!("the call {} is answered twice", call.0));
        };
        let event = match (asked, result) {
            (Call::Post { parcel }, result) => return self.posted(host, parcel, result),
            (Call::Take { bundle }, result) => return self.taken(host, bundle, result),
            (Call::Submit { order }, Ok(Answer::Job { job, answered })) => {
                if job != order.job() {
                    return self.wrong(host, format!("{} was submitted, {job} accepted", order.job()));
                }
                let lifetime = order.lifetime.unwrap_or(pannier::limits::LIFETIME_DEFAULT);
                let lifetime = u64::try_from(lifetime.as_millis()).expect("a lifetime fits");
                WorldEvent::Accepted { host, job, is_answered: answered, until: self.now + lifetime }
            }
            (Call::Cancel { order }, Ok(Answer::Done)) => WorldEvent::Cancelled { host, job: order.job() },
            (Call::AddModel, Ok(Answer::Done)) => return,
            (Call::Submit { order }, Err(error)) => {
                WorldEvent::Rejected { host, job: order.job(), why: error.to_string() }
            }
            (Call::Cancel { order }, Err(error)) => match self.is_cancelled(host, &order) {
                // It was taken back before a crash, which took the answer away.
                true => WorldEvent::Cancelled { host, job: order.job() },
                false => WorldEvent::Rejected { host, job: order.job(), why: error.to_string() },
            },
            (_, result) => return self.wrong(host, format!("a command is answered by {result:?}")),
        };
        self.tell(&event);
    }
}
