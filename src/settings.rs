//! Settings: what the configuration means. `settings::file` is what was typed.
//!
//! Built-in values are overruled by the file, the file by `--set`. The environment only says where things
//! lie. The command line calls [`load`]; nobody else reads configuration.

pub mod env;
pub mod file;
pub mod keys;
mod meaning;
mod paths;
pub mod quantity;

use std::{
    io,
    net::SocketAddr,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Duration,
};

use bundle_spec::security::Policy;

use self::{
    env::Environment,
    file::{Origin, Values},
    keys::{KEYS, Surroundings},
};

/// Everything that can be set, with its effective value.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where things lie.
    pub paths: Paths,
    /// `[node] eid`: who we are; `None` for the EID that follows from the key.
    pub eid: Option<String>,
    /// `[node] status-reports`: whether bundles that ask for status reports get them.
    pub status_reports: bool,
    /// `[store]`.
    pub store: StoreSettings,
    /// `[cla.quic]`.
    pub quic: QuicSettings,
    /// `[cla.tcpclv4]`.
    pub tcpclv4: Tcpclv4Settings,
    /// `[cla.mtcp]`.
    pub mtcp: StreamSettings,
    /// `[cla.stcp]`.
    pub stcp: StreamSettings,
    /// `[cla.udp]`.
    pub udp: UdpSettings,
    /// `[cla.ipnd]`.
    pub ipnd: IpndSettings,
    /// `[cla.spool] watch`: folders under which sticks appear; each stick that carries a spool is
    /// synchronised.
    pub spool_watch: Vec<PathBuf>,
    /// `[security]`.
    pub security: SecuritySettings,
    /// `[sealing]`.
    pub sealing: SealingSettings,
    /// `[inference]`.
    pub inference: InferenceSettings,
    /// `[gateway]`.
    pub gateway: GatewaySettings,
}

/// Where things lie.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The configuration file, which need not exist.
    pub config: PathBuf,
    /// Identity, store, assembled models.
    pub data: PathBuf,
    /// Log, what was submitted last.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The API token (0600).
    pub token: PathBuf,
}

/// `[store]`.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Folder of the store.
    pub path: PathBuf,
    /// Bytes that it may take up.
    pub quota: u64,
    /// Bytes that stay free on its disk.
    pub keep_free: u64,
}

/// `[cla.quic]`.
#[derive(Clone, Debug)]
pub struct QuicSettings {
    /// Where it listens; `None` switches it off.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` is the built-in default: then a taken port falls back to a free one.
    pub listen_is_default: bool,
    /// Whether QUICCLv1 is spoken on the same port.
    pub quicclav1: bool,
}

/// `[sealing]`.
#[derive(Clone, Debug)]
pub struct SealingSettings {
    /// For whom a job is sealed whose asker does not say.
    pub default: SealDefault,
    /// The role for which `group` seals.
    pub role: String,
    /// How long a sealed job may live; keys that have retired are destroyed later than that.
    pub keep: Duration,
}

impl SealingSettings {
    /// What holds if nobody says anything.
    #[must_use]
    pub fn built_in() -> Self {
        Self { default: SealDefault::Auto, role: keys::SEALING_ROLE.to_owned(), keep: keys::SEALING_KEEP }
    }
}

/// For whom a job is sealed whose asker does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealDefault {
    /// For the group, where its key is known; else for nobody.
    Auto,
    /// For nobody.
    Open,
    /// For the group; without its key the job is refused.
    Group,
}

/// How far deviations of peers are tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leniency {
    /// Not at all.
    Strict,
    /// As far as dtn7-rs needs it.
    Dtn7,
    /// As far as there are switches.
    All,
}

/// Whether sessions are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Always; a peer that cannot is refused.
    Require,
    /// Where the peer can.
    Allow,
    /// Never.
    Never,
}

/// `[cla.tcpclv4]`.
#[derive(Clone, Debug)]
pub struct Tcpclv4Settings {
    /// Where it listens; `None` if it only dials.
    pub listen: Option<SocketAddr>,
    /// Whether sessions are encrypted, unless a peer's address says otherwise.
    pub tls: Encryption,
    /// PEM file of the authorities whose certificates name peers; `None` if only node keys do.
    pub authorities: Option<PathBuf>,
    /// PEM file of the certificate that one of them has signed for this node, and its key.
    pub certificate: Option<PathBuf>,
    /// What is tolerated of peers that dial in.
    pub lax: Leniency,
    /// Whether encryption is forbidden where peers dial in.
    pub clear_only: bool,
}

/// `[cla.mtcp]` and `[cla.stcp]`.
#[derive(Clone, Copy, Debug)]
pub struct StreamSettings {
    /// Where it listens; `None` if it only dials.
    pub listen: Option<SocketAddr>,
    /// What is tolerated in bundles that come in.
    pub lax: Leniency,
    /// Whether encryption is forbidden where bundles come in.
    pub clear_only: bool,
}

/// `[cla.udp]`.
#[derive(Clone, Copy, Debug)]
pub struct UdpSettings {
    /// Where it listens; `None` if it only sends.
    pub listen: Option<SocketAddr>,
    /// What is tolerated in bundles that come in.
    pub lax: Leniency,
    /// Most bytes a second to one peer, unless its address says otherwise.
    pub rate: NonZeroU64,
    /// Whether encryption is forbidden where bundles come in.
    pub clear_only: bool,
}

