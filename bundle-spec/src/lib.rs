//! The wire of pannier, as a crate: BPv7 bundles (RFC 9171), content addressing (CIDv1, blake3-256) and the
//! application data units (ADUs) that travel as payloads. `../README.md` is the normative text.
//!
//! No input or output, no clock, no randomness. Malformed bytes yield an [`Error`] with an offset, never a
//! panic.

pub mod adu;
mod alias;
pub mod block;
mod builder;
mod bundle;
mod cbor;
mod cid;
mod crc;
mod eid;
mod error;
mod flags;
pub mod fragment;
mod id;
pub mod invitation;
pub mod manifest;
mod primary;
pub mod report;
pub mod sealing;
pub mod security;
pub mod sign;
mod time;
pub mod validate;

pub use self::{
    alias::{Alias, AliasError},
    block::{Block, HopCount, NewBlock},
    builder::{Builder, Forwarding, HopLimitExceeded},
    bundle::{BLOCKS_MAX, Bundle, HEADER_BYTES_MAX, Header, PayloadTail},
    cid::{BlockRef, Cid, CidError, Codec, Digest},
    crc::CrcType,
    eid::{DtnName, Eid, IpnForm, NodeId},
    error::{Error, Lax, Rule},
    flags::{BlockFlags, BundleFlags},
    id::{BundleDigest, BundleId, FragmentExtent},
    primary::{FragmentOrigin, PrimaryBlock},
    time::{CreationTimestamp, DtnTime},
};
