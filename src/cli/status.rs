//! `pannier status`: the node at a glance, or the journey of one job.

use super::{Context, Exit, Failure, client::escaped, jobs::span, journey::journey};
use crate::{
    gateway::wire::{JobWire, Moment, StatusWire},
    settings::quantity::show_size,
};

/// The node at a glance.
pub(super) async fn node(context: &Context) -> Result<Exit, Failure> {
    let status: StatusWire = context.client()?.get("/api/status").await?;
    let printer = &context.printer;
    printer.line("result", &status)?;
    printer.data(&format!("node     {}  (pannier {})", printer.node(&status.node), status.version))?;
    let state = if status.ready { "accepts submissions" } else { "is starting" };
    printer.data(&format!("state    {state}"))?;
    printer.data(&format!(
        "jobs     {} open, {} running, {} known",
        status.jobs_open, status.jobs_running, status.jobs
    ))?;
    printer.data(&format!("bundles  {} held, {}", status.bundles, show_size(status.bytes)))?;
    printer.data(&format!(
        "store    {} used, {} free of {}",
        show_size(status.store_live),
        show_size(status.store_free),
        show_size(status.store_quota)
    ))?;
    for engine in &status.engines {
        printer.data(&format!("engine   {}  ({})", engine.name, engine.kinds.join(", ")))?;
    }
    for link in &status.links {
        printer.data(&format!(
            "link     {} over {}, since {} ago",
            link.peer.as_deref().map_or_else(|| "somebody".to_owned(), |peer| printer.node(peer)),
            link.cla,
            span(link.since.seconds_ago)
        ))?;
        for withheld in &link.withheld {
            printer.data(&format!(
                "         {} held back for another road: {}, and encryption is forbidden on this one",
                withheld.bundles, withheld.why
            ))?;
        }
    }
    Ok(Exit::Done)
}

/// One job and its journey.
pub(super) async fn job(context: &Context, typed: &str) -> Result<Exit, Failure> {
    let id = context.id(typed)?;
    let job: JobWire = context.client()?.get(&format!("/api/jobs/{}", escaped(&id))).await?;
    let printer = &context.printer;
    printer.line("result", &job)?;
    for line in journey(&job, printer) {
        printer.data(&line)?;
    }
    if printer.is_verbose() {
        printer.data(&format!("id {}", job.id))?;
        if let Some(result) = &job.result {
            printer.data(&format!("fingerprint {}", result.fingerprint))?;
        }
    }
    Ok(Exit::Done)
}

/// A moment as people read it: the time, and how long ago that was.
pub(super) fn when(moment: &Moment) -> String {
    let ago = format!("{} ago", span(moment.seconds_ago));
    moment.at.as_ref().map_or_else(|| ago.clone(), |at| format!("{at} ({ago})"))
}
