//! What a node would like to get. Spoken on a link or sent as a bundle; whoever holds it answers.

use bytes::Bytes;

use super::{
    AduError, NAME_BYTES_MAX, WANT_BLOCKS_MAX, WANT_NAMES_MAX,
    dag::{Fields, Node},
};
use crate::{Cid, NodeId};

/// What a node would like to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Who wants it.
    pub node: NodeId,
    /// Content blocks, most wanted first.
    pub blocks: Vec<Cid>,
    /// Names of assets whose manifest is not known here.
    pub names: Vec<String>,
}

impl Want {
    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let entries = vec![
            ("type", Node::text("want")),
            ("version", Node::Unsigned(1)),
            ("node", Node::node_id(&self.node)),
            ("blocks", Node::list(&self.blocks, |cid| Node::Link(*cid))),
            ("names", Node::list(&self.names, |name| Node::text(name))),
        ];
        Node::Map(entries).encode().into()
    }

    /// Reads it. Keys that this version does not know are ignored.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields = Fields::read(bytes, "want")?;
        let blocks = fields.need("blocks")?.list(WANT_BLOCKS_MAX)?;
        let names = fields.need("names")?.list(WANT_NAMES_MAX)?;
        Ok(Self {
            node: fields.need("node")?.node_id()?,
            blocks: blocks.map(|item| item.link()).collect::<Result<_, _>>()?,
            names: names
                .map(|item| item.text(NAME_BYTES_MAX).map(str::to_owned))
                .collect::<Result<_, _>>()?,
        })
    }
}
