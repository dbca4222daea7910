//! `pannier-sim`: runs worlds and says whether everything held. Figures go to standard output, talk and
//! violations to standard error.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use clap::{Parser, Subcommand};
use simulations::{
    report::{self, Log, Summary},
    scenario::{Scenario, ScenarioError},
    world::{Outcome, World},
};

const RUN_EXAMPLES: &str = "Examples:
  pannier-sim run village_bus --seeds 100
  pannier-sim run mule_chain --seed 7 --out runs/7";
const REPLAY_EXAMPLES: &str = "Examples:
  pannier-sim replay village_bus --seed 7 --until 3h
  pannier-sim replay village_bus --seed 7 --trace bafyr4i";

/// Worlds of many pannier agents in virtual time, from a seed.
#[derive(Parser)]
#[command(name = "pannier-sim", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Runs a scenario from one or many seeds and checks that everything holds.
    #[command(
        after_help = RUN_EXAMPLES
    )]
    Run {
        /// A shipped scenario or the path of a scenario file.
        scenario: String,
        /// Seeds 0 to N-1.
        #[arg(long, value_name = "N", conflicts_with = "seed")]
        seeds: Option<u64>,
        /// This seed.
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
        /// Where events.jsonl and summary.json go; with several seeds the events of each are in a folder of
        /// their own.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Runs one seed and prints what happens, a line of JSON each.
    #[command(
        after_help = REPLAY_EXAMPLES
    )]
    Replay {
        /// A shipped scenario or the path of a scenario file.
        scenario: String,
        /// The seed.
        #[arg(long, value_name = "S")]
        seed: u64,
        /// Only what happens before: 90s, 15m, 3h, 2d, or milliseconds.
        #[arg(long, value_name = "T", value_parser = parse_time)]
        until: Option<u64>,
        /// Only what names this job or bundle, or anything else with this text.
        #[arg(long, value_name = "ID")]
        trace: Option<String>,
    },
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
enum SimError {
    #[error("`{0}` is neither a shipped scenario ({1}) nor a file that can be read: {2}")]
    NoScenario(String, String, io::Error),
    #[error("`{0}`: {1}")]
    Scenario(String, ScenarioError),
    #[error("`{0}` cannot be written: {1}")]
    Write(PathBuf, io::Error),
    #[error("standard output cannot be written: {0}")]
    Print(io::Error),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Run { scenario, seeds, seed, out } => {
            let seeds = match (seeds, seed) {
                (Some(count), _) => 0..count,
                (None, Some(seed)) => seed..seed.saturating_add(1),
                (None, None) => 0..1,
            };
            run(&scenario, seeds.collect(), out.as_deref())
        }
        Verb::Replay { scenario, seed, until, trace } => {
            replay(&scenario, seed, until.unwrap_or(u64::MAX), &trace.unwrap_or_default())
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pannier-sim: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held in every world.
fn run(name: &str, seeds: Vec<u64>, out: Option<&Path>) -> Result<bool, SimError> {
    let scenario = read_scenario(name)?;
    let outcomes = run_all(&scenario, &seeds, out)?;
    for summary in outcomes.iter().filter(|summary| summary.violation.is_some()) {
        let what = summary.violation.as_deref().unwrap_or_default();
        let (seed, commit) = (summary.seed, report::commit());
        eprintln!(
            "violation: {what}\nseed={seed} commit={commit} run: pannier-sim replay {name} --seed {seed}"
        );
    }
    let total = Summary::total(&outcomes);
    if let Some(out) = out {
        let text = serde_json::json!({
            "scenario": scenario.name, "commit": report::commit(), "total": total, "runs": outcomes,
        });
        write(&out.join("summary.json"), &format!("{text:#}\n"))?;
    }
    let table = total.map(|total| total.table(outcomes.len())).unwrap_or_default();
    io::stdout().write_all(table.as_bytes()).map_err(SimError::Print)?;
    Ok(outcomes.iter().all(|summary| summary.violation.is_none()))
}

/// Runs every seed, several at once; the answers are in the order of the seeds.
fn run_all(scenario: &Scenario, seeds: &[u64], out: Option<&Path>) -> Result<Vec<Summary>, SimError> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(seed) = seeds.get(place) else { return Ok(done) };
            let outcome = run_one(scenario, *seed, out.is_some());
            if let Some(out) = out {
                let folder = if seeds.len() == 1 { out.to_owned() } else { out.join(format!("seed-{seed}")) };
                write(&folder.join("events.jsonl"), outcome.log.lines())?;
            }
            done.push((place, Summary::of(&scenario.name, *seed, &outcome)));
        }
    };
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let parts: Vec<Result<Vec<(usize, Summary)>, SimError>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().expect("a world that panics is an outcome"));
        joined.collect()
    });
    let mut all = Vec::with_capacity(seeds.len());
    for part in parts {
        all.extend(part?);
    }
    all.sort_unstable_by_key(|(place, _)| *place);
    Ok(all.into_iter().map(|(_, summary)| summary).collect())
}

fn run_one(scenario: &Scenario, seed: u64, keeps_lines: bool) -> Outcome {
    let log = if keeps_lines { Log::kept() } else { Log::default() };
    World::new(scenario.clone(), seed, log).run()
}

/// Whether everything held.
fn replay(name: &str, seed: u64, until: u64, trace: &str) -> Result<bool, SimError> {
    let scenario = read_scenario(name)?;
    let outcome = run_one(&scenario, seed, true);
    let mut stdout = io::stdout().lock();
    for line in outcome.log.lines().lines() {
        let is_late = time_of(line).is_some_and(|at| at > until);
        if !is_late && line.contains(trace) {
            writeln!(stdout, "{line}").map_err(SimError::Print)?;
        }
    }
    stdout.flush().map_err(SimError::Print)?;
    if let Some(failure) = &outcome.failure {
        eprintln!("violation: {failure}");
    }
    Ok(outcome.failure.is_none())
}

fn time_of(line: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(line).ok()?.get("t")?.as_u64()
}

fn read_scenario(name: &str) -> Result<Scenario, SimError> {
    let text = match Scenario::shipped(name) {
        Some(text) => text.to_owned(),
        None => fs::read_to_string(name).map_err(|error| {
            let names: Vec<&str> = Scenario::names().collect();
            SimError::NoScenario(name.to_owned(), names.join(", "), error)
        })?,
    };
    Scenario::parse(&text).map_err(|error| SimError::Scenario(name.to_owned(), error))
}

fn write(path: &Path, text: &str) -> Result<(), SimError> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|error| SimError::Write(path.to_owned(), error))
}

/// A time as `90s`, `15m`, `3h`, `2d`, or milliseconds.
fn parse_time(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; examples: 90s, 15m, 3h, 2d");
    let units = [('s', 1000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
    let unit = units.iter().find(|(unit, _)| text.ends_with(*unit));
    let number = unit.map_or(text, |(unit, _)| text.trim_end_matches(*unit));
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit.map_or(1, |(_, ms)| *ms)).ok_or_else(wrong)
}
