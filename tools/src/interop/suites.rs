//! Which agents meet over which roads and what they try. A suite adds cells and never fails: what goes
//! wrong is a cell.

use std::{net::SocketAddr, path::Path, process::Command};

use super::{
    Run,
    agent::{Agent, Road, Wish},
    capture::Capture,
    courses::{SIZES, echo, many, one, payload, pieces, report, settled},
    dtnd::Dtnd,
    hardy::Hardy,
    install::{DTND_NAME, HARDY_NAME, PYD3TN_NAME, pyd3tn as python},
    pannier::Pannier,
    process::{PATIENCE, wait_for},
    table::Outcome,
};
use crate::field::FieldError;

type Suite = fn(&mut Run);

/// All suites in the order in which they run.
pub const ALL: [(&str, Suite); 8] = [
    ("control", |run| {
        run.table.is_control = true;
        control(run);
        hardy_control(run);
        run.table.is_control = false;
    }),
    ("dtnd-tcpcl", |run| dtnd(run, Road::Tcpcl)),
    ("dtnd-mtcp", |run| dtnd(run, Road::Mtcp)),
    ("dtnd-udp", |run| dtnd(run, Road::Udp)),
    ("chains", chains),
    ("hardy", hardy),
    ("pyd3tn", pyd3tn),
    ("wire", wire),
];

/// What dtnd does with fragments.
const NO_REASSEMBLY: &str = "dtnd hands each fragment to the application";
/// Why hardy's reports do not pass.
const FORBIDDEN_FLAG: &str = "its reports ask for reports about their blocks (RFC 9171 4.2.4 forbids it)";
/// Why there is no ping of dtnd.
const NO_ECHO: &str = "dtnd has no echo service; its example program is not in the published crate";
/// Why 10 MB do not come from dtnd.
const SMALL_BODIES: &str = "dtnd accepts 2 MiB over its REST interface";
/// A length that not everybody takes.
const LARGE: (&str, usize) = ("10 MB", 10_000_000);
/// Longest payload that is tried over UDP, in bytes.
const UDP_BYTES: usize = 60_000;

/// Two of the peer's own, without us: what fails here is not ours.
fn control(run: &mut Run) {
    for road in [Road::Tcpcl, Road::Mtcp] {
        match two_dtnd(run, road) {
            Ok((first, second)) => {
                let sizes = SIZES.into_iter().chain([LARGE]);
                for (name, len) in sizes {
                    let outcome = refused_large(len, settled(one(&first, &second, len, Wish::default())));
                    run.table.add(DTND_NAME, road, &format!("dtnd to dtnd, {name}"), outcome);
                }
                run.table.add(DTND_NAME, road, "dtnd to dtnd, 1,000 small", settled(many(&first, &second)));
                run.table.add(
                    DTND_NAME,
                    road,
                    "dtnd to dtnd, status report",
                    settled(report(&first, &second)),
                );
            }
            Err(outcome) => run.table.add(DTND_NAME, road, "dtnd to dtnd", outcome),
        }
    }
}

/// Two hardy nodes, without us.
fn hardy_control(run: &mut Run) {
    let road = Road::Tcpcl;
    let start = |run: &Run| -> Result<_, Outcome> {
        let binary = run.peers.hardy().map_err(Outcome::Absent)?;
        let begin = || -> Result<_, FieldError> {
            let folder = run.stage("control-hardy")?;
            let first = Hardy::start(&binary, 30, None, &folder)?;
            let second = Hardy::start(&binary, 31, None, &folder)?;
            first.meet(road, &second)?;
            Ok((first, second))
        };
        begin().map_err(broken)
    };
    let (first, second) = match start(run) {
        Ok(agents) => agents,
        Err(outcome) => return run.table.add(HARDY_NAME, road, "hardy to hardy", outcome),
    };
    for (name, len) in SIZES.into_iter().chain([LARGE]) {
        let outcome = settled(one(&first, &second, len, Wish::default()));
        run.table.add(HARDY_NAME, road, &format!("hardy to hardy, {name}"), outcome);
    }
    run.table.add(HARDY_NAME, road, "hardy to hardy, 1,000 small", settled(many(&first, &second)));
    run.table.add(HARDY_NAME, road, "hardy pings hardy", settled(echo(&first, &second.echo())));
}

/// dtnd does not take more than 2 MiB from its applications.
fn refused_large(len: usize, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Bad(_) if len == LARGE.1 => Outcome::Fault(SMALL_BODIES.to_owned()),
        outcome => outcome,
    }
}

