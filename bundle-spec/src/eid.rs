//! Endpoint identifiers and node identifiers (RFC 9171 §4.2.5.1, RFC 9758).
//!
//! An [`Eid`] that was read from a bundle shares the bundle's bytes; nothing is copied. Text comes from
//! people and goes to them through `FromStr` and `Display`; the wire form is private to this crate, except
//! through minicbor.

use std::{fmt, ops::Range, str::FromStr};

use bytes::Bytes;

use crate::{
    cbor::{ARRAY, Reader, TEXT, UNSIGNED, len_of, put_head, put_unsigned},
    error::{Error, Rule},
};

mod name;

pub use self::name::{DtnName, IpnForm};
use self::name::{check_ssp, is_demux};

const SCHEME_DTN: u64 = 1;
const SCHEME_IPN: u64 = 2;
/// The node number of the local node, RFC 9758 §3.4.2.
const LOCAL_NODE: u32 = u32::MAX;

/// An endpoint identifier.
///
/// The null endpoint has one form, [`Eid::None`], however it was written: `dtn:none`, `ipn:0.0` and `ipn:0.n`
/// (RFC 9758 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Eid {
    /// `dtn:none`, which has no members.
    #[default]
    None,
    /// `dtn://node/demux`.
    Dtn(DtnName),
    /// `ipn:allocator.node.service`.
    Ipn {
        /// Who allocated the node number; 0 is the default allocator.
        allocator: u32,
        /// The node number, unique within the allocator.
        node: u32,
        /// The service number; 0 for the administrative endpoint.
        service: u64,
        /// How it was written, which is no part of its identity.
        form: IpnForm,
    },
}

impl Eid {
    /// An endpoint of the dtn scheme.
    ///
    /// # Errors
    /// [`Rule::EidDtn`] if `node` is no registered name or `demux` has other than visible ASCII characters.
    pub fn dtn(node: &str, demux: &str) -> Result<Self, Error> {
        let name = DtnName::checked(node, demux).ok_or(Error::new(0, Rule::EidDtn))?;
        Ok(Self::Dtn(name))
    }

    /// An endpoint of the ipn scheme; node 0 of allocator 0 is the null endpoint.
    #[must_use]
    pub const fn ipn(allocator: u32, node: u32, service: u64) -> Self {
        if allocator == 0 && node == 0 {
            return Self::None;
        }
        let form = if allocator == 0 { IpnForm::Two } else { IpnForm::Three };
        Self::Ipn { allocator, node, service, form }
    }

    /// The node whose endpoint it is; `None` for the null endpoint and for endpoints of many nodes.
    #[must_use]
    pub fn node_id(&self) -> Option<NodeId> {
        if !self.is_singleton() {
            return None;
        }
        match self {
            Self::None => None,
            Self::Dtn(name) => Some(NodeId(Self::Dtn(name.with_demux("")))),
            Self::Ipn { allocator, node, form, .. } => {
                Some(NodeId(Self::Ipn { allocator: *allocator, node: *node, service: 0, form: *form }))
            }
        }
    }

    /// Whether exactly one node can be registered in it (RFC 9171 §4.2.5.1.1: a demux that begins with `~` is
    /// an endpoint of many).
    #[must_use]
    pub fn is_singleton(&self) -> bool {
        match self {
            Self::None => false,
            Self::Dtn(name) => !name.demux().starts_with('~'),
            Self::Ipn { .. } => true,
        }
    }

    /// Whether it is the null endpoint.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether it means the node on which it is written, `ipn:!.n` (RFC 9758 §5.4).
    #[must_use]
    pub const fn is_local_node(&self) -> bool {
        matches!(self, Self::Ipn { allocator: 0, node: LOCAL_NODE, .. })
    }

