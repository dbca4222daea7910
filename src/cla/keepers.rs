//! Who keeps which configured peer in reach: one task a peer, begun and ended as the list changes.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The peers of one convergence layer, each as the layer names them.
pub(super) struct Keepers<P> {
    /// How each is told to end.
    stops: BTreeMap<P, CancellationToken>,
    /// Rung when pauses between attempts shall end.
    redial: Arc<Notify>,
}

/// What a keeper gets.
pub(super) struct Charge<P> {
    /// The peer.
    pub(super) peer: P,
    /// Until when it is kept in reach.
    pub(super) stop: CancellationToken,
    /// Ends the pause before the next attempt.
    pub(super) redial: Arc<Notify>,
}

impl<P> Default for Keepers<P> {
    fn default() -> Self {
        Self { stops: BTreeMap::new(), redial: Arc::default() }
    }
}

impl<P: Clone + Ord> Keepers<P> {
    /// Ends the keepers of peers that are not wanted; who is to be kept from here on. Whoever names a peer,
    /// again or anew, hopes that it is there: pauses end.
    pub(super) fn keep(&mut self, wanted: &[P], stop: &CancellationToken) -> Vec<Charge<P>> {
        self.stops.retain(|peer, stop| {
            let is_wanted = wanted.contains(peer);
            if !is_wanted {
                stop.cancel();
            }
            is_wanted
        });
        let mut begun = Vec::new();
        for peer in wanted {
            if !self.stops.contains_key(peer) {
                let stop = stop.child_token();
                self.stops.insert(peer.clone(), stop.clone());
                begun.push(Charge { peer: peer.clone(), stop, redial: Arc::clone(&self.redial) });
            }
        }
        self.redial.notify_waiters();
        begun
    }
}
