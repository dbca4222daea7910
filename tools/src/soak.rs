//! The soak run: the demo's round trip again and again, while a random node is killed at a random moment of
//! each round. The homes stay the same throughout, so that whatever a kill leaves behind is met by the
//! rounds after it.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::field::{FieldError, FieldNode, PATIENCE, build, in_folder, now, pause};

const NAMES: [&str; 3] = ["village", "bus", "clinic"];
const VILLAGE: usize = 0;
const BUS: usize = 1;
const CLINIC: usize = 2;
/// A kill falls somewhere into the first so many milliseconds of a round.
const KILL_WITHIN_MS: u64 = 4000;

/// Three nodes and who is to be killed when.
struct Soak {
    nodes: Vec<FieldNode>,
    random: u64,
    /// When in this round the kill is due, and of whom; `None` once it is done.
    kill: Option<(Instant, usize)>,
    /// Whom the bus dials at the moment.
    dialled: Option<String>,
}

/// Runs the rounds; an error names what did not hold.
pub fn run(rounds: u32, seed: u64) -> Result<(), FieldError> {
    let binary = build(&["--features", "llama", "--bins"])?;
    eprintln!("seed {seed}");
    in_folder("soak", |folder| soak(rounds, seed, folder, &binary))
}

fn soak(rounds: u32, seed: u64, folder: &Path, binary: &Path) -> Result<(), FieldError> {
    let nodes = NAMES.iter().map(|name| FieldNode::create(name, folder, binary)).collect::<Result<_, _>>()?;
    let mut soak = Soak { nodes, random: seed, kill: None, dialled: None };
    soak.nodes[CLINIC].start()?;
    soak.nodes[CLINIC].command(&[
        "model",
        "add",
        "tools/model/field-report.gguf",
        "--name",
        "field-report",
    ])?;
    soak.nodes[VILLAGE].start()?;
    soak.nodes[BUS].start()?;
    let mut jobs = Vec::new();
    for round in 1..=rounds {
        let job = soak.round(round, folder)?;
        jobs.push(job);
    }
    soak.verify(&jobs)?;
    println!(
        "{rounds} rounds: {} jobs accepted, each answered exactly once; every store is sound",
        jobs.len()
    );
    Ok(())
}

impl Soak {
    fn round(&mut self, round: u32, folder: &Path) -> Result<String, FieldError> {
        let begin = now();
        let victim = usize::try_from(self.next() % 3).expect("three nodes");
        let delay = self.next() % KILL_WITHIN_MS;
        self.kill = Some((begin + Duration::from_millis(delay), victim));
        let question = folder.join("ask.txt");
        fs::write(
            &question,
            format!("Road {round} blocked by mud, {} people stranded, need trucks today.", 2 + round),
        )?;
        let question = question.to_string_lossy().into_owned();
        let mut job = String::new();
        let submit =
            ["submit", "--model", "field-report", "--kind", "chat", "-p", "temperature=0", &question];
        self.until("the job is accepted", |soak| {
            job = soak.nodes[VILLAGE].command(&submit)?;
            Ok(true)
        })?;
        self.meet(VILLAGE, "the bus has the job", |soak| soak.knows(BUS, &job))?;
        self.meet(CLINIC, "the bus has the answer", |soak| soak.is_answered(BUS, &job))?;
        self.meet(VILLAGE, "the village has the answer", |soak| soak.is_answered(VILLAGE, &job))?;
        // A moment that never came in the middle of the round comes at its end.
        self.until("the kill", |soak| Ok(soak.kill.is_none()))?;
        println!(
            "round {round}: {} killed after {delay} ms, answered in {:?}",
            NAMES[victim],
            begin.elapsed()
        );
        Ok(job)
    }

    /// Lets the bus meet one node, and nobody else, until something holds.
    fn meet(
        &mut self,
        whom: usize,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<bool, FieldError>,
    ) -> Result<(), FieldError> {
        self.until(what, |soak| {
            let address = soak.nodes[whom].address()?;
            if soak.dialled.as_ref() != Some(&address) {
                if let Some(old) = soak.dialled.take() {
                    soak.nodes[BUS].command(&["peer", "forget", &old])?;
                }
                soak.nodes[BUS].command(&["peer", "add", &address])?;
                soak.dialled = Some(address);
            }
            holds(soak)
        })?;
        self.until("the bus drives on", |soak| {
            let Some(old) = soak.dialled.clone() else { return Ok(true) };
            match soak.nodes[BUS].command(&["peer", "forget", &old]) {
                Ok(_) => soak.dialled = None,
                // A kill between the two halves of the same command: it is forgotten already.
                Err(FieldError::Command { output, .. }) if output.contains("no peer") => soak.dialled = None,
                Err(error) => return Err(error),
            }
            soak.nodes[BUS].stop()?;
            soak.nodes[BUS].start()?;
            Ok(true)
        })
    }

    /// Tries until it holds, killing when the moment has come. What fails because a node is down is tried
    /// again.
    fn until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<bool, FieldError>,
    ) -> Result<(), FieldError> {
        let deadline = now() + PATIENCE;
        let mut last = None;
        while now() < deadline {
            if let Some((moment, victim)) = self.kill
                && now() >= moment
            {
                self.kill = None;
                self.nodes[victim].kill()?;
                self.nodes[victim].start()?;
            }
            match holds(self) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error @ FieldError::Broken(_)) => return Err(error),
                Err(error) => last = Some(error),
            }
            pause(Duration::from_millis(50));
        }
        let last = last.map(|error| format!(" (last: {error})")).unwrap_or_default();
        Err(FieldError::TooLong(format!("{what}{last}")))
    }

    fn knows(&self, node: usize, job: &str) -> Result<bool, FieldError> {
        Ok(self.nodes[node].ask(&["list"])?.iter().any(|line| line["id"] == job))
    }

    fn is_answered(&self, node: usize, job: &str) -> Result<bool, FieldError> {
        let jobs = self.nodes[node].ask(&["list"])?;
        let state = jobs.iter().find(|line| line["id"] == job).map(|line| line["state"].clone());
        match state {
            Some(Value::String(state)) if state == "done" || state == "delivered" => Ok(true),
            Some(Value::String(state)) if state == "failed" || state == "expired" => {
                Err(FieldError::Broken(format!("{job} is {state} at {}", self.nodes[node].name())))
            }
            _ => Ok(false),
        }
    }

    /// Every job has one answer and one only, and every store is sound.
    fn verify(&mut self, jobs: &[String]) -> Result<(), FieldError> {
        for job in jobs {
            let told = self.nodes[VILLAGE].ask(&["status", job])?;
            let steps = told.iter().find_map(|line| line["journey"].as_array().cloned()).unwrap_or_default();
            let answers = steps.iter().filter(|step| step["step"] == "answered").count();
            if answers != 1 {
                return Err(FieldError::Broken(format!("{job} has {answers} answers in its journey")));
            }
            let answer = self.nodes[VILLAGE].command(&["fetch", job])?;
            if serde_json::from_str::<Value>(&answer).is_err() {
                return Err(FieldError::Broken(format!("{job} is answered with `{answer}`")));
            }
        }
        for node in &mut self.nodes {
            if !node.is_running() {
                node.start()?;
            }
            node.command(&["doctor"])?;
        }
        Ok(())
    }

    /// The next number of a small generator (splitmix64); a seed gives the same kills again.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
