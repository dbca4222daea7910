//! `cargo xtask`: generated files, benchmarks, soak runs. For people who work on pannier; the product does
//! not need it.

mod bench;
mod cut;
mod ferry;
mod field;
mod generate;
mod interop;
mod relay;
mod soak;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use pannier::settings::quantity;

/// What can be asked for.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Generated files, benchmarks, soak runs")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write the generated files: manual pages, completions, the commented configuration.
    Gen {
        /// Write nothing; fail if a file is stale.
        #[arg(long)]
        check: bool,
    },
    /// Measure, each figure as a ratio to a peer or a limit in the same run.
    Bench {
        /// Which: `decode`, `store`, `link`, `forward`, `ping`, `tcpcl`; all if none is named.
        names: Vec<String>,
    },
    /// Let this node meet the agents of others, which are installed if they are missing.
    Interop {
        /// Run only these suites.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// Keep the homes and logs of the agents.
        #[arg(long)]
        keep: bool,
        /// Write the table into the README.
        #[arg(long)]
        write: bool,
    },
    /// Run the demo's round trip again and again, killing a random node at a random moment.
    Soak {
        /// How many rounds.
        #[arg(long, default_value_t = 50)]
        rounds: u32,
        /// Decides who is killed when.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Send one large bundle over a link that is cut every two seconds, and count what that costs.
    Cut {
        /// How long the payload is.
        #[arg(long, default_value = "1GB", value_parser = quantity::size)]
        size: u64,
        /// Over which road; over each if none is named.
        #[arg(long)]
        road: Option<relay::Road>,
        /// How many bytes a second the link carries.
        #[arg(long, default_value = "40MB", value_parser = quantity::size)]
        rate: u64,
    },
    /// Let a ferry carry bundles both ways between two nodes, of which it reaches one at a time.
    Ferry {
        /// How many bundles each way.
        #[arg(long, default_value_t = 1_000)]
        bundles: usize,
        /// How long each is.
        #[arg(long, default_value = "64KB", value_parser = quantity::size)]
        size: u64,
        /// How long the ferry stays on one side.
        #[arg(long, default_value = "15s", value_parser = quantity::duration)]
        window: Duration,
        /// Over which road; over each if none is named.
        #[arg(long)]
        road: Option<relay::Road>,
        /// How many bytes a second a link carries.
        #[arg(long, default_value = "2MB", value_parser = quantity::size)]
        rate: u64,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Gen { check } => generate::run(check),
        Task::Bench { names } => bench::run(&names),
        Task::Interop { only, keep, write } => interop::run(&interop::Options { only, keep, write }),
        Task::Soak { rounds, seed } => soak::run(rounds, seed),
        Task::Cut { size, road, rate } => cut::run(&cut::Options { size, road, rate }),
        Task::Ferry { bundles, size, window, road, rate } => {
            ferry::run(&ferry::Options { bundles, size, window, road, rate })
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
