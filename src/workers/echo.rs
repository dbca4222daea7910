//! `pannier-echo`: the worker around the engine that gives back what it gets.

use std::process::ExitCode;

use pannier::inference::{echo::Echo, serve::serve};

fn main() -> ExitCode {
    serve(|_| Ok(Echo::default()))
}
