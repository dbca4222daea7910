//! Mail with a short block: a bundle that has come whole, or something submitted. The loop asks the agent and
//! keeps the block in memory until the records that speak of it are written, so that a small bundle takes one
//! message and one write. Whoever drives an agent calls [`Brought::keep`]; nobody else does.

use bundle_spec::{BlockRef, Header};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Answer, CallError, Handle, LinkReporter, Mail, Stopped};
use crate::{
    agent::{Agent, Input, LinkId, Refusal, Submission, SubmitError},
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::Time,
    store::{SHORT_BYTES_MAX, Store, StoreError},
};

/// A short block, and what it is for.
pub(crate) struct Brought {
    block: BlockRef,
    bytes: Bytes,
    purpose: Purpose,
}

#[expect(clippy::large_enum_variant, reason = "most of what is brought is a bundle, and it is moved once")]
enum Purpose {
    /// It is the payload of a bundle that has come over this link.
    Received { link: LinkId, header: Header, opened: Option<Bytes> },
    /// It is the payload of what somebody here wants sent or done, and waits for.
    Submitted { submission: Submission, answer: oneshot::Sender<Result<Answer, SubmitError>> },
}

impl Brought {
    /// Keeps the block, if the agent would take what it belongs to. What is to be handled then; nothing if
    /// who brought it was answered already.
    ///
    /// # Errors
    /// `Failed`, `Io`: the disk is in doubt.
    pub(crate) fn keep(
        self,
        agent: &Agent,
        store: &dyn Store,
        now: Time,
    ) -> Result<Option<Mail>, StoreError> {
        let Self { block, bytes, purpose } = self;
        match purpose {
            Purpose::Received { link, header, opened } => {
                let adu = Some(bytes.clone()).filter(|bytes| bytes.len() <= CONTROL_ADU_BYTES_MAX);
                let kept = match agent.admit(now, link, &header) {
                    Ok(()) => shelve(store, &block, bytes)?.ok_or(Refusal::NoRoom),
                    Err(reason) => Err(reason),
                };
                let input = match kept {
                    Ok(()) => Input::Received { link, header, payload: block, adu, opened },
                    Err(reason) => Input::Distrusted { link, header, payload: block, reason, report: None },
                };
                Ok(Some(Mail::Input(input)))
            }
            Purpose::Submitted { submission, answer } => {
                let kept = match agent.admit_submission(&submission) {
                    Ok(()) => shelve(store, &block, bytes)?.ok_or(SubmitError::StoreFull),
                    Err(error) => Err(error),
                };
                if let Err(error) = kept {
                    // Who asked may have gone; then nobody needs the answer.
                    let _ = answer.send(Err(error));
                    return Ok(None);
                }
                let input = Box::new(move |call| Input::Submit { call, submission });
                Ok(Some(Mail::Call { input, answer }))
            }
        }
    }
}

/// Keeps a block; `None` if there is no room for it.
fn shelve(store: &dyn Store, block: &BlockRef, bytes: Bytes) -> Result<Option<()>, StoreError> {
    match store.shelve(block, bytes) {
        Ok(()) => Ok(Some(())),
        Err(StoreError::Full { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Handle {
    /// Submits something whose payload is `bytes`, at most [`SHORT_BYTES_MAX`] of them, if it would be
    /// accepted. When this returns, it is durable.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn submit_short(&self, submission: Submission, bytes: Bytes) -> Result<Answer, CallError> {
        let (answer, answered) = oneshot::channel();
        let block = match &submission {
            Submission::Job(job) => job.payload,
            Submission::Bundle(bundle) => bundle.payload,
        };
        assert_eq!(BlockRef::raw(&bytes).cid.digest(), block.cid.digest(), "a payload has its name");
        let purpose = Purpose::Submitted { submission, answer };
        self.bring(Brought { block, bytes, purpose }).await?;
        Ok(answered.await.map_err(|_| Stopped)??)
    }

    async fn bring(&self, brought: Brought) -> Result<(), Stopped> {
        assert!(brought.bytes.len() <= SHORT_BYTES_MAX, "only short blocks are brought");
        self.mail.send(Mail::Brought(brought)).await.map_err(|_| Stopped)
    }
}

impl LinkReporter {
    /// A bundle has arrived whole, with a payload of at most [`SHORT_BYTES_MAX`] bytes that is in memory:
    /// nothing of it is kept if the agent would not take it. The agent hears of it once its security
    /// operations were checked.
    ///
    /// # Errors
    /// The node has stopped.
    pub async fn received_short(&self, header: Header, payload: Bytes) -> Result<(), Stopped> {
        let (link, handle) = (self.link, &self.handle);
        if self.clear_only || handle.guard.concerns(&header) {
            return self.received_checked(header, payload).await;
        }
        let block = BlockRef::raw(&payload);
        let opened = handle.sealing.opened(&handle.node, &header, Some(&payload));
        let purpose = Purpose::Received { link, header, opened };
        handle.bring(Brought { block, bytes: payload, purpose }).await
    }

    /// What is to be checked must lie in the store.
    async fn received_checked(&self, header: Header, payload: Bytes) -> Result<(), Stopped> {
        let reason = match self.admit(&header).await? {
            Err(reason) => reason,
            Ok(()) => match self.handle.write_block(payload.clone()).await {
                Ok(block) => {
                    let adu = Some(payload).filter(|bytes| bytes.len() <= CONTROL_ADU_BYTES_MAX);
                    return self.received(header, block, adu).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a bundle could not be stored");
                    Refusal::NoRoom
                }
            },
        };
        let payload = BlockRef::raw(&payload);
        let (link, report) = (self.link, None);
        self.handle.input(Input::Distrusted { link, header, payload, reason, report }).await
    }
}