    /// The demux token of dtn, the service number of ipn as text.
    #[must_use]
    pub fn demux(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Dtn(name) => Some(name.demux().to_owned()),
            Self::Ipn { service, .. } => Some(service.to_string()),
        }
    }

    /// A copy that shares no bytes with the bundle from which it was read.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Dtn(name) => Self::Dtn(name.detached()),
            other => other.clone(),
        }
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match Scanned::read(reader)? {
            Scanned::Dtn { ssp, slash } => Ok(Self::Dtn(DtnName::scanned(reader.bytes().slice(ssp), slash))),
            Scanned::Other(eid) => Ok(eid),
        }
    }

    /// Checks without keeping.
    pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<(), Error> {
        Scanned::read(reader)?;
        Ok(())
    }

    fn read_ipn(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let wrong = Error::new(start, Rule::EidIpn);
        let count = reader.expect(ARRAY, Rule::EidIpn)?;
        if !matches!(count, 2 | 3) {
            return Err(wrong);
        }
        let first = reader.expect(UNSIGNED, Rule::EidIpn)?;
        let (allocator, node, form) = if count == 2 {
            (first >> 32, first & u64::from(u32::MAX), IpnForm::Two)
        } else {
            (first, reader.expect(UNSIGNED, Rule::EidIpn)?, IpnForm::Three)
        };
        let service = reader.expect(UNSIGNED, Rule::EidIpn)?;
        let allocator = u32::try_from(allocator).map_err(|_| wrong)?;
        let node = u32::try_from(node).map_err(|_| wrong)?;
        if allocator == 0 && node == 0 {
            return Ok(Self::None);
        }
        Ok(Self::Ipn { allocator, node, service, form })
    }

    /// Appends the wire form, ipn in the form in which it was read.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ipn { allocator, node, service, form: IpnForm::Three } => {
                out.extend_from_slice(&[0x82, 0x02, 0x83]);
                put_unsigned(out, u64::from(*allocator));
                put_unsigned(out, u64::from(*node));
                put_unsigned(out, *service);
            }
            _ => self.put_canonical(out),
        }
    }

    /// Appends the wire form that does not depend on how it was read.
    pub(crate) fn put_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(&[0x82, 0x01, 0x00]),
            Self::Dtn(name) => {
                out.extend_from_slice(&[0x82, 0x01]);
                put_head(out, TEXT, len_of(name.ssp().as_bytes()));
                out.extend_from_slice(name.ssp().as_bytes());
            }
            Self::Ipn { allocator, node, service, .. } => {
                out.extend_from_slice(&[0x82, 0x02, 0x82]);
                put_unsigned(out, u64::from(*allocator) << 32 | u64::from(*node));
                put_unsigned(out, *service);
            }
        }
    }
}

/// An EID whose name is still where it was read.
enum Scanned {
    /// A name of the dtn scheme, and where the slash behind the node name stands in it.
    Dtn { ssp: Range<usize>, slash: usize },
    /// An EID without a name.
    Other(Eid),
}

impl Scanned {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        if reader.expect(ARRAY, Rule::EidShape)? != 2 {
            return Err(Error::new(start, Rule::EidShape));
        }
        match reader.expect(UNSIGNED, Rule::EidShape)? {
            SCHEME_DTN => Self::read_dtn(reader),
            SCHEME_IPN => {
                let eid = Eid::read_ipn(reader)?;
                if eid.is_local_node() {
                    reader.judge().tolerate(start, Rule::LocalNode)?;
                }
                Ok(Self::Other(eid))
            }
            _ => Err(Error::new(start, Rule::EidScheme)),
        }
    }

    fn read_dtn(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let wrong = Error::new(reader.position(), Rule::EidDtn);
        match reader.head()? {
            (UNSIGNED, 0) => Ok(Self::Other(Eid::None)),
            (TEXT, len) => {
                let ssp = reader.take(len)?;
                let slash = check_ssp(&reader.bytes()[ssp.clone()]).ok_or(wrong)?;
                Ok(Self::Dtn { ssp, slash })
            }
            _ => Err(wrong),
        }
    }
}

impl fmt::Display for Eid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("dtn:none"),
            Self::Dtn(name) => write!(formatter, "dtn:{}", name.ssp()),
            Self::Ipn { service, .. } if self.is_local_node() => write!(formatter, "ipn:!.{service}"),
            Self::Ipn { allocator: 0, node, service, .. } => write!(formatter, "ipn:{node}.{service}"),
            Self::Ipn { allocator, node, service, .. } => {
                write!(formatter, "ipn:{allocator}.{node}.{service}")
            }
        }
    }
}

