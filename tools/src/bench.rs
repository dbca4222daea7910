//! Benchmarks: each figure is a ratio to a peer or a limit that was measured in the same run.

mod decode;
mod forward;
mod link;
mod peers;
mod ping;
mod store;

use std::{path::PathBuf, time::Instant};

use self::forward::Rates;
use crate::{field::FieldError, interop::install};

/// One line of a table.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Our figure, with its unit.
    pub ours: String,
    /// The peer's or the limit's, with its unit and name.
    pub against: String,
    /// How many times better than the peer, or which part of the limit.
    pub ratio: f64,
    /// What the ratio shall be at least; zero where there is no goal.
    pub goal: f64,
    /// Whether everything else that belongs to the goal holds, in words.
    pub remark: String,
}

type Measure = fn() -> Result<Vec<Figure>, FieldError>;

/// Runs the named benchmarks, or all, and prints a table each.
pub fn run(names: &[String]) -> Result<(), FieldError> {
    let all: [(&str, Measure); 6] = [
        ("decode", decode_figures),
        ("store", store_figures),
        ("link", link_figures),
        ("forward", forward_figures),
        ("ping", ping_figures),
        ("tcpcl", peers::run),
    ];
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(known, _)| known == name)) {
        let known = all.map(|(name, _)| name).join("`, `");
        return Err(FieldError::Broken(format!("no benchmark `{unknown}`; there are `{known}`")));
    }
    if cfg!(debug_assertions) {
        return Err(FieldError::Broken("run benchmarks in release: `cargo xtask bench` does".to_owned()));
    }
    for (name, figures) in
        all.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|asked| asked == name))
    {
        println!("{name}");
        println!("| what | ours | against | ratio | goal | |\n|---|---|---|---|---|---|");
        for figure in figures()? {
            let Figure { what, ours, against, ratio, goal, remark } = figure;
            let verdict = match goal {
                0.0 => String::new(),
                goal if ratio >= goal => format!("{goal:.2} reached"),
                goal => format!("{goal:.2} missed"),
            };
            println!("| {what} | {ours} | {against} | {ratio:.2} | {verdict} | {remark} |");
        }
    }
    Ok(())
}

fn decode_figures() -> Result<Vec<Figure>, FieldError> {
    let rows = decode::run();
    Ok(rows
        .into_iter()
        .map(|row| Figure {
            what: format!("decode, all checks and checksums, {} B payload", row.payload_len),
            ours: format!("{:.0} ns", row.ours_ns),
            against: format!("bp7: {:.0} ns", row.bp7_ns),
            ratio: row.ratio(),
            goal: row.goal,
            remark: format!("{} allocations", row.allocations),
        })
        .collect())
}

/// Rounds of the store benchmark; the middle one counts.
const STORE_ROUNDS: usize = 7;

fn store_figures() -> Result<Vec<Figure>, FieldError> {
    let rows = store::run(&beside()?, STORE_ROUNDS).map_err(|error| FieldError::Broken(error.to_string()))?;
    Ok(rows
        .into_iter()
        .map(|row| Figure {
            what: format!("durable puts, {}", row.name),
            ours: format!("{:.1} MB/s", row.ours),
            against: format!("append and fdatasync: {:.1} MB/s", row.raw),
            ratio: row.ours / row.raw,
            goal: if row.name.starts_with("64 KiB") { 0.9 } else { 0.0 },
            remark: format!("sled alone: {:.1} MB/s, {:.1} times", row.sled, row.ours / row.sled),
        })
        .collect())
}

/// Beside the program: on the disk that is built on, not in memory.
fn beside() -> Result<PathBuf, FieldError> {
    let program = std::env::current_exe()?;
    Ok(program.parent().expect("a program lies in a folder").to_owned())
}

fn link_figures() -> Result<Vec<Figure>, FieldError> {
    let row = link::run(&beside()?.join("bench-link")).map_err(FieldError::Broken)?;
    let rate = |took| format!("{:.0} MB/s", row.rate(took) / 1e6);
    let figure = |peer: &str, took, goal, remark| Figure {
        what: "quic link, 1 MiB bundles, durably acknowledged, loopback".to_owned(),
        ours: rate(row.ours),
        against: format!("{peer}: {}", rate(took)),
        ratio: row.ratio(took),
        goal,
        remark,
    };
    let memory = format!(
        "peak memory {} MiB, {} MiB more than for a quarter of the load",
        row.memory >> 20,
        row.memory_growth >> 20
    );
    Ok(vec![
        figure("bare streams of quinn as it comes", row.quinn, 0.8, memory),
        figure("bare streams with the link's settings", row.tuned, 0.0, String::new()),
    ])
}

fn forward_figures() -> Result<Vec<Figure>, FieldError> {
    let hardy = install::hardy().map_err(FieldError::Broken)?;
    let Rates { ours, hardy } = forward::run(&hardy).map_err(FieldError::Broken)?;
    Ok(vec![Figure {
        what: "forwarding in memory, 1 KiB bundles".to_owned(),
        ours: format!("{ours:.0} bundles/s on one core"),
        against: format!("hardy: {hardy:.0} bundles/s on all cores"),
        ratio: ours / hardy,
        goal: 3.0,
        remark: "codec, agent and store; no disk, no socket".to_owned(),
    }])
}

/// How long an echo may take with stores in memory, in milliseconds.
const ECHO_MS: f64 = 0.5;

fn ping_figures() -> Result<Vec<Figure>, FieldError> {
    let row = ping::run(&beside()?)?;
    let figure = |stores: &str, took: f64, limit: f64, words: String| Figure {
        what: format!("echo over TCPCLv4, loopback, stores {stores}, median"),
        ours: format!("{took:.2} ms"),
        against: words,
        ratio: limit / took,
        goal: 1.0,
        remark: "asked over HTTP".to_owned(),
    };
    let commits = format!("two appends with fdatasync: {:.2} ms", 2.0 * row.commit);
    Ok(vec![
        figure("in memory", row.memory, ECHO_MS, format!("at most {ECHO_MS} ms")),
        figure("on the disk", row.durable, 2.0 * row.commit, commits),
    ])
}

/// The one clock of the benchmarks.
#[expect(clippy::disallowed_methods, reason = "measurements read clocks")]
fn now() -> Instant {
    Instant::now()
}
