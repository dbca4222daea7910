//! What can be typed: the tree of commands. Understands, does nothing.

mod exchange;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::exchange::{Query, Question, Recv, Send, Trigger};
use super::examples;
use crate::settings::quantity;

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(
    name = "pannier",
    version,
    about = "Carries AI jobs, answers and models over links that come and go",
    disable_help_subcommand = true,
    max_term_width = 80
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Print JSON lines, errors included
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say less; twice: not even errors
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) quiet: u8,
    /// Say more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Show no progress bars
    #[arg(long, global = true, hide_short_help = true)]
    pub(super) no_progress: bool,
    /// Read this configuration file
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub(super) config: Option<PathBuf>,
    /// Overrule the configuration
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE", hide_short_help = true)]
    pub(super) set: Vec<String>,
    /// Talk to this node
    #[arg(long, global = true, value_name = "URL|unix:PATH")]
    pub(super) node: Option<String>,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_short_help = true)]
    pub(super) color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One command.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Submit a job or data; prints its id
    #[command(after_long_help = examples::SUBMIT)]
    Submit(Submit),
    /// Fetch the answer to a job
    #[command(after_long_help = examples::FETCH)]
    Fetch(Fetch),
    /// List jobs
    #[command(after_long_help = examples::LIST)]
    List(List),
    /// Show the node, or the journey of a job
    #[command(after_long_help = examples::STATUS)]
    Status {
        /// A job's id, the beginning of one, or `@last`
        id: Option<String>,
    },
    /// Show what happens, as it happens
    #[command(after_long_help = examples::WATCH)]
    Watch {
        /// Only this job, until it has ended
        id: Option<String>,
    },
    /// Take a job back
    #[command(after_long_help = examples::CANCEL)]
    Cancel {
        /// A job's id, the beginning of one, or `@last`
        id: String,
    },
    /// Send a file as a bundle; prints its id
    #[command(after_long_help = examples::SEND)]
    Send(Send),
    /// Receive what waits at an endpoint
    #[command(after_long_help = examples::RECV)]
    Recv(Recv),
    /// Ask for endpoints, peers, bundles and the store
    #[command(after_long_help = examples::QUERY)]
    Query(Query),
    /// Run a command for every bundle that comes
    #[command(after_long_help = examples::TRIGGER)]
    Trigger(Trigger),
    /// Invite, add and dial other nodes
    #[command(subcommand, after_long_help = examples::PEER)]
    Peer(Peer),
    /// Join the node that an invitation is from
    #[command(after_long_help = examples::JOIN)]
    Join {
        /// What `pannier peer invite` has printed there; `-` for standard input
        #[arg(value_name = "URI")]
        uri: String,
        /// Only show whom it is from and what would be done
        #[arg(long, visible_alias = "dryrun")]
        dry_run: bool,
    },
    /// Carry bundles on a stick
    #[command(subcommand, after_long_help = examples::SPOOL)]
    Spool(Spool),
    /// See whether another node answers
    #[command(after_long_help = examples::PING)]
    Ping {
        /// The node or endpoint
        #[arg(value_name = "EID")]
        to: String,
        /// How long to wait
        #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = quantity::duration)]
        wait: std::time::Duration,
    },
    /// Add and list models
    #[command(subcommand, after_long_help = examples::MODEL)]
    Model(Model),
    /// Make a node: key, folders, configuration
    #[command(after_long_help = examples::INIT)]
    Init {
        /// Be this node; by default who it is follows from its key
        #[arg(long)]
        eid: Option<String>,
    },
    /// Run the node in the foreground
    #[command(after_long_help = examples::RUN)]
    Run {
        /// Write this file once submissions are accepted
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Look for problems
    #[command(after_long_help = examples::DOCTOR)]
    Doctor {
        /// Only what takes no time
        #[arg(long)]
        quick: bool,
    },
    /// Do one small job of every kind
    #[command(after_long_help = examples::SELFTEST)]
    Selftest {
        /// How long one job may take
        #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = quantity::duration)]
        wait: std::time::Duration,
    },
    /// Keys that jobs are sealed with; needs no node
    #[command(subcommand, after_long_help = examples::KEY)]
    Key(Key),
    /// Look at bundle files; needs no node
    #[command(subcommand, after_long_help = examples::BUNDLE)]
    Bundle(Bundle),
    /// Print completions for a shell
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_long_help = examples::MAN)]
    Man {
        /// Write one page per command into this folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

impl Command {
    /// The node's address, where the command itself names one.
    pub(super) fn address(&self) -> Option<String> {
        match self {
            Self::Send(args) => args.place.address(),
            Self::Recv(args) => args.place.address(),
            Self::Query(args) => args.place.address(),
            Self::Trigger(args) => args.place.address(),
            _ => None,
        }
    }
}

/// What is submitted.
#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The input; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(super) file: PathBuf,
    /// By which model: a name, a CID or `sha256:HEX`
    #[arg(short, long, value_name = "NAME|CID")]
    pub(super) model: Option<String>,
    /// Kind of work, like `chat`; `data` only carries
    ///
    /// One of chat, complete, embed, transcribe, speak, detect, echo, and data, which is carried and not
    /// worked on
    #[arg(short, long, default_value = "chat", value_parser = kinds(), hide_possible_values = true)]
    pub(super) kind: String,
    /// Where `data` goes
    #[arg(long, value_name = "EID")]
    pub(super) to: Option<String>,
    /// A parameter, like `max_tokens=32`
    #[arg(short, value_name = "KEY=VALUE")]
    pub(super) parameters: Vec<String>,
    /// Parameters from a TOML file
    #[arg(short = 'f', value_name = "FILE", hide_short_help = true)]
    pub(super) parameter_file: Option<PathBuf>,
    /// Media type of the input
    #[arg(long, value_name = "TYPE", hide_short_help = true)]
    pub(super) media: Option<String>,
    /// How long it is worth carrying
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    pub(super) lifetime: Option<std::time::Duration>,
    /// Do it even if the same was done before
    #[arg(long)]
    pub(super) fresh: bool,
    /// Who may read it: `open`, `group` or `to:NODE,..`
    ///
    /// `open`: whoever carries it. `group`: the executors, by the key of their role. `to:NODE,NODE`: these
    /// nodes, by the keys that `pannier key add` has taken. By default what `sealing.default` says
    #[arg(long, value_name = "WHO")]
    pub(super) seal: Option<String>,
    /// Wait for the answer
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = patience,
        default_missing_value = "")]
    pub(super) wait: Option<Patience>,
}

