//! How jobs are written.

use bundle_spec::{
    Cid, Eid, NodeId,
    adu::{Kind, ModelSelector, SealLevel},
};
use minicbor::{Decode, Encode};

use super::{BlockWire, Fault, cid, get_blocks, put_blocks};
use crate::{
    agent::{
        JourneyEntry, Step,
        record::{AskerRecord, JobRecord, JobState, JobWork, Seal},
    },
    time::Time,
};

#[derive(Encode, Decode)]
#[cbor(map)]
pub(super) struct JobWire {
    #[cbor(n(0), with = "minicbor::bytes")]
    job: [u8; Cid::BYTES],
    #[n(1)]
    payload: BlockWire,
    #[n(2)]
    until: u64,
    #[n(3)]
    received_at: u64,
    #[n(4)]
    askers: Vec<AskerWire>,
    #[n(5)]
    state: StateWire,
    #[n(6)]
    journey: Vec<EntryWire>,
    #[n(7)]
    work: Option<WorkWire>,
    #[n(8)]
    outputs: Vec<BlockWire>,
    #[n(9)]
    missing: Vec<minicbor::bytes::ByteArray<32>>,
}

impl From<&JobRecord> for JobWire {
    fn from(job: &JobRecord) -> Self {
        Self {
            job: job.job.to_bytes(),
            payload: BlockWire::from(&job.payload),
            until: job.until.0,
            received_at: job.received_at,
            askers: job.askers.iter().map(AskerWire::from).collect(),
            state: StateWire::from(&job.state),
            journey: job.journey.iter().map(EntryWire::from).collect(),
            work: job.work.as_ref().map(WorkWire::from),
            outputs: put_blocks(&job.outputs),
            missing: job.missing.iter().map(|digest| (*digest).into()).collect(),
        }
    }
}

impl TryFrom<JobWire> for JobRecord {
    type Error = Fault;

