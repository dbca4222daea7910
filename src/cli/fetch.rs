//! `pannier fetch`: the answer to a job, to stdout or into a file; and waiting for one.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt, Full};
use hyper::{Method, body::Bytes};
use serde_json::json;

use super::{
    Context, Exit, Failure,
    args::{Fetch, Patience},
    client::{Client, Reply, escaped},
};
use crate::settings::quantity;

/// How long one request waits; then the next one does.
const TURN: Duration = Duration::from_secs(60);

/// Fetches an answer.
pub(super) async fn fetch(context: &Context, args: Fetch) -> Result<Exit, Failure> {
    let id = context.id(&args.id)?;
    let client = context.client()?;
    let reply = answer(context, &client, &id, args.wait).await?;
    let media = reply.media.clone();
    if let Some(path) = &args.output {
        replace(path, &reply.body)
            .map_err(|error| Failure::io(format!("`{}` cannot be written", path.display()), &error))?;
        let written = json!({ "id": id, "media": media, "file": path, "len": reply.body.len() });
        context.printer.line("result", written)?;
        return Ok(Exit::Done);
    }
    if context.printer.is_json() {
        let mut fields = json!({ "id": id, "media": media, "len": reply.body.len() });
        match std::str::from_utf8(&reply.body) {
            Ok(text) => fields["text"] = text.into(),
            Err(_) => fields["base64"] = BASE64_STANDARD.encode(&reply.body).into(),
        }
        context.printer.line("result", fields)?;
        return Ok(Exit::Done);
    }
    context.printer.bytes(&reply.body)?;
    Ok(Exit::Done)
}

/// The answer, if it comes in time.
pub(super) async fn answer(
    context: &Context,
    client: &Client,
    id: &str,
    patience: Option<Patience>,
) -> Result<Reply, Failure> {
    let deadline = match patience {
        None => Some(Duration::ZERO),
        Some(Patience::Until(wait)) => Some(wait),
        Some(Patience::Endless) => None,
    };
    #[expect(clippy::disallowed_methods, reason = "a person waits, and no agent is involved")]
    let began = Instant::now();
    let mut told = false;
    loop {
        let left = deadline.map_or(TURN, |deadline| deadline.saturating_sub(began.elapsed()));
        let path =
            format!("/api/jobs/{}/result?wait={}", escaped(id), quantity::show_duration(left.min(TURN)));
        let empty = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let reply = client.exchange(Method::GET, &path, "", empty).await?;
        if reply.status != 202 || deadline.is_some_and(|deadline| began.elapsed() >= deadline) {
            return reply.checked();
        }
        if !told {
            told = true;
            let state = Failure::of_problem(reply.status, &reply.body).what;
            context.printer.talk(&state)?;
        }
    }
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file");
    let name = path.file_name().ok_or_else(invalid)?.to_string_lossy().into_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_file(&draft);
    }
    written
}
