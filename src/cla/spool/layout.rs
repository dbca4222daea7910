//! Where things lie on a stick, and the only code that touches them: names, safe opening, writing in steps.
//!
//! `bundle-spec/links.md` is the normative text. Nothing here follows a symbolic link, opens anything but a
//! regular file, or believes a name or a length.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bundle_spec::{BundleDigest, NodeId};
use rustix::fs::OFlags;

use super::SpoolError;

/// The folder on a stick that makes it a spool.
pub const MARKER: &str = "pannier-spool";
/// Most bundle files that are looked at. More stay where they are.
pub const BUNDLE_FILES_MAX: usize = 65_536;
/// Most control files that are read or kept; beyond it the first ones by name.
pub const CONTROL_FILES_MAX: usize = 4_096;
/// Most damaged files that are set aside.
pub const BAD_FILES_MAX: usize = 1_024;
/// Room that is left on a stick, in bytes: its file system needs some for itself.
pub const ROOM_KEPT: u64 = 1024 * 1024;

const VERSION: &str = "1";
const ID_BYTES_MAX: u64 = 256;

/// One stick's folders.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
    /// The stick as a node.
    pub(super) node: NodeId,
}

/// A kind of folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// Bundles, one a file.
    Bundles,
    /// ADUs between agents.
    Control,
    /// Bundle files that are damaged.
    Bad,
}

impl Folder {
    const fn name(self) -> &'static str {
        match self {
            Self::Bundles => "bundles",
            Self::Control => "control",
            Self::Bad => "bad",
        }
    }
}

impl Layout {
    /// The spool in `dir`, which must be there.
    ///
    /// # Errors
    /// `NotASpool`, or what the file system says.
    pub(super) fn open(dir: &Path) -> Result<Self, SpoolError> {
        let root = dir.join(MARKER);
        match fs::symlink_metadata(&root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(SpoolError::NotASpool(root)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SpoolError::NotASpool(root)),
            Err(cause) => return Err(SpoolError::Folder { path: root, cause }),
        }
        let node = read_id(&root)?.ok_or_else(|| SpoolError::NotASpool(root.clone()))?;
        let layout = Self { root, node };
        layout.make_folders()?;
        Ok(layout)
    }

    /// The spool in `dir`, made if it is not there; `id` names a new one.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open_or_make(dir: &Path, id: [u8; 16]) -> Result<Self, SpoolError> {
        let root = dir.join(MARKER);
        make_folder(&root)?;
        if read_id(&root)?.is_none() {
            let text = format!("{VERSION} {}\n", hex(&id));
            let written = put(&root, "id", &STEPS, |file| file.write_all(text.as_bytes()));
            written.map_err(|cause| SpoolError::Folder { path: root.join("id"), cause })?;
        }
        Self::open(dir)
    }

    /// Where files of this kind lie.
    pub(super) fn folder(&self, folder: Folder) -> PathBuf {
        self.root.join(folder.name())
    }

    /// Names of regular files with this ending, sorted, at most `limit`; leftovers of interrupted writes are
    /// removed.
    pub(super) fn names(
        &self,
        folder: Folder,
        ending: &str,
        limit: usize,
    ) -> Result<Vec<String>, SpoolError> {
        let path = self.folder(folder);
        let failed = |cause| SpoolError::Folder { path: path.clone(), cause };
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !entry.file_type().map_err(failed)?.is_file() {
                continue;
            }
            if name.ends_with(PART) {
                // Written again from the beginning if it is still wanted. A stick that cannot be written
                // keeps it.
                let _ = fs::remove_file(entry.path());
            } else if name.ends_with(ending) && names.len() < limit {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens a regular file and says how long it is.
    pub(super) fn read(&self, folder: Folder, name: &str) -> io::Result<(File, u64)> {
        open_regular(&self.folder(folder).join(name))
    }

    /// Removes a file. One that is not there is no error.
    pub(super) fn remove(&self, folder: Folder, name: &str) -> io::Result<()> {
        let path = self.folder(folder);
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => sync_folder(&path),
        }
    }

    /// Sets a damaged bundle file aside. Nothing is deleted: beyond the limit it stays where it is.
    pub(super) fn set_aside(&self, name: &str) -> io::Result<bool> {
        let bad = self.folder(Folder::Bad);
        if fs::read_dir(&bad)?.count() >= BAD_FILES_MAX {
            return Ok(false);
        }
        fs::rename(self.folder(Folder::Bundles).join(name), bad.join(name))?;
        sync_folder(&bad)?;
        sync_folder(&self.folder(Folder::Bundles))?;
        Ok(true)
    }

    /// Bytes that may still be written.
    pub(super) fn room(&self) -> Result<u64, SpoolError> {
        let stat = rustix::fs::statvfs(&self.root)
            .map_err(|error| SpoolError::Folder { path: self.root.clone(), cause: error.into() })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize).saturating_sub(ROOM_KEPT))
    }

    fn make_folders(&self) -> Result<(), SpoolError> {
        for folder in [Folder::Bundles, Folder::Control, Folder::Bad] {
            make_folder(&self.folder(folder))?;
        }
        Ok(())
    }
}

/// The name of a bundle's file.
pub(super) fn bundle_name(digest: &BundleDigest) -> String {
    format!("{}{BUNDLE}", hex(digest))
}

/// The bundle whose file has this name.
pub(super) fn digest_of_name(name: &str) -> Option<BundleDigest> {
    let digits = name.strip_suffix(BUNDLE)?.as_bytes();
    let mut digest = BundleDigest::default();
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks(2)) {
        let nibble = |digit: u8| HEX.iter().position(|known| *known == digit);
        *byte = u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).ok()?;
    }
    Some(digest)
}

