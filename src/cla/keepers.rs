//! Who keeps which configured peer in reach: one task an address, begun and ended as the list changes.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::address::PeerAddress;

/// The peers of one convergence layer.
#[derive(Default)]
pub(super) struct Keepers {
    /// How each is told to end.
    stops: BTreeMap<PeerAddress, CancellationToken>,
    /// Rung when pauses between attempts shall end.
    redial: Arc<Notify>,
}

/// What a keeper gets.
pub(super) struct Charge {
    /// Where the peer is.
    pub(super) address: PeerAddress,
    /// Until when it is kept in reach.
    pub(super) stop: CancellationToken,
    /// Ends the pause before the next attempt.
    pub(super) redial: Arc<Notify>,
}

impl Keepers {
    /// Ends the keepers of peers that are not wanted; who is to be kept from here on. Whoever names a peer,
    /// again or anew, hopes that it is there: pauses end.
    pub(super) fn keep(&mut self, wanted: &[PeerAddress], stop: &CancellationToken) -> Vec<Charge> {
        self.stops.retain(|address, stop| {
            let is_wanted = wanted.contains(address);
            if !is_wanted {
                stop.cancel();
            }
            is_wanted
        });
        let mut begun = Vec::new();
        for address in wanted {
            if !self.stops.contains_key(address) {
                let stop = stop.child_token();
                self.stops.insert(address.clone(), stop.clone());
                begun.push(Charge { address: address.clone(), stop, redial: Arc::clone(&self.redial) });
            }
        }
        self.redial.notify_waiters();
        begun
    }
}
