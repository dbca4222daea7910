//! The streams of one connection: the first one that the dialler opens is for signalling; then each side
//! opens one for each priority and sends its transfers there. What is said of a transfer goes back on its
//! stream.
//!
//! Every stream that comes has a task that makes messages of its bytes. Knows no session.

use std::{collections::BTreeMap, future::Future, io, pin::Pin};

use bytes::BytesMut;
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::message::Decoder;
use crate::cla::tcpclv4::{
    codec::{DecodeError, Unit},
    dialect::{Heard, Outlet, Source},
    message::{Lane, Message, SegmentFlags},
    session::kind_of,
};

/// Streams that either side may open: signalling, and four priorities.
pub(in crate::cla) const STREAMS_MAX: u32 = 5;
/// How many bytes are read in one step.
const READ_BYTES: usize = 64 * 1024;
/// Units that may wait for the session.
const UNITS_MAX: usize = 16;
/// The first lane of streams that the peer has opened.
const THEIRS: u8 = 8;

/// Which of its streams a side sends a transfer on, in their order: 4, 8, 12 of the dialler's, 1, 5, 9 of the
/// other side's. The fourth, for bundles without priority, is only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    Expedited,
    Normal,
    Bulk,
}

impl Priority {
    const ALL: [Self; 3] = [Self::Expedited, Self::Normal, Self::Bulk];

    /// Where transfers of this priority go.
    pub(super) const fn lane(self) -> Lane {
        match self {
            Self::Expedited => Lane(1),
            Self::Normal => Lane(2),
            Self::Bulk => Lane(3),
        }
    }

    /// What QUIC is told: signalling has 4.
    const fn urgency(self) -> i32 {
        match self {
            Self::Expedited => 3,
            Self::Normal => 2,
            Self::Bulk => 1,
        }
    }
}

const SIGNALLING_URGENCY: i32 = 4;

/// Opens the streams of this side, and begins to read those of the peer.
///
/// # Errors
/// The connection is gone.
pub(super) async fn open(
    connection: &Connection,
    is_dialler: bool,
) -> Result<(Source, Box<dyn Outlet>), ConnectionError> {
    let (signalling, signalled) = match is_dialler {
        true => connection.open_bi().await?,
        false => connection.accept_bi().await?,
    };
    // Streams that are gone already need no order.
    let _ = signalling.set_priority(SIGNALLING_URGENCY);
    let (heard, hears) = mpsc::channel(UNITS_MAX);
    let (accepted, accepts) = mpsc::channel(usize::from(u8::MAX - THEIRS) + 1);
    let greeted = CancellationToken::new();
    let mut readers = JoinSet::new();
    let mut open = BTreeMap::from([(Lane::FIRST, signalling)]);
    let reader = Reader { lane: Lane::FIRST, heard, greeted };
    for priority in Priority::ALL {
        let (send, receive) = connection.open_bi().await?;
        let _ = send.set_priority(priority.urgency());
        open.insert(priority.lane(), send);
        readers.spawn(reader.on(priority.lane()).data(receive));
    }
    readers.spawn(accept(connection.clone(), reader.clone(), accepted));
    readers.spawn(reader.signalling(signalled));
    Ok((Source::of_tasks(hears, readers), Box::new(Streams { open, accepts })))
}

/// Takes the streams that the peer opens.
async fn accept(connection: Connection, reader: Reader, accepted: mpsc::Sender<(Lane, SendStream)>) {
    let mut readers = JoinSet::new();
    for number in THEIRS..=u8::MAX {
        let Ok((send, receive)) = connection.accept_bi().await else { break };
        let lane = Lane(number);
        // The stream is known to who writes before anything from it is.
        if accepted.send((lane, send)).await.is_err() {
            break;
        }
        readers.spawn(reader.on(lane).data(receive));
    }
    // Streams that are there are read to their ends.
    while readers.join_next().await.is_some() {}
}

/// Reads one stream.
#[derive(Clone)]
struct Reader {
    lane: Lane,
    heard: mpsc::Sender<Option<Heard>>,
    /// Once the peer has greeted: what overtakes that waits.
    greeted: CancellationToken,
}

impl Reader {
    fn on(&self, lane: Lane) -> Self {
        Self { lane, ..self.clone() }
    }

    async fn signalling(self, stream: RecvStream) {
        self.read(stream).await;
        self.over().await;
    }

    async fn data(self, stream: RecvStream) {
        self.greeted.cancelled().await;
        if !self.read(stream).await {
            // What began there can neither go on nor begin anew.
            self.over().await;
        }
    }

    async fn over(&self) {
        // A session that is over need not be told.
        let _ = self.heard.send(None).await;
    }

    /// Passes on what comes until it ends, or cannot be read. Whether no transfer was under way.
    async fn read(&self, mut stream: RecvStream) -> bool {
        let mut buffer = BytesMut::new();
        let mut decoder = Decoder::default();
        let mut flags = SegmentFlags::END;
        loop {
            let (unit, number) = match decoder.next(&mut buffer).transpose() {
                Some(Ok((unit, place))) => (self.placed(unit), place.number),
                Some(Err(error)) => (Err(error), 0),
                None => {
                    buffer.reserve(READ_BYTES);
                    match stream.read_buf(&mut buffer).await {
                        Ok(1..) => continue,
                        Ok(0) => {}
                        Err(error) => debug!(%error, lane = self.lane.0, "a stream has ended"),
                    }
                    return flags.is_end() && !decoder.is_inside() && buffer.is_empty();
                }
            };
            if let Ok(Unit::Message(Message::Segment(segment))) = &unit {
                flags = segment.flags;
            }
            let is_readable = unit.is_ok();
            let is_taken = self.heard.send(Some(Heard { lane: self.lane, number, unit })).await.is_ok();
            if !is_taken || !is_readable {
                return true;
            }
            self.greeted.cancel();
        }
    }

    /// Messages about transfers are on the streams of transfers, all others on the first one.
    fn placed(&self, unit: Unit) -> Result<Unit, DecodeError> {
        let Unit::Message(message) = &unit else { return Ok(unit) };
        let is_of_transfer = match message {
            Message::Segment(_) | Message::Ack(_) | Message::Refuse { .. } => true,
            Message::Init(_)
            | Message::Keepalive
            | Message::Terminate { .. }
            | Message::Reject { .. }
            | Message::Frame(_)
            | Message::Carried { .. } => false,
        };
        let is_signalling = self.lane == Lane::FIRST;
        if is_of_transfer == is_signalling { Err(DecodeError::Misplaced(kind_of(message))) } else { Ok(unit) }
    }
}

/// The streams that are written.
struct Streams {
    open: BTreeMap<Lane, SendStream>,
    /// Those that the peer has opened and nothing was said on.
    accepts: mpsc::Receiver<(Lane, SendStream)>,
}

impl Outlet for Streams {
    fn stream(&mut self, lane: Lane) -> io::Result<&mut (dyn AsyncWrite + Send + Unpin)> {
        while let Ok((lane, stream)) = self.accepts.try_recv() {
            self.open.insert(lane, stream);
        }
        match self.open.get_mut(&lane) {
            Some(stream) => Ok(stream),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the stream is not open")),
        }
    }

    fn finish(mut self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            for stream in self.open.values_mut() {
                // One that the peer has stopped is finished.
                let _ = stream.finish();
            }
            for stream in self.open.into_values() {
                // All of it is there, or nobody wants it.
                let _ = stream.stopped().await;
            }
        })
    }
}
