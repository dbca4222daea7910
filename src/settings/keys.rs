//! Every key of `pannier.toml`: name, shape, built-in value, explanation. The file's reader, `--set`, the
//! commented file of `init` and `doctor` all come from this table.

use std::time::Duration;

use toml::Value;

use super::{Paths, quantity};

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// A path.
    Path,
    /// Several paths.
    Paths,
    /// Several names.
    Names,
    /// Bytes with a unit.
    Size,
    /// Time with a unit.
    Duration,
    /// A positive number.
    Count,
    /// `ADDRESS:PORT` or `off`.
    Listen,
    /// Several `ADDRESS:PORT`.
    Listens,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One key.
pub struct Key {
    /// Section and name, joined by a full stop.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// What it is for.
    pub help: &'static str,
    /// What an example in the commented file looks like, where the built-in value depends on the machine.
    pub example: Option<&'static str>,
    /// The value if nobody says anything; `None` if there is none.
    pub default: fn(&Surroundings) -> Option<Value>,
}

/// What built-in values depend on.
pub struct Surroundings<'a> {
    /// Where things lie.
    pub paths: &'a Paths,
    /// Bytes of the disk that the data lies on.
    pub disk: u64,
    /// How many cores the machine has.
    pub cores: i64,
}

impl Key {
    /// The section.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.name.rsplit_once('.').expect("every key has a section").0
    }

    /// The name within its section.
    #[must_use]
    pub fn leaf(&self) -> &'static str {
        self.name.rsplit_once('.').expect("every key has a section").1
    }
}

/// Where the QUIC link listens if nobody says otherwise.
pub const QUIC_LISTEN: &str = "0.0.0.0:4558";
/// Where beacons go if nobody says otherwise: where `dtnd` listens for them.
const IPND_TO: [&str; 2] = ["224.0.0.26:3003", "[ff02::300]:3003"];
/// How far deviations of peers are tolerated.
pub const LENIENCIES: &[&str] = &["strict", "dtn7", "all"];
/// For whom a job is sealed whose asker does not say.
pub const SEAL_DEFAULTS: &[&str] = &["auto", "open", "group"];
/// The role of those who run sealed jobs.
pub const SEALING_ROLE: &str = "executors";
/// How long a sealed job may live if nobody says otherwise.
pub const SEALING_KEEP: Duration = Duration::from_secs(30 * 24 * 3600);
/// Whether sessions are encrypted.
pub const ENCRYPTIONS: &[&str] = &["require", "allow", "never"];
/// Whether encryption is allowed on a link.
pub const CLEARANCES: &[&str] = &["allowed", "forbidden"];
/// The keys that say so.
pub const ENCRYPTION_KEYS: [&str; 4] =
    ["cla.tcpclv4.encryption", "cla.mtcp.encryption", "cla.stcp.encryption", "cla.udp.encryption"];
/// Where the gateway listens if nobody says otherwise.
pub const GATEWAY_LISTEN: &str = "127.0.0.1:4580";
/// Most bytes that stay free on the disk by default, however large it is.
const KEEP_FREE_MAX: u64 = 1_000_000_000;
/// Which part of the disk stays free by default.
const KEEP_FREE_PART: u64 = 20;

