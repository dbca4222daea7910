//! Worlds of many pannier agents in virtual time: real agents, simulated hosts, links and people. `world`
//! is the loop; `../README.md` says what it is for.

pub mod check;
pub mod dice;
pub mod disk;
pub mod engine;
pub mod event;
pub mod host;
pub mod link;
pub mod pattern;
pub mod reference;
pub mod report;
pub mod scenario;
pub mod transition;
pub mod workload;
pub mod world;
