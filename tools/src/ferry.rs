//! `cargo xtask ferry`: two villages that never meet, and a ferry that reaches one of them at a time. Bundles
//! go both ways; links are slow enough that a crossing carries a part of them, and a window ends in the
//! middle of transfers without a word. It fails unless every bundle is delivered, once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use pannier::settings::quantity::{show_duration, show_size};

use crate::{
    cut::settings,
    field::{FieldError, FieldNode, build, in_folder, now, pause},
    interop::http::Http,
    relay::{Relay, Road},
};

/// Where bundles wait for their reader.
const ENDPOINT: &str = "landing";
/// Windows that are opened in any case before the run is given up.
const SPARE_WINDOWS: usize = 12;

/// What was asked for.
pub struct Options {
    /// How many bundles each way.
    pub bundles: usize,
    /// How long each is, in bytes.
    pub size: u64,
    /// How long the ferry stays on one side.
    pub window: Duration,
    /// Over which road; each if none.
    pub road: Option<Road>,
    /// How many bytes a second a link carries.
    pub rate: u64,
}

/// One village and its link to the ferry.
struct Shore {
    node: FieldNode,
    link: Relay,
    /// Where what arrived is put.
    landed: PathBuf,
}

/// Crosses over each road that was asked for; an error names what did not hold.
pub fn run(options: &Options) -> Result<(), FieldError> {
    let binary = build(&["--package", "pannier", "--bin", "pannier"])?;
    let roads = options.road.map_or(vec![Road::Quic, Road::Tcpclv4], |road| vec![road]);
    for road in roads {
        eprintln!(
            "{} bundles of {} each way over {}, windows of {}",
            options.bundles,
            show_size(options.size),
            road.name(),
            show_duration(options.window)
        );
        in_folder("ferry", |folder| cross(road, options, folder, &binary))?;
    }
    Ok(())
}

fn cross(road: Road, options: &Options, folder: &Path, binary: &Path) -> Result<(), FieldError> {
    let mut ferry = FieldNode::create("ferry", folder, binary)?.with(&settings(road));
    ferry.start()?;
    let settle = |name: &str| Shore::settle(name, road, options, folder, binary);
    let shores = [settle("west")?, settle("east")?];
    for (from, to) in [(0, 1), (1, 0)] {
        shores[from].send(&shores[to], options)?;
    }
    let began = now();
    let (mut windows, mut revisits) = (0, 0);
    // Once everything is there each side is visited once more: nothing may come twice.
    while revisits < shores.len() {
        if windows > options.windows_max() {
            return Err(FieldError::TooLong(format!("the last bundles; {windows} windows were open")));
        }
        let shore = &shores[windows % shores.len()];
        shore.visit(&ferry, options.window)?;
        windows += 1;
        let landed = [shores[0].land()?, shores[1].land()?];
        eprintln!("window {windows}, {}: {landed:?} have landed", shore.node.name());
        revisits += usize::from(landed.iter().all(|count| *count >= options.bundles));
    }
    let took = began.elapsed();
    for shore in &shores {
        shore.verify(options)?;
    }
    let memory = [ferry.memory_peak(), shores[0].node.memory_peak(), shores[1].node.memory_peak()];
    let sent: u64 = shores.map(Shore::leave).iter().sum();
    // Everything crosses two links.
    let useful = 4 * options.bytes();
    println!(
        "{}: {} bundles of {} each way, all delivered once, {windows} windows of {}, {}; \
         useful / sent {} / {}; peak memory {}",
        road.name(),
        options.bundles,
        show_size(options.size),
        show_duration(options.window),
        show_duration(Duration::from_secs(took.as_secs())),
        show_size(useful),
        show_size(sent),
        memory.map(show_size).join(", ")
    );
    Ok(())
}

impl Options {
    /// Bytes of all payloads that go one way.
    fn bytes(&self) -> u64 {
        u64::try_from(self.bundles).unwrap_or(u64::MAX).saturating_mul(self.size)
    }

