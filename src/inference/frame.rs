//! Frames on a worker's standard input and output.
//!
//! Used by `supervisor` on the node's side and by `serve` on the worker's. Both ends come from one build and
//! say so first ([`GREETING`]); then frames follow: length (4 bytes, little endian), CRC-32C of the body (the
//! same), body (bincode). The node trusts a worker no further than it can throw it: lengths, counts and
//! depths are bounded before anything is allocated. Frames are never stored and never leave the machine.

use std::{
    collections::BTreeMap,
    io::{self, Read},
};

use bincode::{
    Decode, Encode,
    config::{self, Configuration, Fixint, Limit, LittleEndian},
    de::Decoder,
    enc::Encoder,
    error::{DecodeError, EncodeError},
};
use bundle_spec::adu::{Failure, Kind, Usage, Value};
use bytes::{Buf, BytesMut};

use super::{EngineError, Finished, Piece, TaskInput, WorkerLimits};
use crate::limits::{TASK_VALUE_DEPTH_MAX, TASK_VALUES_MAX, WORKER_FRAME_BYTES_MAX};

/// What a worker says first: node and worker understand each other only if they are of one build.
pub const GREETING: &[u8] = concat!("pannier worker ", env!("CARGO_PKG_VERSION"), " frames 1\n").as_bytes();

/// Bytes before the body.
const HEAD_BYTES: usize = 8;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// What the node asks of a worker.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Request {
    /// Make the model in this file ready. The path is absolute, as the system's bytes.
    Load {
        /// Where.
        path: Vec<u8>,
        /// What may be used.
        limits: WorkerLimits,
    },
    /// Do this.
    Run {
        /// Names the answers.
        task: u64,
        /// What.
        input: TaskInput,
    },
    /// Nobody waits for this task any more.
    Cancel {
        /// Which.
        task: u64,
    },
    /// Nothing more will be asked.
    Shutdown,
}

/// What a worker answers.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum Reply {
    /// It runs. Said once, first.
    Ready {
        /// The engine's name.
        name: String,
        /// The engine's fingerprint.
        fingerprint: String,
        /// What it can do.
        kinds: Kinds,
    },
    /// The model is ready.
    Loaded,
    /// The model cannot be made ready.
    NotLoaded(EngineError),
    /// A piece of a task's answer.
    Piece {
        /// Which task.
        task: u64,
        /// The piece.
        piece: Piece,
    },
    /// A task is done.
    Finished {
        /// Which task.
        task: u64,
        /// What it gave.
        finished: Finished,
    },
    /// A task could not be done.
    Failed {
        /// Which task.
        task: u64,
        /// Why.
        error: EngineError,
    },
}

/// What an engine can do, as a frame carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinds(pub Vec<Kind>);

/// Why bytes are not a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than is ever taken.
    #[error("a frame of {bytes} bytes, at most {WORKER_FRAME_BYTES_MAX} are taken")]
    TooLong {
        /// How long.
        bytes: u64,
    },
    /// The checksum is wrong: somebody else has written here.
    #[error("the checksum of a frame is wrong")]
    Checksum,
    /// The body makes no sense.
    #[error("a frame makes no sense: {0}")]
    Body(DecodeError),
    /// The value cannot be carried.
    #[error("{0}")]
    Unfit(EncodeError),
    /// The stream ended within a frame.
    #[error("the stream ended within a frame")]
    Cut,
    /// The stream broke.
    #[error(transparent)]
    Stream(#[from] io::Error),
}

type FrameConfiguration = Configuration<LittleEndian, Fixint, Limit<WORKER_FRAME_BYTES_MAX>>;

fn configuration() -> FrameConfiguration {
    config::standard().with_fixed_int_encoding().with_limit::<WORKER_FRAME_BYTES_MAX>()
}

/// The bytes of one frame.
///
/// # Errors
/// `TooLong` or `Unfit`.
pub fn encode<T: Encode>(value: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEAD_BYTES];
    bincode::encode_into_std_write(value, &mut frame, configuration()).map_err(FrameError::Unfit)?;
    let body = &frame[HEAD_BYTES..];
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= WORKER_FRAME_BYTES_MAX);
    let Some(length) = length else {
        return Err(FrameError::TooLong { bytes: u64::try_from(body.len()).unwrap_or(u64::MAX) });
    };
    let checksum = checksum(body);
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[4..HEAD_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(frame)
}

