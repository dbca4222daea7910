//! When to wake the agent at the latest, and why. Deadlines are kept where their things are, in order of
//! time; this is the one place that looks at all of them.

use super::{Agent, Reason};
use crate::time::Time;

impl Agent {
    /// When to wake the agent at the latest, and why.
    #[must_use]
    pub fn next_deadline(&self) -> Option<(Time, Reason)> {
        let expiry = self.ledger.first_expiry().map(|(at, _)| at);
        let due = self.jobs.first_due().map(|(at, _)| at);
        let seen = self.ledger.first_seen().map(|(at, _)| at);
        let finished = self.jobs.first_finished().map(|(at, _)| at);
        let over = self.receipts.first().map(|(at, _)| at);
        let summary = self.links.values().filter_map(|link| link.summary_due).min();
        let retry = self.links.values().filter_map(super::link::Link::first_retry).min();
        let deadlines = [
            (expiry, Reason::Expiry),
            (due, Reason::Expiry),
            (summary, Reason::Contact),
            (retry, Reason::Retry),
            (self.assemblies.first_retry(), Reason::Retry),
            (seen, Reason::Forget),
            (finished, Reason::Forget),
            (over, Reason::Forget),
            (self.content.next_release(), Reason::Forget),
        ];
        deadlines.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min()
    }
}