    /// How many windows are opened before the run is given up: what the bytes need if three windows in four
    /// carry nothing.
    fn windows_max(&self) -> usize {
        let millis = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX).max(1);
        let carried = self.rate.saturating_mul(millis) / 1000;
        let needed = 4 * self.bytes().div_ceil(carried.max(1));
        usize::try_from(4 * needed).unwrap_or(usize::MAX).saturating_add(SPARE_WINDOWS)
    }
}

impl Shore {
    fn settle(
        name: &str,
        road: Road,
        options: &Options,
        folder: &Path,
        binary: &Path,
    ) -> Result<Self, FieldError> {
        let mut node = FieldNode::create(name, folder, binary)?.with(&settings(road));
        node.start()?;
        node.command(&["recv", "--register", "-e", ENDPOINT])?;
        let link = Relay::start(road, node.listens(road.name())?, options.rate)?;
        link.set_cut(true);
        let landed = folder.join(format!("{name}-landed"));
        fs::create_dir(&landed)?;
        Ok(Self { node, link, landed })
    }

    /// Sends the bundles to another shore.
    fn send(&self, to: &Self, options: &Options) -> Result<(), FieldError> {
        let gateway = Http::new(self.node.gateway()?);
        let path = format!("/api/bundles?to={}{ENDPOINT}&lifetime=1d", to.node.eid()?);
        for number in 0..options.bundles {
            let answer = gateway.post(&path, &payload(self.node.name(), number, options.size))?;
            if !(200..300).contains(&answer.status) {
                let words = String::from_utf8_lossy(&answer.body).into_owned();
                return Err(FieldError::Broken(format!("a bundle was not taken: {} {words}", answer.status)));
            }
        }
        Ok(())
    }

    /// The ferry is here for a while; then it is gone, and nobody is told.
    fn visit(&self, ferry: &FieldNode, window: Duration) -> Result<(), FieldError> {
        self.link.set_cut(false);
        // Whoever sees a shore names it again.
        ferry.command(&["peer", "add", &self.link.address()])?;
        pause(window);
        self.link.set_cut(true);
        Ok(())
    }

    /// Takes what has been delivered; how many bundles that are in all.
    fn land(&self) -> Result<usize, FieldError> {
        let folder = format!("{}/", self.landed.display());
        match self.node.command(&["-q", "recv", "-e", ENDPOINT, "-o", &folder]) {
            Ok(_) => {}
            Err(FieldError::Command { output, .. }) if output.contains("nothing waits") => {}
            Err(error) => return Err(error),
        }
        Ok(fs::read_dir(&self.landed)?.count())
    }

    /// Every bundle of the other shore is here, once, as it was sent.
    fn verify(&self, options: &Options) -> Result<(), FieldError> {
        let from = if self.node.name() == "west" { "east" } else { "west" };
        let mut missing: BTreeSet<usize> = (0..options.bundles).collect();
        for file in fs::read_dir(&self.landed)? {
            let bytes = fs::read(file?.path())?;
            let number = number_of(&bytes).filter(|number| bytes == payload(from, *number, options.size));
            let Some(number) = number else {
                return Err(FieldError::Broken(format!("{} got what nobody sent", self.node.name())));
            };
            if !missing.remove(&number) {
                return Err(FieldError::Broken(format!("{} got bundle {number} twice", self.node.name())));
            }
        }
        match missing.first() {
            None => Ok(()),
            Some(number) => {
                Err(FieldError::Broken(format!("bundle {number} did not get to {}", self.node.name())))
            }
        }
    }

    /// Ends the link; how many bytes went over it, both ways.
    fn leave(self) -> u64 {
        let (out, back) = self.link.finish();
        out + back
    }
}

/// What bundle `number` from a shore carries: its number, the shore, and noise of both.
fn payload(from: &str, number: usize, size: u64) -> Vec<u8> {
    let mut bytes = format!("{number} from {from} ").into_bytes();
    let size = usize::try_from(size).unwrap_or(usize::MAX).max(bytes.len());
    let mut random = bytes.iter().fold(0_u64, |random, byte| (random ^ u64::from(*byte)).rotate_left(7));
    while bytes.len() < size {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        bytes.extend_from_slice(&(random ^ (random >> 29)).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Which bundle this is.
fn number_of(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}
