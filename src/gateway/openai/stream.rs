//! An answer piece by piece. Pieces come from a worker on this node, each once; an answer from elsewhere
//! comes as one piece. What was sent is always the beginning of the final text: where pieces were missed, or
//! the task began anew, the rest comes with the whole answer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::response::{
    IntoResponse, Response,
    sse::{Event as Frame, KeepAlive, Sse},
};
use bundle_spec::Cid;
use futures_util::stream;
use serde_json::Value;
use tokio::sync::broadcast::{
    self,
    error::{RecvError, TryRecvError},
};

use super::{
    super::{
        Gateway, answer,
        problem::{Code, Problem},
    },
    reply::{Delta, Reply, chunk},
    request::Asked,
};
use crate::node::mailbox::{Event, EventKind, JobState, Piece, Step, Stopped};

/// How often a silent stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is heard of a job from before its submission on.
pub(super) struct Live {
    /// Pieces of all answers that are made here.
    pieces: broadcast::Receiver<(Cid, Piece)>,
    /// Everything that happens.
    events: broadcast::Receiver<Event>,
    /// The job that is meant.
    job: Cid,
    /// How often its task has begun.
    started: u32,
    /// Whether pieces are of no use any more: one was missed, or the task began anew.
    missed: bool,
    /// Whether the job has ended, or events were missed: its state tells.
    look: bool,
}

/// What is heard next.
enum Heard {
    /// The next text.
    Text(String),
    /// The job has ended, or something was missed: its state tells.
    Look,
}

impl Live {
    /// Listens for a job.
    pub(super) fn new(
        job: Cid,
        pieces: broadcast::Receiver<(Cid, Piece)>,
        events: broadcast::Receiver<Event>,
    ) -> Self {
        Self { pieces, events, job, started: 0, missed: false, look: false }
    }

    async fn next(&mut self) -> Result<Heard, Stopped> {
        loop {
            if std::mem::take(&mut self.look) {
                return Ok(Heard::Look);
            }
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Ok(event) => self.happened(&event),
                    Err(RecvError::Lagged(_)) => self.look = true,
                    Err(RecvError::Closed) => return Err(Stopped),
                },
                piece = self.pieces.recv() => match piece {
                    Ok((job, Piece::Text(text))) if job == self.job => {
                        self.catch_up();
                        if !self.missed {
                            return Ok(Heard::Text(text));
                        }
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.missed = true,
                    Err(RecvError::Closed) => return Err(Stopped),
                },
            }
        }
    }

    /// Takes in every event that was told before the piece at hand: it may be that of a task that began anew.
    fn catch_up(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.happened(&event),
                Err(TryRecvError::Lagged(_)) => self.look = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn happened(&mut self, event: &Event) {
        let EventKind::Job { job, step } = &event.kind else { return };
        if *job != self.job {
            return;
        }
        match step {
            Step::Started { .. } => {
                self.started += 1;
                self.missed |= self.started > 1;
            }
            Step::Answered { .. } | Step::Failed { .. } | Step::Expired | Step::Cancelled => self.look = true,
            Step::Accepted
            | Step::Received { .. }
            | Step::Forwarded { .. }
            | Step::Waiting { .. }
            | Step::Reported { .. } => {}
        }
    }
}

