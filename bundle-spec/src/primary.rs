//! The primary block (RFC 9171 §4.3.1).
//!
//! A received primary block keeps its bytes; nobody encodes it again. Only `builder` and `fragment` make new
//! ones.

use bytes::Bytes;

use crate::{
    cbor::{ARRAY, BYTES, Reader, put_head, put_unsigned},
    crc::{self, CrcType},
    eid::Eid,
    error::{Error, Rule},
    flags::BundleFlags,
    time::CreationTimestamp,
};

const VERSION: u64 = 7;

/// A primary block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryBlock {
    raw: Bytes,
    fields: Fields,
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentOrigin {
    /// How many bytes of the original payload precede the fragment.
    pub offset: u64,
    /// How many bytes the original payload has.
    pub total: u64,
}

/// What a primary block says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) flags: BundleFlags,
    pub(crate) crc_type: CrcType,
    pub(crate) destination: Eid,
    pub(crate) source: Eid,
    pub(crate) report_to: Eid,
    pub(crate) timestamp: CreationTimestamp,
    pub(crate) lifetime_ms: u64,
    pub(crate) fragment: Option<FragmentOrigin>,
}

impl PrimaryBlock {
    /// Bundle processing control flags.
    #[must_use]
    pub fn flags(&self) -> BundleFlags {
        self.fields.flags
    }

    /// How the block is protected.
    #[must_use]
    pub fn crc_type(&self) -> CrcType {
        self.fields.crc_type
    }

    /// Where the bundle goes.
    #[must_use]
    pub fn destination(&self) -> &Eid {
        &self.fields.destination
    }

    /// Who made the bundle.
    #[must_use]
    pub fn source(&self) -> &Eid {
        &self.fields.source
    }

    /// Where reports about the bundle go.
    #[must_use]
    pub fn report_to(&self) -> &Eid {
        &self.fields.report_to
    }

    /// When the bundle was made, and as which of that time.
    #[must_use]
    pub fn timestamp(&self) -> CreationTimestamp {
        self.fields.timestamp
    }

    /// How many milliseconds after its creation the bundle expires.
    #[must_use]
    pub fn lifetime_ms(&self) -> u64 {
        self.fields.lifetime_ms
    }

    /// Where it belongs, if it is a fragment.
    #[must_use]
    pub fn fragment(&self) -> Option<FragmentOrigin> {
        self.fields.fragment
    }

    /// The bytes of the block as received.
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Whether blocks must not request reports (RFC 9171 §4.2.4).
    pub(crate) fn forbids_block_reports(&self) -> bool {
        self.fields.source.is_none() || self.fields.flags.is_administrative()
    }

    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let items = reader.array()?;
        let version_at = reader.position();
        if reader.unsigned()? != VERSION {
            return Err(Error::new(version_at, Rule::Version));
        }
        let flags = BundleFlags(reader.unsigned()?);
        let crc_type = read_crc_type(reader)?;
        let has_extent = has_extent(reader, start, items, flags, crc_type)?;
        let destination = Eid::read(reader)?;
        let source_at = reader.position();
        let source = Eid::read(reader)?;
        let report_to = Eid::read(reader)?;
        let timestamp = CreationTimestamp::read(reader)?;
        let lifetime_ms = reader.unsigned()?;
        let fragment = match has_extent {
            true => Some(FragmentOrigin { offset: reader.unsigned()?, total: reader.unsigned()? }),
            false => None,
        };
        read_crc(reader, start, crc_type)?;
        check_source(&source, flags).map_err(|rule| Error::new(source_at, rule))?;
        let fields =
            Fields { flags, crc_type, destination, source, report_to, timestamp, lifetime_ms, fragment };
        Ok(Self { raw: reader.bytes().slice(start..reader.position()), fields })
    }
}

impl Fields {
    /// Appends the block in deterministic form.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let items = 8 + 2 * u64::from(self.fragment.is_some()) + u64::from(self.crc_type != CrcType::None);
        put_head(out, ARRAY, items);
        put_unsigned(out, VERSION);
        put_unsigned(out, self.flags.0);
        put_unsigned(out, self.crc_type.code());
        self.destination.put(out);
        self.source.put(out);
        self.report_to.put(out);
        self.timestamp.put(out);
        put_unsigned(out, self.lifetime_ms);
        if let Some(origin) = self.fragment {
            put_unsigned(out, origin.offset);
            put_unsigned(out, origin.total);
        }
        crc::put_field(out, start, self.crc_type);
    }
}

/// Whether the block has fragment offset and total length.
#[inline]
fn has_extent(
    reader: &Reader<'_>,
    start: usize,
    items: u64,
    flags: BundleFlags,
    crc_type: CrcType,
) -> Result<bool, Error> {
    let plain = 8 + u64::from(crc_type != CrcType::None);
    match (items.checked_sub(plain), flags.is_fragment()) {
        (Some(2), true) => Ok(true),
        (Some(0), false) => Ok(false),
        (Some(0), true) => {
            reader.judge().tolerate(start, Rule::FragmentWithoutExtent)?;
            Ok(false)
        }
        _ => Err(Error::new(start, Rule::PrimaryItems)),
    }
}

#[inline]
fn check_source(source: &Eid, flags: BundleFlags) -> Result<(), Rule> {
    if flags.is_administrative() && flags.requests_reports() {
        return Err(Rule::AdministrativeReports);
    }
    if source.is_none() {
        if flags.may_fragment() {
            return Err(Rule::AnonymousFragmentable);
        }
        if flags.requests_reports() {
            return Err(Rule::AnonymousReports);
        }
    } else if !source.is_singleton() {
        return Err(Rule::SourceNotSingleton);
    }
    Ok(())
}

/// Reads a CRC type.
#[inline]
pub(crate) fn read_crc_type(reader: &mut Reader<'_>) -> Result<CrcType, Error> {
    let start = reader.position();
    CrcType::from_code(reader.unsigned()?).ok_or(Error::new(start, Rule::CrcType))
}

/// Reads and checks the CRC of the block that begins at `start`.
#[inline]
pub(crate) fn read_crc(reader: &mut Reader<'_>, start: usize, crc_type: CrcType) -> Result<(), Error> {
    if crc_type == CrcType::None {
        return Ok(());
    }
    let field_at = reader.position();
    let len = reader.expect(BYTES, Rule::CrcField)?;
    if usize::try_from(len) != Ok(crc_type.value_len()) {
        return Err(Error::new(field_at, Rule::CrcField));
    }
    let value = reader.take(len)?;
    let bytes = reader.bytes();
    if !crc::value(crc_type, &bytes[start..value.start]).is(&bytes[value]) {
        return Err(Error::new(field_at, Rule::CrcMismatch));
    }
    Ok(())
}
