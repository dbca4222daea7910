//! `cargo xtask cut`: one large bundle between two nodes whose link is cut every two seconds, and how many of
//! the bytes that were sent were of use. It fails if that is less than the goal of the road.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Write},
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

use pannier::settings::quantity::show_size;

use crate::{
    field::{FieldError, FieldNode, build, in_folder, now, pause},
    relay::{Relay, Road},
};

/// A link is cut so often.
const PERIOD: Duration = Duration::from_secs(2);
/// For so long each time.
const DARK: Duration = Duration::from_millis(500);
/// How often the cutting is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// What a node may take at most, in bytes.
const MEMORY_MAX: u64 = 100_000_000;
/// Bytes that are written or compared at a time.
const PIECE: usize = 64 * 1024;

/// What was asked for.
pub struct Options {
    /// How long the payload is.
    pub size: u64,
    /// Over which road; each if none.
    pub road: Option<Road>,
    /// How many bytes a second the link carries.
    pub rate: u64,
}

/// What one road came to.
struct Figures {
    useful: u64,
    sent: u64,
    returned: u64,
    cuts: u32,
    took: Duration,
    /// Peaks of memory of the sender and of the receiver, in bytes.
    memory: [u64; 2],
}

impl Figures {
    fn efficiency(&self) -> f64 {
        float(self.useful) / float(self.sent.max(1))
    }
}

/// What shall be of use of what was sent, at least.
const fn goal(road: Road) -> f64 {
    match road {
        Road::Quic => 0.95,
        Road::Tcpclv4 => 0.9,
    }
}

/// Sends over each road that was asked for; an error names what was missed.
pub fn run(options: &Options) -> Result<(), FieldError> {
    let binary = build(&["--package", "pannier", "--bin", "pannier"])?;
    let roads = options.road.map_or(vec![Road::Quic, Road::Tcpclv4], |road| vec![road]);
    let mut missed = Vec::new();
    println!("| road | useful | sent | useful / sent | goal | came back | cuts | time | peak memory |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for road in roads {
        eprintln!("{} over {}, cut every {PERIOD:?} for {DARK:?}", show_size(options.size), road.name());
        let figures = in_folder("cut", |folder| cut(road, options, folder, &binary))?;
        let Figures { useful, sent, returned, cuts, took, memory } = figures;
        println!(
            "| {} | {} | {} | {:.3} | {:.2} | {} | {cuts} | {:.1} s | {} and {} |",
            road.name(),
            show_size(useful),
            show_size(sent),
            figures.efficiency(),
            goal(road),
            show_size(returned),
            took.as_secs_f64(),
            show_size(memory[0]),
            show_size(memory[1]),
        );
        if figures.efficiency() < goal(road) {
            missed.push(format!("over {} too little of what was sent was of use", road.name()));
        }
        if memory.iter().any(|peak| *peak > MEMORY_MAX) {
            missed.push(format!("over {} a node took more than {}", road.name(), show_size(MEMORY_MAX)));
        }
    }
    match missed.is_empty() {
        true => Ok(()),
        false => Err(FieldError::Broken(missed.join("; "))),
    }
}

fn cut(road: Road, options: &Options, folder: &Path, binary: &Path) -> Result<Figures, FieldError> {
    let mut nodes = Vec::new();
    for name in ["sender", "receiver"] {
        let mut node = FieldNode::create(name, folder, binary)?.with(&settings(road));
        node.start()?;
        nodes.push(node);
    }
    let [sender, receiver] = nodes.as_slice() else { unreachable!("two nodes were made") };
    let payload = folder.join("payload");
    fill(&payload, options.size)?;
    receiver.command(&["recv", "--register", "-e", "cut"])?;
    let to = format!("{}cut", receiver.eid()?);
    sender.command(&["-q", "send", "-r", &to, &payload.to_string_lossy()])?;

    let relay = Relay::start(road, receiver.listens(road.name())?, options.rate)?;
    let (is_over, cuts) = (AtomicBool::new(false), AtomicU32::new(0));
    let got = folder.join("got");
    let began = now();
    let took = thread::scope(|scope| {
        scope.spawn(|| cut_again_and_again(&relay, &is_over, &cuts));
        let arrived = sender.command(&["peer", "add", &relay.address()]).and_then(|_| {
            receiver.command(&["-q", "recv", "-e", "cut", "--wait=30m", "-o", &got.to_string_lossy()])
        });
        is_over.store(true, Ordering::SeqCst);
        arrived.map(|_| began.elapsed())
    })?;
    if !is_same(&payload, &got)? {
        return Err(FieldError::Broken("what arrived is not what was sent".to_owned()));
    }
    let memory = [sender.memory_peak(), receiver.memory_peak()];
    let (sent, returned) = relay.finish();
    Ok(Figures { useful: options.size, sent, returned, cuts: cuts.into_inner(), took, memory })
}

/// Settings of a node that listens on one road alone, on a port that nobody has.
pub fn settings(road: Road) -> [&'static str; 4] {
    let [quic, tcpclv4] = match road {
        Road::Quic => ["cla.quic.listen=127.0.0.1:0", "cla.tcpclv4.listen=off"],
        Road::Tcpclv4 => ["cla.quic.listen=off", "cla.tcpclv4.listen=127.0.0.1:0"],
    };
    ["gateway.listen=127.0.0.1:0", "inference.engines=[]", quic, tcpclv4]
}

fn cut_again_and_again(relay: &Relay, is_over: &AtomicBool, cuts: &AtomicU32) {
    let mut moment = now() + PERIOD - DARK;
    while !is_over.load(Ordering::SeqCst) {
        let is_cut = relay.is_cut();
        if now() >= moment {
            moment += if is_cut { PERIOD - DARK } else { DARK };
            relay.set_cut(!is_cut);
            cuts.fetch_add(u32::from(!is_cut), Ordering::SeqCst);
        }
        pause(LOOK);
    }
}

/// Writes `size` bytes that look like noise (splitmix64), so that no two blocks are the same.
fn fill(path: &Path, size: u64) -> Result<(), FieldError> {
    let mut file = BufWriter::with_capacity(PIECE, File::create(path)?);
    let mut left = size;
    let mut random = 0_u64;
    while left > 0 {
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bytes = (word ^ (word >> 31)).to_le_bytes();
        let len = usize::try_from(left.min(8)).expect("eight at most");
        file.write_all(&bytes[..len])?;
        left -= left.min(8);
    }
    Ok(file.flush()?)
}

fn is_same(left: &Path, right: &Path) -> Result<bool, FieldError> {
    let open = |path| File::open(path).map(|file| BufReader::with_capacity(PIECE, file));
    let (mut left, mut right) = (open(left)?, open(right)?);
    let (mut ours, mut theirs) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let (len, other) = (read_full(&mut left, &mut ours)?, read_full(&mut right, &mut theirs)?);
        if ours[..len] != theirs[..other] {
            return Ok(false);
        }
        if len == 0 {
            return Ok(true);
        }
    }
}

/// Fills `buffer` as far as there are bytes; says how many.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, FieldError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// A count as a float, for a ratio.
fn float(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs three digits")]
    let float = count as f64;
    float
}
