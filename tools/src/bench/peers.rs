//! Two nodes of one kind over TCPCLv4 on loopback, ours and dtnd's in turn: from the first submission until
//! the last delivery. Ours have their durable store; those of dtnd keep bundles in memory, as they do by
//! default.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{Figure, now};
use crate::{
    field::{FieldError, pause},
    interop::{Agent, Dtnd, Hardy, Http, Pannier, Road, Wish, install, payload, wait_for},
};

/// A load: how many bundles of which length.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    count: usize,
    len: usize,
    /// How many times dtnd's rate ours shall be.
    goal: f64,
}

const LOADS: [Load; 4] = [
    Load { name: "10,000 x 1 kB", count: 10_000, len: 1000, goal: 10.0 },
    Load { name: "2,000 x 60 kB", count: 2_000, len: 60_000, goal: 20.0 },
    Load { name: "100 x 1 MB", count: 100, len: 1_000_000, goal: 5.0 },
    Load { name: "1 x 1 GB", count: 1, len: 1_000_000_000, goal: 0.0 },
];
/// The longest payload that dtnd takes from an application, in bytes.
const DTND_BYTES_MAX: usize = 2_000_000;
/// Applications that submit at a time.
const SENDERS: usize = 8;
/// How often it is looked whether all has been delivered.
const LOOK: Duration = Duration::from_millis(5);
/// How long one load may take.
const PATIENCE: Duration = Duration::from_secs(200);
/// Pings of which the middle one counts.
const PINGS: usize = 101;

/// What one load came to.
struct Measured {
    seconds: f64,
    delivered: usize,
    /// Greatest memory of sender and receiver, in bytes.
    memory: [u64; 2],
}

impl Measured {
    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let delivered = self.delivered as f64;
        delivered / self.seconds
    }

    fn text(&self, load: Load) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let bytes = self.rate() * load.len as f64;
        let all = if self.delivered == load.count { "" } else { ", not all" };
        format!("{:.0}/s, {:.1} MB/s{all}", self.rate(), bytes / 1e6)
    }

    fn memory_text(&self) -> String {
        let [sender, receiver] = self.memory.map(|bytes| bytes / 1_000_000);
        format!("{sender} and {receiver} MB")
    }
}

