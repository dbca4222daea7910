//! `pannier send`: a file or standard input as a bundle; its id alone goes to stdout.

use std::{io, os::fd::AsFd, path::Path};

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::io::ReaderStream;

use super::{
    Context, Exit, Failure,
    args::Send,
    client::{Body, escaped},
};
use crate::{
    gateway::wire::SentWire,
    settings::quantity::{show_duration, show_size},
};

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// Sends.
pub(super) async fn send(context: &Context, args: Send) -> Result<Exit, Failure> {
    let path = path(&args);
    let (body, len) = body(context, &args.file).await?;
    let reply = context.client()?.upload(&path, body, len).await?.checked()?;
    let sent: SentWire = serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::new(Exit::Failed, "the node's answer makes no sense").cause(error))?;
    let printer = &context.printer;
    let verb = if sent.id.is_some() { "sent" } else { "would be sent" };
    let said = format!(
        "{} {verb} from {} to {}, worth carrying for {}",
        show_size(sent.len),
        printer.node(&sent.source),
        printer.node(&sent.destination),
        show_duration(std::time::Duration::from_secs(sent.lifetime_seconds))
    );
    if printer.is_verbose() || args.dry_run {
        printer.talk(&said)?;
    }
    if let Some(id) = &sent.id {
        printer.data(id)?;
    }
    printer.line("result", &sent)?;
    Ok(Exit::Done)
}

fn path(args: &Send) -> String {
    let mut path = format!("/api/bundles?to={}", escaped(&args.receiver));
    let mut add = |name: &str, value: &str| path.push_str(&format!("&{name}={}", escaped(value)));
    if let Some(sender) = &args.sender {
        add("from", sender);
    }
    if let Some(lifetime) = args.lifetime {
        add("lifetime", &show_duration(lifetime));
    }
    if !args.report.is_empty() {
        let every = String::from("received,forwarded,delivered,deleted");
        add(
            "reports",
            &if args.report.iter().any(|word| word == "all") { every } else { args.report.join(",") },
        );
    }
    if let Some(report_to) = &args.report_to {
        add("report_to", report_to);
    }
    if let Some(hops) = args.hop_limit {
        add("hop_limit", &hops.to_string());
    }
    if let Some(crc) = &args.crc {
        add("crc", crc);
    }
    for (name, is_set) in [
        ("report_time", args.report_time),
        ("acknowledge", args.acknowledge),
        ("no_fragment", args.no_fragment),
        ("dry_run", args.dry_run),
    ] {
        if is_set {
            add(name, "true");
        }
    }
    path
}

/// The payload as it is read, and how long it is, where that is known.
async fn body(context: &Context, file: &Path) -> Result<(Body, Option<u64>), Failure> {
    let unreadable = |error: &io::Error| Failure::io(format!("`{}` cannot be read", file.display()), error);
    if file == Path::new("-") {
        let input = io::stdin().as_fd().try_clone_to_owned().map_err(|error| unreadable(&error))?;
        return Ok((frames(tokio::fs::File::from_std(input.into()), |_| {}), None));
    }
    let opened = tokio::fs::File::open(file).await.map_err(|error| unreadable(&error))?;
    let metadata = opened.metadata().await.map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(Failure::usage(format!("`{}` is a folder", file.display()))
            .hint("pack it, e.g. `tar c DIR | pannier send -r EID -`"));
    }
    let len = metadata.len();
    // Pipes have no length, and files that the kernel makes up say that they have none.
    if !metadata.is_file() || len == 0 {
        return Ok((frames(opened, |_| {}), None));
    }
    let bar = context.printer.bar(len, "sending");
    let moved = move |bytes: usize| {
        bar.inc(u64::try_from(bytes).unwrap_or(0));
        if bar.position() >= len {
            bar.finish_and_clear();
        }
    };
    // What is written to the file meanwhile is not sent: its length was announced.
    Ok((frames(opened.take(len), moved), Some(len)))
}

fn frames(
    input: impl AsyncRead + std::marker::Send + 'static,
    moved: impl Fn(usize) + std::marker::Send + 'static,
) -> Body {
    let frames = ReaderStream::with_capacity(input, READ_BYTES);
    let frames = frames.inspect_ok(move |bytes| moved(bytes.len())).map_ok(Frame::data);
    StreamBody::new(frames).boxed_unsync()
}
