//! Invitations: one line of text that says who a node is and where it is reached, signed by its key.
//! `../links.md` §4 is the normative text.
//!
//! The node that invites calls [`Invitation::sign`]; the one that joins parses the text, which checks all of
//! it but the time. Nothing here knows what a road is dialled with.

use core::net::IpAddr;
use std::{fmt, str::FromStr};

use ::cid::multibase::{self, Base};

use crate::{
    DtnTime, NodeId,
    adu::{
        AduError,
        dag::{Item, Node},
    },
    sealing::SealingPublic,
    sign::{PublicKey, Signature, SigningKey},
};

/// What every invitation begins with.
pub const SCHEME: &str = "pannier:";
/// Convergence layers by their number in an invitation.
pub const ROADS: [&str; 6] = ["quic", "tcpclv4", "mtcp", "stcp", "udp", "quicclav1"];
/// Most places in one invitation: more make a code that no camera reads.
pub const PLACES_MAX: usize = 16;
/// Most sealing keys in one invitation.
pub const KEYS_MAX: usize = 8;
/// Longest name for people, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest text that is looked at, in bytes, with the white space that copying has brought in.
pub const TEXT_BYTES_MAX: usize = 8192;
/// Longest invitation in bytes: with all of them in capitals it still fits one QR code.
pub const BYTES_MAX: usize = 2048;

const VERSION: u64 = 1;
/// What the signature is for.
const CONTEXT: &str = "invitation";
const SIGNATURE_BYTES: usize = 64;
/// Longest host name in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest name of a role, in bytes.
const ROLE_BYTES_MAX: usize = 64;
/// Most items of an invitation of any version.
const ITEMS_MAX: usize = 64;

/// Why text is no invitation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// It begins otherwise.
    #[error("an invitation begins with `{SCHEME}`")]
    Scheme,
    /// Longer than any invitation.
    #[error("the invitation is longer than there are any")]
    TooLong,
    /// A character that none is written with.
    #[error("the invitation is damaged: its character {at} is none that it can be written with")]
    Character {
        /// Which one, counted from one, without white space.
        at: usize,
    },
    /// Something is missing.
    #[error("the invitation is damaged: it is not whole")]
    Cut,
    /// It is made in another way.
    #[error("the invitation is damaged: {0}")]
    Malformed(#[from] AduError),
    /// The version is none that this program knows.
    #[error("the invitation has version {0}, this program knows version {VERSION}")]
    Version(u64),
}

/// How a place is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// By its address.
    Ip(IpAddr),
    /// By a name that resolves where the guest is.
    Name(String),
}

/// Where a node is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Over which convergence layer: a number in [`ROADS`], or one that this version does not know.
    pub road: u64,
    /// On which host.
    pub host: Host,
    /// At which UDP or TCP port, not zero.
    pub port: u16,
    /// Whether encryption is forbidden on the way there.
    pub is_clear: bool,
}

/// A key to seal with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedKey {
    /// Whose: that of this role, or the node's own.
    pub role: Option<String>,
    /// Which one of theirs, counted from one.
    pub epoch: u32,
    /// The public half.
    pub public: SealingPublic,
}

/// What an invitation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Who invites.
    pub node: NodeId,
    /// What people call it.
    pub name: Option<String>,
    /// Until when it holds, in whole seconds; unknown where it has no end.
    pub expires: DtnTime,
    /// Where it is reached, the best first.
    pub places: Vec<Place>,
    /// What can be sealed with.
    pub keys: Vec<OfferedKey>,
}

/// An introduction with the signature of the node's key, which has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// What it says.
    pub introduction: Introduction,
    /// Proof, and whose key it is.
    signature: Signature,
}

