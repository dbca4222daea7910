//! Behaviour as people meet it: through the shell, through HTTP, over links. One binary; a file is a behaviour that
//! somebody would search for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bundle_security;
mod clear_links;
mod cli_bundle;
mod cli_exit_codes;
mod cli_help;
mod cli_node;
mod doctor;
mod hostile_models;
mod joining;
mod mule_chain;
mod openai_gateway;
mod readiness;
mod restart_recovery;
mod roads;
mod sandbox;
mod sealed_jobs;
mod send_recv;
mod shell;
mod spool_walk;
mod store_full;
mod submit_fetch;
mod tidy;
mod trigger;
mod worker_crash;
