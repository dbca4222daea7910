//! Administrative records and bundle status reports (RFC 9171 §6.1), with the reason codes of RFC 9171 and
//! RFC 9172.
//!
//! The agent makes and reads them; records of unknown types keep their bytes.

use std::fmt;

use bytes::Bytes;

use crate::{
    cbor::{ARRAY, Judge, Reader, put_head, put_unsigned},
    eid::Eid,
    error::{Error, Lax, Rule},
    id::{BundleId, FragmentExtent},
    time::{CreationTimestamp, DtnTime},
};

/// Record type of a bundle status report.
pub const STATUS_REPORT: u64 = 1;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// The payload of a bundle that nodes send to one another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdministrativeRecord {
    /// What became of a bundle.
    StatusReport(StatusReport),
    /// A record of another type.
    Other {
        /// Its type code.
        record_type: u64,
        /// Its content as received.
        content: Bytes,
    },
}

/// What became of a bundle at one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// Whether the node received the bundle.
    pub received: Assertion,
    /// Whether the node forwarded it.
    pub forwarded: Assertion,
    /// Whether the node delivered it.
    pub delivered: Assertion,
    /// Whether the node deleted it.
    pub deleted: Assertion,
    /// Why.
    pub reason: ReasonCode,
    /// Which bundle.
    pub bundle: BundleId,
}

/// One of the four statements of a status report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assertion {
    /// Not stated.
    #[default]
    No,
    /// It happened.
    Yes,
    /// It happened then.
    At(DtnTime),
}

impl AdministrativeRecord {
    /// Reads the payload of a bundle with the flag of administrative records.
    ///
    /// # Errors
    /// Which rule is broken, at which byte of the payload.
    pub fn decode(bytes: &Bytes) -> Result<Self, Error> {
        let judge = Judge::new(Lax { local_node: true, ..Lax::strict() });
        let mut reader = Reader::within(bytes, 0..bytes.len(), Rule::AdministrativeRecord, &judge);
        if reader.expect(ARRAY, Rule::AdministrativeRecord)? != 2 {
            return Err(Error::new(0, Rule::AdministrativeRecord));
        }
        let record_type = reader.expect(0, Rule::AdministrativeRecord)?;
        let content = bytes.slice(reader.position()..);
        if record_type != STATUS_REPORT {
            return match content.is_empty() {
                true => Err(Error::new(reader.position(), Rule::AdministrativeRecord)),
                false => Ok(Self::Other { record_type, content }),
            };
        }
        let mut reader = Reader::within(bytes, reader.position()..bytes.len(), Rule::StatusReport, &judge);
        let report = StatusReport::read(&mut reader)?;
        if !reader.is_at_end() {
            return Err(Error::new(reader.position(), Rule::StatusReport));
        }
        Ok(Self::StatusReport(report))
    }

    /// The payload that carries it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(128);
        put_head(&mut out, ARRAY, 2);
        match self {
            Self::StatusReport(report) => {
                put_unsigned(&mut out, STATUS_REPORT);
                report.put(&mut out);
            }
            Self::Other { record_type, content } => {
                put_unsigned(&mut out, *record_type);
                out.extend_from_slice(content);
            }
        }
        Bytes::from(out)
    }
}

impl StatusReport {
    /// A report that states nothing yet.
    #[must_use]
    pub fn new(bundle: BundleId, reason: ReasonCode) -> Self {
        let no = Assertion::No;
        Self { received: no, forwarded: no, delivered: no, deleted: no, reason, bundle }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let items = reader.expect(ARRAY, Rule::StatusReport)?;
        if !matches!(items, 4 | 6) || reader.expect(ARRAY, Rule::StatusReport)? != 4 {
            return Err(Error::new(start, Rule::StatusReport));
        }
        let received = Assertion::read(reader)?;
        let forwarded = Assertion::read(reader)?;
        let delivered = Assertion::read(reader)?;
        let deleted = Assertion::read(reader)?;
        let reason = ReasonCode::from_code(reader.unsigned()?);
        let source = Eid::read(reader)?;
        let timestamp = CreationTimestamp::read(reader)?;
        let fragment = match items {
            4 => None,
            _ => Some(FragmentExtent { offset: reader.unsigned()?, len: reader.unsigned()? }),
        };
        let bundle = BundleId { source, timestamp, fragment };
        Ok(Self { received, forwarded, delivered, deleted, reason, bundle })
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_head(out, ARRAY, if self.bundle.fragment.is_some() { 6 } else { 4 });
        put_head(out, ARRAY, 4);
        for assertion in [self.received, self.forwarded, self.delivered, self.deleted] {
            assertion.put(out);
        }
        put_unsigned(out, self.reason.code());
        self.bundle.source.put(out);
        self.bundle.timestamp.put(out);
        if let Some(extent) = self.bundle.fragment {
            put_unsigned(out, extent.offset);
            put_unsigned(out, extent.len);
        }
    }
}

