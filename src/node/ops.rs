//! What the gateway asks of the node beyond the mailbox: files, addresses, sticks, health.

mod import;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bundle_spec::{NodeId, invitation::Invitation, manifest::AssetKind, sign::SigningKey};
use tokio::sync::watch;

use super::{
    assets::AssetError,
    joining::Joining,
    mailbox::{CallError, Handle, StoreError},
    metrics::Metrics,
    peers::{PeerError, Peers},
    roads::Listening,
};
use crate::{
    agent::SubmitError,
    cla::spool::{self, SpoolError},
    gateway::node_ops::{
        Check, ImportedModel, Introduced, InvitationTerms, NodeOps, Operation, OperationError, PeerAddress,
        SpoolExport, SpoolReport, Verdict,
    },
    inference::gguf::GgufError,
    settings::{Settings, quantity::show_count},
};

/// How others and this node get together.
pub(super) struct Doors {
    /// Who is dialled.
    pub(super) peers: Arc<Peers>,
    /// Where others dial.
    pub(super) listening: Listening,
    /// Who this node is.
    pub(super) key: SigningKey,
}

/// The node behind the gateway.
pub(super) struct Ops {
    handle: Handle,
    peers: Arc<Peers>,
    listening: Listening,
    joining: Joining,
    metrics: Arc<Metrics>,
    /// Engines that do not run, each with the reason; `None` until they were probed.
    trouble: watch::Receiver<Option<Vec<(String, String)>>>,
    engines: Vec<String>,
    keep_free: u64,
}

impl Ops {
    pub(super) fn new(
        settings: &Settings,
        handle: Handle,
        Doors { peers, listening, key }: Doors,
        metrics: Arc<Metrics>,
        trouble: watch::Receiver<Option<Vec<(String, String)>>>,
    ) -> Self {
        let engines = settings.inference.engines.clone();
        let joining = Joining::new(settings, &handle, key, Arc::clone(&peers));
        let keep_free = settings.store.keep_free;
        Self { handle, peers, listening, joining, metrics, trouble, engines, keep_free }
    }

    async fn checks(&self, quick: bool) -> Result<Vec<Check>, OperationError> {
        let mut checks = vec![self.check_room(), self.check_clock()];
        checks.extend(self.check_links());
        checks.push(self.check_store(quick).await?);
        checks.extend(self.check_engines().await?);
        checks.extend(self.check_bundles().await?);
        Ok(checks)
    }

    fn check_room(&self) -> Check {
        let usage = self.handle.store().usage();
        let detail = format!("{} of {} bytes used, {} free", usage.live, usage.quota, usage.free);
        if usage.free == 0 {
            let hint = format!(
                "free space on its disk ({} bytes stay free), or raise `store.quota`",
                self.keep_free
            );
            return check("store room", Verdict::Fail, detail, &hint);
        }
        if usage.free < usage.quota / 10 {
            return check("store room", Verdict::Warn, detail, "raise `store.quota` or drop models");
        }
        check("store room", Verdict::Ok, detail, "")
    }

    fn check_clock(&self) -> Check {
        match self.handle.clock().wall() {
            Some((wall, error)) => {
                let detail = format!("DTN time {} ms, within {} ms", wall.0, error.as_millis());
                check("clock", Verdict::Ok, detail, "")
            }
            None => check(
                "clock",
                Verdict::Warn,
                "the wall clock is not plausible; bundles carry their age".to_owned(),
                "set the clock, e.g. `date -s`",
            ),
        }
    }

    fn check_links(&self) -> Vec<Check> {
        let state = self.listening.state().into_iter();
        let checks = state.map(|(road, listens)| match listens {
            Some(address) => check(&format!("link {road}"), Verdict::Ok, format!("listens on {address}"), ""),
            None => {
                let hint =
                    format!("the log says why; set `cla.{road}.listen` to another address or to `off`");
                check(&format!("link {road}"), Verdict::Fail, "does not listen".to_owned(), &hint)
            }
        });
        checks.collect()
    }

