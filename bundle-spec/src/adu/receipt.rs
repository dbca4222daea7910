//! An answer has arrived where it was wanted. Made by the asker's node, passed on so that carriers forget
//! the job.

use bytes::Bytes;

use super::{AduError, dag::Node, signed};
use crate::{
    Cid, NodeId,
    sign::{Signature, SigningKey},
};

const TYPE: &str = "receipt";

/// An answer has arrived where it was wanted. Signed by the one who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which job.
    pub job: Cid,
    /// Which result: the dag-cbor CID of the result ADU.
    pub result: Cid,
    /// Who got it.
    pub node: NodeId,
    /// DTN time in milliseconds, zero without a clock.
    pub at: u64,
    /// Which wishes it answers: up to the last sequence number (RFC 9171 §4.2.7) that the node had used when
    /// it said so. A bundle with a later one is a new wish.
    pub sequence: u64,
    /// Proof.
    pub signature: Signature,
}

impl Receipt {
    /// Makes and signs one.
    #[must_use]
    pub fn sign(job: Cid, result: Cid, node: NodeId, at: u64, sequence: u64, key: &SigningKey) -> Self {
        let signature = key.sign(TYPE, &statement(job, result, &node, at, sequence));
        Self { job, result, node, at, sequence, signature }
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
        let (fields, signature) = signed::open(bytes, TYPE, &["job", "result", "node", "at", "sequence"])?;
        Ok(Self {
            job: fields.need("job")?.adu_link()?,
            result: fields.need("result")?.adu_link()?,
            node: fields.need("node")?.node_id()?,
            at: fields.need("at")?.unsigned()?,
            sequence: fields.need("sequence")?.unsigned()?,
            signature,
        })
    }

    /// Checks the signature, and that a key-derived node is that key's.
    ///
    /// # Errors
    /// `Signature`.
    pub fn verify(&self) -> Result<(), AduError> {
        self.signature.verify(TYPE, &self.statement())?;
        self.signature.speaks_for(&self.node)
    }

    fn statement(&self) -> Vec<u8> {
        statement(self.job, self.result, &self.node, self.at, self.sequence)
    }
}

fn statement(job: Cid, result: Cid, node: &NodeId, at: u64, sequence: u64) -> Vec<u8> {
    Node::Map(vec![
        ("job", Node::Link(job)),
        ("result", Node::Link(result)),
        ("node", Node::node_id(node)),
        ("at", Node::Unsigned(at)),
        ("sequence", Node::Unsigned(sequence)),
    ])
    .encode()
}
