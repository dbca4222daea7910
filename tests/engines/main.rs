//! Real engines on real models. Built and run with the engine's feature only; everything else is tested
//! without C++.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile_models;
mod llama;
mod stage;