/// Takes the first frame off `bytes`; `None` while it is not complete.
///
/// # Errors
/// See [`FrameError`]. Nothing that follows can be read then.
pub fn decode<T: Decode<()>>(bytes: &mut BytesMut) -> Result<Option<T>, FrameError> {
    let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [a, b, c, d, e, f, g, h] = *head;
    let length = u32::from_le_bytes([a, b, c, d]);
    let body_length = usize::try_from(length).ok().filter(|length| *length <= WORKER_FRAME_BYTES_MAX);
    let Some(body_length) = body_length else { return Err(FrameError::TooLong { bytes: length.into() }) };
    let Some(body) = bytes.get(HEAD_BYTES..HEAD_BYTES + body_length) else { return Ok(None) };
    if checksum(body) != u32::from_le_bytes([e, f, g, h]) {
        return Err(FrameError::Checksum);
    }
    let (value, read) = bincode::decode_from_slice(body, configuration()).map_err(FrameError::Body)?;
    if read != body_length {
        return Err(FrameError::Body(DecodeError::Other("bytes are left over")));
    }
    bytes.advance(HEAD_BYTES + body_length);
    Ok(Some(value))
}

/// Reads one frame from a stream that blocks; `None` at the end of it.
///
/// # Errors
/// See [`FrameError`].
pub fn read<T: Decode<()>>(stream: &mut impl Read, buffer: &mut BytesMut) -> Result<Option<T>, FrameError> {
    let mut chunk = vec![0; READ_BYTES];
    loop {
        if let Some(value) = decode(buffer)? {
            return Ok(Some(value));
        }
        let read = match stream.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if read == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(FrameError::Cut) };
        }
        buffer.extend_from_slice(&chunk[..read]);
    }
}

fn checksum(body: &[u8]) -> u32 {
    let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, body);
    u32::try_from(checksum).expect("a CRC-32 has 32 bits")
}

/// Every kind; the position is its code in frames.
const KINDS: [Kind; 7] =
    [Kind::Chat, Kind::Complete, Kind::Embed, Kind::Transcribe, Kind::Speak, Kind::Detect, Kind::Echo];

/// Every failure; the position is its code in frames.
const FAILURES: [Failure; 5] =
    [Failure::BadModel, Failure::BadInput, Failure::Crashed, Failure::Exhausted, Failure::Cancelled];

fn code<T: PartialEq>(table: &[T], value: &T) -> u8 {
    let position = table.iter().position(|entry| entry == value).expect("the table names every value");
    u8::try_from(position).expect("the table is short")
}

fn entry<T: Copy>(table: &[T], code: u8) -> Result<T, DecodeError> {
    table.get(usize::from(code)).copied().ok_or(DecodeError::Other("an unknown code"))
}

impl Encode for Kinds {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        let codes: Vec<u8> = self.0.iter().map(|kind| code(&KINDS, kind)).collect();
        codes.encode(encoder)
    }
}

impl<C> Decode<C> for Kinds {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let codes = Vec::<u8>::decode(decoder)?;
        let kinds: Result<_, _> = codes.into_iter().map(|code| entry(&KINDS, code)).collect();
        Ok(Self(kinds?))
    }
}

impl Encode for WorkerLimits {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.threads, self.memory, self.task_ms).encode(encoder)
    }
}

impl<C> Decode<C> for WorkerLimits {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let (threads, memory, task_ms) = Decode::decode(decoder)?;
        Ok(Self { threads, memory, task_ms })
    }
}

impl Encode for TaskInput {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        code(&KINDS, &self.kind).encode(encoder)?;
        self.inputs.encode(encoder)?;
        encode_parameters(&self.parameters, encoder)
    }
}

impl<C> Decode<C> for TaskInput {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let kind = entry(&KINDS, u8::decode(decoder)?)?;
        let inputs = Decode::decode(decoder)?;
        Ok(Self { kind, inputs, parameters: decode_parameters(decoder)? })
    }
}

impl Encode for Piece {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            Self::Text(text) => (0_u8, text).encode(encoder),
            Self::Progress(thousandths) => (1_u8, thousandths).encode(encoder),
        }
    }
}

impl<C> Decode<C> for Piece {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u8::decode(decoder)? {
            0 => Ok(Self::Text(Decode::decode(decoder)?)),
            1 => Ok(Self::Progress(Decode::decode(decoder)?)),
            2.. => Err(DecodeError::Other("an unknown kind of piece")),
        }
    }
}

