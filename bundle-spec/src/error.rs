//! Why bytes are not a bundle, and which deviations of known peers are tolerated.
//!
//! Every reader of this crate fails with an [`Error`]: a byte offset and a [`Rule`]. Whoever shows it to
//! people prints it as it is. A [`Rule`] never carries received bytes.

use std::fmt;

/// What is wrong with received bytes, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {rule}")]
pub struct Error {
    /// Where the offending item begins, in bytes from the beginning of the input.
    pub offset: usize,
    /// Which rule it breaks.
    pub rule: Rule,
}

impl Error {
    pub(crate) const fn new(offset: usize, rule: Rule) -> Self {
        Self { offset, rule }
    }
}

/// Deviations from RFC 9171 that a receiver tolerates, one switch each. Everything off is strict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lax {
    /// Whether a primary block without CRC and without a BIB on it is accepted (§4.3.1). dtn7-rs sends these.
    pub primary_without_crc: bool,
    /// Whether a bundle that claims to be a fragment but has neither offset nor total length is read as a
    /// whole bundle (§4.3.1).
    pub fragment_without_extent: bool,
    /// Whether integers and lengths may be longer than their shortest form (§4.1).
    pub long_heads: bool,
    /// Whether endpoints of the local node, `ipn:!.n`, are accepted from outside (RFC 9758 §5.4).
    pub local_node: bool,
}

impl Lax {
    /// Tolerates nothing.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            primary_without_crc: false,
            fragment_without_extent: false,
            long_heads: false,
            local_node: false,
        }
    }

    /// What dtn7-rs and its `bp7` crate need: they leave the CRC of the primary block out.
    #[must_use]
    pub const fn dtn7() -> Self {
        Self { primary_without_crc: true, ..Self::strict() }
    }

    /// Tolerates everything that has a switch.
    #[must_use]
    pub const fn all() -> Self {
        Self { primary_without_crc: true, fragment_without_extent: true, long_heads: true, local_node: true }
    }

    /// Whether a violation of `rule` is tolerated.
    #[must_use]
    pub const fn tolerates(&self, rule: Rule) -> bool {
        match rule {
            Rule::PrimaryWithoutCrc => self.primary_without_crc,
            Rule::FragmentWithoutExtent => self.fragment_without_extent,
            Rule::LongHead => self.long_heads,
            Rule::LocalNode => self.local_node,
            _ => false,
        }
    }
}

/// The rules that a bundle can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The input ends inside the bundle.
    Truncated,
    /// The bytes before the payload exceed [`crate::HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// More extension blocks than [`crate::BLOCKS_MAX`].
    TooManyBlocks,
    /// Bytes follow the end of the bundle.
    TrailingBytes,
    /// A head of CBOR with reserved additional information.
    ReservedHead,
    /// An integer or length is not in its shortest form.
    LongHead,
    /// An item of indefinite length inside a block.
    IndefiniteItem,
    /// An unsigned integer is expected.
    NotAnInteger,
    /// An array is expected.
    NotAnArray,
    /// The bundle is no indefinite-length array.
    NotABundle,
    /// The version is not 7.
    Version,
    /// The number of items in the primary block does not fit its flags and CRC type.
    PrimaryItems,
    /// A fragment without fragment offset and total length.
    FragmentWithoutExtent,
    /// A fragment that reaches beyond the total length.
    FragmentBeyondTotal,
    /// A primary block that nothing protects.
    PrimaryWithoutCrc,
    /// A CRC type above 2.
    CrcType,
    /// A CRC that is no byte string of the length of its type.
    CrcField,
    /// A CRC that does not match its block.
    CrcMismatch,
    /// An EID that is no array of scheme and scheme-specific part.
    EidShape,
    /// An EID of an unknown scheme.
    EidScheme,
    /// A scheme-specific part that is none of the dtn scheme.
    EidDtn,
    /// A scheme-specific part that is none of the ipn scheme.
    EidIpn,
    /// An endpoint of the local node in a bundle from outside.
    LocalNode,
    /// A source that is an endpoint of many nodes.
    SourceNotSingleton,
    /// A creation timestamp that is no array of two integers.
    TimestampShape,
    /// Status reports are requested for an administrative record.
    AdministrativeReports,
    /// An anonymous bundle that may be fragmented.
    AnonymousFragmentable,
    /// Status reports are requested for an anonymous bundle.
    AnonymousReports,
    /// A block of an anonymous bundle or an administrative record asks for status reports.
    BlockReports,
    /// A canonical block without five or six items as its CRC type wants.
    BlockItems,
    /// Block-type-specific data that is no byte string.
    BlockData,
    /// Block number 0 on a canonical block.
    BlockNumberZero,
    /// A block number that occurs twice.
    BlockNumberRepeated,
    /// A payload block whose number is not 1, or another block with number 1.
    PayloadNumber,
    /// A bundle without payload block.
    PayloadMissing,
    /// A payload block that is not the last block.
    PayloadNotLast,
    /// A payload whose length is not the announced one.
    PayloadLength,
    /// A previous node block that is no EID.
    PreviousNodeData,
    /// More than one previous node block.
    PreviousNodeRepeated,
    /// A bundle age block that is no integer.
    AgeData,
    /// More than one bundle age block.
    AgeRepeated,
    /// Creation time zero without a bundle age block.
    AgeMissing,
    /// A hop count block that is no array of limit and count.
    HopCountData,
    /// More than one hop count block.
    HopCountRepeated,
    /// A hop limit outside 1 to 255.
    HopLimitRange,
    /// A security block whose targets cannot be read.
    SecurityTargets,
    /// A security block that is not as specified.
    SecurityBlock,
    /// A security block without targets, with one twice, or with more than a bundle has blocks.
    SecurityTargetCount,
    /// A security block without one list of results per target.
    SecurityResults,
    /// An administrative record that is no array of type and content.
    AdministrativeRecord,
    /// A status report that is not as specified.
    StatusReport,
    /// A text that is no bundle id.
    BundleIdText,
}

