//! Forwarding in memory: bundles as they come from a wire, through codec, agent and store, to bundles as they
//! go onto the next wire. No disk, no socket: what a node can do at most on one core.
//!
//! It drives the agent as the node does: inputs that wait are handled together, their records are one batch,
//! and what stands behind them is executed in order.

use std::time::Duration;

use bundle_spec::{Builder, CreationTimestamp, DtnTime, Header, Lax, NodeId, PayloadTail, sign::SigningKey};
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

/// How many bundles a second.
///
/// # Errors
/// What the store says, or that a bundle did not come through.
pub fn run() -> Result<f64, String> {
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut relay = Relay::new();
        let bundles = made();
        let began = now();
        for group in bundles.chunks(GROUP) {
            relay.take(group).map_err(|error| error.to_string())?;
        }
        rates.push(rate(relay.sent, began.elapsed()));
        if relay.sent != BUNDLES {
            return Err(format!("{} of {BUNDLES} bundles were forwarded", relay.sent));
        }
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[ROUNDS / 2])
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
            let received = Input::Received { link: FROM, header, payload: block, adu: Some(payload) };
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
