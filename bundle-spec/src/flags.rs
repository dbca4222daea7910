//! Processing control flags (RFC 9171 §4.2.3, §4.2.4). Unknown bits are kept and mean nothing.

use std::ops::BitOr;

/// Bundle processing control flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleFlags(pub u64);

impl BundleFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The bundle is a fragment.
    pub const IS_FRAGMENT: Self = Self(0x1);
    /// The payload is an administrative record.
    pub const IS_ADMINISTRATIVE: Self = Self(0x2);
    /// The bundle must not be fragmented.
    pub const MUST_NOT_FRAGMENT: Self = Self(0x4);
    /// The application asks for an acknowledgement by the application.
    pub const ACKNOWLEDGEMENT_REQUESTED: Self = Self(0x20);
    /// Reports shall say when it happened.
    pub const STATUS_TIME_REQUESTED: Self = Self(0x40);
    /// Reception is to be reported.
    pub const REPORT_RECEPTION: Self = Self(0x4000);
    /// Forwarding is to be reported.
    pub const REPORT_FORWARDING: Self = Self(0x1_0000);
    /// Delivery is to be reported.
    pub const REPORT_DELIVERY: Self = Self(0x2_0000);
    /// Deletion is to be reported.
    pub const REPORT_DELETION: Self = Self(0x4_0000);

    const REPORTS: u64 = Self::REPORT_RECEPTION.0
        | Self::REPORT_FORWARDING.0
        | Self::REPORT_DELIVERY.0
        | Self::REPORT_DELETION.0;

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These flags without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the bundle is a fragment.
    #[must_use]
    pub const fn is_fragment(self) -> bool {
        self.contains(Self::IS_FRAGMENT)
    }

    /// Whether the payload is an administrative record.
    #[must_use]
    pub const fn is_administrative(self) -> bool {
        self.contains(Self::IS_ADMINISTRATIVE)
    }

    /// Whether the bundle may be fragmented.
    #[must_use]
    pub const fn may_fragment(self) -> bool {
        !self.contains(Self::MUST_NOT_FRAGMENT)
    }

    /// Whether any status report is requested.
    #[must_use]
    pub const fn requests_reports(self) -> bool {
        self.0 & Self::REPORTS != 0
    }
}

impl BitOr for BundleFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Block processing control flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockFlags(pub u64);

impl BlockFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The block must be in every fragment.
    pub const REPLICATE: Self = Self(0x1);
    /// A node that cannot process the block reports that.
    pub const REPORT_UNPROCESSED: Self = Self(0x2);
    /// A node that cannot process the block deletes the bundle.
    pub const DELETE_BUNDLE_UNPROCESSED: Self = Self(0x4);
    /// A node that cannot process the block discards it.
    pub const DISCARD_UNPROCESSED: Self = Self(0x10);

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for BlockFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