impl Rule {
    /// The section that states the rule.
    #[must_use]
    pub const fn section(self) -> &'static str {
        self.entry().0
    }

    /// The rule as a sentence fragment.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.entry().1
    }

    /// The name of the switch in [`Lax`] that tolerates the violation, if there is one.
    #[must_use]
    pub const fn switch(self) -> Option<&'static str> {
        match self {
            Self::PrimaryWithoutCrc => Some("primary_without_crc"),
            Self::FragmentWithoutExtent => Some("fragment_without_extent"),
            Self::LongHead => Some("long_heads"),
            Self::LocalNode => Some("local_node"),
            _ => None,
        }
    }

    const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Truncated
            | Self::HeaderTooLong
            | Self::TooManyBlocks
            | Self::TrailingBytes
            | Self::ReservedHead
            | Self::LongHead
            | Self::IndefiniteItem
            | Self::NotAnInteger
            | Self::NotAnArray
            | Self::NotABundle => self.structure_entry(),
            Self::Version
            | Self::PrimaryItems
            | Self::FragmentWithoutExtent
            | Self::FragmentBeyondTotal
            | Self::PrimaryWithoutCrc
            | Self::CrcType
            | Self::CrcField
            | Self::CrcMismatch
            | Self::EidShape
            | Self::EidScheme
            | Self::EidDtn
            | Self::EidIpn
            | Self::LocalNode
            | Self::SourceNotSingleton
            | Self::TimestampShape
            | Self::AdministrativeReports
            | Self::AnonymousFragmentable
            | Self::AnonymousReports => self.primary_entry(),
            _ => self.block_entry(),
        }
    }

    const fn structure_entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Truncated => ("RFC 9171 §4.1", "the input ends inside the bundle"),
            Self::HeaderTooLong => ("bundle-spec", "the bytes before the payload exceed 64 KiB"),
            Self::TooManyBlocks => ("bundle-spec", "a bundle has at most 64 extension blocks"),
            Self::TrailingBytes => ("RFC 9171 §4.1", "nothing may follow the end of the bundle"),
            Self::ReservedHead => ("RFC 8949 §3", "this additional information is reserved"),
            Self::LongHead => ("RFC 9171 §4.1", "integers and lengths must have their shortest form"),
            Self::IndefiniteItem => ("RFC 9171 §4.1", "only the bundle itself has indefinite length"),
            Self::NotAnInteger => ("RFC 9171 §4.2", "an unsigned integer is expected"),
            Self::NotAnArray => ("RFC 9171 §4.2", "an array is expected"),
            _ => ("RFC 9171 §4.1", "a bundle is an indefinite-length array that begins with 0x9f"),
        }
    }

    const fn primary_entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Version => ("RFC 9171 §4.3.1", "the version must be 7"),
            Self::PrimaryItems => {
                ("RFC 9171 §4.3.1", "the primary block has 8 items, 2 more if fragment, 1 more if CRC")
            }
            Self::FragmentWithoutExtent => {
                ("RFC 9171 §4.3.1", "a fragment needs its offset and the total length")
            }
            Self::FragmentBeyondTotal => ("RFC 9171 §4.3.1", "a fragment must end within the total length"),
            Self::PrimaryWithoutCrc => {
                ("RFC 9171 §4.3.1", "the primary block needs a CRC or a BIB that covers it")
            }
            Self::CrcType => ("RFC 9171 §4.2.1", "the CRC type must be 0, 1 or 2"),
            Self::CrcField => {
                ("RFC 9171 §4.2.1", "the CRC must be a byte string of 2 or 4 bytes, as its type says")
            }
            Self::CrcMismatch => {
                ("RFC 9171 §4.2.1", "the CRC does not match the block, which was damaged on the way")
            }
            Self::EidShape => ("RFC 9171 §4.2.5.1", "an EID is an array of scheme number and specific part"),
            Self::EidScheme => ("RFC 9171 §4.2.5.1", "the EID scheme must be 1 (dtn) or 2 (ipn)"),
            Self::EidDtn => {
                ("RFC 9171 §4.2.5.1.1", "a dtn EID is dtn:none or dtn://node/demux in visible ASCII")
            }
            Self::EidIpn => ("RFC 9758 §4", "an ipn EID is ipn:node.service or ipn:allocator.node.service"),
            Self::LocalNode => ("RFC 9758 §5.4", "an ipn:! endpoint must not leave its node"),
            Self::SourceNotSingleton => {
                ("RFC 9171 §4.3.1", "the source must be an endpoint of one node or dtn:none")
            }
            Self::TimestampShape => {
                ("RFC 9171 §4.2.7", "a creation timestamp is an array of time and sequence number")
            }
            Self::AdministrativeReports => {
                ("RFC 9171 §4.2.3", "an administrative record must not request reports")
            }
            Self::AnonymousFragmentable => {
                ("RFC 9171 §4.2.3", "a bundle from dtn:none must not be fragmentable")
            }
            _ => ("RFC 9171 §4.2.3", "a bundle from dtn:none must not request reports"),
        }
    }

    const fn block_entry(self) -> (&'static str, &'static str) {
        match self {
            Self::BlockReports => {
                ("RFC 9171 §4.2.4", "no block may request reports if anonymous or administrative")
            }
            Self::BlockItems => ("RFC 9171 §4.3.2", "a block has 5 items, and 1 more if it has a CRC"),
            Self::BlockData => ("RFC 9171 §4.3.2", "block-type-specific data must be a definite byte string"),
            Self::BlockNumberZero => ("RFC 9171 §4.3.2", "block number 0 is the primary block"),
            Self::BlockNumberRepeated => ("RFC 9171 §4.3.2", "block numbers must be unique"),
            Self::PayloadNumber => ("RFC 9171 §4.3.2", "the payload block, and no other, has number 1"),
            Self::PayloadMissing => ("RFC 9171 §4.3", "a bundle needs a payload block"),
            Self::PayloadNotLast => {
                ("RFC 9171 §4.1", "the payload block must be the last one, followed by 0xff")
            }
            Self::PayloadLength => ("RFC 9171 §4.3.2", "the payload must have the announced length"),
            Self::PreviousNodeData => ("RFC 9171 §4.4.1", "a previous node block contains one EID"),
            Self::PreviousNodeRepeated => ("RFC 9171 §4.4.1", "a bundle has at most one previous node block"),
            Self::AgeData => ("RFC 9171 §4.4.2", "a bundle age block contains one integer"),
            Self::AgeRepeated => ("RFC 9171 §4.4.2", "a bundle has at most one bundle age block"),
            Self::AgeMissing => ("RFC 9171 §4.4.2", "creation time 0 needs a bundle age block"),
            Self::HopCountData => {
                ("RFC 9171 §4.4.3", "a hop count block contains an array of limit and count")
            }
            Self::HopCountRepeated => ("RFC 9171 §4.4.3", "a bundle has at most one hop count block"),
            Self::HopLimitRange => ("RFC 9171 §4.4.3", "the hop limit must be 1 to 255"),
            Self::SecurityTargets => {
                ("RFC 9172 §3.6", "a security block begins with an array of block numbers")
            }
            Self::SecurityBlock => (
                "RFC 9172 §3.6",
                "a security block has targets, context, flags, source, parameters and results",
            ),
            Self::SecurityTargetCount => {
                ("RFC 9172 §3.6", "a security block names at least one target, each once")
            }
            Self::SecurityResults => ("RFC 9172 §3.6", "a security block has one list of results per target"),
            Self::AdministrativeRecord => {
                ("RFC 9171 §6.1", "an administrative record is an array of type and content")
            }
            Self::StatusReport => {
                ("RFC 9171 §6.1.1", "a status report has 4 or 6 items, 4 of them assertions")
            }
            _ => (
                "bundle-spec",
                "a bundle id is written source@time.sequence or source@time.sequence+offset:length",
            ),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.text(), self.section())
    }
}
