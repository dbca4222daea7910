//! What a node is and can do. Spoken when a contact opens; the link vouches for it.

use bytes::Bytes;

use super::{
    ADVERT_ENGINES_MAX, ADVERT_KINDS_MAX, ADVERT_MODELS_MAX, AduError, FINGERPRINT_BYTES_MAX, Kind,
    NAME_BYTES_MAX,
    dag::{Fields, Item, Node},
};
use crate::{Cid, NodeId};

/// An engine as its node offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineAdvert {
    /// Name, e.g. `llama`.
    pub name: String,
    /// Fingerprint.
    pub fingerprint: String,
    /// What it can do.
    pub kinds: Vec<Kind>,
}

/// What a node is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Who.
    pub node: NodeId,
    /// Software version.
    pub version: String,
    /// Engines that run there.
    pub engines: Vec<EngineAdvert>,
    /// Assets that are complete there: name and manifest.
    pub models: Vec<(String, Cid)>,
}

impl Advert {
    /// The deterministic encoding.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let entries = vec![
            ("type", Node::text("advert")),
            ("version", Node::Unsigned(1)),
            ("node", Node::node_id(&self.node)),
            ("software", Node::text(&self.version)),
            ("engines", Node::list(&self.engines, EngineAdvert::node)),
            (
                "models",
                Node::list(&self.models, |(name, manifest)| {
                    Node::List(vec![Node::text(name), Node::Link(*manifest)])
                }),
            ),
        ];
        Node::Map(entries).encode().into()
    }

    /// Reads it. Keys and kinds of work that this version does not know are ignored.
    ///
    /// # Errors
    /// See [`AduError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AduError> {
        let fields = Fields::read(bytes, "advert")?;
        let engines = fields.need("engines")?.list(ADVERT_ENGINES_MAX)?;
        let models = fields.need("models")?.list(ADVERT_MODELS_MAX)?;
        Ok(Self {
            node: fields.need("node")?.node_id()?,
            version: fields.need("software")?.text(NAME_BYTES_MAX)?.to_owned(),
            engines: engines.map(|item| EngineAdvert::read(&item)).collect::<Result<_, _>>()?,
            models: models.map(|item| read_model(&item)).collect::<Result<_, _>>()?,
        })
    }
}

fn read_model(item: &Item<'_>) -> Result<(String, Cid), AduError> {
    let mut parts = item.list(2)?;
    match (parts.next(), parts.next()) {
        (Some(name), Some(manifest)) => Ok((name.text(NAME_BYTES_MAX)?.to_owned(), manifest.adu_link()?)),
        _ => Err(item.wrong()),
    }
}

impl EngineAdvert {
    fn node(&self) -> Node<'_> {
        Node::Map(vec![
            ("name", Node::text(&self.name)),
            ("fingerprint", Node::text(&self.fingerprint)),
            ("kinds", Node::list(&self.kinds, |kind| Node::text(kind.name()))),
        ])
    }

    fn read(item: &Item<'_>) -> Result<Self, AduError> {
        let fields = item.map()?;
        let mut kinds = Vec::new();
        for kind in fields.need("kinds")?.list(ADVERT_KINDS_MAX)? {
            kinds.extend(kind.text(NAME_BYTES_MAX)?.parse::<Kind>());
        }
        Ok(Self {
            name: fields.need("name")?.text(NAME_BYTES_MAX)?.to_owned(),
            fingerprint: fields.need("fingerprint")?.text(FINGERPRINT_BYTES_MAX)?.to_owned(),
            kinds,
        })
    }
}
