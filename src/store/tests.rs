//! Tests of the store through its contract: one suite over every implementation, and the log over a disk that
//! loses, tears and refuses.

mod contract;
mod crash;
mod directory;
mod handles;
mod sharing;
mod simdisk;
