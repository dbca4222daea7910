//! Names within the two schemes of EIDs: their grammar and how they are kept.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

use bytes::Bytes;

/// The name of an endpoint of the dtn scheme. It may share the bytes of the bundle from which it was read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DtnName {
    /// `//node/demux` in visible ASCII.
    ssp: Bytes,
    /// Where the slash behind the node name stands in it.
    slash: usize,
}

impl DtnName {
    /// From parts, if they keep the grammar.
    pub(super) fn checked(node: &str, demux: &str) -> Option<Self> {
        (is_node_name(node.as_bytes()) && is_demux(demux.as_bytes())).then(|| Self::new(node, demux))
    }

    /// From a specific part in which [`check_ssp`] found the slash.
    pub(super) fn scanned(ssp: Bytes, slash: usize) -> Self {
        Self { ssp, slash }
    }

    /// A copy that shares no bytes with others.
    pub(super) fn detached(&self) -> Self {
        Self { ssp: Bytes::copy_from_slice(&self.ssp), slash: self.slash }
    }

    /// From parts that were checked.
    fn new(node: &str, demux: &str) -> Self {
        let ssp = Bytes::from(["//", node, "/", demux].concat());
        Self { ssp, slash: 2 + node.len() }
    }

    /// Another endpoint of the same node, whose `demux` was checked.
    pub(super) fn with_demux(&self, demux: &str) -> Self {
        Self::new(self.node(), demux)
    }

    /// The node name: a registered name of RFC 3986.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.ssp()[2..self.slash]
    }

    /// What the node distinguishes its endpoints by; empty for the administrative endpoint.
    #[must_use]
    pub fn demux(&self) -> &str {
        &self.ssp()[self.slash + 1..]
    }

    /// The scheme-specific part, `//node/demux`.
    pub(super) fn ssp(&self) -> &str {
        std::str::from_utf8(&self.ssp).expect("a name is made from checked ASCII")
    }
}

impl fmt::Debug for DtnName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.ssp(), formatter)
    }
}

/// How an ipn EID is written on the wire. Not part of its identity: all forms are equal.
#[derive(Clone, Copy, Debug, Default)]
pub enum IpnForm {
    /// Fully qualified node number and service number, which all peers read.
    #[default]
    Two,
    /// Allocator, node number and service number (RFC 9758).
    Three,
}

impl PartialEq for IpnForm {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for IpnForm {}

impl PartialOrd for IpnForm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for IpnForm {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for IpnForm {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Where the slash behind the node name stands, if `ssp` is `//node/demux`.
pub(super) fn check_ssp(ssp: &[u8]) -> Option<usize> {
    let [b'/', b'/', name @ ..] = ssp else { return None };
    let node_len = name.iter().position(|byte| *byte == b'/')?;
    let (node, demux) = (&name[..node_len], &name[node_len + 1..]);
    (is_node_name(node) && is_demux(demux)).then_some(2 + node_len)
}

/// RFC 3986 `reg-name`.
fn is_node_name(name: &[u8]) -> bool {
    if name.iter().all(|byte| IS_NODE_CHARACTER[usize::from(*byte)]) {
        return true;
    }
    let mut parts = name.split(|byte| *byte == b'%');
    let is_plain = |part: &[u8]| part.iter().all(|byte| IS_NODE_CHARACTER[usize::from(*byte)]);
    let is_encoded =
        |part: &[u8]| part.len() >= 2 && part[..2].iter().all(u8::is_ascii_hexdigit) && is_plain(part);
    parts.next().is_none_or(is_plain) && parts.all(is_encoded)
}

/// RFC 9171 §4.2.5.1.1 `demux`: visible characters of ASCII.
pub(super) fn is_demux(demux: &[u8]) -> bool {
    demux.iter().all(u8::is_ascii_graphic)
}

/// The unreserved characters and sub-delimiters of RFC 3986.
const IS_NODE_CHARACTER: [bool; 256] = {
    let mut table = [false; 256];
    let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=";
    let mut at = 0;
    while at < characters.len() {
        table[characters[at] as usize] = true;
        at += 1;
    }
    table
};
