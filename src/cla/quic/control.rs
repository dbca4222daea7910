//! The control stream: greetings, then frames in both directions.

use std::time::Duration;

use bundle_spec::{NodeId, sign::PublicKey};
use bytes::{Bytes, BytesMut};
use quinn::{Connection, ReadExactError, RecvStream, SendStream};
use tokio::{sync::mpsc, time::timeout};
use tracing::debug;

use super::session::{Event, Greeted};
use crate::{
    agent::CloseReason,
    cla::{
        frame::{FRAME_BYTES_MAX, Frame, FrameError, Hello},
        identity,
    },
    limits::PAYLOAD_BYTES_MAX,
};

/// How long a peer may take to greet.
const GREETING: Duration = Duration::from_secs(10);

/// Why there was no greeting.
#[derive(Debug, thiserror::Error)]
pub(super) enum GreetingError {
    /// The connection broke or the peer took too long.
    #[error("the peer did not greet in time")]
    Lost,
    /// What it said makes no sense.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It said something else first.
    #[error("the peer did not begin with a greeting")]
    NoHello,
    /// It calls itself by another node's name.
    #[error("the peer calls itself `{0}`, which is not the name of its key")]
    WrongName(NodeId),
    /// It is this node.
    #[error("the address leads to this node itself")]
    Myself,
}

/// Greets the peer with `node` and `partials` and hears its greeting.
pub(super) async fn greet(
    connection: Connection,
    key: &PublicKey,
    dialled: bool,
    hello: Hello,
) -> Result<Greeted, GreetingError> {
    let me = hello.node.clone();
    let greeting = async {
        let opened = if dialled { connection.open_bi().await } else { connection.accept_bi().await };
        let (mut send, mut receive) = opened.map_err(|_| GreetingError::Lost)?;
        send.write_chunk(Frame::Hello(hello).encode()).await.map_err(|_| GreetingError::Lost)?;
        let body = match read_body(&mut receive).await {
            Ok(Some(body)) => body,
            Ok(None) | Err(Unread::Lost) => return Err(GreetingError::Lost),
            Err(Unread::TooLong(len)) => return Err(FrameError::TooLong(len).into()),
        };
        let Frame::Hello(hello) = Frame::decode(&body)? else { return Err(GreetingError::NoHello) };
        Ok((send, receive, hello))
    };
    let greeted = timeout(GREETING, greeting).await.map_err(|_| GreetingError::Lost)?;
    let (send, receive, hello) = greeted?;
    if identity::key_of(&hello.node).is_some_and(|named| named != *key) {
        return Err(GreetingError::WrongName(hello.node));
    }
    if hello.node == me {
        return Err(GreetingError::Myself);
    }
    Ok(Greeted { connection, send, receive, hello })
}

/// The greeting of `node`.
pub(super) fn hello(node: NodeId, partials: Vec<(bundle_spec::BundleDigest, u64)>) -> Hello {
    Hello { node, payload_max: PAYLOAD_BYTES_MAX, partials }
}

/// Passes on what the peer says until it says no more.
pub(super) async fn listen(mut stream: RecvStream, events: mpsc::Sender<Event>) -> CloseReason {
    loop {
        let body = match read_body(&mut stream).await {
            Ok(Some(body)) => body,
            Ok(None) => return CloseReason::Finished,
            Err(Unread::Lost) => return CloseReason::Lost,
            Err(Unread::TooLong(len)) => {
                debug!(len, "a frame is too long");
                return CloseReason::Violation;
            }
        };
        let frame = match Frame::decode(&body) {
            Ok(frame) => frame,
            Err(error) => {
                debug!(%error, "not a frame");
                return CloseReason::Violation;
            }
        };
        if events.send(Event::Frame(frame)).await.is_err() {
            return CloseReason::Finished;
        }
    }
}

/// Says what is to be said; after a good-bye, waits until it has arrived.
pub(super) async fn speak(mut stream: SendStream, mut outbox: mpsc::Receiver<Frame>) {
    while let Some(frame) = outbox.recv().await {
        let is_last = frame == Frame::Bye;
        if stream.write_chunk(frame.encode()).await.is_err() {
            return;
        }
        if is_last {
            break;
        }
    }
    if stream.finish().is_ok() {
        // Whether it arrived or the connection broke, there is no more to say.
        let _ = stream.stopped().await;
    }
}

enum Unread {
    Lost,
    TooLong(u64),
}

/// The next frame's CBOR; `None` at the end of the stream.
async fn read_body(stream: &mut RecvStream) -> Result<Option<Bytes>, Unread> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => {}
        Err(ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(_) => return Err(Unread::Lost),
    }
    let length = u32::from_be_bytes(length);
    let fits = usize::try_from(length).ok().filter(|length| *length <= FRAME_BYTES_MAX);
    let Some(fits) = fits else { return Err(Unread::TooLong(length.into())) };
    let mut body = BytesMut::zeroed(fits);
    stream.read_exact(&mut body).await.map_err(|_| Unread::Lost)?;
    Ok(Some(body.freeze()))
}
