//! Bundles that wait at an endpoint, as a reader of this node sees them: register, look, claim, read, take.
//! `recv` and `trigger` read through it, so that several of them share an endpoint and nothing is lost if one
//! of them dies: a bundle is taken only after it was read.

use std::time::Duration;

use hyper::{Method, body::Bytes};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Exit, Failure,
    client::{Client, escaped},
};
use crate::{gateway::wire::WaitingWire, settings::quantity::show_duration};

/// How long one request waits; then the next one does.
const TURN: Duration = Duration::from_secs(60);
/// How long others leave a bundle alone that is being read.
pub(super) const HOLD: Duration = Duration::from_secs(60);
/// How long until a claim is made anew.
pub(super) const RENEWAL: Duration = Duration::from_secs(20);

/// One reader of one node.
pub(super) struct Reader {
    client: Client,
    /// What it calls itself, unlike every other reader.
    name: u64,
}

impl Reader {
    pub(super) fn new(client: Client) -> Self {
        Self { client, name: rand::random() }
    }

    /// Registers in an endpoint.
    pub(super) async fn register(&self, endpoint: &str) -> Result<Value, Failure> {
        let path = format!("/api/endpoints/{}", escaped(endpoint));
        self.client.json(Method::PUT, &path, &Value::Null).await
    }

    /// Ends a registration.
    pub(super) async fn unregister(&self, endpoint: &str) -> Result<Value, Failure> {
        let path = format!("/api/endpoints/{}", escaped(endpoint));
        self.client.json(Method::DELETE, &path, &Value::Null).await
    }

    /// What waits at an endpoint and nobody else reads, at most `max`, once there is something or the time is
    /// up; no patience waits as long as it takes.
    pub(super) async fn waiting(
        &self,
        endpoint: &str,
        patience: Option<Duration>,
        max: usize,
    ) -> Result<Vec<WaitingWire>, Failure> {
        let began = Instant::now();
        loop {
            let left = patience.map_or(TURN, |patience| patience.saturating_sub(began.elapsed()));
            let wait = show_duration(left.min(TURN));
            let path = format!("/api/endpoints/{}/bundles?wait={wait}&max={max}", escaped(endpoint));
            let bundles: Vec<WaitingWire> = self.client.get(&path).await?;
            if !bundles.is_empty() || patience.is_some_and(|patience| began.elapsed() >= patience) {
                return Ok(bundles);
            }
        }
    }

    /// Keeps others from a bundle for a while; `false` if another reader was faster.
    pub(super) async fn claim(&self, bundle: &str, hold: Duration) -> Result<bool, Failure> {
        let hold = show_duration(hold);
        let path = format!("/api/bundles/{}/claim?reader={}&hold={hold}", escaped(bundle), self.name);
        match self.client.json::<Value>(Method::POST, &path, &Value::Null).await {
            Ok(_) => Ok(true),
            Err(failure) if *failure.code == *"claimed" || failure.exit == Exit::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a bundle's payload, or all of it, piece by piece; holds on to it as long as that takes, if it is
    /// claimed.
    pub(super) async fn read(
        &self,
        bundle: &str,
        raw: bool,
        is_claimed: bool,
        mut each: impl AsyncFnMut(&Bytes) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let what = if raw { "raw" } else { "payload" };
        let path = format!("/api/bundles/{}/{what}", escaped(bundle));
        let (mut renewed, mut len) = (Instant::now(), 0);
        self.client
            .download(&path, async |piece| {
                each(&piece).await?;
                len += u64::try_from(piece.len()).expect("a length fits 64 bits");
                if is_claimed && renewed.elapsed() >= RENEWAL {
                    renewed = Instant::now();
                    self.claim(bundle, HOLD).await?;
                }
                Ok(())
            })
            .await?;
        Ok(len)
    }

    /// It was read: it need not wait any longer. `false` if it is gone already.
    pub(super) async fn take(&self, bundle: &str) -> Result<bool, Failure> {
        let path = format!("/api/bundles/{}", escaped(bundle));
        match self.client.json::<Value>(Method::DELETE, &path, &Value::Null).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.exit == Exit::NotFound => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
