//! How records are written: three letters, a version, a class, then CBOR maps with numbered fields. Numbers
//! are never used twice; unknown ones are skipped. The store frames and checksums what comes out of here.

mod job;

use bundle_spec::{BlockRef, BundleId, Cid, CreationTimestamp, DtnTime, Eid, FragmentExtent};
use bytes::Bytes;
use minicbor::{Decode, Encode, bytes::ByteVec};

use self::job::JobWire;
use super::{BundleRecord, ModelRecord, Record, RecordError, Retention};
use crate::time::Time;

/// The first bytes of every record.
const MAGIC: [u8; 3] = *b"PNR";
/// What this program writes, and the newest that it reads.
const VERSION: u16 = 1;
/// Magic, version, class.
const ENVELOPE_BYTES: usize = 6;

type Fault = String;

/// The encoding of a record.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    let body = match record {
        Record::Bundle(bundle) => put(&mut out, 1, &BundleWire::from(&**bundle)),
        Record::BundleGone { id } => put(&mut out, 2, &ShortWire { id: *id, until: 0 }),
        Record::Seen { id, until } => put(&mut out, 3, &ShortWire { id: *id, until: until.0 }),
        Record::SeenGone { id } => put(&mut out, 4, &ShortWire { id: *id, until: 0 }),
        Record::Job(job) => put(&mut out, 5, &JobWire::from(&**job)),
        Record::JobGone { job } => put(&mut out, 6, &ReceiptWire::key(*job)),
        Record::Model(model) => put(&mut out, 7, &ModelWire::from(&**model)),
        Record::ModelGone { name } => put(&mut out, 8, &NameWire { name: name.clone() }),
        Record::Receipt { job, adu, until } => {
            put(&mut out, 9, &ReceiptWire { key: *job, adu: ByteVec::from(adu.to_vec()), until: until.0 })
        }
        Record::ReceiptGone { job } => put(&mut out, 10, &ReceiptWire::key(*job)),
        Record::Sequence { time, sequence } => {
            put(&mut out, 11, &SequenceWire { time: *time, sequence: *sequence })
        }
        Record::Registration { endpoint } => put(&mut out, 20, &EndpointWire { endpoint: endpoint.clone() }),
        Record::RegistrationGone { key } => put(&mut out, 21, &ReceiptWire::key(*key)),
        Record::Taken { id } => put(&mut out, 22, &ShortWire { id: *id, until: 0 }),
        Record::TakenGone { id } => put(&mut out, 23, &ShortWire { id: *id, until: 0 }),
    };
    body.expect("writing to memory does not fail");
    out
}

fn put(
    out: &mut Vec<u8>,
    class: u8,
    body: &impl Encode<()>,
) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    out.push(class);
    minicbor::encode(body, out)
}

/// Reads a record; never panics.
pub(super) fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let malformed = |why: &str| RecordError::Malformed(why.to_owned());
    let envelope = bytes.get(..ENVELOPE_BYTES).ok_or_else(|| malformed("too short"))?;
    if envelope[..3] != MAGIC {
        return Err(malformed("not the first bytes of a record"));
    }
    let version = u16::from_be_bytes([envelope[3], envelope[4]]);
    if version > VERSION {
        return Err(RecordError::Newer(version));
    }
    if version == 0 {
        return Err(malformed("there is no version 0"));
    }
    body(envelope[5], &bytes[ENVELOPE_BYTES..]).map_err(RecordError::Malformed)
}

fn body(class: u8, bytes: &[u8]) -> Result<Record, Fault> {
    Ok(match class {
        1 => Record::Bundle(Box::new(get::<BundleWire>(bytes)?.try_into()?)),
        2 => Record::BundleGone { id: get::<ShortWire>(bytes)?.id },
        3 => {
            let short: ShortWire = get(bytes)?;
            Record::Seen { id: short.id, until: Time(short.until) }
        }
        4 => Record::SeenGone { id: get::<ShortWire>(bytes)?.id },
        5 => Record::Job(Box::new(get::<JobWire>(bytes)?.try_into()?)),
        6 => Record::JobGone { job: get::<ReceiptWire>(bytes)?.key },
        7 => Record::Model(Box::new(get::<ModelWire>(bytes)?.try_into()?)),
        8 => Record::ModelGone { name: get::<NameWire>(bytes)?.name },
        9 => {
            let receipt: ReceiptWire = get(bytes)?;
            Record::Receipt {
                job: receipt.key,
                adu: Bytes::from(Vec::from(receipt.adu)),
                until: Time(receipt.until),
            }
        }
        10 => Record::ReceiptGone { job: get::<ReceiptWire>(bytes)?.key },
        11 => {
            let last: SequenceWire = get(bytes)?;
            Record::Sequence { time: last.time, sequence: last.sequence }
        }
        20 => Record::Registration { endpoint: get::<EndpointWire>(bytes)?.endpoint.detached() },
        21 => Record::RegistrationGone { key: get::<ReceiptWire>(bytes)?.key },
        22 => Record::Taken { id: get::<ShortWire>(bytes)?.id },
        23 => Record::TakenGone { id: get::<ShortWire>(bytes)?.id },
        other => return Err(format!("unknown class {other}")),
    })
}

