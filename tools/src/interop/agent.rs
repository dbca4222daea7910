//! What every bundle agent of a run can do, whoever wrote it: listen on a road, meet another, send, take.

use std::{fmt, path::Path};

use crate::field::FieldError;

/// A road over which two agents meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// TCPCLv4 (RFC 9174).
    Tcpcl,
    /// MTCP: CBOR byte strings in a stream.
    Mtcp,
    /// One bundle a datagram.
    Udp,
}

impl fmt::Display for Road {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcpcl => "tcpclv4",
            Self::Mtcp => "mtcp",
            Self::Udp => "udp",
        })
    }
}

/// What a sender may ask for besides delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Whether the agent may cut the bundle.
    pub may_fragment: bool,
    /// Whether the delivery is to be reported to the sender.
    pub reports_delivery: bool,
    /// Whether an answer is to find the sender's inbox.
    pub is_answerable: bool,
}

/// A bundle agent that runs as a process of its own.
pub trait Agent {
    /// Its name in this run.
    fn name(&self) -> &str;

    /// Its node ID.
    fn node(&self) -> String;

    /// The endpoint where [`Agent::take`] takes from.
    fn inbox(&self) -> String;

    /// `HOST:PORT` where it listens.
    ///
    /// # Errors
    /// If it does not listen on this road.
    fn listens(&self, road: Road) -> Result<String, FieldError>;

    /// Makes it dial `other` whenever it has something for it.
    fn meet(&self, road: Road, other: &dyn Agent) -> Result<(), FieldError>;

    /// Hands it a payload for an endpoint.
    fn send(&self, to: &str, payload: &[u8], wish: Wish) -> Result<(), FieldError>;

    /// The next payload that was delivered at its inbox.
    fn take(&self) -> Result<Option<Vec<u8>>, FieldError>;

    /// Whether a status report of a delivery has come back here.
    fn has_delivery_report(&self) -> Result<bool, FieldError>;

    /// Its greatest resident memory so far, in bytes.
    fn memory_peak(&self) -> u64;
}

/// A folder of its own for an agent.
pub fn folder_of(folder: &Path, name: &str) -> Result<std::path::PathBuf, FieldError> {
    let own = folder.join(name);
    std::fs::create_dir_all(&own)?;
    Ok(own)
}
