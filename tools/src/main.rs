//! `cargo xtask`: generated files, benchmarks, soak runs. For people who work on pannier; the product does
//! not need it.

mod bench;
mod field;
mod generate;
mod soak;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
        /// Which: `decode`, `store`, `link`; all if none is named.
        names: Vec<String>,
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
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Gen { check } => generate::run(check),
        Task::Bench { names } => bench::run(&names),
        Task::Soak { rounds, seed } => soak::run(rounds, seed),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
