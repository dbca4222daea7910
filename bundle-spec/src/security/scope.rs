//! What an operation covers besides the content of its target (RFC 9173 §3.7, §4.7), and the bytes that say
//! so.

use crate::{
    cbor::{BYTES, len_of, put_head, put_unsigned},
    flags::BlockFlags,
};

/// Scope flags of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope(pub u64);

impl Scope {
    /// The content of the target alone.
    pub const NONE: Self = Self(0);
    /// The primary block, too.
    pub const PRIMARY: Self = Self(0x1);
    /// Type, number and flags of the target, too.
    pub const TARGET: Self = Self(0x2);
    /// Type, number and flags of the security block, too.
    pub const SECURITY: Self = Self(0x4);
    /// All of it, which holds where a block does not say (RFC 9173 §3.3.3, §4.3.4).
    pub const ALL: Self = Self(0x7);

    /// These flags and those of `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Type, number and flags of a block that is not the primary block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    pub(super) block_type: u64,
    pub(super) number: u64,
    pub(super) flags: BlockFlags,
}

impl BlockHeader {
    /// Appends the canonical form: flags that nobody has assigned are zero (RFC 9172 §4).
    fn put(self, out: &mut Vec<u8>) {
        let assigned = BlockFlags::REPLICATE
            | BlockFlags::REPORT_UNPROCESSED
            | BlockFlags::DELETE_BUNDLE_UNPROCESSED
            | BlockFlags::DISCARD_UNPROCESSED;
        put_unsigned(out, self.block_type);
        put_unsigned(out, self.number);
        put_unsigned(out, self.flags.0 & assigned.0);
    }
}

/// The blocks that an operation may cover with its scope.
pub(super) struct Surroundings<'a> {
    /// The primary block.
    pub(super) primary: &'a [u8],
    /// The target; `None` if it is the primary block.
    pub(super) target: Option<BlockHeader>,
    /// The security block.
    pub(super) security: BlockHeader,
}

impl Surroundings<'_> {
    /// What is authenticated along with an encrypted target (RFC 9173 §4.7.2).
    pub(super) fn authenticated(&self, scope: Scope) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.primary.len());
        put_unsigned(&mut out, scope.0 & Scope::ALL.0);
        if scope.contains(Scope::PRIMARY) && self.target.is_some() {
            out.extend_from_slice(self.primary);
        }
        if let Some(target) = self.target.filter(|_| scope.contains(Scope::TARGET)) {
            target.put(&mut out);
        }
        if scope.contains(Scope::SECURITY) {
            self.security.put(&mut out);
        }
        out
    }

    /// What stands before the content of a signed target of `len` bytes (RFC 9173 §3.7): with the content
    /// behind it, it is the integrity-protected plaintext.
    pub(super) fn signed_before(&self, scope: Scope, len: u64) -> Vec<u8> {
        let mut out = self.authenticated(scope);
        put_head(&mut out, BYTES, len);
        out
    }

    /// The whole integrity-protected plaintext of a target in memory.
    pub(super) fn signed(&self, scope: Scope, content: &[u8]) -> Vec<u8> {
        let mut out = self.signed_before(scope, len_of(content));
        out.extend_from_slice(content);
        out
    }
}
