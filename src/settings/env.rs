//! The environment variables that pannier reads: all of them. Read once, by `main`'s side; tests make their
//! own.

use std::{ffi::OsString, path::PathBuf};

/// Configuration file.
pub const CONFIG: &str = "PANNIER_CONFIG";
/// Folder that holds configuration, data, state, socket and token of one node.
pub const HOME: &str = "PANNIER_HOME";
/// Which node commands talk to: `unix:PATH` or a URL.
pub const NODE: &str = "PANNIER_NODE";
/// Log filter.
pub const LOG: &str = "PANNIER_LOG";
/// Switches progress off if it is set and not empty.
pub const NO_PROGRESS: &str = "PANNIER_NO_PROGRESS";

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// [`CONFIG`].
    pub config: Option<PathBuf>,
    /// [`HOME`].
    pub home: Option<PathBuf>,
    /// [`NODE`].
    pub node: Option<String>,
    /// [`LOG`].
    pub log: Option<String>,
    /// Whether progress is switched off.
    pub no_progress: bool,
    /// The person's home folder.
    pub user_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

impl Environment {
    /// The environment of this process. Empty variables count as unset.
    #[must_use]
    pub fn of_process() -> Self {
        Self::read(|name| std::env::var_os(name))
    }

    /// The environment behind `get`.
    #[must_use]
    pub fn read(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name: &str| path(name).and_then(|value| value.into_os_string().into_string().ok());
        // The XDG base directory specification: relative paths are to be ignored.
        let absolute = |name: &str| path(name).filter(|path| path.is_absolute());
        Self {
            config: path(CONFIG),
            home: path(HOME),
            node: text(NODE),
            log: text(LOG),
            no_progress: path(NO_PROGRESS).is_some(),
            user_home: absolute("HOME"),
            config_home: absolute("XDG_CONFIG_HOME"),
            data_home: absolute("XDG_DATA_HOME"),
            state_home: absolute("XDG_STATE_HOME"),
            runtime_dir: absolute("XDG_RUNTIME_DIR"),
        }
    }
}