/// Waits until there is something to send, and then streams it. Nothing in time is no error: the job goes on.
pub(super) async fn respond(
    gateway: Arc<Gateway>,
    mut live: Live,
    asked: Asked,
    patience: Duration,
) -> Result<Response, Problem> {
    let first = async {
        loop {
            let view = gateway.job(live.job).await?;
            if view.state != JobState::Open {
                let reply = Reply::read(&gateway, &view, &asked).await?;
                return Ok::<_, Problem>(Begun::Over(whole(&reply, &asked)));
            }
            if let Heard::Text(text) = live.next().await? {
                return Ok(Begun::With(text));
            }
        }
    };
    let begun = tokio::select! {
        biased;
        begun = first => begun?,
        () = tokio::time::sleep(patience) => {
            let view = gateway.job(live.job).await?;
            return Err(answer::not_yet(&view));
        }
        () = gateway.stop.cancelled() => return Err(Stopped.into()),
    };
    let text = match begun {
        Begun::Over(response) => return Ok(response),
        Begun::With(text) => text,
    };
    let stop = gateway.stop.clone();
    let mut open = Open { gateway, live, asked, sent: String::new(), queue: Vec::new(), is_over: false };
    open.text(text);
    open.queue.push(frame(&chunk(&open.asked, open.live.job, &Delta::Begin)));
    let frames =
        stream::unfold(open, |mut open| async move { open.next().await.map(|frame| (Ok(frame), open)) });
    let frames = futures_util::StreamExt::take_until(frames, stop.cancelled_owned());
    Ok(sse(frames))
}

/// A finished answer as a stream of few chunks.
pub(super) fn whole(reply: &Reply, asked: &Asked) -> Response {
    let job = reply.job();
    let mut values =
        vec![chunk(asked, job, &Delta::Begin), chunk(asked, job, &Delta::Text(reply.text.clone()))];
    values.extend(closing(reply, asked));
    let frames = values.iter().map(frame).chain([done()]).map(Ok::<_, Infallible>);
    sse(stream::iter(frames.collect::<Vec<_>>()))
}

fn sse(frames: impl futures_util::Stream<Item = Result<Frame, Infallible>> + Send + 'static) -> Response {
    Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn closing(reply: &Reply, asked: &Asked) -> Vec<Value> {
    let usage = asked.usage.then(|| reply.usage_chunk(asked));
    [reply.last_chunk(asked)].into_iter().chain(usage).collect()
}

fn frame(value: &Value) -> Frame {
    Frame::default().data(value.to_string())
}

fn done() -> Frame {
    Frame::default().data("[DONE]")
}

/// How a stream begins.
enum Begun {
    /// With a piece.
    With(String),
    /// With the whole answer.
    Over(Response),
}

/// A stream that is under way.
struct Open {
    gateway: Arc<Gateway>,
    live: Live,
    asked: Asked,
    /// The text that the client has.
    sent: String,
    /// Frames that come next, last one first.
    queue: Vec<Frame>,
    is_over: bool,
}

impl Open {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.queue.pop() {
                return Some(frame);
            }
            if self.is_over {
                return None;
            }
            match self.live.next().await {
                Ok(Heard::Text(text)) => self.text(text),
                Ok(Heard::Look) => {
                    if let Err(problem) = self.look().await {
                        self.fail(&problem);
                    }
                }
                Err(stopped) => self.fail(&stopped.into()),
            }
        }
    }

    fn text(&mut self, text: String) {
        self.sent.push_str(&text);
        self.queue.push(frame(&chunk(&self.asked, self.live.job, &Delta::Text(text))));
    }

    async fn look(&mut self) -> Result<(), Problem> {
        let view = self.gateway.job(self.live.job).await?;
        if view.state == JobState::Open {
            return Ok(());
        }
        let reply = Reply::read(&self.gateway, &view, &self.asked).await?;
        let Some(rest) = reply.text.strip_prefix(self.sent.as_str()) else {
            let detail = "the answer was made a second time and came out differently; fetch the final one";
            return Err(Problem::new(Code::Internal, detail).job(self.live.job));
        };
        self.queue.push(done());
        self.queue.extend(closing(&reply, &self.asked).iter().rev().map(frame));
        if !rest.is_empty() {
            self.queue.push(frame(&chunk(&self.asked, self.live.job, &Delta::Text(rest.to_owned()))));
        }
        self.is_over = true;
        Ok(())
    }

    fn fail(&mut self, problem: &Problem) {
        self.queue.push(frame(&problem.openai_body()));
        self.is_over = true;
    }
}
