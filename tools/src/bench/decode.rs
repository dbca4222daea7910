//! How fast a received bundle is read and checked, against the `bp7` crate doing the same.
//!
//! The workload: primary block, previous node, age, hop count and payload, CRC-32C on every block. Both sides
//! decode, verify all CRCs and check the rules. `cargo xtask bench decode` prints the rows.

use std::hint::black_box;

use bundle_spec::{Builder, Bundle, CreationTimestamp, DtnTime, Lax};
use bytes::Bytes;

/// Payload sizes in bytes, and by how much we must be faster.
const CASES: [(usize, f64); 3] = [(1 << 10, 5.0), (1 << 16, 15.0), (1 << 20, 20.0)];
/// How many measurements the median is taken of.
const ROUNDS: usize = 201;
/// How long one measurement takes at least, in nanoseconds: short, so that few of them are interrupted.
const ROUND_NS_MIN: u128 = 200_000;

/// One payload size.
#[derive(Clone, Debug)]
pub struct Row {
    /// Payload length in bytes.
    pub payload_len: usize,
    /// Nanoseconds that we take, median.
    pub ours_ns: f64,
    /// Nanoseconds that `bp7` takes, median.
    pub bp7_ns: f64,
    /// How many allocations we make.
    pub allocations: u64,
    /// By which factor we are to be faster.
    pub goal: f64,
}

impl Row {
    /// By which factor we are faster.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.bp7_ns / self.ours_ns
    }
}

/// Measures all sizes.
#[must_use]
pub fn run() -> Vec<Row> {
    CASES.iter().map(|(payload_len, goal)| measure(*payload_len, *goal)).collect()
}

fn measure(payload_len: usize, goal: f64) -> Row {
    let bytes = sample(payload_len);
    // A buffer is shared from its first clone on, which allocates its counter.
    let _shared = bytes.clone();
    let allocations = allocation_counter::measure(|| ours(&bytes)).count_total;
    let (mut ours_ns, mut bp7_ns) = (Vec::new(), Vec::new());
    // Interleaved, so that a change of the machine's speed meets both.
    let (ours_calls, bp7_calls) = (calls(|| ours(&bytes)), calls(|| bp7(&bytes)));
    for _ in 0..ROUNDS {
        ours_ns.push(time(ours_calls, || ours(&bytes)));
        bp7_ns.push(time(bp7_calls, || bp7(&bytes)));
    }
    Row { payload_len, ours_ns: median(ours_ns), bp7_ns: median(bp7_ns), allocations, goal }
}

fn ours(bytes: &Bytes) {
    let bundle = Bundle::parse(black_box(bytes).clone(), &Lax::strict()).expect("the sample is well-formed");
    black_box(&bundle);
}

fn bp7(bytes: &Bytes) {
    let mut bundle = bp7::Bundle::try_from(black_box(&bytes[..])).expect("bp7 reads the sample");
    assert!(bundle.crc_valid());
    bundle.validate().expect("bp7 finds nothing wrong with the sample");
    black_box(&bundle);
}

/// How many calls one measurement needs to take long enough.
fn calls(work: impl Fn()) -> u32 {
    let mut calls = 1_u32;
    loop {
        let start = super::now();
        (0..calls).for_each(|_| work());
        if start.elapsed().as_nanos() >= ROUND_NS_MIN {
            return calls;
        }
        calls = calls.saturating_mul(2);
    }
}

/// Nanoseconds per call.
fn time(calls: u32, work: impl Fn()) -> f64 {
    let start = super::now();
    (0..calls).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

fn sample(payload_len: usize) -> Bytes {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 1 };
    let [source, destination] =
        ["dtn://village/in", "dtn://pannier/~jobs"].map(|text| text.parse().expect("a constant EID"));
    let node = "dtn://bus/".parse().expect("a constant node id");
    let payload = (0..payload_len).map(|at| u8::try_from(at % 251).expect("below 256")).collect();
    let builder = Builder::new(source, destination, timestamp, 86_400_000);
    builder.previous_node(node).age_ms(1000).hop_limit(30).bundle(payload).encode()
}
