//! The file with the sealing keys: JSON, readable by its owner alone, replaced as a whole. Both the node and
//! `pannier key` change it, one at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::SystemTime,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bundle_spec::sealing::{SealingKey, SealingPublic};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    line::is_role_name,
    ring::{KeyEntry, Owner, Ring, RingError, show_public},
};
use crate::time::Time;

/// Bits of a file mode that let others than the owner in.
const LOOSE_MODE: u32 = 0o077;
/// Longest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the sealing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealingFileError {
    /// The operating system said no.
    #[error("`{path}`: {cause}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Others than the owner can read the file.
    #[error("`{path}` has mode {mode:04o}: others can read it; `chmod 600` it", path = path.display())]
    Loose {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is no key file.
    #[error("`{path}` is no file of sealing keys: {detail}", path = path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A change makes no sense.
    #[error(transparent)]
    Ring(#[from] RingError),
}

/// What tells one state of the file from another.
type Stamp = (SystemTime, u64, u64);

/// The file.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
    /// How it looked when [`KeyFile::load_if_changed`] read it last.
    seen: Mutex<Option<Stamp>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWire {
    version: u32,
    keys: Vec<KeyWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyWire {
    owner: String,
    epoch: u32,
    public: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Zeroizing<String>>,
    /// The node's time in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired: Option<u64>,
}

impl KeyFile {
    /// The file at `path`, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: Mutex::default() }
    }

    /// The keys; a key of the node's own is made if there is none.
    ///
    /// # Errors
    /// See [`SealingFileError`].
    pub fn ensure(&self) -> Result<Ring, SealingFileError> {
        let (ring, ()) = self.change(|ring| {
            if ring.current(&Owner::Own).is_none() {
                ring.rotate(&Owner::Own, SealingKey::from_bytes(&Zeroizing::new(rand::random())))?;
            }
            Ok(())
        })?;
        Ok(ring)
    }

    /// The keys as they are; none where there is no file.
    ///
    /// # Errors
    /// See [`SealingFileError`].
    pub fn load(&self) -> Result<Ring, SealingFileError> {
        Ok(self.read()?.0)
    }

    fn read(&self) -> Result<(Ring, Option<Stamp>), SealingFileError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Ring::default(), None)),
            Err(error) => return Err(self.io(error)),
        };
        let metadata = file.metadata().map_err(|error| self.io(error))?;
        let mode = metadata.mode() & 0o777;
        if mode & LOOSE_MODE != 0 {
            return Err(SealingFileError::Loose { path: self.path.clone(), mode });
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(self.form("it is too long"));
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(|error| self.io(error))?;
        Ok((self.parse(&text)?, stamp(&metadata)))
    }

    /// The keys, if the file is not as it was when it was read last. One that is gone is no change: keys do
    /// not vanish from a running node by accident.
    pub(super) fn load_if_changed(&self) -> Result<Option<Ring>, SealingFileError> {
        let Ok(metadata) = fs::metadata(&self.path) else { return Ok(None) };
        let mut seen = self.seen.lock().expect("no holder panics");
        if seen.is_some() && *seen == stamp(&metadata) {
            return Ok(None);
        }
        // One that cannot be used is complained of once.
        *seen = stamp(&metadata);
        let (ring, stamp) = self.read()?;
        *seen = stamp;
        Ok(Some(ring))
    }

    /// Changes the keys, as the only one who does so at that moment. What `change` refuses leaves the file as
    /// it was.
    ///
    /// # Errors
    /// See [`SealingFileError`].
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Ring) -> Result<T, RingError>,
    ) -> Result<(Ring, T), SealingFileError> {
        let folder = self.folder();
        fs::create_dir_all(folder).map_err(|error| self.io(error))?;
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.path.with_extension("lock"))
            .map_err(|error| self.io(error))?;
        lock.lock().map_err(|error| self.io(error))?;
        let before = self.load()?;
        let mut ring = before.clone();
        let told = change(&mut ring)?;
        if ring != before {
            self.write(&ring).map_err(|error| self.io(error))?;
        }
        Ok((ring, told))
    }

    fn write(&self, ring: &Ring) -> io::Result<()> {
        let keys = ring.keys().iter().map(KeyWire::from).collect();
        let wire = FileWire { version: 1, keys };
        let text = Zeroizing::new(serde_json::to_string_pretty(&wire).expect("keys become JSON"));
        let draft = self.path.with_extension(format!("{:016x}", rand::random::<u64>()));
        let written = write_draft(&draft, text.as_bytes()).and_then(|()| fs::rename(&draft, &self.path));
        if written.is_err() {
            // The error that matters is the one above.
            let _ = fs::remove_file(&draft);
        }
        written?;
        File::open(self.folder())?.sync_all()
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn parse(&self, text: &str) -> Result<Ring, SealingFileError> {
        let wire: FileWire = serde_json::from_str(text).map_err(|error| self.form(&error.to_string()))?;
        if wire.version != 1 {
            return Err(self.form(&format!("unknown version {}", wire.version)));
        }
        let mut ring = Ring::default();
        for key in wire.keys {
            let entry = key.read().ok_or_else(|| self.form("a key in it makes no sense"))?;
            ring.add(entry)?;
        }
        Ok(ring)
    }

    fn io(&self, cause: io::Error) -> SealingFileError {
        SealingFileError::Io { path: self.path.clone(), cause }
    }

    fn form(&self, detail: &str) -> SealingFileError {
        SealingFileError::Form { path: self.path.clone(), detail: detail.to_owned() }
    }
}

impl From<&KeyEntry> for KeyWire {
    fn from(key: &KeyEntry) -> Self {
        let encode =
            |secret: &SealingKey| Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(secret.to_bytes().as_slice()));
        Self {
            owner: key.owner.to_string(),
            epoch: key.epoch,
            public: show_public(&key.public),
            secret: key.secret.as_ref().map(encode),
            retired: key.retired.map(|time| time.0),
        }
    }
}

impl KeyWire {
    fn read(self) -> Option<KeyEntry> {
        let owner = match self.owner.split_once(' ') {
            None if self.owner == "own" => Owner::Own,
            Some(("role", name)) if is_role_name(name) => Owner::Role(name.to_owned()),
            Some(("node", node)) => Owner::Node(node.parse().ok()?),
            _ => return None,
        };
        let public = BASE64_URL_SAFE_NO_PAD.decode(&self.public).ok()?;
        let public = SealingPublic(public.try_into().ok()?);
        let secret = match self.secret {
            None => None,
            Some(text) => {
                let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).ok()?);
                Some(SealingKey::from_bytes(bytes.as_slice().try_into().ok()?))
            }
        };
        if secret.as_ref().is_some_and(|secret| secret.public() != public) {
            return None;
        }
        Some(KeyEntry { owner, epoch: self.epoch, public, secret, retired: self.retired.map(Time) })
    }
}

fn stamp(metadata: &fs::Metadata) -> Option<Stamp> {
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

fn write_draft(draft: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    Ok(())
}
