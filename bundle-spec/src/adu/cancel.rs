//! A job is no longer wanted. Made by a node that asked, passed on like a receipt.

use bytes::Bytes;

use super::{AduError, dag::Node, signed};
use crate::{
    Cid, NodeId,
    sign::{Signature, SigningKey},
};

const TYPE: &str = "cancel";

/// A job is no longer wanted by this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Which job.
    pub job: Cid,
    /// By whom: only bundles from this node are affected.
    pub node: NodeId,
    /// Up to which wish: the last sequence number (RFC 9171 §4.2.7) that the node had used when it said so.
    /// A bundle with a later one is a new wish.
    pub sequence: u64,
    /// Proof.
    pub signature: Signature,
}

impl Cancel {
    /// Makes and signs one.
    #[must_use]
    pub fn sign(job: Cid, node: NodeId, sequence: u64, key: &SigningKey) -> Self {
        let signature = key.sign(TYPE, &statement(job, &node, sequence));
        Self { job, node, sequence, signature }
    }

    /// Checks the signature, and that a key-derived node is that key's.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(&self) -> Result<(), AduError> {
        self.signature.verify(TYPE, &self.statement())?;
        self.signature.speaks_for(&self.node)
    }

    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        signed::encode(TYPE, &self.statement(), &self.signature)
    }

    /// Reads it; the signature is read, not checked.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let (fields, signature) = signed::open(bytes, TYPE, &["job", "node", "sequence"])?;
        Ok(Self {
            job: fields.need("job")?.adu_link()?,
            node: fields.need("node")?.node_id()?,
            sequence: fields.need("sequence")?.unsigned()?,
            signature,
        })
    }

    fn statement(&self) -> Vec<u8> {
        statement(self.job, &self.node, self.sequence)
    }
}

fn statement(job: Cid, node: &NodeId, sequence: u64) -> Vec<u8> {
    Node::Map(vec![
        ("job", Node::Link(job)),
        ("node", Node::node_id(node)),
        ("sequence", Node::Unsigned(sequence)),
    ])
    .encode()
}
