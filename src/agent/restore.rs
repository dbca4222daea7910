//! Restart: everything that is durable comes back, and what a crash left half done is completed.

use std::collections::BTreeMap;

use bundle_spec::Digest;
use bundle_spec::adu::Adu;

use super::{
    Agent, Config, JobRecord, Record, RecordKey,
    handover::Handovers,
    jobs::Jobs,
    ledger::{Entry, Ledger},
    mint::Mint,
    models::Model,
    reassemble::Assemblies,
    receipts::{Ending, Over, Receipts},
    registration::Registrations,
    report::Reports,
    run::Tasks,
};
use crate::{content::Content, route::Router, time::Time};

impl Agent {
    /// An agent as its records say. `records` in any order but for those with one key.
    #[must_use]
    pub fn restore(
        config: Config,
        router: Box<dyn Router>,
        seed: [u8; 32],
        records: Vec<Record>,
        now: Time,
    ) -> Self {
        let mut agent = Self {
            config,
            router,
            now,
            mint: Mint::new(seed),
            ledger: Ledger::default(),
            handovers: Handovers::default(),
            assemblies: Assemblies::default(),
            jobs: Jobs::default(),
            content: Content::default(),
            models: BTreeMap::new(),
            receipts: Receipts::default(),
            registrations: Registrations::default(),
            reports: Reports::default(),
            links: BTreeMap::new(),
            peers: BTreeMap::new(),
            tasks: Tasks::default(),
            resources: None,
            outputs: std::collections::VecDeque::new(),
            events: Vec::new(),
        };
        for record in last_of_each(records).into_values() {
            agent.recall(record);
        }
        agent.mend();
        agent.finish();
        agent
    }

    /// One thing that holds.
    fn recall(&mut self, record: Record) {
        match record {
            Record::Bundle(bundle) => {
                // A header of a bundle that was taken can be read; what cannot stays in the store untouched.
                if let Some(entry) = Entry::of(*bundle) {
                    self.content.handle_held(&entry.payload);
                    self.ledger.insert(entry);
                }
            }
            Record::Seen { id, until } => self.ledger.remember(id, until),
            Record::Job(job) => {
                job.blocks().iter().for_each(|block| self.content.handle_held(block));
                if job.is_open() {
                    self.tasks.look_at(job.since(), *job.job.digest());
                }
                self.jobs.insert(*job);
            }
            Record::Model(record) => {
                let model = Model::of(*record);
                model.blocks().for_each(|block| self.content.handle_held(block));
                self.models.insert(model.record.name.clone(), model);
            }
            Record::Receipt { job: _, adu, until } => {
                let ending = match Adu::decode(&adu) {
                    Ok(Adu::Receipt(receipt)) => Ending::answered(&receipt),
                    Ok(Adu::Cancel(cancel)) => Ending::cancelled(&cancel),
                    Ok(_) | Err(_) => return,
                };
                let over = Over { adu, sequence: ending.sequence, until, from: None };
                self.receipts.insert(ending.key(), over);
            }
            Record::Sequence { time, sequence } => self.mint.resume(time, sequence),
            Record::Registration { endpoint } => self.registrations.recall(endpoint),
            Record::Taken { id } => self.registrations.recall_taken(id),
            Record::BundleGone { .. }
            | Record::SeenGone { .. }
            | Record::JobGone { .. }
            | Record::ModelGone { .. }
            | Record::ReceiptGone { .. }
            | Record::RegistrationGone { .. }
            | Record::TakenGone { .. } => {}
        }
    }

    /// Completes what a crash between two records left half done.
    fn mend(&mut self) {
        // A block that came just before the crash is here, though the jobs that lacked it do not say so yet.
        let lacking =
            self.jobs.iter().filter(|record| record.missing.iter().any(|block| self.content.holds(block)));
        let lacking: Vec<JobRecord> = lacking.cloned().collect();
        for mut record in lacking {
            record.missing.retain(|block| !self.content.holds(block));
            self.put_job(record);
        }
        let finished = self.jobs.iter().filter(|record| !record.is_open());
        let finished: Vec<Digest> = finished.map(|record| *record.job.digest()).collect();
        for job in finished {
            self.settle(&job);
            self.confirm(&job);
        }
        self.mend_fragments();
    }
}

/// Of several records with one key the last holds, unless it ends the key.
fn last_of_each(records: Vec<Record>) -> BTreeMap<RecordKey, Record> {
    let mut holding = BTreeMap::new();
    for record in records {
        match record.is_gone() {
            true => drop(holding.remove(&record.key())),
            false => drop(holding.insert(record.key(), record)),
        }
    }
    holding
}
