//! What applications ask of the node: registrations, and the bundles that wait for them.

use std::time::Duration;

use bundle_spec::{BundleId, Eid, Header};
use tokio::sync::oneshot;

use super::{Answer, BundleView, CallError, EndpointView, Handle, Mail, Stopped, WaitingView};
use crate::agent::Input;

impl Handle {
    /// Registers an application in an endpoint; again is no error. When this returns, it is durable.
    ///
    /// # Errors
    /// `Malformed` if it is no endpoint for applications here, `Limit`.
    pub async fn register(&self, endpoint: Eid) -> Result<Answer, CallError> {
        self.call(move |call| Input::Register { call, endpoint }).await
    }

    /// Ends a registration.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn unregister(&self, endpoint: Eid) -> Result<Answer, CallError> {
        self.call(move |call| Input::Unregister { call, endpoint }).await
    }

    /// Keeps a bundle that waits here from other readers for a while; nothing of a while gives it back.
    ///
    /// # Errors
    /// `NotFound`, `Claimed`.
    pub async fn claim(&self, bundle: BundleId, reader: u64, hold: Duration) -> Result<Answer, CallError> {
        self.call(move |call| Input::Claim { call, bundle, reader, hold }).await
    }

    /// Takes a bundle that waits here, or takes back one that was sent from here and has not gone yet.
    ///
    /// # Errors
    /// `NotFound`; `Malformed` if it is carried for others.
    pub async fn take(&self, bundle: BundleId) -> Result<Answer, CallError> {
        self.call(move |call| Input::Take { call, bundle }).await
    }

    /// Takes a bundle that waits here without waiting for that; one that cannot be taken stays.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn let_go(&self, bundle: BundleId) -> Result<(), Stopped> {
        let (answer, _) = oneshot::channel();
        let input = Box::new(move |call| Input::Take { call, bundle });
        self.mail.send(Mail::Call { input, answer }).await.map_err(|_| Stopped)
    }

    /// Every endpoint in which somebody is registered or at which something waits.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn endpoints(&self) -> Result<Vec<EndpointView>, Stopped> {
        self.ask(|agent, _| agent.endpoints()).await
    }

    /// Whether an application here is registered in an endpoint.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn is_registered(&self, endpoint: Eid) -> Result<bool, Stopped> {
        self.ask(move |agent, _| agent.is_registered(&endpoint)).await
    }

    /// What waits at an endpoint, what came first first, at most `max`; also what a reader has at the moment,
    /// if that is wanted.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn waiting(
        &self,
        endpoint: Eid,
        max: usize,
        with_claimed: bool,
    ) -> Result<Vec<WaitingView>, Stopped> {
        self.ask(move |agent, now| agent.waiting(now, &endpoint, max, with_claimed)).await
    }

    /// One bundle that is held, and its header.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn bundle(&self, bundle: BundleId) -> Result<Option<(BundleView, Header)>, Stopped> {
        self.ask(move |agent, _| agent.bundle(&bundle)).await
    }
}