fn two_dtnd(run: &Run, road: Road) -> Result<(Dtnd, Dtnd), Outcome> {
    let binaries = run.peers.dtn7().map_err(Outcome::Absent)?;
    let start = || -> Result<_, FieldError> {
        let folder = run.stage(&format!("control-{road}"))?;
        let first = Dtnd::start(&binaries, "north", &folder, "mem")?;
        let second = Dtnd::start(&binaries, "south", &folder, "mem")?;
        meet(road, &first, &second)?;
        Ok((first, second))
    };
    start().map_err(broken)
}

fn broken(error: FieldError) -> Outcome {
    Outcome::Bad(error.to_string())
}

/// Each dials the other when it has something.
fn meet(road: Road, first: &dyn Agent, second: &dyn Agent) -> Result<(), FieldError> {
    first.meet(road, second)?;
    second.meet(road, first)
}

/// We and dtnd, both ways.
fn dtnd(run: &mut Run, road: Road) {
    let start = |run: &Run| -> Result<_, Outcome> {
        let binaries = run.peers.dtn7().map_err(Outcome::Absent)?;
        let begin = || -> Result<_, FieldError> {
            let folder = run.stage(&format!("dtnd-{road}"))?;
            let dtnd = Dtnd::start(&binaries, "south", &folder, "mem")?;
            let node = Pannier::start(&run.binary()?, "north", &folder, "dtn://north/")?;
            meet(road, &node, &dtnd)?;
            Ok((node, dtnd))
        };
        begin().map_err(broken)
    };
    let (node, dtnd) = match start(run) {
        Ok(agents) => agents,
        Err(outcome) => return run.table.add(DTND_NAME, road, "we and dtnd", outcome),
    };
    let takes = |len: usize| road != Road::Udp || len <= UDP_BYTES;
    for (name, len) in SIZES.into_iter().chain([LARGE]).filter(|(_, len)| takes(*len)) {
        let out = settled(one(&node, &dtnd, len, Wish::default()));
        run.table.add(DTND_NAME, road, &format!("we to dtnd, {name}"), out);
        let back = refused_large(len, settled(one(&dtnd, &node, len, Wish::default())));
        run.table.add(DTND_NAME, road, &format!("dtnd to us, {name}"), back);
    }
    run.table.add(DTND_NAME, road, "we to dtnd, 1,000 small", settled(many(&node, &dtnd)));
    run.table.add(DTND_NAME, road, "dtnd to us, 1,000 small", settled(many(&dtnd, &node)));
    run.table.add(DTND_NAME, road, "fragments, dtnd to us", settled(cut_by_dtnd(&dtnd, &node)));
    run.table.add(DTND_NAME, road, "status report of dtnd", settled(report(&node, &dtnd)));
    run.table.add(DTND_NAME, road, "status report of ours", settled(report(&dtnd, &node)));
    run.table.add(DTND_NAME, road, "dtnd pings us", settled(echo(&dtnd, &node.echo())));
    run.table.add(DTND_NAME, road, "we ping dtnd", Outcome::Fault(NO_ECHO.to_owned()));
    if road == Road::Udp {
        let outcome = settled(cut_by_us(&node, &dtnd, 2 * UDP_BYTES, NO_REASSEMBLY));
        run.table.add(DTND_NAME, road, "fragments, we to dtnd", outcome);
    }
}

/// A bundle that reaches us in two fragments.
fn cut_by_dtnd(dtnd: &Dtnd, node: &Pannier) -> Result<Outcome, FieldError> {
    let sent = payload(5000, 11);
    dtnd.send_cut(&node.inbox(), &sent)?;
    let got = wait_for("the bundle from two fragments", PATIENCE, || node.take())?;
    match got == sent {
        true => Ok(Outcome::Good(String::new())),
        false => Ok(Outcome::Bad(format!("{} of {} B came", got.len(), sent.len()))),
    }
}

/// A bundle that is longer than the road takes at once.
fn cut_by_us(node: &Pannier, peer: &dyn Agent, len: usize, fault: &str) -> Result<Outcome, FieldError> {
    let sent = payload(len, 12);
    node.send(&peer.inbox(), &sent, Wish { may_fragment: true, ..Wish::default() })?;
    pieces(peer, &sent, fault)
}