impl Invitation {
    /// Signs an introduction with the key of its node. Milliseconds of `expires` are dropped.
    ///
    /// # Errors
    /// If nobody could read it: too many places or keys, a name that is too long, a node that is made of
    /// another key.
    pub fn sign(introduction: Introduction, key: &SigningKey) -> Result<Self, InvitationError> {
        let expires = DtnTime(introduction.expires.0 / 1000 * 1000);
        let introduction = Introduction { expires, ..introduction };
        let signature = key.sign(CONTEXT, &introduction.encode(&key.public()));
        let bytes = Self { introduction, signature }.encode();
        if bytes.len() > BYTES_MAX {
            return Err(InvitationError::TooLong);
        }
        let invitation = Self::decode(&bytes)?;
        Ok(invitation)
    }

    /// The node's key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.signature.key
    }

    /// Whether it holds no more at this moment.
    #[must_use]
    pub const fn is_expired(&self, now: DtnTime) -> bool {
        !self.introduction.expires.is_unknown() && self.introduction.expires.0 < now.0
    }

    /// The statement and the signature behind it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.introduction.encode(&self.signature.key);
        bytes.extend_from_slice(&self.signature.bytes);
        bytes
    }

    /// Reads [`Self::encode`] and checks the signature.
    ///
    /// # Errors
    /// See [`InvitationError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, InvitationError> {
        let (statement, proof) = bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(InvitationError::Cut)?;
        let mut items = Item::read("invitation", statement)?.list(ITEMS_MAX)?;
        let mut item = |key| items.next().map(|item| item.named(key)).ok_or(InvitationError::Cut);
        match item("version")?.unsigned()? {
            VERSION => {}
            version => return Err(InvitationError::Version(version)),
        }
        let key = PublicKey(item("key")?.array()?);
        let introduction = Introduction {
            node: read_node(&item("node")?, &key)?,
            name: read_name(&item("name")?)?,
            expires: read_expires(&item("expires")?)?,
            places: read_list(&item("places")?, PLACES_MAX, read_place)?,
            keys: read_list(&item("keys")?, KEYS_MAX, read_key)?,
        };
        if let Some(more) = items.next() {
            return Err(more.named("invitation").wrong().into());
        }
        let signature = Signature { key, bytes: *proof };
        signature.verify(CONTEXT, statement)?;
        signature.speaks_for(&introduction.node)?;
        Ok(Self { introduction, signature })
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    /// Reads an invitation in any case of letters and with any white space between them.
    fn from_str(text: &str) -> Result<Self, InvitationError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(InvitationError::TooLong);
        }
        let plain = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        let body = plain.strip_prefix(SCHEME).ok_or(InvitationError::Scheme)?;
        let is_of_base32 = |c: char| matches!(c, 'a'..='z' | '2'..='7');
        let base = Base::Base32Lower.code();
        let strange = body.chars().enumerate().position(|(at, c)| match at {
            0 => c != base,
            _ => !is_of_base32(c),
        });
        if let Some(at) = strange {
            return Err(InvitationError::Character { at: SCHEME.len() + at + 1 });
        }
        let (_, bytes) = multibase::decode(body).map_err(|_| InvitationError::Cut)?;
        if bytes.len() > BYTES_MAX {
            return Err(InvitationError::TooLong);
        }
        let invitation = Self::decode(&bytes)?;
        Ok(invitation)
    }
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", multibase::encode(Base::Base32Lower, self.encode()))
    }
}

impl Introduction {
    /// The statement that is signed.
    fn encode(&self, key: &PublicKey) -> Vec<u8> {
        let is_of_key = key.node_id() == self.node;
        Node::List(vec![
            Node::Unsigned(VERSION),
            Node::Bytes(&key.0),
            if is_of_key { Node::Null } else { Node::node_id(&self.node) },
            self.name.as_deref().map_or(Node::Null, Node::text),
            Node::Unsigned(self.expires.0 / 1000),
            Node::List(self.places.iter().map(Place::node).collect()),
            Node::list(&self.keys, OfferedKey::node),
        ])
        .encode()
    }
}

