//! A bundle that has come whole and is short: read in one step, in memory. The drive calls it where nothing
//! has to wait; it touches no store and decides nothing but whether the bytes are a bundle.

use bundle_spec::{BundleDigest, Header, Lax, PayloadTail};
use bytes::Bytes;
use tracing::{debug, warn};

use super::receive::Outcome;
use crate::{agent::Refusal, node::mailbox::SHORT_BYTES_MAX};

/// Up to so many bytes of a transfer are gathered before it is taken for a long one.
pub(super) const GATHERED_BYTES_MAX: usize = SHORT_BYTES_MAX;

/// A short bundle.
pub(super) struct Short {
    pub(super) header: Header,
    pub(super) payload: Bytes,
}

impl Short {
    /// Reads what has come of a transfer that is over.
    ///
    /// # Errors
    /// What the peer is told, and of which bundle, if its header could be read.
    pub(super) fn read(bytes: &Bytes, lax: &Lax) -> Result<Self, (Option<BundleDigest>, Outcome)> {
        let malformed = || Outcome::Refused(Refusal::Malformed);
        let header = match Header::parse(bytes, lax) {
            Ok(Some(header)) => header.detached(),
            Ok(None) => {
                debug!("a transfer without a whole header");
                return Err((None, malformed()));
            }
            Err(error) => {
                debug!(%error, "unreadable bundle");
                return Err((None, malformed()));
            }
        };
        let digest = header.bundle_id().digest();
        let rest = &bytes[header.len_bytes()..];
        let len = usize::try_from(header.payload_len()).unwrap_or(usize::MAX);
        let Some((payload, tail)) = rest.split_at_checked(len) else {
            return Err((Some(digest), Outcome::Again(None)));
        };
        let mut checksum = PayloadTail::new(&header);
        checksum.update(payload);
        if let Err(error) = checksum.finish(tail) {
            warn!(%error, "a bundle was damaged");
            return Err((Some(digest), malformed()));
        }
        // Bytes of their own: what was read with them would be kept in memory with them.
        let payload = Bytes::copy_from_slice(payload);
        Ok(Self { header, payload })
    }
}
