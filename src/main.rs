//! The `pannier` program.

use std::process::ExitCode;

use pannier::{cli, settings::env::Environment};

fn main() -> ExitCode {
    cli::run(std::env::args_os(), Environment::of_process())
}