impl Encode for Finished {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.outputs.encode(encoder)?;
        self.finish.encode(encoder)?;
        (self.usage.prompt_tokens, self.usage.completion_tokens).encode(encoder)?;
        encode_parameters(&self.parameters, encoder)
    }
}

impl<C> Decode<C> for Finished {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let outputs = Decode::decode(decoder)?;
        let finish = Decode::decode(decoder)?;
        let (prompt_tokens, completion_tokens) = Decode::decode(decoder)?;
        let usage = Usage { prompt_tokens, completion_tokens };
        Ok(Self { outputs, finish, usage, parameters: decode_parameters(decoder)? })
    }
}

impl Encode for EngineError {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (code(&FAILURES, &self.failure), &self.detail).encode(encoder)
    }
}

impl<C> Decode<C> for EngineError {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let failure = entry(&FAILURES, u8::decode(decoder)?)?;
        Ok(Self { failure, detail: Decode::decode(decoder)? })
    }
}

// The derived decoders ask for these.
bincode::impl_borrow_decode!(Kinds);
bincode::impl_borrow_decode!(WorkerLimits);
bincode::impl_borrow_decode!(TaskInput);
bincode::impl_borrow_decode!(Piece);
bincode::impl_borrow_decode!(Finished);
bincode::impl_borrow_decode!(EngineError);

fn encode_parameters<E: Encoder>(
    parameters: &BTreeMap<String, Value>,
    encoder: &mut E,
) -> Result<(), EncodeError> {
    let mut budget = TASK_VALUES_MAX;
    encode_length(parameters.len(), encoder)?;
    for (name, value) in parameters {
        name.encode(encoder)?;
        encode_value(value, TASK_VALUE_DEPTH_MAX, &mut budget, encoder)?;
    }
    Ok(())
}

fn encode_value<E: Encoder>(
    value: &Value,
    depth: u32,
    budget: &mut usize,
    encoder: &mut E,
) -> Result<(), EncodeError> {
    *budget = budget.checked_sub(1).ok_or(EncodeError::Other("too many values in the parameters"))?;
    match value {
        Value::Bool(value) => (0_u8, value).encode(encoder),
        Value::Integer(value) => (1_u8, value).encode(encoder),
        Value::Float(value) => (2_u8, value).encode(encoder),
        Value::Text(value) => (3_u8, value).encode(encoder),
        Value::List(values) => {
            let depth = depth.checked_sub(1).ok_or(EncodeError::Other("lists in the parameters too deep"))?;
            4_u8.encode(encoder)?;
            encode_length(values.len(), encoder)?;
            values.iter().try_for_each(|value| encode_value(value, depth, budget, encoder))
        }
    }
}

fn encode_length<E: Encoder>(length: usize, encoder: &mut E) -> Result<(), EncodeError> {
    let length =
        u32::try_from(length).map_err(|_| EncodeError::Other("too many values in the parameters"))?;
    length.encode(encoder)
}

fn decode_parameters<D: Decoder>(decoder: &mut D) -> Result<BTreeMap<String, Value>, DecodeError> {
    let mut budget = TASK_VALUES_MAX;
    let mut parameters = BTreeMap::new();
    for _ in 0..u32::decode(decoder)? {
        let name = String::decode(decoder)?;
        let value = decode_value(TASK_VALUE_DEPTH_MAX, &mut budget, decoder)?;
        parameters.insert(name, value);
    }
    Ok(parameters)
}

fn decode_value<D: Decoder>(depth: u32, budget: &mut usize, decoder: &mut D) -> Result<Value, DecodeError> {
    *budget = budget.checked_sub(1).ok_or(DecodeError::Other("too many values"))?;
    match u8::decode(decoder)? {
        0 => Ok(Value::Bool(Decode::decode(decoder)?)),
        1 => Ok(Value::Integer(Decode::decode(decoder)?)),
        2 => {
            let value = f64::decode(decoder)?;
            if value.is_finite() {
                Ok(Value::Float(value))
            } else {
                Err(DecodeError::Other("not a finite number"))
            }
        }
        3 => Ok(Value::Text(Decode::decode(decoder)?)),
        4 => {
            let depth = depth.checked_sub(1).ok_or(DecodeError::Other("lists too deep"))?;
            let length = u32::decode(decoder)?;
            let values: Result<_, _> =
                (0..length).map(|_| decode_value(depth, budget, decoder)).collect::<Result<Vec<_>, _>>();
            Ok(Value::List(values?))
        }
        5.. => Err(DecodeError::Other("an unknown kind of value")),
    }
}

#[cfg(test)]
mod tests;