impl FromStr for Eid {
    type Err = Error;

    /// Reads `dtn:none`, `dtn://node/demux`, `ipn:node.service`, `ipn:allocator.node.service` or
    /// `ipn:!.service`.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "dtn:none" {
            return Ok(Self::None);
        }
        if let Some(name) = text.strip_prefix("dtn://") {
            let (node, demux) = name.split_once('/').ok_or(Error::new(text.len(), Rule::EidDtn))?;
            return Self::dtn(node, demux);
        }
        if let Some(numbers) = text.strip_prefix("ipn:") {
            return parse_ipn(numbers).ok_or(Error::new("ipn:".len(), Rule::EidIpn));
        }
        let rule = if text.starts_with("dtn:") { Rule::EidDtn } else { Rule::EidScheme };
        Err(Error::new(0, rule))
    }
}

fn parse_ipn(numbers: &str) -> Option<Eid> {
    let parts = numbers.split('.').count();
    let mut parts_left = numbers.split('.');
    let (allocator, node) = match (parts, parts_left.next()?) {
        (2, "!") => (0, LOCAL_NODE),
        (2, node) => {
            // The fully qualified node number carries the allocator in its upper half.
            let node: u64 = number(node)?;
            (u32::try_from(node >> 32).ok()?, u32::try_from(node & u64::from(u32::MAX)).ok()?)
        }
        (3, allocator) => (number(allocator)?, number(parts_left.next()?)?),
        _ => return None,
    };
    Some(Eid::ipn(allocator, node, number(parts_left.next()?)?))
}

/// A number without sign and leading zeros.
fn number<T: FromStr>(digits: &str) -> Option<T> {
    let is_plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    if !is_plain {
        return None;
    }
    digits.parse().ok()
}

impl<C> minicbor::Encode<C> for Eid {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let mut out = Vec::with_capacity(64);
        self.put(&mut out);
        encoder.writer_mut().write_all(&out).map_err(minicbor::encode::Error::write)
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Eid {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let start = decoder.position();
        decoder.skip()?;
        let bytes = Bytes::copy_from_slice(&decoder.input()[start..decoder.position()]);
        let judge = crate::cbor::Judge::new(crate::Lax { local_node: true, ..crate::Lax::strict() });
        let mut reader = Reader::within(&bytes, 0..bytes.len(), Rule::EidShape, &judge);
        Self::read(&mut reader).map_err(|error| minicbor::decode::Error::custom(error).at(start))
    }
}

/// A node identifier: the EID of a node's administrative endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Eid);

impl NodeId {
    /// The administrative endpoint.
    #[must_use]
    pub fn eid(&self) -> &Eid {
        &self.0
    }

    /// An endpoint at this node: `demux` in the dtn scheme, `service` in ipn.
    ///
    /// # Panics
    /// If `demux` has other than visible ASCII characters; [`Eid::dtn`] is for text that people typed.
    #[must_use]
    pub fn endpoint(&self, demux: &str, service: u64) -> Eid {
        assert!(is_demux(demux.as_bytes()), "a demux token is visible ASCII");
        match &self.0 {
            Eid::None => Eid::None,
            Eid::Dtn(name) => Eid::Dtn(name.with_demux(demux)),
            Eid::Ipn { allocator, node, form, .. } => {
                Eid::Ipn { allocator: *allocator, node: *node, service, form: *form }
            }
        }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for NodeId {
    type Err = Error;

    /// Reads any endpoint of the node.
    fn from_str(text: &str) -> Result<Self, Error> {
        let eid: Eid = text.parse()?;
        eid.node_id().ok_or(Error::new(0, Rule::SourceNotSingleton))
    }
}

impl<C> minicbor::Encode<C> for NodeId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        self.0.encode(encoder, context)
    }
}

impl<'b, C> minicbor::Decode<'b, C> for NodeId {
    fn decode(decoder: &mut minicbor::Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let eid = Eid::decode(decoder, context)?;
        let error = Error::new(0, Rule::SourceNotSingleton);
        eid.node_id().ok_or_else(|| minicbor::decode::Error::custom(error))
    }
}

#[cfg(test)]
mod tests;
