//! Forwarding in memory: bundles as they come from a wire, through codec, agent and store, to bundles as they
//! go onto the next wire. No disk, no socket: what a node can do at most on one core.
//!
//! It drives the agent as the node does: inputs that wait are handled together, their records are one batch,
//! and what stands behind them is executed in order.

use std::{path::Path, process::Command, time::Duration};

use bundle_spec::{
    Builder, CreationTimestamp, DtnTime, Header, Lax, NodeId, PayloadTail, security::Policy, sign::SigningKey,
};
use bytes::{Bytes, BytesMut};
use pannier::{
    agent::{Agent, Config, Input, LinkClass, LinkId, Outgoing, Output, Record},
    limits::BUNDLES_MAX,
    route::Epidemic,
    store::{MemoryStore, Store},
    time::Time,
};

use super::now;

/// Bundles of one round.
const BUNDLES: u64 = 20_000;
/// Bytes of each payload.
const PAYLOAD_BYTES: usize = 1024;
/// Rounds; the median counts.
const ROUNDS: usize = 5;
/// How many inputs are handled together: as many as one link has under way.
const GROUP: usize = 16;
/// Room for everything that is under way.
const ROOM: u64 = 64 * 1024 * 1024;
const FROM: LinkId = LinkId(1);
const TO: LinkId = LinkId(2);

/// What was measured, in bundles a second.
pub struct Rates {
    /// Ours, on one core.
    pub ours: f64,
    /// Hardy's, on as many cores as there are.
    pub hardy: f64,
}

/// Both, each the median of rounds that take turns. `hardy` is the program of `tools/interop/hardy`.
///
/// # Errors
/// What the store says, that a bundle did not come through, or that hardy does not run.
pub fn run(hardy: &Path) -> Result<Rates, String> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(round()?);
        theirs.push(hardy_round(hardy)?);
    }
    Ok(Rates { ours: median(ours), hardy: median(theirs) })
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn round() -> Result<f64, String> {
    let mut relay = Relay::new();
    let bundles = made();
    let began = now();
    for group in bundles.chunks(GROUP) {
        relay.take(group).map_err(|error| error.to_string())?;
    }
    let took = began.elapsed();
    match relay.sent {
        BUNDLES => Ok(rate(BUNDLES, took)),
        sent => Err(format!("{sent} of {BUNDLES} bundles were forwarded")),
    }
}

/// Bundles of the same payload through hardy's agent, with its store in memory and all of them at its door at
/// once: a process of its own, which says how many seconds it took.
fn hardy_round(program: &Path) -> Result<f64, String> {
    let output = Command::new(program).args(["forward", &BUNDLES.to_string()]).output();
    let output = output.map_err(|error| format!("hardy cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds = text.trim().parse::<f64>();
    let seconds = seconds.map_err(|_| {
        format!("hardy does not say how long it took: {}", String::from_utf8_lossy(&output.stderr).trim())
    })?;
    Ok(rate(BUNDLES, Duration::from_secs_f64(seconds)))
}

fn rate(count: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let count = count as f64;
    count / took.as_secs_f64()
}

/// The bundles as they come.
fn made() -> Vec<Bytes> {
    (0..BUNDLES)
        .map(|sequence| {
            let mut payload = vec![7; PAYLOAD_BYTES];
            payload[..8].copy_from_slice(&sequence.to_le_bytes());
            let source = named("village").endpoint("desk", 1);
            let timestamp = CreationTimestamp { time: DtnTime(1_000_000), sequence };
            let header = Builder::new(source, named("clinic").endpoint("desk", 1), timestamp, u64::MAX / 2)
                .header(wide(payload.len()));
            emitted(&header, &payload)
        })
        .collect()
}

fn named(name: &str) -> NodeId {
    format!("dtn://{name}/").parse().expect("the name of a node")
}

fn emitted(header: &Header, payload: &[u8]) -> Bytes {
    let mut tail = PayloadTail::new(header);
    tail.update(payload);
    let tail = tail.emit();
    let mut bytes = BytesMut::with_capacity(header.raw().len() + payload.len() + tail.len());
    bytes.extend_from_slice(header.raw());
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&tail);
    bytes.freeze()
}

/// A node between two others.
struct Relay {
    agent: Agent,
    store: MemoryStore,
    now: Time,
    records: Vec<Record>,
    effects: Vec<Output>,
    /// How many bundles have gone onto the next wire.
    sent: u64,
}

impl Relay {
    fn new() -> Self {
        let config = Config {
            node: named("bus"),
            key: SigningKey::from_bytes(&[1; 32]),
            version: "bench".to_owned(),
            bundles_max: BUNDLES_MAX,
            status_reports: false,
            rules: Policy::default(),
        };
        let mut agent = Agent::restore(config, Box::new(Epidemic), [1; 32], Vec::new(), Time::ZERO);
        for (link, peer) in [(FROM, "village"), (TO, "clinic")] {
            let class = LinkClass { durable: true, ..LinkClass::plain("bench") };
            agent.handle(Time::ZERO, Input::ContactOpened { link, peer: Some(named(peer)), class });
        }
        let store = MemoryStore::new(ROOM);
        Self { agent, store, now: Time::ZERO, records: Vec::new(), effects: Vec::new(), sent: 0 }
    }

    /// Takes bundles as they come and lets them go.
    fn take(&mut self, bundles: &[Bytes]) -> Result<(), pannier::store::StoreError> {
        for bytes in bundles {
            let header = Header::parse(bytes, &Lax::strict()).expect("we made it").expect("it is whole");
            let end = header.raw().len() + PAYLOAD_BYTES;
            let payload = bytes.slice(header.raw().len()..end);
            let mut tail = PayloadTail::new(&header);
            tail.update(&payload);
            tail.finish(&bytes[end..]).expect("its checksum is right");
            let mut writer = self.store.create(wide(payload.len()))?;
            writer.write(&payload)?;
            let block = writer.finish(None)?;
            let header = header.detached();
            let received =
                Input::Received { link: FROM, header, payload: block, adu: Some(payload), opened: None };
            self.handle(received);
        }
        while !(self.records.is_empty() && self.effects.is_empty()) {
            self.store.append(&std::mem::take(&mut self.records))?;
            for effect in std::mem::take(&mut self.effects) {
                self.execute(effect)?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) {
        self.agent.handle(self.now, input);
        while let Some(output) = self.agent.poll() {
            match output {
                Output::Record(record) => self.records.push(record),
                effect => self.effects.push(effect),
            }
        }
    }

    fn execute(&mut self, effect: Output) -> Result<(), pannier::store::StoreError> {
        match effect {
            Output::Transmit { link, outgoing } => {
                let Outgoing { bundle, header, payload, .. } = outgoing;
                let reader = self.store.open(payload.cid.digest())?.expect("what is sent is here");
                let mut bytes = [0; PAYLOAD_BYTES];
                assert_eq!(reader.read_at(0, &mut bytes)?, PAYLOAD_BYTES, "a payload is whole");
                std::hint::black_box(emitted(&header, &bytes));
                self.sent += 1;
                self.handle(Input::Transmitted { link, bundle });
            }
            Output::Release { cid } => self.store.release(cid.digest())?,
            // What a peer or a person would hear; here is nobody.
            _ => {}
        }
        Ok(())
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}
