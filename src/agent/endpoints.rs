//! The endpoints that pannier itself uses, in one place.

use bundle_spec::{Eid, Header, NodeId};

/// Where jobs go: whoever can do them takes them (non-singleton, RFC 9171 §4.2.5.1.1).
pub const JOBS: &str = "dtn://pannier/~jobs";
/// Where content blocks go that jobs and results link to.
pub const BLOCKS: &str = "dtn://pannier/~blocks";
/// Demux and service number under which a node takes answers.
pub const ANSWERS: (&str, u64) = ("answers", 4557);
/// Demux and service number that sends back what it gets.
pub const ECHO: (&str, u64) = ("echo", 7);

/// The other service number that does, as HDTN has it.
pub const ECHO_HDTN: u64 = 2047;

/// What a bundle is to us, as its destination says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The answer to a job.
    Result,
    /// A job.
    Job,
    /// A content block that travels on its own.
    Block,
    /// Somebody's data, a part of a bundle, anything.
    Other,
}

/// Where jobs go.
pub fn jobs() -> Eid {
    JOBS.parse().expect("the constant is an endpoint")
}

/// Where content blocks go.
pub fn blocks() -> Eid {
    BLOCKS.parse().expect("the constant is an endpoint")
}

/// Where a node takes answers.
pub fn answers(node: &NodeId) -> Eid {
    node.endpoint(ANSWERS.0, ANSWERS.1)
}

/// Where a node sends back what it gets.
pub fn echo(node: &NodeId) -> Eid {
    node.endpoint(ECHO.0, ECHO.1)
}

/// Whether this is where the node sends back what it gets.
pub fn is_echo(node: &NodeId, endpoint: &Eid) -> bool {
    *endpoint == echo(node) || *endpoint == node.endpoint(ECHO.0, ECHO_HDTN)
}

/// What a bundle looks like; only its payload tells whether it is that.
pub fn role(header: &Header) -> Role {
    if header.primary().flags().is_fragment() || header.primary().flags().is_administrative() {
        return Role::Other;
    }
    role_of(header.primary().destination())
}

/// What a bundle for this destination looks like.
pub fn role_of(destination: &Eid) -> Role {
    if *destination == jobs() {
        return Role::Job;
    }
    if *destination == blocks() {
        return Role::Block;
    }
    match destination.node_id() {
        Some(node) if answers(&node) == *destination => Role::Result,
        Some(_) | None => Role::Other,
    }
}

/// Which wish of its asker a job bundle is: its sequence number, which orders the wishes of one node without
/// a clock. Zero, which every receipt and cancellation covers, where another node asks on its behalf: the
/// numbers of that one say nothing here.
pub fn wish(header: &Header) -> u64 {
    let primary = header.primary();
    let asker = asker(header).and_then(|eid| eid.node_id());
    match asker == primary.source().node_id() {
        true => primary.timestamp().sequence,
        false => 0,
    }
}

/// Who wants the answer to the job in this bundle: where reports go, else who sent it.
pub fn asker(header: &Header) -> Option<Eid> {
    let primary = header.primary();
    [primary.report_to(), primary.source()].into_iter().find(|eid| eid.node_id().is_some()).map(Eid::detached)
}
