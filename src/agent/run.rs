//! Tasks: which open job begins to run, and what its end means. A job that is answered here never runs again.

use std::collections::{BTreeMap, BTreeSet};

use bundle_spec::{Cid, Digest, adu::JobResult, manifest::AssetKind};

use super::{
    Agent, JobRecord, Output, Resources, Retention, Step, Task, TaskModel, TaskOutcome, endpoints,
    sealed::Told,
};
use crate::{
    limits,
    schedule::{Asset, Capacity, Engine, Need, Placement, place},
    time::Time,
};

/// Tasks that run, and jobs whose placement is to be looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    /// Tasks that run, by digest of the job's CID.
    running: BTreeMap<Digest, Cid>,
    /// Tasks that were told to stop and have not ended yet: the same job does not begin again before.
    stopping: BTreeSet<Digest>,
    /// Open jobs to be looked at, oldest first.
    unplaced: BTreeSet<(Time, Digest)>,
    /// Jobs whose task here came to no readable end: not tried again while this program runs.
    barred: BTreeSet<Digest>,
}

impl Tasks {
    /// Whether the job's task runs.
    pub(super) fn runs(&self, job: &Digest) -> bool {
        self.running.contains_key(job)
    }

    /// Digests of the jobs whose tasks run.
    pub(super) fn running(&self) -> impl Iterator<Item = Digest> {
        self.running.keys().copied()
    }

    /// Something about the job has changed.
    pub(super) fn look_at(&mut self, since: Time, job: Digest) {
        if !self.runs(&job) {
            self.unplaced.insert((since, job));
        }
    }
}

impl Agent {
    /// What is at disposal has changed.
    pub(super) fn take_resources(&mut self, resources: Resources) {
        let before = self.resources.replace(resources);
        let of = |resources: &Option<Resources>| resources.as_ref().map(|known| known.engines.clone());
        if of(&before).unwrap_or_default() != of(&self.resources).unwrap_or_default() {
            self.announce_advert();
            self.ledger.gatherings_mut().look_at_all();
        }
        self.look_at_all();
    }

    /// Every open job is to be looked at.
    pub(super) fn look_at_all(&mut self) {
        for (since, job) in self.jobs.open() {
            self.tasks.look_at(*since, *job);
        }
    }

    fn slots_free(&self) -> usize {
        let slots = self.resources.as_ref().map_or(0, |resources| resources.slots);
        slots.min(limits::TASKS_MAX).saturating_sub(self.tasks.running.len())
    }