/// What is fetched.
#[derive(Debug, Args)]
pub(super) struct Fetch {
    /// A job's id, the beginning of one, or `@last`
    pub(super) id: String,
    /// Write the answer into this file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Wait for the answer
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = patience,
        default_missing_value = "")]
    pub(super) wait: Option<Patience>,
}

/// How long somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as it takes.
    Endless,
    /// At most this long.
    Until(std::time::Duration),
}

fn patience(text: &str) -> Result<Patience, quantity::QuantityError> {
    if text.is_empty() {
        return Ok(Patience::Endless);
    }
    let duration = quantity::duration(text)?;
    Ok(Patience::Until(duration))
}

fn kinds() -> clap::builder::PossibleValuesParser {
    let kinds = bundle_spec::adu::Kind::ALL.iter().map(|kind| kind.name());
    clap::builder::PossibleValuesParser::new(kinds.chain(["data"]))
}

/// The states of a job, as the gateway names them.
const STATES: [&str; 8] =
    ["waiting", "carried", "running", "done", "failed", "delivered", "expired", "cancelled"];

/// What is listed.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only jobs in this state
    #[arg(long, value_parser = STATES)]
    pub(super) state: Option<String>,
    /// Only jobs that were submitted here
    #[arg(long)]
    pub(super) mine: bool,
}