/// Measures all loads, and pings.
pub fn run() -> Result<Vec<Figure>, FieldError> {
    let folder = env::temp_dir().join(format!("pannier-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let figures = figures(&folder);
    fs::remove_dir_all(&folder)?;
    figures
}

fn figures(folder: &Path) -> Result<Vec<Figure>, FieldError> {
    let (pannier, dtn7) = (install::pannier()?, install::dtn7().map_err(FieldError::Broken)?);
    let mut figures = Vec::new();
    for (number, load) in LOADS.into_iter().enumerate() {
        let stage = |name: &str| -> Result<PathBuf, FieldError> {
            let stage = folder.join(format!("{name}-{number}"));
            fs::create_dir_all(&stage)?;
            Ok(stage)
        };
        let ours = ours(&pannier, &stage("ours")?, load)?;
        let theirs = match load.len <= DTND_BYTES_MAX {
            true => Some(dtnd(&dtn7, &stage("dtnd")?, load)?),
            false => None,
        };
        figures.push(figure(load.name, load, &ours, theirs.as_ref()));
        if number == 0 {
            let name = format!("{}, stored before the link came", load.name);
            let load = Load { goal: 0.0, ..load };
            let ours = ours_waiting(&pannier, &stage("ours-waiting")?, load)?;
            let theirs = dtnd_waiting(&dtn7, &stage("dtnd-waiting")?, load)?;
            figures.push(figure(&name, load, &ours, Some(&theirs)));
        }
    }
    figures.push(pings(&pannier, folder)?);
    Ok(figures)
}

fn figure(name: &str, load: Load, ours: &Measured, theirs: Option<&Measured>) -> Figure {
    Figure {
        what: format!("TCPCLv4, durable, {name}"),
        ours: ours.text(load),
        against: theirs.map_or_else(
            || "dtnd in memory: takes 2 MiB at most".to_owned(),
            |theirs| format!("dtnd in memory: {}", theirs.text(load)),
        ),
        ratio: theirs.map_or(0.0, |theirs| ours.rate() / theirs.rate()),
        goal: load.goal,
        remark: match theirs {
            Some(theirs) => format!("memory {}, dtnd {}", ours.memory_text(), theirs.memory_text()),
            None => format!("memory {}", ours.memory_text()),
        },
    }
}

fn ours(binary: &Path, folder: &Path, load: Load) -> Result<Measured, FieldError> {
    let first = Pannier::start(binary, "first", folder, "dtn://first/")?;
    let second = Pannier::start(binary, "second", folder, "dtn://second/")?;
    first.meet_strictly(Road::Tcpcl, &second)?;
    let path = first.submission(&second.inbox());
    measure(&first, &second, load, (first.port(), &path), || second.delivered())
}

fn dtnd(binaries: &Path, folder: &Path, load: Load) -> Result<Measured, FieldError> {
    let first = Dtnd::start(binaries, "first", folder, "mem")?;
    let second = Dtnd::start(binaries, "second", folder, "mem")?;
    first.meet(Road::Tcpcl, &second)?;
    second.meet(Road::Tcpcl, &first)?;
    let path = format!("/send?dst={}", second.inbox());
    measure(&first, &second, load, (first.port(), &path), || second.delivered())
}

/// The same with bundles that are there already when the link comes: what counts is from the contact until
/// all are delivered.
fn ours_waiting(binary: &Path, folder: &Path, load: Load) -> Result<Measured, FieldError> {
    let first = Pannier::start(binary, "first", folder, "dtn://first/")?;
    let second = Pannier::start(binary, "second", folder, "dtn://second/")?;
    let path = first.submission(&second.inbox());
    submit_all(load, (first.port(), &path))?;
    let start = now();
    first.meet_strictly(Road::Tcpcl, &second)?;
    await_all(&first, &second, load.count, start, || second.delivered())
}

fn dtnd_waiting(binaries: &Path, folder: &Path, load: Load) -> Result<Measured, FieldError> {
    let first = Dtnd::start(binaries, "first", folder, "mem")?;
    let second = Dtnd::start(binaries, "second", folder, "mem")?;
    let path = format!("/send?dst={}", second.inbox());
    submit_all(load, (first.port(), &path))?;
    let start = now();
    first.meet(Road::Tcpcl, &second)?;
    second.meet(Road::Tcpcl, &first)?;
    await_all(&first, &second, load.count, start, || second.delivered())
}

/// Submits the load to `first` and waits until `second` has delivered it.
fn measure(
    first: &dyn Agent,
    second: &dyn Agent,
    load: Load,
    door: (u16, &str),
    delivered: impl Fn() -> Result<u64, FieldError>,
) -> Result<Measured, FieldError> {
    // One bundle ahead: sessions are made, programs are in memory.
    first.send(&second.inbox(), b"ahead", Wish::default())?;
    wait_for("the first bundle", PATIENCE, || Ok((delivered()? >= 1).then_some(())))?;
    let start = now();
    submit_all(load, door)?;
    await_all(first, second, load.count, start, || Ok(delivered()?.saturating_sub(1)))
}

/// Waits until `count` bundles have come since `start`.
fn await_all(
    first: &dyn Agent,
    second: &dyn Agent,
    count: usize,
    start: Instant,
    come: impl Fn() -> Result<u64, FieldError>,
) -> Result<Measured, FieldError> {
    let wanted = u64::try_from(count).unwrap_or(u64::MAX);
    let mut delivered = come()?;
    while delivered < wanted && start.elapsed() < PATIENCE {
        pause(LOOK);
        delivered = come()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let delivered = usize::try_from(delivered).unwrap_or(usize::MAX);
    Ok(Measured { seconds, delivered, memory: [first.memory_peak(), second.memory_peak()] })
}

/// Submits a load by several applications at a time.
fn submit_all(load: Load, (port, path): (u16, &str)) -> Result<(), FieldError> {
    thread::scope(|scope| {
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| scope.spawn(move || submit(sender, load, port, path))).collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })
}

/// One application's share of a load.
fn submit(sender: usize, load: Load, port: u16, path: &str) -> Result<(), FieldError> {
    let http = Http::new(port);
    for number in (sender..load.count).step_by(SENDERS) {
        let body = payload(load.len, u64::try_from(number).unwrap_or_default() + 1);
        let answer = http.post(path, &body)?;
        if !(200..300).contains(&answer.status) {
            return Err(FieldError::Broken(format!("a submission was answered with {}", answer.status)));
        }
    }
    Ok(())
}

/// The round trip of an echo between two of ours, against ours and hardy's.
fn pings(binary: &Path, folder: &Path) -> Result<Figure, FieldError> {
    let hardy = install::hardy().map_err(FieldError::Broken)?;
    let stage = folder.join("pings");
    fs::create_dir_all(&stage)?;
    let first = Pannier::start(binary, "first", &stage, "ipn:1.0")?;
    let second = Pannier::start(binary, "second", &stage, "ipn:2.0")?;
    let hardy = Hardy::start(&hardy, 3, None, &stage)?;
    first.meet(Road::Tcpcl, &second)?;
    first.meet(Road::Tcpcl, &hardy)?;
    first.ping(&second.echo(), 3)?;
    first.ping(&hardy.echo(), 3)?;
    let (ours, theirs) = (first.ping(&second.echo(), PINGS)?, first.ping(&hardy.echo(), PINGS)?);
    Ok(Figure {
        what: "round trip of a ping over TCPCLv4, durable at both ends".to_owned(),
        ours: format!("{ours:.2} ms"),
        against: format!("of our node pinging hardy, in memory there: {theirs:.2} ms"),
        ratio: theirs / ours,
        goal: 0.0,
        remark: "median; the request over HTTP included".to_owned(),
    })
}
