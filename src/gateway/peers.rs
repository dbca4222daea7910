//! `/api/peers` and `/api/spool`: who is dialled, who was met, and sticks.

use std::path::PathBuf;

use axum::{Json, body::Body, extract::State, http::StatusCode};

use super::{
    Shared,
    node_ops::{SpoolExport, SpoolReport},
    problem::Problem,
    views::Writing,
    wait,
    wire::{PeerRequest, PeerWire, SpoolRequest, SpoolWire},
};
use crate::settings::quantity;

/// `GET /api/peers`: every address that is dialled and every node that was met.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<PeerWire>>, Problem> {
    let met = gateway.handle.peers().await?;
    let dialled = gateway.node.peers_list().await?;
    let writing = Writing::at(gateway.handle.clock());
    let mut peers: Vec<PeerWire> = met
        .iter()
        .map(|view| PeerWire {
            node: view.node.to_string(),
            address: String::new(),
            connected: view.connected,
            last_contact: Some(writing.moment(view.last_contact)),
            engines: view.engines.clone(),
            models: view.models.iter().map(|(name, _)| name.clone()).collect(),
            trouble: String::new(),
        })
        .collect();
    for address in dialled {
        let node = address.node.unwrap_or_default();
        match peers.iter_mut().find(|peer| !node.is_empty() && peer.node == node && peer.address.is_empty()) {
            Some(peer) => {
                peer.address = address.address;
                peer.trouble = address.trouble;
            }
            None => peers.push(PeerWire {
                node,
                address: address.address,
                connected: address.connected,
                last_contact: None,
                engines: Vec::new(),
                models: Vec::new(),
                trouble: address.trouble,
            }),
        }
    }
    Ok(Json(peers))
}

/// `POST /api/peers`: dials an address from now on.
pub(super) async fn add(
    State(gateway): Shared,
    request: Body,
) -> Result<(StatusCode, Json<PeerRequest>), Problem> {
    let peer: PeerRequest = wait::json(request).await?;
    gateway.node.peers_add(peer.address.clone()).await?;
    Ok((StatusCode::CREATED, Json(peer)))
}

/// `DELETE /api/peers`: no longer dials an address.
pub(super) async fn forget(State(gateway): Shared, request: Body) -> Result<Json<PeerRequest>, Problem> {
    let peer: PeerRequest = wait::json(request).await?;
    gateway.node.peers_forget(peer.address.clone()).await?;
    Ok(Json(peer))
}

/// `POST /api/spool/export`.
pub(super) async fn spool_export(State(gateway): Shared, request: Body) -> Result<Json<SpoolWire>, Problem> {
    let wish: SpoolRequest = wait::json(request).await?;
    let bytes_max = wish.max.as_deref().map(quantity::size).transpose();
    let export = SpoolExport {
        folder: folder(&wish.folder)?,
        to: wish.to,
        bytes_max: bytes_max.map_err(|error| Problem::bad(error.to_string()).parameter("max"))?,
    };
    let report = gateway.node.spool_export(export).await?;
    Ok(Json(spool(report)))
}

/// `POST /api/spool/import`.
pub(super) async fn spool_import(State(gateway): Shared, request: Body) -> Result<Json<SpoolWire>, Problem> {
    let wish: SpoolRequest = wait::json(request).await?;
    let report = gateway.node.spool_import(folder(&wish.folder)?).await?;
    Ok(Json(spool(report)))
}

fn folder(typed: &str) -> Result<PathBuf, Problem> {
    let path = PathBuf::from(typed);
    if !path.is_absolute() {
        return Err(Problem::bad(format!("`{typed}` is not an absolute path")).parameter("folder"));
    }
    if !path.is_dir() {
        let detail = format!("`{typed}` is not a folder; if it is a stick, it is not mounted");
        return Err(Problem::bad(detail).parameter("folder").hint(format!("mkdir {typed}")));
    }
    Ok(path)
}

fn spool(report: SpoolReport) -> SpoolWire {
    SpoolWire {
        bundles: report.bundles,
        bytes: report.bytes,
        skipped: report.skipped,
        findings: report.findings,
    }
}