/// `[cla.ipnd]`.
#[derive(Clone, Debug)]
pub struct IpndSettings {
    /// Where beacons are heard; empty switches it off.
    pub listen: Vec<SocketAddr>,
    /// Where beacons go.
    pub to: Vec<SocketAddr>,
    /// How long from one beacon to the next.
    pub period: Duration,
    /// What is tolerated of peers that a beacon has found.
    pub lax: Leniency,
}

/// `[security]`.
#[derive(Clone, Debug)]
pub struct SecuritySettings {
    /// The file that the keys are in, a JWK set; `None` if there is none.
    pub keys: Option<PathBuf>,
    /// The name of the key that signs where encryption is forbidden; `None` if that is nowhere.
    pub link_key: Option<String>,
    /// Who secures and checks what.
    pub rules: Policy,
}

/// `[inference]`.
#[derive(Clone, Debug)]
pub struct InferenceSettings {
    /// Engines that may run here; their workers are found beside the `pannier` binary.
    pub engines: Vec<String>,
    /// Bytes of private memory for one worker.
    pub memory: u64,
    /// Threads for one worker.
    pub threads: u32,
    /// Longest time for one task.
    pub task_time: Duration,
    /// How long an idle worker keeps its model.
    pub keep_loaded: Duration,
}

/// `[gateway]`.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Where it listens besides the control socket; loopback only; `None` switches it off.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` is the built-in default: then a taken port falls back to a free one.
    pub listen_is_default: bool,
    /// How long a request waits for its answer before it is told where to ask again.
    pub wait: Duration,
}

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--set`, in order.
    pub set: Vec<String>,
}

/// Settings and where each value comes from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the values mean.
    pub settings: Settings,
    /// The values themselves, by key.
    pub values: Values,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nobody says where to look.
    #[error("neither `PANNIER_HOME` nor `HOME` is set")]
    NoHome,
    /// The file is not TOML.
    #[error("`{path}` line {line}: {detail}", path = path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// No such key.
    #[error("unknown key `{key}` ({origin})")]
    UnknownKey {
        /// What was typed.
        key: String,
        /// Where.
        origin: Origin,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// `--set` without an equals sign.
    #[error("`{0}` is not of the form `section.key=value`")]
    Assignment(String),
    /// A value that makes no sense.
    #[error("`{key}` ({origin}): {detail}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Where it was said.
        origin: Origin,
        /// What is wrong.
        detail: String,
    },
    /// The file cannot be read.
    #[error("`{path}` cannot be read: {source}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SettingsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NoHome => String::from("set `PANNIER_HOME` to a folder"),
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean `{nearest}`?"),
            Self::UnknownKey { nearest: None, .. } => String::from("`pannier doctor` lists every key"),
            Self::Assignment(_) => String::from("for example `--set store.quota=10GB`"),
            Self::Syntax { path, .. } | Self::Unreadable { path, .. } => {
                format!("edit `{}`, or move it away and run `pannier init`", path.display())
            }
            Self::Value { key, .. } => {
                let help = keys::find(key).map_or("", |key| key.help);
                format!("`{key}` is {help}")
            }
        }
    }
}

/// Reads and understands everything that was said.
///
/// # Errors
/// See [`SettingsError`]. A file that was named but is not there is an error; the usual one need not exist.
pub fn load(environment: &Environment, overrides: &Overrides) -> Result<Loaded, SettingsError> {
    let paths = Paths::resolve(environment, overrides.config.as_deref())?;
    let named = overrides.config.is_some() || environment.config.is_some();
    let content = match std::fs::read_to_string(&paths.config) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !named => String::new(),
        Err(source) => return Err(SettingsError::Unreadable { path: paths.config, source }),
    };
    let loaded = understand(paths, &content, &overrides.set)?;
    Ok(loaded)
}

/// Settings from what was typed, without looking at any file.
///
/// # Errors
/// See [`SettingsError`].
pub fn understand(paths: Paths, content: &str, set: &[String]) -> Result<Loaded, SettingsError> {
    let mut values = Values::new();
    let around = Surroundings { paths: &paths, disk: disk_bytes(&paths.data), cores: cores() };
    for key in KEYS {
        if let Some(value) = (key.default)(&around) {
            values.insert(key.name, (value, Origin::BuiltIn));
        }
    }
    file::read(&mut values, &paths.config, content)?;
    for assignment in set {
        file::set(&mut values, assignment)?;
    }
    let settings = self::meaning::settings(paths, &values)?;
    Ok(Loaded { settings, values })
}

/// The commented configuration file for a node at these paths.
#[must_use]
pub fn commented_file(paths: &Paths) -> String {
    keys::commented(&Surroundings { paths, disk: disk_bytes(&paths.data), cores: cores() })
}

/// The commented configuration file of a system-wide node with a large disk, the same on every machine.
#[must_use]
pub fn reference_file() -> String {
    let paths = Paths::within(Path::new("/var/lib/pannier"));
    keys::commented(&Surroundings { paths: &paths, disk: u64::MAX, cores: 4 })
}

/// How many cores the machine has; one if it does not say.
fn cores() -> i64 {
    std::thread::available_parallelism().map_or(1, |cores| i64::try_from(cores.get()).unwrap_or(i64::MAX))
}

/// Bytes of the disk that `path`, or the nearest folder above it that exists, lies on; zero if nobody knows.
fn disk_bytes(path: &Path) -> u64 {
    let exists = path.ancestors().find(|ancestor| ancestor.exists());
    exists.and_then(|path| rustix::fs::statvfs(path).ok()).map_or(0, |disk| disk.f_blocks * disk.f_frsize)
}

#[cfg(test)]
mod tests;
