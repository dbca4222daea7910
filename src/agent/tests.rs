//! The agent through `handle` and `poll`, alone and among others.

mod contact;
mod crash;
mod job;
mod limit;
mod mishap;
mod mule;
mod trust;
mod world;
