//! What people ask, drawn before the world begins, and the ADUs that stand for it.

use std::time::Duration;

use bundle_spec::{
    BlockRef, BundleFlags, Cid, Codec,
    adu::{Job, JobInput, Kind, ModelSelector},
    manifest::{AssetKind, ChunkList, Manifest},
};
use bytes::Bytes;

use crate::{
    dice::Dice,
    scenario::Scenario,
    transition::{Dated, Transition},
};

const MINUTE: u64 = 60_000;
/// Bytes of a model, without what makes it another one than the next.
const MODEL_BYTES: usize = 6000;
/// Bytes of a chunk of a model.
const CHUNK_BYTES: usize = 2048;

/// A job that somebody asks for.
#[derive(Clone, Debug)]
pub struct Order {
    /// What kind of work.
    pub kind: Kind,
    /// By which model.
    pub model: ModelSelector,
    /// On what.
    pub input: Bytes,
    /// Whether the input travels on its own.
    pub is_linked: bool,
    /// How long the answer is worth having.
    pub lifetime: Option<Duration>,
}

impl Order {
    /// The job's ADU and the blocks that it links to.
    #[must_use]
    pub fn adu(&self) -> (Bytes, Vec<Bytes>) {
        let media = "text/plain".to_owned();
        let (input, blocks) = match self.is_linked {
            true => {
                let block = BlockRef::raw(&self.input);
                (JobInput::Link { media, block }, vec![self.input.clone()])
            }
            false => (JobInput::Inline { media, data: self.input.clone() }, Vec::new()),
        };
        let job = Job {
            kind: self.kind,
            model: self.model.clone(),
            inputs: vec![input],
            parameters: [].into(),
            nonce: None,
        };
        (job.encode(), blocks)
    }

    /// The job's name.
    #[must_use]
    pub fn job(&self) -> Cid {
        Cid::dag_cbor(&self.adu().0)
    }
}

/// A parcel that somebody sends.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// To which host, as a place in the list of hosts.
    pub to: usize,
    /// What.
    pub bytes: Bytes,
    /// How long it is worth having.
    pub lifetime: Duration,
    /// Which reports are wanted.
    pub flags: BundleFlags,
}

/// A model as bytes: the manifest, and every block that belongs to it.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The manifest.
    pub manifest: Bytes,
    /// Chunk lists and chunks.
    pub blocks: Vec<Bytes>,
}

impl ModelFile {
    /// The model of a name: the same everywhere.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let file: Vec<u8> = name.bytes().cycle().take(MODEL_BYTES).collect();
        let mut blocks: Vec<Bytes> = file.chunks(CHUNK_BYTES).map(Bytes::copy_from_slice).collect();
        let chunks: Vec<BlockRef> = blocks.iter().map(|chunk| BlockRef::raw(chunk)).collect();
        let lists = ChunkList::lists(&chunks);
        let manifest = Manifest {
            kind: AssetKind::Gguf,
            file: BlockRef::raw(&file),
            chunk_lists: lists.iter().map(ChunkList::block).collect(),
            hints: [].into(),
        };
        blocks.extend(lists.iter().map(ChunkList::encode));
        Self { manifest: manifest.encode(), blocks }
    }

    /// The name by which jobs may ask for it.
    #[must_use]
    pub fn cid(&self) -> Cid {
        BlockRef::raw(&self.manifest).cid.with_codec(Codec::DagCbor)
    }
}

/// Everything that people ask in a scenario, in no order.
#[must_use]
pub fn orders(scenario: &Scenario, dice: &mut Dice) -> Vec<Dated> {
    let plan = &scenario.workload;
    let busy = scenario.busy_ms();
    let askers: Vec<usize> = (0..scenario.hosts.len()).filter(|host| scenario.hosts[*host].asks).collect();
    let mut dated = Vec::new();
    for number in 0..plan.jobs {
        let host = *dice.pick(&askers).expect("a scenario has somebody who asks");
        let at = dice.between(MINUTE, busy);
        let order = order(number, scenario, dice);
        if dice.chance(plan.shared_per_mille) {
            let other = *dice.pick(&askers).expect("a scenario has somebody who asks");
            let submit = Transition::Submit { host: other, order: order.clone() };
            dated.push((dice.between(at, busy), submit));
        }
        if dice.chance(plan.again_per_mille) {
            dated.push((dice.between(at, busy), Transition::Submit { host, order: order.clone() }));
        }
        if dice.chance(plan.cancelled_per_mille) {
            dated.push((dice.between(at, busy), Transition::Cancel { host, order: order.clone() }));
        }
        dated.push((at, Transition::Submit { host, order }));
    }
    dated
}

/// Everything that people send to one another in a scenario, in no order.
#[must_use]
pub fn parcels(scenario: &Scenario, dice: &mut Dice) -> Vec<Dated> {
    let plan = &scenario.workload;
    let senders: Vec<usize> = (0..scenario.hosts.len()).filter(|host| scenario.hosts[*host].asks).collect();
    let latest = if plan.parcel_minutes == 0 { scenario.busy_ms() } else { plan.parcel_minutes * MINUTE };
    let mut dated = Vec::new();
    for host in &senders {
        let others: Vec<usize> = senders.iter().filter(|other| *other != host).copied().collect();
        for number in 0..plan.parcels {
            let Some(to) = dice.pick(&others).copied() else { break };
            let len =
                usize::try_from(dice.between(0, plan.parcel_bytes_max)).expect("a parcel fits in memory");
            let mut bytes = format!("parcel {number} of {host} ").into_bytes();
            bytes.extend(dice.bytes(len));
            let lifetime = match dice.chance(plan.parcel_short_per_mille) {
                true => dice.between(30 * MINUTE, 12 * 60 * MINUTE),
                false => dice.between(10, 20) * 24 * 60 * MINUTE,
            };
            let lifetime = Duration::from_millis(lifetime);
            let flags = BundleFlags::REPORT_DELIVERY | BundleFlags::REPORT_DELETION;
            let flags = if dice.chance(100) { flags } else { BundleFlags::NONE };
            let parcel = Parcel { to, bytes: bytes.into(), lifetime, flags };
            dated.push((dice.between(MINUTE, latest), Transition::Post { host: *host, parcel }));
        }
    }
    dated
}

fn order(number: u64, scenario: &Scenario, dice: &mut Dice) -> Order {
    let plan = &scenario.workload;
    let (kind, model) = match dice.pick(&plan.models) {
        Some(name) if !dice.chance(plan.echo_per_mille) => {
            let model = match dice.chance(500) {
                true => ModelSelector::Named(name.clone()),
                false => ModelSelector::Cid(ModelFile::named(name).cid()),
            };
            (Kind::Complete, model)
        }
        Some(_) | None => (Kind::Echo, ModelSelector::None),
    };
    let len = usize::try_from(dice.between(1, plan.input_bytes_max)).expect("an input fits in memory");
    let mut input = format!("question {number} ").into_bytes();
    input.extend(dice.bytes(len));
    let lifetime = match dice.chance(plan.short_per_mille) {
        true => dice.between(30 * MINUTE, 12 * 60 * MINUTE),
        false => dice.between(10, 20) * 24 * 60 * MINUTE,
    };
    Order {
        kind,
        model,
        input: input.into(),
        is_linked: dice.chance(plan.linked_per_mille),
        lifetime: Some(Duration::from_millis(lifetime)),
    }
}
