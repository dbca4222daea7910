//! What can be typed to send and receive bundles: the flags that people know from `dtnsend`, `dtnrecv`,
//! `dtnquery` and `dtntrigger`. Understands, does nothing.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{Patience, patience};
use crate::settings::quantity;

/// What may be reported of a bundle, as the gateway names it.
const REPORTS: [&str; 5] = ["received", "forwarded", "delivered", "deleted", "all"];

/// On which port of this machine the node listens.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Place {
    /// Talk to the node that listens on this port of this machine
    #[arg(short, long, value_name = "PORT", hide_short_help = true)]
    port: Option<u16>,
    /// Reach that port over IPv6
    #[arg(short = '6', long, requires = "port", hide_short_help = true)]
    ipv6: bool,
}

impl Place {
    /// The node's address, if a port was given.
    pub(in crate::cli) fn address(&self) -> Option<String> {
        let host = if self.ipv6 { "[::1]" } else { "127.0.0.1" };
        self.port.map(|port| format!("http://{host}:{port}"))
    }
}

/// What is sent.
#[derive(Debug, Args)]
pub(in crate::cli) struct Send {
    /// The payload; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub(in crate::cli) file: PathBuf,
    /// The endpoint that it is for
    #[arg(short, long, value_name = "EID")]
    pub(in crate::cli) receiver: String,
    /// From this endpoint of this node
    ///
    /// A whole endpoint, or its last part, like `data`; by default the node itself
    #[arg(short, long, value_name = "ENDPOINT")]
    pub(in crate::cli) sender: Option<String>,
    /// How long it is worth carrying; a number is seconds
    #[arg(short, long, value_name = "DURATION", value_parser = lifetime)]
    pub(in crate::cli) lifetime: Option<Duration>,
    /// Only see whether it would be accepted
    #[arg(short = 'D', long = "dryrun", visible_alias = "dry-run")]
    pub(in crate::cli) dry_run: bool,
    /// Ask for status reports
    #[arg(long, value_name = "WHEN", value_delimiter = ',', value_parser = REPORTS)]
    pub(in crate::cli) report: Vec<String>,
    /// Where reports go; by default to this node
    #[arg(long, value_name = "EID", hide_short_help = true)]
    pub(in crate::cli) report_to: Option<String>,
    /// Ask for the time in reports
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) report_time: bool,
    /// Ask the receiving application for an acknowledgement
    #[arg(long, hide_short_help = true)]
    pub(in crate::cli) acknowledge: bool,
    /// It must arrive in one piece
    #[arg(long)]
    pub(in crate::cli) no_fragment: bool,
    /// How many hops it may take
    #[arg(long, value_name = "HOPS", value_parser = clap::value_parser!(u8).range(1..),
        hide_short_help = true)]
    pub(in crate::cli) hop_limit: Option<u8>,
    /// Which checksum its blocks carry
    #[arg(long, value_name = "BITS", value_parser = ["16", "32"], hide_short_help = true)]
    pub(in crate::cli) crc: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) place: Place,
}

/// What is received.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").args(["endpoint", "bid", "delete"]).required(true)))]
pub(in crate::cli) struct Recv {
    /// Take what has waited longest at this endpoint
    ///
    /// A whole endpoint, like `dtn://region/~news`, or the last part of one of this node, like `incoming`.
    /// Registers in it.
    #[arg(short, long, value_name = "ENDPOINT")]
    pub(in crate::cli) endpoint: Option<String>,
    /// Read this bundle and leave it there
    #[arg(short, long, value_name = "BID")]
    pub(in crate::cli) bid: Option<String>,
    /// Take this bundle without reading it
    ///
    /// Also takes back a bundle that was sent from here and has not gone yet.
    #[arg(short, long, value_name = "BID", conflicts_with_all = ["output", "hex", "raw", "keep", "wait"])]
    pub(in crate::cli) delete: Option<String>,
    /// Write into this file; into a folder everything that waits
    #[arg(short, long, visible_alias = "outfile", value_name = "FILE|DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Leave it there
    #[arg(short, long)]
    pub(in crate::cli) keep: bool,
    /// Wait until there is something
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, value_parser = patience,
        default_missing_value = "", requires = "endpoint")]
    pub(in crate::cli) wait: Option<Patience>,
    /// Print hexadecimal digits
    #[arg(short = 'x', long, conflicts_with = "output")]
    pub(in crate::cli) hex: bool,
    /// The whole bundle, not only its payload
    #[arg(short, long)]
    pub(in crate::cli) raw: bool,
    /// Only register in the endpoint
    #[arg(long, requires = "endpoint", conflicts_with_all = ["output", "keep", "wait", "hex", "raw"])]
    pub(in crate::cli) register: bool,
    /// Only end the registration; what waits goes on waiting
    #[arg(long, requires = "endpoint", hide_short_help = true,
        conflicts_with_all = ["output", "keep", "wait", "hex", "raw", "register"])]
    pub(in crate::cli) unregister: bool,
    #[command(flatten)]
    pub(in crate::cli) place: Place,
}

/// What is asked.
#[derive(Debug, Args)]
pub(in crate::cli) struct Query {
    #[command(subcommand)]
    pub(in crate::cli) what: Question,
    #[command(flatten)]
    pub(in crate::cli) place: Place,
}

/// One question.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Question {
    /// Endpoints of applications, and how much waits there
    Eids,
    /// Other nodes
    Peers,
    /// Bundles that are held
    Bundles {
        /// Only from or for endpoints that contain this
        #[arg(short, long, value_name = "ADDR")]
        addr: Option<String>,
    },
    /// How full the store is, and of what
    Store,
    /// The node at a glance
    Info,
    /// Who this node is
    Nodeid,
}

/// What is done with bundles as they come.
#[derive(Debug, Args)]
pub(in crate::cli) struct Trigger {
    /// The endpoint; registers in it
    #[arg(short, long, value_name = "ENDPOINT")]
    pub(in crate::cli) endpoint: String,
    /// The command, with its arguments
    ///
    /// It is started without a shell. `%s` is the source of the bundle, `%d` its destination, `%i` its id,
    /// `%n` the length of its payload and `%f` the file that holds it; `%%` is a percent sign. Without any of
    /// these, source and file are the last two arguments. The same is in the environment as BUNDLE_SOURCE,
    /// BUNDLE_DESTINATION, BUNDLE_ID, BUNDLE_BYTES and BUNDLE_FILE. If the command fails, the bundle stays.
    #[arg(short, long, value_name = "COMMAND")]
    pub(in crate::cli) command: String,
    /// How long after a failure a bundle is tried again
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = quantity::duration)]
    pub(in crate::cli) retry: Duration,
    /// Do what waits, then end
    #[arg(long)]
    pub(in crate::cli) once: bool,
    #[command(flatten)]
    pub(in crate::cli) place: Place,
}

/// A duration; a bare number is seconds.
fn lifetime(text: &str) -> Result<Duration, quantity::QuantityError> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => quantity::duration(text),
    }
}
