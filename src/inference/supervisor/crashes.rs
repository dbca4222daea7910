//! What is remembered of crashes: which pairs of model and engine are refused, and how long a restart waits.
//!
//! Used by the supervisor alone. Forgotten when the node ends.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bundle_spec::Cid;

use crate::limits::{CRASHES_MAX, TASK_ATTEMPTS_MAX, WORKER_BACKOFF_MAX, WORKER_BACKOFF_MIN};

/// What is remembered of crashes.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    /// Pairs that crashed, oldest first.
    pairs: VecDeque<Pair>,
    /// How many workers of an engine died in a row.
    in_a_row: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Pair {
    model: Cid,
    fingerprint: String,
    /// How many times.
    count: u32,
    /// What was said at the last time.
    detail: String,
}

impl Crashes {
    /// A worker died.
    pub(super) fn crashed(&mut self, engine: &str, model: Option<Cid>, fingerprint: &str, detail: &str) {
        let in_a_row = self.in_a_row.entry(engine.to_owned()).or_default();
        *in_a_row = in_a_row.saturating_add(1);
        let Some(model) = model else { return };
        let known = self.pairs.iter_mut().find(|pair| pair.model == model && pair.fingerprint == fingerprint);
        if let Some(pair) = known {
            pair.count = pair.count.saturating_add(1);
            detail.clone_into(&mut pair.detail);
            return;
        }
        if self.pairs.len() == CRASHES_MAX {
            self.pairs.pop_front();
        }
        let (fingerprint, detail) = (fingerprint.to_owned(), detail.to_owned());
        self.pairs.push_back(Pair { model, fingerprint, count: 1, detail });
    }

    /// A worker lived through its task.
    pub(super) fn went_well(&mut self, engine: &str) {
        self.in_a_row.remove(engine);
    }

    /// Why a model is not given to an engine again.
    pub(super) fn refusal(&self, model: Cid, fingerprint: &str) -> Option<String> {
        let pair = self.pairs.iter().find(|pair| pair.model == model && pair.fingerprint == fingerprint)?;
        (pair.count >= TASK_ATTEMPTS_MAX).then(|| {
            format!(
                "this model has crashed this engine {} times and is refused here: {}",
                pair.count, pair.detail
            )
        })
    }

    /// How long the next start of an engine's worker waits.
    pub(super) fn pause(&self, engine: &str) -> Duration {
        match self.in_a_row.get(engine) {
            None => Duration::ZERO,
            Some(deaths) => {
                let doublings = deaths.saturating_sub(1).min(16);
                WORKER_BACKOFF_MIN.saturating_mul(1 << doublings).min(WORKER_BACKOFF_MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(number: usize) -> Cid {
        Cid::raw(&number.to_be_bytes())
    }

    #[test]
    fn a_pair_that_crashed_twice_is_refused_and_no_other() {
        let mut crashes = Crashes::default();
        crashes.crashed("llama", Some(model(1)), "a", "signal 6");
        assert_eq!(crashes.refusal(model(1), "a"), None);
        crashes.crashed("llama", Some(model(1)), "a", "signal 11");
        assert!(crashes.refusal(model(1), "a").unwrap().contains("signal 11"));
        assert_eq!(crashes.refusal(model(1), "b"), None);
        assert_eq!(crashes.refusal(model(2), "a"), None);
    }

    #[test]
    fn restarts_wait_longer_until_one_goes_well() {
        let mut crashes = Crashes::default();
        assert_eq!(crashes.pause("llama"), Duration::ZERO);
        crashes.crashed("llama", None, "a", "");
        assert_eq!(crashes.pause("llama"), WORKER_BACKOFF_MIN);
        crashes.crashed("llama", None, "a", "");
        assert_eq!(crashes.pause("llama"), WORKER_BACKOFF_MIN * 2);
        for _ in 0..100 {
            crashes.crashed("llama", None, "a", "");
        }
        assert_eq!(crashes.pause("llama"), WORKER_BACKOFF_MAX);
        assert_eq!(crashes.pause("echo"), Duration::ZERO);
        crashes.went_well("llama");
        assert_eq!(crashes.pause("llama"), Duration::ZERO);
    }

    #[test]
    fn the_oldest_crash_is_forgotten_first() {
        let mut crashes = Crashes::default();
        for number in 0..=CRASHES_MAX {
            crashes.crashed("llama", Some(model(number)), "a", "");
            crashes.crashed("llama", Some(model(number)), "a", "");
        }
        assert_eq!(crashes.pairs.len(), CRASHES_MAX);
        assert_eq!(crashes.refusal(model(0), "a"), None);
        assert!(crashes.refusal(model(1), "a").is_some());
    }
}