/// Ending of bundle files.
pub(super) const BUNDLE: &str = ".bundle";
/// Ending of control files.
pub(super) const ADU: &str = ".adu";
/// Ending of files that are being written.
const PART: &str = ".part";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

/// The steps by which a file comes to be. Cut off behind any of them, the file is whole or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make the file under a name that nobody reads.
    Make,
    /// Write what belongs into it.
    Write,
    /// Wait until the content is on the medium.
    Sync,
    /// Give it its name.
    Rename,
    /// Wait until the name is on the medium.
    SyncFolder,
}

/// All steps, in order.
pub(super) const STEPS: [Step; 5] = [Step::Make, Step::Write, Step::Sync, Step::Rename, Step::SyncFolder];

/// Writes a file by `steps`; what fails leaves nothing behind.
pub(super) fn put(
    folder: &Path,
    name: &str,
    steps: &[Step],
    mut write: impl FnMut(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let part = folder.join(format!("{name}{PART}"));
    let mut file = None;
    let mut run = |step: &Step| -> io::Result<()> {
        match step {
            Step::Make => {
                remove_if_there(&part)?;
                file = Some(OpenOptions::new().write(true).create_new(true).open(&part)?);
            }
            Step::Write => write(file.as_mut().expect("made before it is written"))?,
            Step::Sync => file.as_ref().expect("made before it is synchronised").sync_all()?,
            Step::Rename => fs::rename(&part, folder.join(name))?,
            Step::SyncFolder => sync_folder(folder)?,
        }
        Ok(())
    };
    for step in steps {
        if let Err(error) = run(step) {
            // The first error is the one that is told.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some file systems of sticks cannot synchronise folders; the files themselves are.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

fn make_folder(path: &Path) -> Result<(), SpoolError> {
    let failed = |cause| SpoolError::Folder { path: path.to_owned(), cause };
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    if fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        Ok(())
    } else {
        Err(SpoolError::NotAFolder(path.to_owned()))
    }
}

fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).expect("flags are small");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, metadata.len()))
}

/// What the id file says; `None` if there is none or it was never finished.
fn read_id(root: &Path) -> Result<Option<NodeId>, SpoolError> {
    let path = root.join("id");
    let file = match open_regular(&path) {
        Ok((file, _)) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(SpoolError::Folder { path, cause }),
    };
    let mut text = String::new();
    let read = file.take(ID_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|cause| SpoolError::Folder { path: path.clone(), cause })?;
    let id = text.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(' ')).map(str::trim_end);
    let id = id.filter(|id| id.len() == 32 && id.bytes().all(|digit| HEX.contains(&digit)));
    let node = id.and_then(|id| format!("dtn://stick-{id}/").parse().ok());
    node.map(Some).ok_or(SpoolError::Version(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_whose_writing_is_cut_off_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        for cut in 0..=STEPS.len() {
            let name = format!("{cut}");
            put(dir.path(), &name, &STEPS[..cut], |file| file.write_all(b"whole")).unwrap();
            let found = fs::read(dir.path().join(&name)).ok();
            assert_eq!(found.as_deref(), (cut >= 4).then_some(&b"whole"[..]), "cut after {cut} steps");
            put(dir.path(), &name, &STEPS, |file| file.write_all(b"again")).unwrap();
            assert_eq!(fs::read(dir.path().join(&name)).unwrap(), b"again");
        }
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let full = || io::Error::new(io::ErrorKind::StorageFull, "no space");
        let result = put(dir.path(), "name", &STEPS, |file| {
            file.write_all(b"half")?;
            Err(full())
        });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_stick_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let first = Layout::open_or_make(dir.path(), [1; 16]).unwrap();
        let second = Layout::open_or_make(dir.path(), [2; 16]).unwrap();
        assert_eq!(first.node, second.node);
        assert_eq!(first.node.to_string(), format!("dtn://stick-{}/", "01".repeat(16)));
    }

    #[test]
    fn a_folder_without_a_spool_is_told_apart_from_a_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Layout::open(dir.path()), Err(SpoolError::NotASpool(_))));
        Layout::open_or_make(dir.path(), [1; 16]).unwrap();
        fs::write(dir.path().join(MARKER).join("id"), "2 something\n").unwrap();
        assert!(matches!(Layout::open(dir.path()), Err(SpoolError::Version(_))));
    }

    #[test]
    fn links_folders_and_pipes_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open_or_make(dir.path(), [1; 16]).unwrap();
        let bundles = layout.folder(Folder::Bundles);
        fs::write(dir.path().join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), bundles.join("a.bundle")).unwrap();
        fs::create_dir(bundles.join("b.bundle")).unwrap();
        fs::write(bundles.join("c.bundle"), "").unwrap();
        fs::write(bundles.join("d.bundle.part"), "").unwrap();
        assert_eq!(layout.names(Folder::Bundles, BUNDLE, 10).unwrap(), ["c.bundle"]);
        assert!(layout.read(Folder::Bundles, "a.bundle").is_err());
        assert!(layout.read(Folder::Bundles, "b.bundle").is_err());
        assert!(!bundles.join("d.bundle.part").exists());
    }

    #[test]
    fn a_bundle_is_found_by_the_name_of_its_file() {
        let digest = [0xab; 16];
        assert_eq!(digest_of_name(&bundle_name(&digest)), Some(digest));
        for name in ["", ".bundle", "ab.bundle", &format!("{}.bundle", "AB".repeat(16)), "é.bundle"] {
            assert_eq!(digest_of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_marker_that_leads_elsewhere_is_not_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join(MARKER)).unwrap();
        assert!(matches!(Layout::open_or_make(dir.path(), [1; 16]), Err(SpoolError::NotAFolder(_))));
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