    async fn check_store(&self, quick: bool) -> Result<Check, OperationError> {
        let store = Arc::clone(self.handle.store());
        let report =
            tokio::task::spawn_blocking(move || store.check(quick)).await.expect("a check does not panic")?;
        let detail = format!("{} entries and {} blocks verified", report.entries, report.blocks);
        if report.findings.is_empty() {
            return Ok(check("store content", Verdict::Ok, detail, ""));
        }
        let detail = format!("{detail}; {}", report.findings.join("; "));
        Ok(check(
            "store content",
            Verdict::Fail,
            detail,
            "restart the node: what is damaged is fetched again",
        ))
    }

    async fn check_engines(&self) -> Result<Vec<Check>, OperationError> {
        let status = self.handle.status().await.map_err(stopped)?;
        let found = |name: &String| status.resources.engines.iter().find(|engine| engine.name == *name);
        Ok(self
            .engines
            .iter()
            .map(|name| match found(name) {
                Some(engine) => check(&format!("engine {name}"), Verdict::Ok, engine.fingerprint.clone(), ""),
                None => {
                    let detail = self.trouble_of(name);
                    let hint = "build the workers: `cargo build --release --features llama --bins`";
                    check(&format!("engine {name}"), Verdict::Warn, detail, hint)
                }
            })
            .collect())
    }

    fn trouble_of(&self, engine: &str) -> String {
        match self.trouble.borrow().as_ref() {
            None => "not probed yet".to_owned(),
            Some(failures) => match failures.iter().find(|(name, _)| name == engine) {
                Some((_, reason)) => reason.clone(),
                None => "it has stopped".to_owned(),
            },
        }
    }

    async fn check_bundles(&self) -> Result<Vec<Check>, OperationError> {
        let bundles = self.handle.bundles().await.map_err(stopped)?;
        let now = self.handle.clock().now();
        let soon = bundles.iter().filter(|bundle| bundle.expires.since(now).as_secs() < 3600).count();
        let detail = format!("{} held, {soon} of them expire within the hour", bundles.len());
        let (verdict, hint) = match soon {
            0 => (Verdict::Ok, ""),
            _ => (Verdict::Warn, "bring them to a peer: `pannier spool export DIR`"),
        };
        Ok(vec![check("bundles", verdict, detail, hint)])
    }

    async fn addresses(&self) -> Result<Vec<PeerAddress>, OperationError> {
        let met = self.handle.peers().await.map_err(stopped)?;
        let known = self.peers.list();
        Ok(known
            .into_iter()
            .map(|address| {
                let node = address.node();
                let named = met.iter().find(|peer| Some(&peer.node) == node.as_ref());
                PeerAddress {
                    node: named.map(|peer| peer.node.to_string()),
                    connected: named.is_some_and(|peer| peer.connected),
                    trouble: String::new(),
                    address: address.to_string(),
                }
            })
            .collect())
    }

    async fn export(&self, request: SpoolExport) -> Result<SpoolReport, OperationError> {
        let mut toward = Vec::with_capacity(request.to.len());
        for text in &request.to {
            let node = text.parse::<NodeId>();
            toward.push(node.map_err(|_| OperationError::Invalid(format!("`{text}` is not a node ID")))?);
        }
        Ok(spool::export(&self.handle, &request.folder, toward, request.bytes_max).await?.into())
    }

    async fn import_spool(&self, folder: &Path) -> Result<SpoolReport, OperationError> {
        Ok(spool::import(&self.handle, folder).await?.into())
    }
}

