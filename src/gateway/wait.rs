//! Waiting for a job to end, and finding it by a short id.

use std::{str::FromStr, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::HeaderMap,
};
use bundle_spec::{Cid, Codec};
use http_body_util::{BodyExt, Limited};
use tokio::sync::broadcast::error::RecvError;

use super::{
    Gateway,
    problem::{Code, Problem},
};
use crate::{
    node::mailbox::{EventKind, JobState, JobView, Stopped},
    settings::quantity,
};

/// Longest time that one request waits.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(3600);
/// What every id of a job begins with: version, codec and hash.
const COMMON_PREFIX: &str = "bafyr4i";

impl Gateway {
    /// The job as it is once it has ended, or as it is when the time is up.
    pub(super) async fn settled(&self, job: Cid, wait: Duration) -> Result<JobView, Problem> {
        let settle = async {
            let mut events = self.handle.events();
            loop {
                let view = self.job(job).await?;
                if view.state != JobState::Open {
                    return Ok(view);
                }
                loop {
                    match events.recv().await {
                        Ok(event) if matches!(event.kind, EventKind::Job { job: of, .. } if of == job) => {
                            break;
                        }
                        Ok(_) => {}
                        Err(RecvError::Lagged(_)) => break,
                        Err(RecvError::Closed) => return Err(Stopped.into()),
                    }
                }
            }
        };
        tokio::select! {
            biased;
            view = settle => view,
            () = tokio::time::sleep(wait.min(WAIT_MAX)) => self.job(job).await,
            () = self.stop.cancelled() => Err(Stopped.into()),
        }
    }

    /// A job by its CID.
    pub(super) async fn job(&self, job: Cid) -> Result<JobView, Problem> {
        let view = self.handle.job(job).await?;
        view.ok_or_else(|| not_found(&job.to_string()))
    }

    /// A job by its id or by the beginning of it.
    pub(super) async fn find_job(&self, id: &str) -> Result<JobView, Problem> {
        if let Ok(cid) = Cid::from_str(id) {
            return self.job(cid.with_codec(Codec::DagCbor)).await;
        }
        let jobs = self.handle.jobs().await?;
        let begins = |view: &JobView| {
            let full = view.job.to_string();
            full.starts_with(id) || full.strip_prefix(COMMON_PREFIX).is_some_and(|rest| rest.starts_with(id))
        };
        let mut found = jobs.into_iter().filter(|view| !id.is_empty() && begins(view));
        let Some(view) = found.next() else { return Err(not_found(id)) };
        if found.next().is_some() {
            return Err(Problem::new(Code::AmbiguousId, format!("several jobs begin with `{id}`"))
                .hint("pannier list"));
        }
        Ok(view)
    }
}

fn not_found(id: &str) -> Problem {
    Problem::new(Code::NotFound, format!("no job `{id}` is known here")).hint("pannier list")
}

/// How long the client would wait: `?wait=30s`, or `Prefer: wait=30` (RFC 7240, seconds).
pub(super) fn wished(query: Option<&str>, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let read = |text: &str| match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => quantity::duration(text).map_err(|error| Problem::bad(error.to_string()).parameter("wait")),
    };
    if let Some(query) = query {
        return read(query).map(Some);
    }
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = preferences
        .flat_map(|line| line.split([',', ';']))
        .find_map(|part| part.trim().strip_prefix("wait=").map(|wait| wait.trim_matches('"').to_owned()));
    wait.map(|wait| read(&wait)).transpose()
}

/// The whole body, at most `max` bytes.
pub(super) async fn body(body: Body, max: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Problem::new(Code::TooLarge, format!("a request may have {max} bytes")))
        }
        Err(_) => Err(Problem::bad("the request broke off")),
    }
}

/// The body as JSON.
pub(super) async fn json<T: serde::de::DeserializeOwned>(request: Body) -> Result<T, Problem> {
    let bytes = body(request, super::BODY_BYTES_MAX).await?;
    serde_json::from_slice(&bytes).map_err(|error| Problem::bad(format!("the body: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_say_how_long_it_waits() {
        let mut headers = HeaderMap::new();
        assert_eq!(wished(None, &headers).unwrap(), None);
        headers.insert("prefer", "respond-async, wait=5".parse().unwrap());
        assert_eq!(wished(None, &headers).unwrap(), Some(Duration::from_secs(5)));
        assert_eq!(wished(Some("2m"), &headers).unwrap(), Some(Duration::from_secs(120)));
        assert_eq!(wished(Some("soon"), &headers).unwrap_err().code, Code::BadRequest);
    }
}
