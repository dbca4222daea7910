//! The peers that people have named: addresses to be dialled, kept in a file beside the identity.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tokio::sync::watch;

use crate::cla::quic::PeerAddress;

/// Most addresses that are kept: each is dialled again and again.
const PEERS_MAX: usize = 256;

/// Why an address was not kept or dropped.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Not an address that any convergence layer here understands.
    #[error("`{address}` is not an address: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Too many.
    #[error("there are {PEERS_MAX} peers already")]
    TooMany,
    /// It was not there.
    #[error("no peer `{0}`")]
    Unknown(String),
    /// The file could not be written.
    #[error("the peers cannot be written: {0}")]
    Io(#[from] io::Error),
}

/// The named peers.
pub(super) struct Peers {
    path: PathBuf,
    /// One writer at a time.
    writing: Mutex<()>,
    current: watch::Sender<Vec<PeerAddress>>,
}

impl Peers {
    /// Reads the file, which need not exist: one address a line.
    pub(super) fn load(path: &Path) -> Result<Self, PeerError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let addresses =
            text.lines().filter(|line| !line.is_empty()).map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { path: path.to_owned(), writing: Mutex::new(()), current: watch::Sender::new(addresses) })
    }

    /// The addresses as they are and as they change.
    pub(super) fn watch(&self) -> watch::Receiver<Vec<PeerAddress>> {
        self.current.subscribe()
    }

    /// The addresses as text.
    pub(super) fn list(&self) -> Vec<String> {
        self.current.borrow().iter().map(ToString::to_string).collect()
    }

    /// Keeps an address; again is no error.
    pub(super) fn add(&self, address: &str) -> Result<(), PeerError> {
        let address = parse(address)?;
        let _writing = self.writing.lock().expect("no holder panics");
        let mut addresses = self.current.borrow().clone();
        if !addresses.contains(&address) {
            if addresses.len() == PEERS_MAX {
                return Err(PeerError::TooMany);
            }
            addresses.push(address);
        }
        self.write(addresses)
    }

    /// Drops an address.
    pub(super) fn forget(&self, address: &str) -> Result<(), PeerError> {
        let parsed = parse(address)?;
        let _writing = self.writing.lock().expect("no holder panics");
        let mut addresses = self.current.borrow().clone();
        let before = addresses.len();
        addresses.retain(|known| *known != parsed);
        if addresses.len() == before {
            return Err(PeerError::Unknown(address.to_owned()));
        }
        self.write(addresses)
    }

    /// The file first, by an atomic rename; then everybody who watches. An unchanged list wakes the
    /// dialler, too.
    fn write(&self, addresses: Vec<PeerAddress>) -> Result<(), PeerError> {
        let part = self.path.with_extension("part");
        let mut file = fs::File::create(&part)?;
        for address in &addresses {
            writeln!(file, "{address}")?;
        }
        file.sync_all()?;
        fs::rename(&part, &self.path)?;
        self.current.send_replace(addresses);
        Ok(())
    }
}

fn parse(text: &str) -> Result<PeerAddress, PeerError> {
    text.parse().map_err(|error| PeerError::Address { address: text.to_owned(), reason: format!("{error}") })
}
