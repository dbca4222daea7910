//! `pannier peer`, `pannier spool` and `pannier ping`: other nodes, however they are reached.

use std::{path::Path, time::Duration};

use hyper::Method;
use serde_json::json;

use super::{
    Context, Exit, Failure,
    args::{Peer, Spool},
    client::escaped,
    invitation,
    printer::Printer,
    status::when,
};
use crate::{
    gateway::wire::{PeerRequest, PeerWire, PingWire, SpoolRequest, SpoolWire},
    settings::quantity::{show_count, show_duration, show_size},
};

pub(super) async fn peer(context: &Context, command: Peer) -> Result<Exit, Failure> {
    let client = context.client()?;
    let printer = &context.printer;
    match command {
        Peer::Invite(args) => return invitation::invite(context, args).await,
        Peer::Add { address } => {
            let added: PeerRequest =
                client.json(Method::POST, "/api/peers", &PeerRequest { address }).await?;
            printer.talk(&format!("`{}` is dialled from now on", added.address))?;
            printer.line("result", &added)?;
        }
        Peer::Forget { address } => {
            let gone: PeerRequest =
                client.json(Method::DELETE, "/api/peers", &PeerRequest { address }).await?;
            printer.talk(&format!("`{}` is no longer dialled", gone.address))?;
            printer.line("result", &gone)?;
        }
        Peer::List => {
            let peers: Vec<PeerWire> = client.get("/api/peers").await?;
            for peer in &peers {
                printer.data(&described(peer, printer))?;
                printer.line("peer", peer)?;
            }
            if peers.is_empty() {
                printer
                    .talk("no peers; `pannier join URI` or `pannier peer add quic://HOST:PORT` adds one")?;
            }
            printer.line("result", json!({ "peers": peers.len() }))?;
        }
    }
    Ok(Exit::Done)
}

fn described(peer: &PeerWire, printer: &Printer) -> String {
    let node = if peer.node.is_empty() { String::from("-") } else { printer.node(&peer.node) };
    let seen = match (&peer.last_contact, peer.connected) {
        (_, true) => String::from("connected"),
        (Some(moment), false) => format!("met {}", when(moment)),
        (None, false) => String::from("never met"),
    };
    let mut words = vec![node, seen];
    words.extend([peer.address.clone(), peer.engines.join(","), peer.models.join(","), peer.trouble.clone()]);
    words.retain(|word| !word.is_empty());
    words.join("  ")
}

pub(super) async fn spool(context: &Context, command: Spool) -> Result<Exit, Failure> {
    let (path, request, verb) = match command {
        Spool::Export { dir, to, max } => {
            let max = max.map(|bytes| format!("{bytes}B"));
            ("/api/spool/export", SpoolRequest { folder: absolute(&dir)?, to, max }, "written")
        }
        Spool::Import { dir } => {
            let request = SpoolRequest { folder: absolute(&dir)?, ..SpoolRequest::default() };
            ("/api/spool/import", request, "taken in")
        }
    };
    let report: SpoolWire = context.client()?.json(Method::POST, path, &request).await?;
    let printer = &context.printer;
    for finding in &report.findings {
        printer.talk(&format!("warning: {finding}"))?;
    }
    let skipped =
        if report.skipped == 0 { String::new() } else { format!(", {} not wanted", report.skipped) };
    let bundles = show_count(report.bundles, "bundle");
    printer.data(&format!("{bundles} {verb}, {}{skipped}", show_size(report.bytes)))?;
    printer.line("result", &report)?;
    Ok(Exit::Done)
}

/// The node may stand in another folder.
fn absolute(dir: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(dir)
        .map_err(|error| Failure::io(format!("`{}` is no folder", dir.display()), &error))?;
    let text = path.into_os_string().into_string();
    text.map_err(|path| Failure::usage(format!("`{}` is not UTF-8", path.display())))
}

/// Sends an echo request and prints how long it took.
pub(super) async fn ping(context: &Context, to: &str, wait: Duration) -> Result<Exit, Failure> {
    let path = format!("/api/ping?to={}&wait={}", escaped(to), show_duration(wait));
    let echo: PingWire = context.client()?.json(Method::POST, &path, &json!({})).await?;
    context.printer.data(&format!("{to} answered after {} ms", echo.round_trip_ms))?;
    context.printer.line("result", &echo)?;
    Ok(Exit::Done)
}