/// The table.
pub static KEYS: &[Key] = &[
    Key {
        name: "node.eid",
        shape: Shape::Text,
        help: "who this node is: `dtn://NAME/` or `ipn:NUMBER.0`; by default it follows from its key",
        example: Some("\"dtn://clinic/\""),
        default: |_| None,
    },
    Key {
        name: "node.status-reports",
        shape: Shape::Choice(&["off", "on"]),
        help: "`on` answers bundles that ask for status reports; `off` leaves them unanswered",
        example: None,
        default: |_| Some(text("off")),
    },
    Key {
        name: "store.path",
        shape: Shape::Path,
        help: "folder of the store",
        example: None,
        default: |around| around.paths.data.join("store").to_str().map(text),
    },
    Key {
        name: "store.quota",
        shape: Shape::Size,
        help: "how much the store may take up; bundles that others carry are evicted first",
        example: None,
        default: |_| Some(text("50GB")),
    },
    Key {
        name: "store.keep-free",
        shape: Shape::Size,
        help: "how much stays free on the store's disk; by default a twentieth of it, at most 1GB",
        example: Some("\"1GB\""),
        default: |around| {
            Some(text(&quantity::exact_size((around.disk / KEEP_FREE_PART).min(KEEP_FREE_MAX))))
        },
    },
    Key {
        name: "cla.quic.listen",
        shape: Shape::Listen,
        help: "where other nodes reach this one, or `off`; a taken default port falls back to a free one",
        example: None,
        default: |_| Some(text(QUIC_LISTEN)),
    },
    Key {
        name: "cla.quic.quicclav1",
        shape: Shape::Choice(&["off", "on"]),
        help: "`on` speaks QUICCLv1 with other agents on the same port, too; `off` refuses it",
        example: None,
        default: |_| Some(text("off")),
    },
    Key {
        name: "cla.tcpclv4.listen",
        shape: Shape::Listen,
        help: "where bundle agents of others reach this node over TCPCLv4 (RFC 9174), or `off`",
        example: Some("\"0.0.0.0:4556\""),
        default: |_| Some(text("off")),
    },
    Key {
        name: "cla.tcpclv4.tls",
        shape: Shape::Choice(ENCRYPTIONS),
        help: "whether TCPCLv4 sessions are encrypted: `require`, `allow` (where the peer can) or `never`",
        example: None,
        default: |_| Some(text("require")),
    },
    Key {
        name: "cla.tcpclv4.authorities",
        shape: Shape::Path,
        help: "PEM file of the authorities that name TCPCLv4 and QUICCLv1 peers; node keys need none",
        example: Some("\"/etc/pannier/authorities.pem\""),
        default: |_| None,
    },
    Key {
        name: "cla.tcpclv4.certificate",
        shape: Shape::Path,
        help: "PEM file of the certificate that an authority has signed for this node, with its key",
        example: Some("\"/etc/pannier/certificate.pem\""),
        default: |_| None,
    },
    Key {
        name: "cla.tcpclv4.lax",
        shape: Shape::Choice(LENIENCIES),
        help: "how far deviations of peers that dial in are tolerated: `strict`, `dtn7` or `all`",
        example: None,
        default: |_| Some(text("strict")),
    },
    Key {
        name: "cla.tcpclv4.encryption",
        shape: Shape::Choice(CLEARANCES),
        help: "`forbidden` where peers dial in by radio: no TLS, and only what is signed and readable",
        example: None,
        default: |_| Some(text("allowed")),
    },
    Key {
        name: "cla.mtcp.listen",
        shape: Shape::Listen,
        help: "where others send bundles over MTCP, or `off`; there is no authentication: loopback or a VPN",
        example: Some("\"127.0.0.1:16162\""),
        default: |_| Some(text("off")),
    },
    Key {
        name: "cla.mtcp.lax",
        shape: Shape::Choice(LENIENCIES),
        help: "how far deviations in bundles that come over MTCP are tolerated: `strict`, `dtn7` or `all`",
        example: None,
        default: |_| Some(text("strict")),
    },
    Key {
        name: "cla.mtcp.encryption",
        shape: Shape::Choice(CLEARANCES),
        help: "`forbidden` where bundles come by radio: only what is signed and readable is taken",
        example: None,
        default: |_| Some(text("allowed")),
    },
    Key {
        name: "cla.stcp.listen",
        shape: Shape::Listen,
        help: "where others send bundles over STCP, or `off`; there is no authentication: loopback or a VPN",
        example: Some("\"127.0.0.1:4560\""),
        default: |_| Some(text("off")),
    },
    Key {
        name: "cla.stcp.lax",
        shape: Shape::Choice(LENIENCIES),
        help: "how far deviations in bundles that come over STCP are tolerated: `strict`, `dtn7` or `all`",
        example: None,
        default: |_| Some(text("strict")),
    },
    Key {
        name: "cla.stcp.encryption",
        shape: Shape::Choice(CLEARANCES),
        help: "`forbidden` where bundles come by radio: only what is signed and readable is taken",
        example: None,
        default: |_| Some(text("allowed")),
    },
    Key {
        name: "cla.udp.listen",
        shape: Shape::Listen,
        help: "where others send bundles of one datagram each, or `off`; there is no authentication",
        example: Some("\"127.0.0.1:4556\""),
        default: |_| Some(text("off")),
    },
    Key {
        name: "cla.udp.lax",
        shape: Shape::Choice(LENIENCIES),
        help: "how far deviations in bundles that come over UDP are tolerated: `strict`, `dtn7` or `all`",
        example: None,
        default: |_| Some(text("strict")),
    },
    Key {
        name: "cla.udp.encryption",
        shape: Shape::Choice(CLEARANCES),
        help: "`forbidden` where bundles come by radio: only what is signed and readable is taken",
        example: None,
        default: |_| Some(text("allowed")),
    },
    Key {
        name: "cla.udp.rate",
        shape: Shape::Size,
        help: "how many bytes a second go to one UDP peer at most: nobody says when it is too much",
        example: None,
        default: |_| Some(text("1MB")),
    },
    Key {
        name: "cla.ipnd.listen",
        shape: Shape::Listens,
        help: "where beacons of neighbours are heard and this node's own are sent from; `[]` for neither",
        example: Some("[\"0.0.0.0:3003\", \"[::]:3003\"]"),
        default: |_| Some(Value::Array(Vec::new())),
    },
    Key {
        name: "cla.ipnd.to",
        shape: Shape::Listens,
        help: "where beacons go that say where this node listens; groups among them are joined",
        example: None,
        default: |_| Some(Value::Array(IPND_TO.iter().copied().map(text).collect())),
    },
    Key {
        name: "cla.ipnd.period",
        shape: Shape::Duration,
        help: "how long from one beacon to the next",
        example: None,
        default: |_| Some(text("10s")),
    },
    Key {
        name: "cla.ipnd.lax",
        shape: Shape::Choice(LENIENCIES),
        help: "how far deviations of peers found by a beacon are tolerated: `strict`, `dtn7` or `all`",
        example: None,
        default: |_| Some(text("dtn7")),
    },
    Key {
        name: "cla.spool.watch",
        shape: Shape::Paths,
        help: "folders under which sticks appear; a stick that carries a spool is synchronised",
        example: Some("[\"/media\"]"),
        default: |_| Some(Value::Array(Vec::new())),
    },
    Key {
        name: "security.keys",
        shape: Shape::Path,
        help: "file with the keys of bundle security (BPSec), a JWK set; it is read again when it changes",
        example: Some("\"/etc/pannier/keys.json\""),
        default: |_| None,
    },
    Key {
        name: "security.link-key",
        shape: Shape::Text,
        help: "name of the HMAC key that signs and checks what crosses links where encryption is forbidden",
        example: Some("\"radio\""),
        default: |_| None,
    },
    Key {
        name: "security.rules",
        shape: Shape::Names,
        help: "who secures and checks what: `sign|verify|accept|encrypt|authenticate|decrypt BLOCKS` and \
               conditions; the first rule that fits holds",
        example: Some("[\"sign payload,primary with mesh\", \"verify payload from ipn:2.*.* required\"]"),
        default: |_| Some(Value::Array(Vec::new())),
    },
    Key {
        name: "sealing.default",
        shape: Shape::Choice(SEAL_DEFAULTS),
        help: "who may read jobs if `--seal` does not say: `open` (who carries them), `group` (executors) or \
               `auto`: `group` where the key of the role is known",
        example: None,
        default: |_| Some(text("auto")),
    },
    Key {
        name: "sealing.role",
        shape: Shape::Text,
        help: "the role for which `--seal group` seals; `pannier key create` makes its key",
        example: None,
        default: |_| Some(text(SEALING_ROLE)),
    },
    Key {
        name: "sealing.keep",
        shape: Shape::Duration,
        help: "how long a sealed job may live; keys that were rotated away are kept 30d longer, then \
               destroyed. The same on every node that seals for one role",
        example: None,
        default: |_| Some(text("30d")),
    },
    Key {
        name: "inference.engines",
        shape: Shape::Names,
        help: "engines that may run here; `[]` for a node that only carries",
        example: None,
        default: |_| Some(Value::Array(vec![text("llama"), text("echo")])),
    },
    Key {
        name: "inference.memory",
        shape: Shape::Size,
        help: "private memory of one worker",
        example: None,
        default: |_| Some(text("4GB")),
    },
    Key {
        name: "inference.threads",
        shape: Shape::Count,
        help: "threads of one worker; by default all cores but one, which is left to the links",
        example: Some("4"),
        default: |around| Some(Value::Integer((around.cores - 1).max(1))),
    },
    Key {
        name: "inference.task-time",
        shape: Shape::Duration,
        help: "longest time for one task",
        example: None,
        default: |_| Some(text("1h")),
    },
    Key {
        name: "inference.keep-loaded",
        shape: Shape::Duration,
        help: "how long an idle worker keeps its model",
        example: None,
        default: |_| Some(text("5m")),
    },
    Key {
        name: "gateway.listen",
        shape: Shape::Listen,
        help: "where programs on this machine reach the node over HTTP, or `off`; loopback only",
        example: None,
        default: |_| Some(text(GATEWAY_LISTEN)),
    },
    Key {
        name: "gateway.wait",
        shape: Shape::Duration,
        help: "how long a request waits for its answer before it is told where to ask again",
        example: None,
        default: |_| Some(text("30s")),
    },
];

