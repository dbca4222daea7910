//! Where the gateway listens: the control socket, which only its owner may open, and a loopback port.
//! Called at start; a socket that a dead node left behind is replaced, that of a living one is not.

use std::{
    fs, io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, UnixListener};

use crate::settings::{GatewaySettings, Paths};

/// Longest path that fits a socket address, less room for the draft's ending.
const SOCKET_PATH_MAX: usize = 90;

/// Where requests come in.
#[derive(Debug)]
pub struct Listeners {
    /// The control socket.
    pub unix: Option<UnixListener>,
    /// The loopback port.
    pub tcp: Option<TcpListener>,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not an address of this machine alone.
    #[error("{0} is not a loopback address, and the gateway lets in whoever reaches it")]
    NotLoopback(SocketAddr),
    /// Another node answers at the control socket.
    #[error("another node answers at `{}`", .0.display())]
    InUse(PathBuf),
    /// The control socket cannot be made.
    #[error("the control socket `{path}`: {source}", path = path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port cannot be had.
    #[error("{address}: {source}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Opens both. A built-in port that is taken is replaced by a free one.
///
/// # Errors
/// See [`ListenError`].
pub async fn listen(settings: &GatewaySettings, paths: &Paths) -> Result<Listeners, ListenError> {
    let tcp = match settings.listen {
        Some(address) => Some(port(address, settings.listen_is_default).await?),
        None => None,
    };
    let unix = socket(&paths.socket).await?;
    Ok(Listeners { unix: Some(unix), tcp })
}

async fn port(address: SocketAddr, may_move: bool) -> Result<TcpListener, ListenError> {
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback(address));
    }
    let failed = |source| ListenError::Port { address, source };
    match TcpListener::bind(address).await {
        Err(error) if may_move && error.kind() == io::ErrorKind::AddrInUse => {
            let listener = TcpListener::bind(SocketAddr::new(address.ip(), 0)).await.map_err(failed)?;
            Ok(listener)
        }
        bound => bound.map_err(failed),
    }
}

/// Binds beside the path, closes it to others, and renames it into place, so that it is never open to others.
async fn socket(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Socket { path: path.to_owned(), source };
    let within_reach = Reach::to(path).map_err(failed)?;
    if tokio::net::UnixStream::connect(&within_reach.path).await.is_ok() {
        return Err(ListenError::InUse(path.to_owned()));
    }
    let draft = within_reach.path.with_extension(format!("{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let listener = UnixListener::bind(&draft).map_err(failed)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    fs::rename(&draft, &within_reach.path).map_err(failed)?;
    Ok(listener)
}

/// A path that fits a socket address: the path itself, or one through an open folder if it is too long.
pub(crate) struct Reach {
    /// What to bind or to connect to.
    pub(crate) path: PathBuf,
    /// Keeps the folder open while the path is in use.
    _folder: Option<fs::File>,
}

impl Reach {
    /// The way to `path`, whose folder is made if need be, for its owner alone.
    pub(crate) fn to(path: &Path) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file");
        let folder = path.parent().ok_or_else(invalid)?;
        let name = path.file_name().ok_or_else(invalid)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Self::through(folder, name, path)
    }

    /// The way to `path`, whose folder must be there.
    pub(crate) fn existing(path: &Path) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file");
        let folder = path.parent().ok_or_else(invalid)?;
        let name = path.file_name().ok_or_else(invalid)?;
        Self::through(folder, name, path)
    }

    fn through(folder: &Path, name: &std::ffi::OsStr, path: &Path) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        if path.as_os_str().len() <= SOCKET_PATH_MAX {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let open = fs::File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(name);
        Ok(Self { path, _folder: Some(open) })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::settings;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[tokio::test]
    async fn a_taken_built_in_port_falls_back_to_a_free_one_and_a_chosen_one_does_not() {
        let taken = TcpListener::bind(loopback(0)).await.unwrap();
        let address = taken.local_addr().unwrap();
        assert_ne!(port(address, true).await.unwrap().local_addr().unwrap(), address);
        assert!(matches!(port(address, false).await, Err(ListenError::Port { .. })));
    }

    #[tokio::test]
    async fn an_address_that_others_can_reach_is_refused() {
        let open = SocketAddr::from(([0, 0, 0, 0], 0));
        assert!(matches!(port(open, true).await, Err(ListenError::NotLoopback(_))));
    }

    #[tokio::test]
    async fn the_socket_is_the_owners_alone_even_at_a_path_longer_than_an_address() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a-folder-with-a-long-name".repeat(6));
        let paths = settings::Paths::within(&deep);
        let gateway = settings::understand(paths.clone(), "", &[]).unwrap().settings.gateway;
        let listeners = listen(&gateway, &paths).await.unwrap();
        assert_eq!(fs::metadata(&paths.socket).unwrap().mode() & 0o777, 0o600);
        assert!(
            matches!(listen(&gateway, &paths).await, Err(ListenError::InUse(_))),
            "a living node keeps its socket"
        );
        drop(listeners);
        listen(&gateway, &paths).await.unwrap();
    }
}