/// dtnd between two of ours, and one of ours between two dtnd.
fn chains(run: &mut Run) {
    let road = Road::Tcpcl;
    let binaries = match run.peers.dtn7() {
        Ok(binaries) => binaries,
        Err(reason) => return run.table.add(DTND_NAME, road, "chains", Outcome::Absent(reason)),
    };
    for (what, roads) in [
        ("we - dtnd - we", [Road::Tcpcl, Road::Tcpcl]),
        ("we - dtnd - we", [Road::Mtcp, Road::Tcpcl]),
        ("dtnd - we - dtnd", [Road::Tcpcl, Road::Tcpcl]),
        ("dtnd - we - dtnd", [Road::Mtcp, Road::Tcpcl]),
    ] {
        let shown = format!("{}, {}", roads[0], roads[1]);
        match chain(run, &binaries, what.starts_with("we"), roads) {
            Ok([first, _relay, last]) => {
                for (from, to, direction) in [(&first, &last, "there"), (&last, &first, "back")] {
                    let small = settled(one(&**from, &**to, 1024, Wish::default()));
                    run.table.add(DTND_NAME, &shown, &format!("{what}, 1 KiB {direction}"), small);
                    let large = settled(one(&**from, &**to, 1_000_000, Wish::default()));
                    run.table.add(DTND_NAME, &shown, &format!("{what}, 1 MB {direction}"), large);
                }
                run.table.add(
                    DTND_NAME,
                    &shown,
                    &format!("{what}, 1,000 small"),
                    settled(many(&*first, &*last)),
                );
            }
            Err(error) => run.table.add(DTND_NAME, &shown, what, broken(error)),
        }
    }
}

/// Three agents in a row; the ones at the ends are of one kind, the relay is of the other.
fn chain(
    run: &Run,
    binaries: &Path,
    is_ours_outside: bool,
    roads: [Road; 2],
) -> Result<[Box<dyn Agent>; 3], FieldError> {
    let folder = run.stage(&format!("chain-{is_ours_outside}-{}-{}", roads[0], roads[1]))?;
    let start = |name: &str, is_ours: bool| -> Result<Box<dyn Agent>, FieldError> {
        Ok(match is_ours {
            true => Box::new(Pannier::start(&run.binary()?, name, &folder, &format!("dtn://{name}/"))?),
            false => Box::new(Dtnd::start(binaries, name, &folder, "mem")?),
        })
    };
    let agents = [
        start("first", is_ours_outside)?,
        start("relay", !is_ours_outside)?,
        start("last", is_ours_outside)?,
    ];
    meet(roads[0], &*agents[0], &*agents[1])?;
    meet(roads[1], &*agents[1], &*agents[2])?;
    Ok(agents)
}

/// We and hardy, both ways.
fn hardy(run: &mut Run) {
    let road = Road::Tcpcl;
    let start = |run: &Run| -> Result<_, Outcome> {
        let binary = run.peers.hardy().map_err(Outcome::Absent)?;
        let begin = || -> Result<_, FieldError> {
            let folder = run.stage("hardy")?;
            let hardy = Hardy::start(&binary, 20, None, &folder)?;
            let node = Pannier::start(&run.binary()?, "north", &folder, "ipn:10.0")?;
            node.meet(road, &hardy)?;
            Ok((node, hardy))
        };
        begin().map_err(broken)
    };
    let (node, hardy) = match start(run) {
        Ok(agents) => agents,
        Err(outcome) => return run.table.add(HARDY_NAME, road, "we and hardy", outcome),
    };
    for (name, len) in SIZES.into_iter().chain([LARGE]) {
        let out = settled(one(&node, &hardy, len, Wish::default()));
        run.table.add(HARDY_NAME, road, &format!("we to hardy, {name}"), out);
        let back = settled(one(&hardy, &node, len, Wish::default()));
        run.table.add(HARDY_NAME, road, &format!("hardy to us, {name}"), back);
    }
    run.table.add(HARDY_NAME, road, "we to hardy, 1,000 small", settled(many(&node, &hardy)));
    run.table.add(HARDY_NAME, road, "hardy to us, 1,000 small", settled(many(&hardy, &node)));
    run.table.add(HARDY_NAME, road, "status report of ours", settled(report(&hardy, &node)));
    run.table.add(HARDY_NAME, road, "hardy pings us", settled(echo(&hardy, &node.echo())));
    let ping = node.ping(&hardy.echo(), 20).map(|ms| Outcome::Good(format!("{ms:.2} ms")));
    run.table.add(HARDY_NAME, road, "we ping hardy", settled(ping));
    let outcome = settled(hardy_with_small_transfers(run));
    run.table.add(HARDY_NAME, road, "fragments, we to hardy", outcome);
    let outcome = settled(hardy_that_reports(run));
    run.table.add(HARDY_NAME, road, "status report of hardy", outcome);
}

/// hardy announces a small transfer limit: what is longer goes in fragments, which it puts together.
fn hardy_with_small_transfers(run: &Run) -> Result<Outcome, FieldError> {
    let binary = run.peers.hardy().map_err(FieldError::Broken)?;
    let folder = run.stage("hardy-small")?;
    let hardy = Hardy::start(&binary, 21, Some(65_536), &folder)?;
    let node = Pannier::start(&run.binary()?, "north", &folder, "ipn:11.0")?;
    node.meet_strictly(Road::Tcpcl, &hardy)?;
    cut_by_us(&node, &hardy, 500_000, "hardy does not put fragments together")
}

