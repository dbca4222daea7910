//! The agent through `handle` and `poll`, alone and among others.

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
mod trust;
mod world;