    /// What this node has.
    pub(super) fn capacity(&self) -> Capacity<'_> {
        let engines = self.resources.iter().flat_map(|resources| &resources.engines);
        let assets = self.models.values().map(|model| Asset {
            name: &model.record.name,
            manifest: model.manifest_cid(),
            alias: model.alias,
            kind: model.manifest.as_ref().map_or(AssetKind::Data, |manifest| manifest.kind),
        });
        Capacity {
            engines: engines.map(|engine| Engine { name: &engine.name, kinds: &engine.kinds }).collect(),
            assets: assets.collect(),
            slots_free: self.slots_free(),
        }
    }

    /// Begins tasks while there are slots.
    pub(super) fn run_jobs(&mut self) {
        while self.slots_free() > 0 {
            let Some((job, engine, model)) = self.next_task() else { return };
            self.start(&job, engine, model);
        }
    }

    /// The oldest job that can run here; jobs before it that cannot are not looked at again until something
    /// changes.
    fn next_task(&mut self) -> Option<(Digest, String, Option<String>)> {
        let mut unplaced = std::mem::take(&mut self.tasks.unplaced);
        let capacity = self.capacity();
        let mut found = None;
        while found.is_none() {
            let Some((_, job)) = unplaced.pop_first() else { break };
            let Some(record) = self.jobs.get(&job).filter(|record| self.may_run(record)) else { continue };
            let Some(placement) = placement(record, &capacity) else { continue };
            match placement {
                Placement::RunHere { engine, model } => found = Some((job, engine, model)),
                Placement::FetchModel { .. }
                | Placement::SendOn { .. }
                | Placement::Wait { .. }
                | Placement::Reject { .. } => {}
            }
        }
        drop(capacity);
        self.tasks.unplaced = unplaced;
        found
    }

    fn may_run(&self, record: &JobRecord) -> bool {
        let job = record.job.digest();
        let is_wanted = record.askers.iter().any(|asker| asker.until > self.now);
        let is_idle = !self.tasks.runs(job) && !self.tasks.stopping.contains(job);
        record.is_open() && is_wanted && is_idle && !self.tasks.barred.contains(job)
    }

    fn start(&mut self, job: &Digest, engine: String, model: Option<String>) {
        let mut record = self.jobs.get(job).expect("a job that was placed is known").clone();
        let work = record.work.clone().expect("a job that was placed is known as a whole");
        let model = model
            .and_then(|name| self.models.get(&name))
            .map(|model| TaskModel { name: model.record.name.clone(), manifest: model.record.manifest });
        self.tasks.running.insert(*job, record.job);
        for id in self.job_bundles(job) {
            self.retain(&id, Retention::RunPending);
        }
        let task = Task {
            job: record.job,
            payload: record.payload,
            kind: work.kind.expect("a job that was placed can be read here"),
            engine: engine.clone(),
            model,
            received_at: record.received_at,
            is_sealed: self.is_sealed(job),
        };
        self.step(&mut record, Step::Started { engine });
        self.put_job(record);
        self.outputs.push_back(Output::Run(task));
    }

    /// A task that runs is stopped: nobody needs its answer.
    pub(super) fn stop_task(&mut self, job: &Digest) {
        if let Some(task) = self.tasks.running.remove(job) {
            self.tasks.stopping.insert(*job);
            self.outputs.push_back(Output::Stop { task });
        }
    }

    /// A task has come to an end.
    pub(super) fn end_task(&mut self, task: Cid, outcome: TaskOutcome) {
        let job = *task.digest();
        self.tasks.stopping.remove(&job);
        let was_running = self.tasks.running.remove(&job).is_some();
        match outcome {
            TaskOutcome::Answered { payload, adu, blocks, retryable: _ } => {
                let read = JobResult::decode(&adu).ok();
                let result = read.filter(|result| result.statement.job == task && result.verify().is_ok());
                match result {
                    Some(result) if self.jobs.get(&job).is_some() => {
                        let home = endpoints::answers(&self.config.node);
                        // Held for a moment, so that the outputs count as present.
                        blocks.iter().for_each(|block| self.content.handle_held(block));
                        let told = Told::of(&result, self.is_sealed(&job));
                        self.learn_result(&told, payload, &home, self.now);
                        blocks.iter().for_each(|block| self.content.handle_given_up(self.now, block));
                        self.settle(&job);
                    }
                    Some(_) => {}
                    None => {
                        self.tasks.barred.insert(job);
                    }
                }
                blocks
                    .iter()
                    .chain([&payload])
                    .for_each(|block| self.content.handle_unwanted(self.now, block));
            }
            TaskOutcome::Unreadable => {
                self.tasks.barred.insert(job);
            }
            TaskOutcome::Stopped => {}
        }
        if was_running {
            self.rest(&job);
        }
        self.look_at_all();
    }

    /// The job of a task that ended without an answer waits again.
    fn rest(&mut self, job: &Digest) {
        for id in self.job_bundles(job) {
            self.retain(&id, Retention::ForwardPending);
        }
    }

    /// What an open job waits for, in words.
    pub(super) fn waits_for(&self, record: &JobRecord, capacity: &Capacity<'_>) -> String {
        if !record.is_open() || self.tasks.runs(record.job.digest()) {
            return String::new();
        }
        let Some(placement) = placement(record, capacity) else { return String::new() };
        match placement {
            Placement::RunHere { .. } if self.tasks.barred.contains(record.job.digest()) => {
                "another node: its task failed here".to_owned()
            }
            Placement::RunHere { .. } => "its turn".to_owned(),
            Placement::FetchModel { model } => format!("model `{model}`"),
            Placement::SendOn { lacks } if lacks.is_empty() => "a contact".to_owned(),
            Placement::SendOn { lacks } => lacks,
            Placement::Wait { why } => why,
            Placement::Reject { .. } => "a model: what it names is none".to_owned(),
        }
    }
}

fn placement(record: &JobRecord, capacity: &Capacity<'_>) -> Option<Placement> {
    let work = record.work.as_ref()?;
    let Some(kind) = work.kind.filter(|_| work.seal.is_none_or(|seal| seal.is_open_here)) else {
        let lacks = "a node that can read it: it is sealed and cannot be read here".to_owned();
        return Some(Placement::SendOn { lacks });
    };
    let need = Need { kind, model: &work.model, missing: &record.missing };
    Some(place(&need, capacity))
}
