//! pannier: a delay-tolerant store-and-forward bundle agent for AI work.
//!
//! Jobs, results and pieces of models travel as BPv7 bundles (RFC 9171), stored durably and forwarded when a
//! link happens to be there; a job runs on whichever node holds both the job and its model. `ARCHITECTURE.md`
//! beside this file is the map; read `node::Node::run` and then [`agent::Agent`].
//!
//! The pure half (`agent`, `route`, `content`, `schedule`, `limits`, `time`) has no clock, no socket, no
//! disk and builds without the feature `node`; the node half is everything else.

pub mod agent;
pub mod content;
pub mod limits;
pub mod route;
pub mod schedule;
pub mod time;

#[cfg(feature = "node")]
pub mod cla;
#[cfg(feature = "node")]
pub mod cli;
#[cfg(feature = "node")]
pub mod gateway;
#[cfg(feature = "node")]
pub mod inference;
#[cfg(feature = "node")]
pub mod node;
#[cfg(feature = "node")]
pub mod settings;
#[cfg(feature = "node")]
pub mod store;