impl Place {
    /// The name of its road, if this version knows it.
    #[must_use]
    pub fn road_name(&self) -> Option<&'static str> {
        ROADS.get(usize::try_from(self.road).ok()?).copied()
    }

    fn node(&self) -> Node<'_> {
        let host = match &self.host {
            Host::Ip(IpAddr::V4(ip)) => Node::Octets(ip.octets().to_vec()),
            Host::Ip(IpAddr::V6(ip)) => Node::Octets(ip.octets().to_vec()),
            Host::Name(name) => Node::text(name),
        };
        let port = Node::Unsigned(u64::from(self.port));
        Node::List(vec![Node::Unsigned(self.road), host, port, Node::Bool(self.is_clear)])
    }
}

impl OfferedKey {
    fn node(&self) -> Node<'_> {
        Node::List(vec![
            self.role.as_deref().map_or(Node::Null, Node::text),
            Node::Unsigned(u64::from(self.epoch)),
            Node::Bytes(&self.public.0),
        ])
    }
}

impl fmt::Display for Host {
    /// As it stands before the port of an address: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A node that is made of a key is not written: it follows from the key.
fn read_node(item: &Item<'_>, key: &PublicKey) -> Result<NodeId, AduError> {
    if item.is_null() {
        return Ok(key.node_id());
    }
    let node = item.node_id()?;
    if node == key.node_id() { Err(item.wrong()) } else { Ok(node) }
}

/// A name that people see has no character that moves what they see.
fn read_name(item: &Item<'_>) -> Result<Option<String>, AduError> {
    if item.is_null() {
        return Ok(None);
    }
    let name = item.text(NAME_BYTES_MAX)?;
    if name.chars().any(char::is_control) { Err(item.wrong()) } else { Ok(Some(name.to_owned())) }
}

fn read_expires(item: &Item<'_>) -> Result<DtnTime, AduError> {
    item.unsigned()?.checked_mul(1000).map(DtnTime).ok_or_else(|| item.wrong())
}

fn read_list<T>(
    item: &Item<'_>,
    max: usize,
    read: impl Fn(&Item<'_>) -> Result<T, AduError>,
) -> Result<Vec<T>, AduError> {
    item.list(max)?.map(|item| read(&item)).collect()
}

fn read_place(item: &Item<'_>) -> Result<Place, AduError> {
    let parts: Vec<Item<'_>> = item.list(4)?.collect();
    let [road, host, port, is_clear] = parts.as_slice() else { return Err(item.wrong()) };
    let port = u16::try_from(port.unsigned()?).ok().filter(|port| *port != 0);
    Ok(Place {
        road: road.unsigned()?,
        host: read_host(host)?,
        port: port.ok_or_else(|| item.wrong())?,
        is_clear: is_clear.boolean()?,
    })
}

fn read_host(item: &Item<'_>) -> Result<Host, AduError> {
    if let Ok(bytes) = item.bytes() {
        let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        let ip = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
        return ip.map(Host::Ip).map_err(|_| item.wrong());
    }
    let name = item.text(HOST_BYTES_MAX)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // What could be read as an address is written as one.
    if !name.bytes().all(is_plain) || name.parse::<IpAddr>().is_ok() {
        return Err(item.wrong());
    }
    Ok(Host::Name(name.to_owned()))
}

fn read_key(item: &Item<'_>) -> Result<OfferedKey, AduError> {
    let parts: Vec<Item<'_>> = item.list(3)?.collect();
    let [role, epoch, public] = parts.as_slice() else { return Err(item.wrong()) };
    let epoch = u32::try_from(epoch.unsigned()?).ok().filter(|epoch| *epoch > 0);
    Ok(OfferedKey {
        role: read_role(role)?,
        epoch: epoch.ok_or_else(|| item.wrong())?,
        public: SealingPublic(public.array()?),
    })
}

fn read_role(item: &Item<'_>) -> Result<Option<String>, AduError> {
    if item.is_null() {
        return Ok(None);
    }
    let name = item.text(ROLE_BYTES_MAX)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.bytes().all(is_plain) { Ok(Some(name.to_owned())) } else { Err(item.wrong()) }
}