/// Other nodes.
#[derive(Debug, Subcommand)]
pub(super) enum Peer {
    /// Dial an address from now on
    Add {
        /// `quic://HOST:PORT`, or `tcpclv4`, `mtcp`, `stcp`, `udp`; `?eid=NODE` names who is there
        address: String,
    },
    /// Print an invitation, with which another node can `join` this one
    Invite(Invite),
    /// List addresses and the nodes that were met
    List,
    /// No longer dial an address
    Forget {
        /// Where it leads to: what was said behind `?` does not matter
        address: String,
    },
}

/// How others are asked in.
#[derive(Debug, Args)]
pub(super) struct Invite {
    /// What people call this node
    #[arg(long)]
    pub(super) name: Option<String>,
    /// How long it holds; by default 30 days
    #[arg(long, value_name = "DURATION", value_parser = quantity::duration)]
    pub(super) lifetime: Option<std::time::Duration>,
    /// Show it as a QR code, even where it is not seen on a terminal
    #[arg(long)]
    pub(super) qr: bool,
    /// Write it as a QR code into this PNG file
    #[arg(long, value_name = "FILE")]
    pub(super) png: Option<PathBuf>,
}

/// Sticks.
#[derive(Debug, Subcommand)]
pub(super) enum Spool {
    /// Write what is useful elsewhere into a folder
    Export {
        /// The folder, for example on a stick
        dir: PathBuf,
        /// Only for this node; may be given several times
        #[arg(long, value_name = "EID")]
        to: Vec<String>,
        /// Take up no more than this
        #[arg(long, value_name = "SIZE", value_parser = quantity::size)]
        max: Option<u64>,
    },
    /// Take in what lies in a folder
    Import {
        /// The folder
        dir: PathBuf,
    },
}

/// Models.
#[derive(Debug, Subcommand)]
pub(super) enum Model {
    /// Take a model file into the store
    Add {
        /// The file
        file: PathBuf,
        /// What jobs call it; by default the file's name
        #[arg(long)]
        name: Option<String>,
        /// What it is: a model, or `data` for any other file
        #[arg(long, value_name = "KIND", default_value = "gguf", value_parser = ["gguf", "data"])]
        kind: String,
    },
    /// List models here and elsewhere
    List,
    /// Show one model
    Show {
        /// A name, a CID or `sha256:HEX`
        name: String,
    },
    /// No longer keep a model
    Drop {
        /// Its name
        name: String,
    },
}

/// Keys that jobs are sealed with.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the keys that are known here
    List,
    /// Print the line that others need to seal for this node, or for a role
    Show {
        /// The key of this role
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
        /// The secret of the role, for who is to run its jobs: keep it secret
        #[arg(long, requires = "role")]
        secret: bool,
    },
    /// Take in lines that `key show` has printed elsewhere
    Add {
        /// The file; `-` for standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Make the key of a role
    Create {
        /// Its name; `--seal group` uses the one in `sealing.role`
        role: String,
    },
    /// Make a new key; the one before still opens what was sealed for it
    Rotate {
        /// The key of this role, instead of this node's own
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
    },
    /// Forget the keys of a role or of another node
    Forget {
        /// The name of a role, or a node's EID
        name: String,
    },
}

/// Bundle files.
#[derive(Debug, Subcommand)]
pub(super) enum Bundle {
    /// Show what a bundle says
    Inspect {
        /// The file; `-` for standard input
        file: PathBuf,
    },
    /// Check a bundle against RFC 9171, its security operations, and the signature of a result
    Validate {
        /// The file; `-` for standard input
        file: PathBuf,
        /// Keys to check security operations (BPSec) with: a JWK set
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Make a bundle of a payload
    Create {
        /// The payload; `-` for standard input
        file: PathBuf,
        /// Who it is from
        #[arg(long, value_name = "EID")]
        source: String,
        /// Where it goes
        #[arg(long, value_name = "EID")]
        destination: String,
        /// How long it is worth carrying
        #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = quantity::duration)]
        lifetime: std::time::Duration,
        /// Write it into this file; by default to standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}
