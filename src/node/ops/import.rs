//! A file becomes an asset that is kept: its blocks go into the store, then the agent holds them. The
//! gateway's `model add` ends here; the file itself is the caller's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bundle_spec::manifest::{AssetKind, Manifest};

use super::super::{
    assets::{self, Imported},
    mailbox::Handle,
};
use crate::gateway::node_ops::{ImportedModel, OperationError};

/// Takes a file into the store and keeps it under a name.
///
/// # Errors
/// `Invalid` if it is not what its kind says; `StoreFull`, `Limit`, `Failed`. Nothing of it is kept then.
pub(super) async fn import(
    handle: &Handle,
    name: String,
    kind: AssetKind,
    file: PathBuf,
) -> Result<ImportedModel, OperationError> {
    let imported = import_once(handle, &name, kind, &file).await?;
    let manifest = Manifest::decode(&imported.adu).expect("what was encoded decodes");
    let model = ImportedModel {
        name,
        manifest: imported.manifest.cid,
        size: manifest.file.len,
        known: imported.known,
        alias: manifest.alias(),
    };
    let store = Arc::clone(handle.store());
    let is_complete = tokio::task::spawn_blocking(move || assets::is_complete(&*store, &imported))
        .await
        .expect("looking for blocks does not panic")?;
    if is_complete {
        return Ok(model);
    }
    // A chunk that it shares was let go of while the rest was read. All are held by now: none goes again.
    match import_once(handle, &model.name, kind, &file).await {
        Ok(_) => Ok(model),
        Err(error) => {
            handle.drop_model(model.name).await?;
            Err(error)
        }
    }
}

/// Stores what is not here yet, and keeps it under the name.
async fn import_once(
    handle: &Handle,
    name: &str,
    kind: AssetKind,
    file: &Path,
) -> Result<Imported, OperationError> {
    let (store, file) = (Arc::clone(handle.store()), file.to_owned());
    let imported = tokio::task::spawn_blocking(move || assets::import(&*store, &file, kind))
        .await
        .expect("an import does not panic")?;
    let (adu, blocks) = (imported.adu.clone(), imported.blocks.clone());
    handle.add_model(name.to_owned(), imported.manifest, adu, blocks).await?;
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use bundle_spec::{BlockRef, sign::SigningKey};
    use tempfile::TempDir;
    use tokio::sync::mpsc;

    use super::*;
    use crate::{
        agent::{Answer, CallId, Input},
        node::{clock::Clock, mailbox::Mail},
        store::{MemoryStore, Store},
        time::Time,
    };

    /// An agent that lets go of the first block of an asset before it holds it, and then does `change`. What
    /// it was told, once nobody speaks to it any more.
    async fn forget_first(
        store: Arc<dyn Store>,
        mut mailbox: mpsc::Receiver<Mail>,
        change: impl FnOnce(),
    ) -> Vec<&'static str> {
        let (mut change, mut told) = (Some(change), Vec::new());
        while let Some(mail) = mailbox.recv().await {
            let Mail::Call { input, answer } = mail else { continue };
            told.push(match input(CallId(1)) {
                Input::ModelAdded { blocks, .. } => {
                    if let Some(change) = change.take() {
                        store.release(blocks[0].cid.digest()).unwrap();
                        change();
                    }
                    "added"
                }
                Input::ModelDropped { .. } => "dropped",
                _ => "else",
            });
            answer.send(Ok(Answer::Done)).unwrap();
        }
        told
    }

    /// What the agent is told of a file whose first block goes, the store behind it, and whether the file is
    /// kept in the end.
    async fn told_of(file: &[u8], goes: bool) -> (Vec<&'static str>, Arc<dyn Store>, bool) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, file).unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(1 << 30));
        let node = SigningKey::from_bytes(&[3; 32]).public().node_id();
        let clock = Arc::new(Clock::resume(0, Time::ZERO));
        let (handle, mailbox) = Handle::new(node, Arc::clone(&store), clock);
        let gone = path.clone();
        let change = move || {
            if goes {
                std::fs::remove_file(gone).unwrap();
            }
        };
        let agent = tokio::spawn(forget_first(Arc::clone(&store), mailbox, change));
        let imported = import(&handle, "map".to_owned(), AssetKind::Data, path).await;
        drop(handle);
        (agent.await.unwrap(), store, imported.is_ok())
    }

    #[tokio::test]
    async fn a_chunk_that_goes_before_it_is_held_is_written_again() {
        let file = b"here be dragons";
        let (words, store, is_kept) = told_of(file, false).await;
        assert!(is_kept);
        assert_eq!(words, ["added", "added"]);
        assert!(store.open(BlockRef::raw(file).cid.digest()).unwrap().is_some());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_again_is_not_kept_in_part() {
        let (words, _, is_kept) = told_of(b"here be dragons", true).await;
        assert!(!is_kept);
        assert_eq!(words, ["added", "dropped"]);
    }
}
