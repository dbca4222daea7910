//! `pannier-llama`: the worker around llama.cpp, for models that write text, on the CPU.
//!
//! Started by the node's supervisor. llama.cpp aborts the process on some crafted models; that is why this is
//! a process of its own, the only one that this library is linked into.

#[path = "llama/complaints.rs"]
mod complaints;
#[path = "llama/engine.rs"]
mod engine;
#[path = "llama/generation.rs"]
mod generation;
#[path = "llama/model.rs"]
mod model;

use std::process::ExitCode;

use pannier::inference::serve::serve;

use self::engine::Llama;

fn main() -> ExitCode {
    serve(|_| Llama::new())
}
