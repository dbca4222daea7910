//! Expiration (RFC 9171 §5.5) and everything else that ends by itself.

use bundle_spec::{BundleDigest, Digest};

use super::{Agent, JobState, LinkId, Retention, Step, endpoints};

impl Agent {
    /// Everything whose time has come.
    pub(super) fn expire(&mut self) {
        while let Some((at, id)) = self.ledger.first_expiry() {
            if at > self.now {
                break;
            }
            self.expire_bundle(&id);
        }
        while let Some((at, job)) = self.jobs.first_due() {
            if at > self.now {
                break;
            }
            self.expire_job(&job);
        }
        self.forget();
        self.lose_patience();
        self.retry();
    }

    /// A bundle's lifetime has ended. A job that is wanted here for longer gets another one.
    fn expire_bundle(&mut self, id: &BundleDigest) {
        let entry = self.ledger.get(id).expect("the order of expiry names bundles that are held").clone();
        self.lose_bundle(id, "expired");
        let Some(record) = entry.job.and_then(|job| self.jobs.get(job.digest())) else { return };
        let home = endpoints::answers(&self.config.node);
        let wish = record.askers.iter().find(|asker| asker.local && asker.until > self.now);
        let (Some(until), true) = (wish.map(|asker| asker.until), record.is_open()) else { return };
        let is_ours = entry.id.source == home && entry.retention != Retention::Delivered;
        let job = *record.job.digest();
        if is_ours {
            self.send_job_again(&job, until);
        }
    }

    /// Nobody waits for the answer to an open job any more.
    fn expire_job(&mut self, job: &Digest) {
        let mut record =
            self.jobs.get(job).expect("the order of deadlines names jobs that are known").clone();
        record.state = JobState::Expired;
        self.step(&mut record, Step::Expired);
        self.put_job(record);
        self.settle(job);
    }

    /// What is only remembered is forgotten in time.
    fn forget(&mut self) {
        while let Some((_, id)) = self.ledger.first_seen().filter(|(at, _)| *at <= self.now) {
            self.forget_seen(&id);
        }
        while let Some((_, job)) = self.jobs.first_finished().filter(|(at, _)| *at <= self.now) {
            self.forget_job(&job);
        }
        while let Some((_, key)) = self.receipts.first().filter(|(at, _)| *at <= self.now) {
            self.forget_over(&key);
        }
    }

    /// Contacts whose summary does not come begin without it.
    fn lose_patience(&mut self) {
        let due = self.links.iter().filter(|(_, link)| link.summary_due.is_some_and(|at| at <= self.now));
        let due: Vec<LinkId> = due.map(|(name, _)| *name).collect();
        for link in due {
            self.begin_offers(link);
        }
    }
}
