//! Bundles that wait for their turn on a one way road, and what becomes of commands there. Roads on which
//! nothing but bundles can be said call this.

use std::collections::VecDeque;

use crate::{
    agent::{CloseReason, Outgoing},
    node::mailbox::LinkCommand,
};

/// Bundles in the order in which they go.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<Outgoing>);

impl Waiting {
    /// Takes a command; an error if it ends the contact.
    pub(super) fn note(&mut self, command: Option<LinkCommand>) -> Result<(), CloseReason> {
        match command {
            Some(LinkCommand::Transmit(outgoing)) => self.0.push_back(outgoing),
            Some(LinkCommand::Abort(bundle)) => self.0.retain(|outgoing| outgoing.bundle != bundle),
            // There is no way to say this to the peer.
            Some(LinkCommand::Announce(_) | LinkCommand::Acknowledge(_) | LinkCommand::Refuse(..)) => {}
            Some(LinkCommand::Close) | None => return Err(CloseReason::Finished),
        }
        Ok(())
    }

    /// The bundle whose turn it is.
    pub(super) fn next(&mut self) -> Option<Outgoing> {
        self.0.pop_front()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
