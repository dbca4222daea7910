//! What a session stands on: how its messages become bytes, where they go, and where others come from.
//!
//! TCPCLv4 has one stream for everything; another dialect has several and its own bytes. The drive of a
//! connection calls this and knows neither.

use std::{future::Future, io, pin::Pin};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    task::JoinSet,
};

use super::{
    codec::{self, DecodeError, Decoder, Unit},
    message::{Lane, Message, Segment, SegmentFlags, TransferId},
};
use crate::node::mailbox::Outgoing;

/// How many bytes are read from the wire in one step.
const READ_BYTES: usize = 256 * 1024;

/// How messages are said.
pub(in crate::cla) trait Dialect: Send {
    /// The name of the convergence layer.
    fn name(&self) -> &'static str;
    /// This transfer is to go out; before its first segment.
    fn begin(&mut self, transfer: TransferId, outgoing: &Outgoing);
    /// This was heard; before the session hears it.
    fn hear(&mut self, heard: &mut Heard);
    /// The message as bytes, and where they go. A segment's data follows it there.
    fn say(&mut self, message: &Message) -> (Lane, Bytes);
    /// How a transfer is ended early in place of its next segment, as bytes.
    fn end(&self, transfer: TransferId) -> Bytes;
}

/// Where messages go.
pub(in crate::cla) trait Outlet: Send {
    /// The stream of this lane.
    ///
    /// # Errors
    /// There is none.
    fn stream(&mut self, lane: Lane) -> io::Result<&mut (dyn AsyncWrite + Send + Unpin)>;
    /// Everything was said; returns once it is out.
    fn finish(self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What came.
#[derive(Debug)]
pub(in crate::cla) struct Heard {
    /// Where.
    pub(in crate::cla) lane: Lane,
    /// Which segment of its transfer it is the head of, counted from 0; 0 where segments are not counted.
    pub(in crate::cla) number: u16,
    /// What it is. Behind an error nothing can be read.
    pub(in crate::cla) unit: Result<Unit, DecodeError>,
}

/// Where messages come from.
pub(in crate::cla) enum Source {
    /// One stream, read here.
    Bytes {
        /// The stream.
        reader: Box<dyn AsyncRead + Send + Unpin>,
        /// What was read and not taken.
        buffer: BytesMut,
        /// Makes messages of it.
        decoder: Decoder,
    },
    /// Several streams, each read by a task.
    Units {
        /// What they read; `None` once nothing more can come.
        heard: mpsc::Receiver<Option<Heard>>,
        /// What was taken from them and is next.
        next: Option<Heard>,
        /// Whether nothing more comes.
        is_over: bool,
        /// The tasks, which end with this.
        _readers: JoinSet<()>,
    },
}

impl Source {
    /// A source with one stream.
    pub(in crate::cla) fn of_stream(reader: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self::Bytes { reader, buffer: BytesMut::new(), decoder: Decoder::default() }
    }

    /// A source with several streams.
    pub(in crate::cla) fn of_tasks(heard: mpsc::Receiver<Option<Heard>>, readers: JoinSet<()>) -> Self {
        Self::Units { heard, next: None, is_over: false, _readers: readers }
    }

    /// The next unit, if it is here.
    pub(super) fn next(&mut self) -> Option<Heard> {
        match self {
            Self::Bytes { buffer, decoder, .. } => {
                let unit = decoder.next(buffer).transpose()?;
                if unit.is_err() {
                    buffer.clear();
                }
                Some(Heard { lane: Lane::FIRST, number: 0, unit })
            }
            Self::Units { heard, next, is_over, .. } => {
                if next.is_none()
                    && let Ok(heard) = heard.try_recv()
                {
                    *is_over |= heard.is_none();
                    *next = heard;
                }
                next.take()
            }
        }
    }

    /// Waits for more; 0 when nothing more comes. May be given up at any time.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        match self {
            Self::Bytes { reader, buffer, .. } => {
                if buffer.capacity() - buffer.len() < READ_BYTES / 4 {
                    buffer.reserve(READ_BYTES);
                }
                reader.read_buf(buffer).await
            }
            Self::Units { is_over: true, .. } => Ok(0),
            Self::Units { heard, next, is_over, .. } => {
                let came = heard.recv().await.flatten();
                *is_over = came.is_none();
                *next = came;
                Ok(usize::from(next.is_some()))
            }
        }
    }
}

/// TCPCLv4 as RFC 9174 has it.
pub(super) struct Rfc9174;

impl Dialect for Rfc9174 {
    fn name(&self) -> &'static str {
        "tcpclv4"
    }

    fn begin(&mut self, _transfer: TransferId, _outgoing: &Outgoing) {}

    fn hear(&mut self, _heard: &mut Heard) {}

    fn say(&mut self, message: &Message) -> (Lane, Bytes) {
        (Lane::FIRST, codec::encode(message))
    }

    fn end(&self, transfer: TransferId) -> Bytes {
        let end = Segment { flags: SegmentFlags::END, transfer, extensions: Vec::new(), data_len: 0 };
        codec::encode(&Message::Segment(end))
    }
}

/// One stream for everything.
pub(super) struct OneStream(pub(super) Box<dyn AsyncWrite + Send + Unpin>);

impl Outlet for OneStream {
    fn stream(&mut self, _lane: Lane) -> io::Result<&mut (dyn AsyncWrite + Send + Unpin)> {
        Ok(self.0.as_mut())
    }

    fn finish(mut self: Box<Self>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            // The last words are out or the connection is gone: either way there is no more to say.
            let _ = self.0.shutdown().await;
        })
    }
}
