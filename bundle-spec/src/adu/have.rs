//! What a node holds and has done. Spoken when a contact opens; lets the peer send what is new.

use bytes::Bytes;

use super::{
    AduError, HAVE_ENTRIES_MAX,
    dag::{Fields, Item, Node},
};
use crate::{BundleDigest, Digest, NodeId};

/// What a node holds and has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Have {
    /// Who says so.
    pub node: NodeId,
    /// Whether more of the same follow: only the last one completes the picture.
    pub more: bool,
    /// Bundles that are held or were held.
    pub bundles: Vec<BundleDigest>,
    /// Jobs (digests of their CIDs) of which it carries job or result bundles: a peer that knows that such
    /// a job is over answers with the receipt or the cancellation.
    pub jobs: Vec<Digest>,
}

impl Have {
    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let entries = vec![
            ("type", Node::text("have")),
            ("version", Node::Unsigned(1)),
            ("node", Node::node_id(&self.node)),
            ("more", Node::Bool(self.more)),
            ("bundles", Node::list(&self.bundles, |digest| Node::Bytes(digest))),
            ("jobs", Node::list(&self.jobs, |digest| Node::Bytes(digest))),
        ];
        Node::Map(entries).encode().into()
    }

    /// Reads it. Keys that this version does not know are ignored.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields = Fields::read(bytes, "have")?;
        Ok(Self {
            node: fields.need("node")?.node_id()?,
            more: fields.need("more")?.boolean()?,
            bundles: digests(&fields.need("bundles")?)?,
            jobs: digests(&fields.need("jobs")?)?,
        })
    }
}

fn digests<const N: usize>(item: &Item<'_>) -> Result<Vec<[u8; N]>, AduError> {
    item.list(HAVE_ENTRIES_MAX)?.map(|digest| digest.array()).collect()
}