fn get<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Fault> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|error| error.to_string())?;
    if decoder.position() != bytes.len() {
        return Err("more bytes than the record has".to_owned());
    }
    Ok(value)
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ShortWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: [u8; 16],
    #[n(1)]
    until: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct NameWire {
    #[n(0)]
    name: String,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct EndpointWire {
    #[n(0)]
    endpoint: Eid,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct SequenceWire {
    #[n(0)]
    time: u64,
    #[n(1)]
    sequence: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ReceiptWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    key: [u8; 32],
    #[n(1)]
    adu: ByteVec,
    #[n(2)]
    until: u64,
}

impl ReceiptWire {
    fn key(key: [u8; 32]) -> Self {
        Self { key, adu: ByteVec::from(Vec::new()), until: 0 }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct BlockWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    cid: [u8; Cid::BYTES],
    #[n(1)]
    len: u64,
}

impl From<&BlockRef> for BlockWire {
    fn from(block: &BlockRef) -> Self {
        Self { cid: block.cid.to_bytes(), len: block.len }
    }
}

impl TryFrom<BlockWire> for BlockRef {
    type Error = Fault;

    fn try_from(wire: BlockWire) -> Result<Self, Fault> {
        Ok(Self { cid: cid(&wire.cid)?, len: wire.len })
    }
}

fn cid(bytes: &[u8; Cid::BYTES]) -> Result<Cid, Fault> {
    Cid::from_bytes(bytes).map_err(|error| error.to_string())
}

fn put_blocks(blocks: &[BlockRef]) -> Vec<BlockWire> {
    blocks.iter().map(BlockWire::from).collect()
}

fn get_blocks(blocks: Vec<BlockWire>) -> Result<Vec<BlockRef>, Fault> {
    blocks.into_iter().map(BlockRef::try_from).collect()
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct IdWire {
    #[n(0)]
    source: Eid,
    #[n(1)]
    time: u64,
    #[n(2)]
    sequence: u64,
    #[n(3)]
    extent: Option<(u64, u64)>,
}

impl From<&BundleId> for IdWire {
    fn from(id: &BundleId) -> Self {
        Self {
            source: id.source.clone(),
            time: id.timestamp.time.0,
            sequence: id.timestamp.sequence,
            extent: id.fragment.map(|extent| (extent.offset, extent.len)),
        }
    }
}

impl From<IdWire> for BundleId {
    fn from(wire: IdWire) -> Self {
        Self {
            source: wire.source,
            timestamp: CreationTimestamp { time: DtnTime(wire.time), sequence: wire.sequence },
            fragment: wire.extent.map(|(offset, len)| FragmentExtent { offset, len }),
        }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct BundleWire {
    #[n(0)]
    id: IdWire,
    #[n(1)]
    header: ByteVec,
    #[n(2)]
    payload: BlockWire,
    #[n(3)]
    received: u64,
    #[n(4)]
    expires: u64,
    #[cbor(n(5), with = "minicbor::bytes")]
    job: Option<[u8; Cid::BYTES]>,
    #[n(6)]
    retention: u8,
}

impl From<&BundleRecord> for BundleWire {
    fn from(bundle: &BundleRecord) -> Self {
        Self {
            id: IdWire::from(&bundle.id),
            header: ByteVec::from(bundle.header.to_vec()),
            payload: BlockWire::from(&bundle.payload),
            received: bundle.received.0,
            expires: bundle.expires.0,
            job: bundle.job.map(|job| job.to_bytes()),
            retention: match bundle.retention {
                Retention::DispatchPending => 0,
                Retention::ForwardPending => 1,
                Retention::ReassemblyPending => 2,
                Retention::RunPending => 3,
                Retention::Delivered => 4,
            },
        }
    }
}

impl TryFrom<BundleWire> for BundleRecord {
    type Error = Fault;

    fn try_from(wire: BundleWire) -> Result<Self, Fault> {
        Ok(Self {
            id: wire.id.into(),
            header: Bytes::from(Vec::from(wire.header)),
            payload: wire.payload.try_into()?,
            received: Time(wire.received),
            expires: Time(wire.expires),
            job: wire.job.as_ref().map(cid).transpose()?,
            retention: match wire.retention {
                0 => Retention::DispatchPending,
                1 => Retention::ForwardPending,
                2 => Retention::ReassemblyPending,
                3 => Retention::RunPending,
                4 => Retention::Delivered,
                other => return Err(format!("unknown retention {other}")),
            },
        })
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ModelWire {
    #[n(0)]
    name: String,
    #[n(1)]
    manifest: BlockWire,
    #[n(2)]
    adu: ByteVec,
    #[n(3)]
    blocks: Vec<BlockWire>,
}

impl From<&ModelRecord> for ModelWire {
    fn from(model: &ModelRecord) -> Self {
        Self {
            name: model.name.clone(),
            manifest: BlockWire::from(&model.manifest),
            adu: ByteVec::from(model.adu.to_vec()),
            blocks: put_blocks(&model.blocks),
        }
    }
}

impl TryFrom<ModelWire> for ModelRecord {
    type Error = Fault;

    fn try_from(wire: ModelWire) -> Result<Self, Fault> {
        Ok(Self {
            name: wire.name,
            manifest: wire.manifest.try_into()?,
            adu: Bytes::from(Vec::from(wire.adu)),
            blocks: get_blocks(wire.blocks)?,
        })
    }
}
