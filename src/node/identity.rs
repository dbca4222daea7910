//! The node's key: made once, kept in a file that only its owner may read. Called at start and by `init`.
//!
//! Losing it means being another node; showing it means that others can sign as this node.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use bundle_spec::sign::SigningKey;

/// Length of the secret in bytes.
const SECRET_BYTES: usize = 32;
/// Bits of a file mode that let others than the owner in.
const LOOSE_MODE: u32 = 0o077;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no file yet.
    #[error("there is no key at `{}`", .0.display())]
    Missing(PathBuf),
    /// Others than the owner can read the file.
    #[error("the key at `{path}` has mode {mode:04o}: others can read it", path = path.display())]
    Loose {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key.
    #[error("`{path}` has {len} bytes, a key has {SECRET_BYTES}", path = path.display())]
    Length {
        /// Which file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// The operating system said no.
    #[error("the key at `{path}`: {source}", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The key at `path`; made now if there is none. Two processes that make it at once end with the same key.
///
/// # Errors
/// See [`IdentityError`].
pub fn load_or_create(path: &Path) -> Result<SigningKey, IdentityError> {
    match load(path) {
        Err(IdentityError::Missing(_)) => create(path)?,
        loaded => return loaded,
    }
    let key = load(path)?;
    Ok(key)
}

/// The key at `path`.
///
/// # Errors
/// See [`IdentityError`].
pub fn load(path: &Path) -> Result<SigningKey, IdentityError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => IdentityError::Missing(path.to_owned()),
        _ => IdentityError::Io { path: path.to_owned(), source },
    };
    let mut file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    let mode = metadata.mode() & 0o777;
    if mode & LOOSE_MODE != 0 {
        return Err(IdentityError::Loose { path: path.to_owned(), mode });
    }
    let mut secret = [0; SECRET_BYTES];
    if metadata.len() != u64::try_from(SECRET_BYTES).expect("32 fits 64 bits") {
        return Err(IdentityError::Length { path: path.to_owned(), len: metadata.len() });
    }
    file.read_exact(&mut secret).map_err(io)?;
    Ok(SigningKey::from_bytes(&secret))
}

/// Writes a new key beside `path` and links it into place, which fails if another was faster: that one then
/// holds.
fn create(path: &Path) -> Result<(), IdentityError> {
    let io = |source| IdentityError::Io { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(io)?;
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret);
    let draft = folder.join(format!(".identity-{}-{:016x}", std::process::id(), rand::random::<u64>()));
    let written = write_draft(&draft, &secret).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    // The draft is of no use either way; what matters is whether the key is in place.
    let _ = fs::remove_file(&draft);
    written.and_then(|()| File::open(folder)?.sync_all()).map_err(io)?;
    Ok(())
}

fn write_draft(draft: &Path, secret: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(secret)?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/identity");
        let made = load_or_create(&path).unwrap().public();
        assert_eq!(load_or_create(&path).unwrap().public(), made);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_or_create(&path), Err(IdentityError::Loose { mode: 0o640, .. })));
    }

    #[test]
    fn a_file_of_another_length_is_no_key_and_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity");
        write_draft(&path, b"short").unwrap();
        assert!(matches!(load_or_create(&path), Err(IdentityError::Length { len: 5, .. })));
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