/// hardy asks for reports about the blocks of its own reports, which RFC 9171 §4.2.4 forbids: none of them
/// passes. (`bundle-spec/tests/hardy.rs` has the recorded bytes.) It sends it again and again: these two
/// meet nobody else.
fn hardy_that_reports(run: &Run) -> Result<Outcome, FieldError> {
    let binary = run.peers.hardy().map_err(FieldError::Broken)?;
    let folder = run.stage("hardy-reports")?;
    let hardy = Hardy::start(&binary, 22, None, &folder)?;
    let node = Pannier::start(&run.binary()?, "north", &folder, "ipn:12.0")?;
    node.meet(Road::Tcpcl, &hardy)?;
    match report(&node, &hardy) {
        Err(FieldError::TooLong(_)) => Ok(Outcome::Fault(FORBIDDEN_FLAG.to_owned())),
        result => result,
    }
}

/// Bundles of an independent encoder, over MTCP.
fn pyd3tn(run: &mut Run) {
    let road = Road::Mtcp;
    let node = || -> Result<_, FieldError> {
        let folder = run.stage("pyd3tn")?;
        Pannier::start(&run.binary()?, "north", &folder, "dtn://north/")
    };
    let (python, node) = match (python().map_err(Outcome::Absent), node().map_err(broken)) {
        (Ok(python), Ok(node)) => (python, node),
        (Err(outcome), _) | (_, Err(outcome)) => {
            return run.table.add(PYD3TN_NAME, road, "pyd3tn to us", outcome);
        }
    };
    for (case, what) in [
        ("crc32", "CRC-32C"),
        ("crc16", "CRC-16"),
        ("nocrc", "no CRC on the primary block"),
        ("ipn", "ipn source"),
        ("blocks", "hop count, age, previous node"),
        ("fragments", "two fragments"),
    ] {
        let outcome = settled(from_python(&python, &node, case));
        run.table.add(PYD3TN_NAME, road, &format!("pyd3tn to us, {what}"), outcome);
    }
}

fn from_python(python: &Path, node: &Pannier, case: &str) -> Result<Outcome, FieldError> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/pyd3tn/send.py");
    let address = node.listens(Road::Mtcp)?;
    let (host, port) = address.rsplit_once(':').expect("an address has a port");
    let output = Command::new(python).args([script, host, port, &node.inbox(), case]).output()?;
    if !output.status.success() {
        return Ok(Outcome::Bad(last_line(&output.stderr)));
    }
    let got = wait_for("the bundle of pyd3tn", PATIENCE, || node.take())?;
    match got == case.as_bytes() {
        true => Ok(Outcome::Good(String::new())),
        false => Ok(Outcome::Bad(format!("{} B arrived that are not what was sent", got.len()))),
    }
}

/// The last line of what a program complains of.
fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    text.trim().lines().last().unwrap_or("it said nothing").to_owned()
}

/// What we put on the wire before tshark, on each road that it knows.
fn wire(run: &mut Run) {
    let (strangers, kin) = ("as they meet strangers", "with what only they understand");
    for (road, transport, what) in
        [(Road::Tcpcl, "tcp", strangers), (Road::Tcpcl, "tcp", kin), (Road::Udp, "udp", strangers)]
    {
        let outcome = match recorded(run, road, transport, what == kin) {
            Ok(outcome) | Err(outcome) => outcome,
        };
        run.table.add("tshark", road, &format!("between two of ours, {what}"), outcome);
    }
}

fn recorded(run: &Run, road: Road, transport: &'static str, is_kin: bool) -> Result<Outcome, Outcome> {
    let folder = run.stage(&format!("wire-{road}-{is_kin}")).map_err(broken)?;
    let binary = run.binary().map_err(broken)?;
    let settings: &[&str] = if is_kin { &["cla.tcpclv4.lax=strict"] } else { &[] };
    let start =
        |name: &str| Pannier::start_with(&binary, name, &folder, (&format!("dtn://{name}/"), settings));
    let (first, second) = (start("first").map_err(broken)?, start("second").map_err(broken)?);
    let address = second.listens(road).map_err(broken)?;
    let port = address.parse::<SocketAddr>().map(|address| address.port());
    let port = port.map_err(|error| Outcome::Bad(error.to_string()))?;
    let capture = Capture::start(&folder, transport, port).map_err(Outcome::Absent)?;
    let exchange = || -> Result<Outcome, FieldError> {
        match is_kin {
            true => first.meet_strictly(road, &second)?,
            false => first.meet(road, &second)?,
        }
        let several_segments = (road == Road::Tcpcl).then_some(1_000_000);
        for len in [0, 1, 1024, UDP_BYTES].into_iter().chain(several_segments) {
            if let bad @ Outcome::Bad(_) = one(&first, &second, len, Wish::default())? {
                return Ok(bad);
            }
        }
        capture.judge()
    };
    exchange().map_err(broken)
}