impl NodeOps for Ops {
    fn import_model(&self, name: String, kind: AssetKind, file: PathBuf) -> Operation<'_, ImportedModel> {
        Box::pin(import::import(&self.handle, name, kind, file))
    }

    fn peers_add(&self, address: String) -> Operation<'_, ()> {
        Box::pin(async move { Ok(self.peers.add(&address)?) })
    }

    fn peers_forget(&self, address: String) -> Operation<'_, ()> {
        Box::pin(async move { Ok(self.peers.forget(&address)?) })
    }

    fn peers_list(&self) -> Operation<'_, Vec<PeerAddress>> {
        Box::pin(self.addresses())
    }

    fn invite(&self, terms: InvitationTerms) -> Operation<'_, Introduced> {
        Box::pin(async move { self.joining.invite(self.listening.state(), terms) })
    }

    fn join(&self, invitation: Invitation, dry_run: bool) -> Operation<'_, Introduced> {
        Box::pin(async move { self.joining.join(invitation, dry_run) })
    }

    fn spool_export(&self, request: SpoolExport) -> Operation<'_, SpoolReport> {
        Box::pin(self.export(request))
    }

    fn spool_import(&self, folder: PathBuf) -> Operation<'_, SpoolReport> {
        Box::pin(async move { self.import_spool(&folder).await })
    }

    fn metrics(&self) -> Operation<'_, String> {
        Box::pin(async move {
            let status = self.handle.status().await.map_err(stopped)?;
            Ok(self.metrics.encode(&status, &self.handle.store().usage()))
        })
    }

    fn doctor(&self, quick: bool) -> Operation<'_, Vec<Check>> {
        Box::pin(self.checks(quick))
    }

    fn ready(&self) -> bool {
        true
    }
}

fn check(name: &str, verdict: Verdict, detail: String, hint: &str) -> Check {
    Check { name: name.to_owned(), verdict, detail, hint: hint.to_owned() }
}

fn stopped(_: super::mailbox::Stopped) -> OperationError {
    OperationError::Unavailable("the node is stopping".to_owned())
}

impl From<spool::Report> for SpoolReport {
    fn from(report: spool::Report) -> Self {
        let mut findings = report.warnings;
        findings.extend(report.bad.into_iter().map(|(file, reason)| format!("{file}: {reason}")));
        findings
            .extend(report.refused.iter().map(|(bundle, reason)| format!("{bundle}: refused ({reason:?})")));
        if report.left > 0 {
            findings.push(format!("no room for {}", show_count(report.left, "bundle")));
        }
        Self {
            bundles: report.exported + report.imported,
            bytes: report.bytes,
            skipped: report.duplicates,
            findings,
        }
    }
}

impl From<StoreError> for OperationError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::StoreFull,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<AssetError> for OperationError {
    fn from(error: AssetError) -> Self {
        match error {
            AssetError::Store(error) => error.into(),
            AssetError::Header(GgufError::NotGguf) => {
                Self::Invalid(format!("{error}; kind `data` takes any file"))
            }
            AssetError::Header(_) | AssetError::TooLarge(_) | AssetError::Empty => {
                Self::Invalid(error.to_string())
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<PeerError> for OperationError {
    fn from(error: PeerError) -> Self {
        match error {
            PeerError::Address { .. } | PeerError::NoLinkKey(_) => Self::Invalid(error.to_string()),
            PeerError::TooMany => Self::Limit("peers"),
            PeerError::Unknown(_) => Self::NotFound(error.to_string()),
            PeerError::Io(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<CallError> for OperationError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Stopped(_) => Self::Unavailable("the node is stopping".to_owned()),
            CallError::Refused(SubmitError::StoreFull) => Self::StoreFull,
            CallError::Refused(SubmitError::Limit(limit)) => Self::Limit(limit),
            CallError::Refused(SubmitError::NotFound) => Self::NotFound("not found".to_owned()),
            CallError::Refused(other) => Self::Invalid(other.to_string()),
        }
    }
}

impl From<SpoolError> for OperationError {
    fn from(error: SpoolError) -> Self {
        Self::Failed(error.to_string())
    }
}
