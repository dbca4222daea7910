//! `pannier query`: what a node knows of endpoints, peers, bundles, its store and itself.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Context, Exit, Failure,
    args::{Peer, Question},
    jobs::span,
    peer, status,
};
use crate::{
    gateway::wire::{BundleWire, EndpointWire, StatusWire},
    settings::quantity::{show_count, show_size},
};

/// Answers a question.
pub(super) async fn query(context: &Context, question: Question) -> Result<Exit, Failure> {
    match question {
        Question::Eids => eids(context).await,
        Question::Peers => peer::peer(context, Peer::List).await,
        Question::Bundles { addr } => bundles(context, addr.as_deref()).await,
        Question::Store => store(context).await,
        Question::Info => status::node(context).await,
        Question::Nodeid => {
            let status: StatusWire = context.client()?.get("/api/status").await?;
            context.printer.data(&status.node)?;
            context.printer.line("result", json!({ "node": status.node }))?;
            Ok(Exit::Done)
        }
    }
}

async fn eids(context: &Context) -> Result<Exit, Failure> {
    let endpoints: Vec<EndpointWire> = context.client()?.get("/api/endpoints").await?;
    let printer = &context.printer;
    for endpoint in &endpoints {
        let registered = if endpoint.registered { "registered" } else { "not registered" };
        let waiting = match endpoint.waiting {
            0 => String::from("nothing waits"),
            count => format!("{count} waiting, {}", show_size(endpoint.bytes)),
        };
        printer.data(&format!("{}  {registered}  {waiting}", printer.node(&endpoint.endpoint)))?;
        printer.line("endpoint", endpoint)?;
    }
    if endpoints.is_empty() {
        printer.talk("no endpoints; `pannier recv --register -e incoming` makes one")?;
    }
    printer.line("result", json!({ "endpoints": endpoints.len() }))?;
    Ok(Exit::Done)
}

async fn bundles(context: &Context, address: Option<&str>) -> Result<Exit, Failure> {
    let bundles: Vec<BundleWire> = context.client()?.get("/api/bundles").await?;
    let is_meant = |bundle: &&BundleWire| {
        address.is_none_or(|part| bundle.source.contains(part) || bundle.destination.contains(part))
    };
    let bundles: Vec<&BundleWire> = bundles.iter().filter(is_meant).collect();
    let printer = &context.printer;
    for bundle in &bundles {
        let mut words = vec![bundle.id.clone(), format!("to {}", printer.node(&bundle.destination))];
        words.extend([show_size(bundle.len), bundle.retention.clone()]);
        words.push(format!("lives {}", span(bundle.expires_in_seconds)));
        if printer.is_verbose() {
            words.push(bundle.payload.clone());
        }
        printer.data(&words.join("  "))?;
        printer.line("bundle", bundle)?;
    }
    if bundles.is_empty() {
        printer.talk("no bundles")?;
    }
    printer.line("result", json!({ "bundles": bundles.len() }))?;
    Ok(Exit::Done)
}

async fn store(context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let status: StatusWire = client.get("/api/status").await?;
    let bundles: Vec<BundleWire> = client.get("/api/bundles").await?;
    let mut kept: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for bundle in &bundles {
        let (count, bytes) = kept.entry(bundle.retention.as_str()).or_default();
        (*count, *bytes) = (*count + 1, bytes.saturating_add(bundle.len));
    }
    let printer = &context.printer;
    let sizes = [status.store_live, status.store_free, status.store_quota].map(show_size);
    printer.data(&format!("{} used, {} free of {}", sizes[0], sizes[1], sizes[2]))?;
    for (retention, (count, bytes)) in &kept {
        let count = show_count(*count, "bundle");
        printer.data(&format!("{retention:<18}  {count}, {}", show_size(*bytes)))?;
    }
    let kept = kept
        .iter()
        .map(|(name, (count, bytes))| ((*name).to_owned(), json!({ "bundles": count, "bytes": bytes })));
    printer.line(
        "result",
        json!({
            "live": status.store_live,
            "free": status.store_free,
            "quota": status.store_quota,
            "bundles": kept.collect::<serde_json::Map<_, _>>(),
        }),
    )?;
    Ok(Exit::Done)
}