    fn try_from(wire: JobWire) -> Result<Self, Fault> {
        Ok(Self {
            job: cid(&wire.job)?,
            payload: wire.payload.try_into()?,
            until: Time(wire.until),
            received_at: wire.received_at,
            askers: wire.askers.into_iter().map(AskerRecord::from).collect(),
            state: wire.state.try_into()?,
            journey: wire.journey.into_iter().map(JourneyEntry::from).collect(),
            work: wire.work.map(JobWork::try_from).transpose()?,
            outputs: get_blocks(wire.outputs)?,
            missing: wire.missing.into_iter().map(|digest| *digest).collect(),
        })
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct AskerWire {
    #[n(0)]
    reply_to: Eid,
    #[n(1)]
    until: u64,
    #[n(2)]
    local: bool,
    #[n(3)]
    answered: bool,
    #[n(4)]
    sequence: u64,
}

impl From<&AskerRecord> for AskerWire {
    fn from(asker: &AskerRecord) -> Self {
        Self {
            reply_to: asker.reply_to.clone(),
            until: asker.until.0,
            local: asker.local,
            answered: asker.answered,
            sequence: asker.sequence,
        }
    }
}

impl From<AskerWire> for AskerRecord {
    fn from(wire: AskerWire) -> Self {
        Self {
            reply_to: wire.reply_to,
            until: Time(wire.until),
            local: wire.local,
            answered: wire.answered,
            sequence: wire.sequence,
        }
    }
}

#[derive(Encode, Decode)]
enum StateWire {
    #[n(0)]
    Open,
    #[n(1)]
    Answered(#[n(0)] BlockWire, #[n(1)] bool),
    #[n(2)]
    Done,
    #[n(3)]
    Expired,
    #[n(4)]
    Cancelled,
}

impl From<&JobState> for StateWire {
    fn from(state: &JobState) -> Self {
        match state {
            JobState::Open => Self::Open,
            JobState::Answered { result, success } => Self::Answered(BlockWire::from(result), *success),
            JobState::Done => Self::Done,
            JobState::Expired => Self::Expired,
            JobState::Cancelled => Self::Cancelled,
        }
    }
}

impl TryFrom<StateWire> for JobState {
    type Error = Fault;

    fn try_from(wire: StateWire) -> Result<Self, Fault> {
        Ok(match wire {
            StateWire::Open => Self::Open,
            StateWire::Answered(result, success) => Self::Answered { result: result.try_into()?, success },
            StateWire::Done => Self::Done,
            StateWire::Expired => Self::Expired,
            StateWire::Cancelled => Self::Cancelled,
        })
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct WorkWire {
    #[n(0)]
    kind: Option<u8>,
    #[n(1)]
    model: ModelWireSelector,
    #[n(2)]
    inputs: Vec<BlockWire>,
    #[n(3)]
    seal: Option<SealWire>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct SealWire {
    #[n(0)]
    level: u8,
    #[cbor(n(1), with = "minicbor::bytes")]
    commitment: [u8; 32],
    #[n(2)]
    is_open_here: bool,
}

#[derive(Encode, Decode)]
enum ModelWireSelector {
    #[n(0)]
    None,
    #[n(1)]
    Cid(#[cbor(n(0), with = "minicbor::bytes")] [u8; Cid::BYTES]),
    #[n(2)]
    Named(#[n(0)] String),
}

impl From<&JobWork> for WorkWire {
    fn from(work: &JobWork) -> Self {
        Self {
            kind: work.kind.map(|kind| match kind {
                Kind::Chat => 0,
                Kind::Complete => 1,
                Kind::Embed => 2,
                Kind::Transcribe => 3,
                Kind::Speak => 4,
                Kind::Detect => 5,
                Kind::Echo => 6,
            }),
            model: match &work.model {
                ModelSelector::None => ModelWireSelector::None,
                ModelSelector::Cid(cid) => ModelWireSelector::Cid(cid.to_bytes()),
                ModelSelector::Named(name) => ModelWireSelector::Named(name.clone()),
            },
            inputs: put_blocks(&work.inputs),
            seal: work.seal.as_ref().map(SealWire::from),
        }
    }
}

impl TryFrom<WorkWire> for JobWork {
    type Error = Fault;

    fn try_from(wire: WorkWire) -> Result<Self, Fault> {
        Ok(Self {
            kind: wire.kind.map(kind).transpose()?,
            model: match wire.model {
                ModelWireSelector::None => ModelSelector::None,
                ModelWireSelector::Cid(bytes) => ModelSelector::Cid(cid(&bytes)?),
                ModelWireSelector::Named(name) => ModelSelector::Named(name),
            },
            inputs: get_blocks(wire.inputs)?,
            seal: wire.seal.map(Seal::try_from).transpose()?,
        })
    }
}

fn kind(number: u8) -> Result<Kind, Fault> {
    Ok(match number {
        0 => Kind::Chat,
        1 => Kind::Complete,
        2 => Kind::Embed,
        3 => Kind::Transcribe,
        4 => Kind::Speak,
        5 => Kind::Detect,
        6 => Kind::Echo,
        other => return Err(format!("unknown kind of job {other}")),
    })
}

impl From<&Seal> for SealWire {
    fn from(seal: &Seal) -> Self {
        let level = match seal.level {
            SealLevel::Group => 0,
            SealLevel::To => 1,
        };
        Self { level, commitment: seal.commitment, is_open_here: seal.is_open_here }
    }
}

impl TryFrom<SealWire> for Seal {
    type Error = Fault;

    fn try_from(wire: SealWire) -> Result<Self, Fault> {
        let level = match wire.level {
            0 => SealLevel::Group,
            1 => SealLevel::To,
            other => return Err(format!("unknown level of sealing {other}")),
        };
        Ok(Self { level, commitment: wire.commitment, is_open_here: wire.is_open_here })
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct EntryWire {
    #[n(0)]
    at: u64,
    #[n(1)]
    wall: u64,
    #[n(2)]
    step: StepWire,
}

#[derive(Encode, Decode)]
enum StepWire {
    #[n(0)]
    Accepted,
    #[n(1)]
    Received(#[n(0)] Option<NodeId>),
    #[n(2)]
    Forwarded(#[n(0)] Option<NodeId>, #[n(1)] String),
    #[n(3)]
    Waiting(#[n(0)] String),
    #[n(4)]
    Started(#[n(0)] String),
    #[n(5)]
    Answered(#[n(0)] NodeId),
    #[n(6)]
    Failed(#[n(0)] NodeId, #[n(1)] String),
    #[n(7)]
    Expired,
    #[n(8)]
    Cancelled,
    #[n(9)]
    Reported(#[n(0)] Option<NodeId>, #[n(1)] String),
}

impl From<&JourneyEntry> for EntryWire {
    fn from(entry: &JourneyEntry) -> Self {
        let step = match &entry.step {
            Step::Accepted => StepWire::Accepted,
            Step::Received { from } => StepWire::Received(from.clone()),
            Step::Forwarded { to, cla } => StepWire::Forwarded(to.clone(), cla.clone()),
            Step::Waiting { why } => StepWire::Waiting(why.clone()),
            Step::Started { engine } => StepWire::Started(engine.clone()),
            Step::Answered { by } => StepWire::Answered(by.clone()),
            Step::Failed { by, why } => StepWire::Failed(by.clone(), why.clone()),
            Step::Expired => StepWire::Expired,
            Step::Cancelled => StepWire::Cancelled,
            Step::Reported { by, what } => StepWire::Reported(by.clone(), what.clone()),
        };
        Self { at: entry.at.0, wall: entry.wall, step }
    }
}

impl From<EntryWire> for JourneyEntry {
    fn from(wire: EntryWire) -> Self {
        let step = match wire.step {
            StepWire::Accepted => Step::Accepted,
            StepWire::Received(from) => Step::Received { from },
            StepWire::Forwarded(to, cla) => Step::Forwarded { to, cla },
            StepWire::Waiting(why) => Step::Waiting { why },
            StepWire::Started(engine) => Step::Started { engine },
            StepWire::Answered(by) => Step::Answered { by },
            StepWire::Failed(by, why) => Step::Failed { by, why },
            StepWire::Expired => Step::Expired,
            StepWire::Cancelled => Step::Cancelled,
            StepWire::Reported(by, what) => Step::Reported { by, what },
        };
        Self { at: Time(wire.at), wall: wire.wall, step }
    }
}
