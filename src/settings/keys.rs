//! Every key of `pannier.toml`: name, shape, built-in value, explanation. The file's reader, `--set`, the
//! commented file of `init` and `doctor` all come from this table.

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
/// Where the gateway listens if nobody says otherwise.
pub const GATEWAY_LISTEN: &str = "127.0.0.1:4580";
/// Most bytes that stay free on the disk by default, however large it is.
const KEEP_FREE_MAX: u64 = 1_000_000_000;
/// Which part of the disk stays free by default.
const KEEP_FREE_PART: u64 = 20;

/// The table.
pub static KEYS: [Key; 13] = [
    Key {
        name: "node.eid",
        shape: Shape::Text,
        help: "who this node is: `dtn://NAME/` or `ipn:NUMBER.0`; by default it follows from its key",
        example: Some("\"dtn://clinic/\""),
        default: |_| None,
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
        name: "cla.spool.watch",
        shape: Shape::Paths,
        help: "folders under which sticks appear; a stick that carries a spool is synchronised",
        example: Some("[\"/media\"]"),
        default: |_| Some(Value::Array(Vec::new())),
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
    for key in &KEYS {
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
