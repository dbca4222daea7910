//! A body on its way into a file of its own, for what needs a file or has no known length. The gateway's
//! handlers use it; it never keeps what it wrote.

use std::{io, path::PathBuf};

use axum::body::Body;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use super::{Gateway, problem::Problem};
use crate::node::mailbox::StoreError;

/// A file on its way in. Removed when it is dropped: by then it is in the store, or it is of no use.
pub(super) struct Incoming {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// How many bytes it has.
    pub(super) len: u64,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Incoming {
    /// Writes the body into a new file, as long as the store has room for as much again.
    pub(super) async fn receive(gateway: &Gateway, request: &mut Body) -> Result<Self, Problem> {
        let (folder, store) = (&gateway.options.incoming, gateway.handle.store());
        let disk = |error: io::Error| Problem::from(disk_error(error));
        tokio::fs::create_dir_all(folder).await.map_err(disk)?;
        let mut incoming = Self { path: folder.join(format!("{:032x}", rand::random::<u128>())), len: 0 };
        let mut file = tokio::fs::File::create_new(&incoming.path).await.map_err(disk)?;
        while let Some(frame) = request.frame().await {
            let frame = frame.map_err(|_| Problem::bad("the file broke off; send it again"))?;
            if let Some(bytes) = frame.data_ref() {
                incoming.len += u64::try_from(bytes.len()).expect("a length fits 64 bits");
                let free = store.usage().free;
                if incoming.len > free {
                    return Err(StoreError::Full { free, needed: incoming.len }.into());
                }
                file.write_all(bytes).await.map_err(disk)?;
            }
        }
        file.flush().await.map_err(disk)?;
        Ok(incoming)
    }
}

/// Whoever still sends does not listen: heard to the end, so that the reason for a refusal arrives.
pub(super) async fn hear_out(request: &mut Body) {
    while let Some(Ok(_)) = request.frame().await {}
}

fn disk_error(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { free: 0, needed: 1 },
        _ => StoreError::Io(error),
    }
}