impl Assertion {
    /// Whether it happened.
    #[must_use]
    pub const fn is_made(self) -> bool {
        !matches!(self, Self::No)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let items = reader.expect(ARRAY, Rule::StatusReport)?;
        let flag = reader.peek()?;
        reader.take(1)?;
        match (items, flag) {
            (1, FALSE) => Ok(Self::No),
            (1, TRUE) => Ok(Self::Yes),
            (2, TRUE) => Ok(Self::At(DtnTime(reader.unsigned()?))),
            _ => Err(Error::new(start, Rule::StatusReport)),
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::No => out.extend_from_slice(&[0x81, FALSE]),
            Self::Yes => out.extend_from_slice(&[0x81, TRUE]),
            Self::At(time) => {
                out.extend_from_slice(&[0x82, TRUE]);
                put_unsigned(out, time.0);
            }
        }
    }
}

/// Why something became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// 0.
    NoInformation,
    /// 1.
    LifetimeExpired,
    /// 2.
    UnidirectionalLink,
    /// 3.
    TransmissionCanceled,
    /// 4.
    DepletedStorage,
    /// 5.
    DestinationUnavailable,
    /// 6.
    NoRoute,
    /// 7.
    NoTimelyContact,
    /// 8.
    BlockUnintelligible,
    /// 9.
    HopLimitExceeded,
    /// 10.
    TrafficPared,
    /// 11.
    BlockUnsupported,
    /// 12, RFC 9172.
    MissingSecurityOperation,
    /// 13, RFC 9172.
    UnknownSecurityOperation,
    /// 14, RFC 9172.
    UnexpectedSecurityOperation,
    /// 15, RFC 9172.
    FailedSecurityOperation,
    /// 16, RFC 9172.
    ConflictingSecurityOperation,
    /// A code that none of these has.
    Other(u64),
}

/// Every registered reason with its number and its words.
const REASONS: [(ReasonCode, &str); 17] = [
    (ReasonCode::NoInformation, "no additional information"),
    (ReasonCode::LifetimeExpired, "lifetime expired"),
    (ReasonCode::UnidirectionalLink, "forwarded over unidirectional link"),
    (ReasonCode::TransmissionCanceled, "transmission canceled"),
    (ReasonCode::DepletedStorage, "depleted storage"),
    (ReasonCode::DestinationUnavailable, "destination endpoint unavailable"),
    (ReasonCode::NoRoute, "no known route to destination from here"),
    (ReasonCode::NoTimelyContact, "no timely contact with next node on route"),
    (ReasonCode::BlockUnintelligible, "block unintelligible"),
    (ReasonCode::HopLimitExceeded, "hop limit exceeded"),
    (ReasonCode::TrafficPared, "traffic pared"),
    (ReasonCode::BlockUnsupported, "block unsupported"),
    (ReasonCode::MissingSecurityOperation, "missing security operation"),
    (ReasonCode::UnknownSecurityOperation, "unknown security operation"),
    (ReasonCode::UnexpectedSecurityOperation, "unexpected security operation"),
    (ReasonCode::FailedSecurityOperation, "failed security operation"),
    (ReasonCode::ConflictingSecurityOperation, "conflicting security operation"),
];

impl ReasonCode {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u64 {
        match self {
            Self::Other(code) => code,
            known => (0..).zip(REASONS).find(|(_, (reason, _))| *reason == known).map_or(0, |(code, _)| code),
        }
    }

    /// The reason with this number.
    #[must_use]
    pub fn from_code(code: u64) -> Self {
        let known = usize::try_from(code).ok().and_then(|index| REASONS.get(index));
        known.map_or(Self::Other(code), |(reason, _)| *reason)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match REASONS.iter().find(|(reason, _)| reason == self) {
            Some((_, text)) => formatter.write_str(text),
            None => write!(formatter, "reason {}", self.code()),
        }
    }
}
