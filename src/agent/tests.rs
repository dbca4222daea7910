//! The agent through `handle` and `poll`, alone and among others.

mod awaited;
mod clearance;
mod clock;
mod contact;
mod crash;
mod fragment;
mod job;
mod limit;
mod mishap;
mod mule;
mod parts;
mod procedure;
mod registration;
mod report;
mod road;
mod sealed;
mod trust;
mod world;