/// The key of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known name that is closest to `name`, if any is close: for the hint.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let near = KEYS.iter().map(|key| (distance(name, key.name), key.name)).min()?;
    // Whoever leaves the beginning out means the key that ends so.
    let ending = KEYS.iter().find(|key| key.name.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')));
    if let Some(key) = ending.filter(|_| name.contains('.')) {
        return Some(key.name);
    }
    let leaf = name.rsplit('.').next().unwrap_or(name);
    let elsewhere = KEYS.iter().map(|key| (distance(leaf, key.leaf()), key.name)).min()?;
    [near, elsewhere].into_iter().min().filter(|(edits, _)| *edits <= 3).map(|(_, name)| name)
}

/// The commented configuration file: every key with its built-in value.
#[must_use]
pub fn commented(around: &Surroundings<'_>) -> String {
    let mut file = String::from(
        "# Configuration of a pannier node. Every key is shown with its built-in value; remove the `#`\n\
         # to change it. `pannier doctor` prints what is in force and where it comes from.\n",
    );
    let mut section = "";
    for key in KEYS {
        if key.section() != section {
            section = key.section();
            file.push_str(&format!("\n[{section}]\n"));
        }
        let value = match (key.example, (key.default)(around)) {
            (Some(example), _) => example.to_owned(),
            (None, Some(value)) => value.to_string(),
            (None, None) => String::from("\"\""),
        };
        file.push_str(&format!("# {}\n# {} = {value}\n", key.help, key.leaf()));
    }
    file
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Levenshtein's distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
