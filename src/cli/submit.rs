//! `pannier submit`: a job or data from a file; the id alone goes to stdout.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::{Context, Exit, Failure, args::Submit, client::escaped, fetch};
use crate::{
    gateway::wire::{JobRequest, SubmittedWire},
    limits,
    settings::{file, quantity},
};

/// Submits, and waits if that is wanted.
pub(super) async fn submit(context: &Context, args: Submit) -> Result<Exit, Failure> {
    if args.kind == "data" {
        return data(context, &args).await;
    }
    if args.to.is_some() {
        return Err(Failure::usage("`--to` is for `--kind data`: a job finds its own way")
            .hint("leave `--to` out, or add `--kind data`"));
    }
    let input = input(&args.file)?;
    let len = u64::try_from(input.len()).expect("a length fits 64 bits");
    if len > limits::BLOCK_BYTES_MAX {
        let (len, max) = (quantity::show_size(len), quantity::show_size(limits::BLOCK_BYTES_MAX));
        return Err(Failure::new(Exit::Failed, format!("the input has {len}, a job takes {max}"))
            .hint("split the input into several jobs"));
    }
    let mut request = JobRequest {
        kind: args.kind.clone(),
        model: args.model.clone(),
        parameters: parameters(&args)?,
        media: args.media.clone(),
        lifetime: args.lifetime.map(quantity::show_duration),
        fresh: args.fresh,
        seal: args.seal.clone(),
        ..JobRequest::default()
    };
    match String::from_utf8(input) {
        Ok(text) => request.input = Some(text),
        Err(binary) => request.input_base64 = Some(BASE64_STANDARD.encode(binary.as_bytes())),
    }
    let client = context.client()?;
    let submitted: SubmittedWire = client.json(Method::POST, "/api/jobs", &request).await?;
    remember(context, &submitted.id)?;
    context.printer.data(&submitted.id)?;
    context.printer.talk(match submitted.seal.as_deref() {
        Some("group") => "sealed: only executors can read it",
        Some("to") => "sealed: only the nodes that were named can read it",
        _ => "open: whoever carries it can read it",
    })?;
    let Some(patience) = args.wait else {
        context.printer.line("result", &submitted)?;
        if submitted.answered {
            context.printer.talk("the answer is here already")?;
        }
        return Ok(Exit::Done);
    };
    context.printer.line("submitted", &submitted)?;
    fetch::answer(context, &client, &submitted.id, Some(patience)).await?;
    context.printer.line("result", json!({ "id": submitted.id, "answered": true }))?;
    Ok(Exit::Done)
}

/// Sends a file as a bundle.
async fn data(context: &Context, args: &Submit) -> Result<Exit, Failure> {
    let Some(to) = &args.to else {
        return Err(Failure::usage("`--kind data` needs `--to`")
            .hint("pannier submit --kind data --to dtn://clinic/inbox FILE"));
    };
    if args.seal.is_some() {
        return Err(Failure::usage("`--seal` is for jobs: data is carried as it is")
            .hint("encrypt the file, or secure its bundle by `security.rules`"));
    }
    if args.model.is_some() || args.wait.is_some() || !args.parameters.is_empty() {
        return Err(Failure::usage(
            "`--kind data` is only carried: it takes no model, no parameters and no `--wait`",
        ));
    }
    let mut path = format!("/api/bundles?to={}", escaped(to));
    if let Some(lifetime) = args.lifetime {
        path.push_str(&format!("&lifetime={}", quantity::show_duration(lifetime)));
    }
    let media = "application/octet-stream";
    let reply = context.client()?.send(Method::POST, &path, media, input(&args.file)?.into()).await?;
    let sent: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    context.printer.data(sent["id"].as_str().unwrap_or(""))?;
    context.printer.line("result", sent)?;
    Ok(Exit::Done)
}

/// A file, or standard input.
pub(super) fn input(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|error| Failure::io(format!("`{}` cannot be read", file.display()), &error))?;
    Ok(bytes)
}

/// The parameter file, overruled by `-p`.
fn parameters(args: &Submit) -> Result<Map<String, Value>, Failure> {
    let mut parameters = Map::new();
    if let Some(path) = &args.parameter_file {
        let content = String::from_utf8_lossy(&input(path)?).into_owned();
        let table: toml::Table = content.parse().map_err(|error: toml::de::Error| {
            Failure::usage(format!("`{}` is not TOML", path.display())).cause(error.message())
        })?;
        for (name, value) in table {
            parameters.insert(name, plain(value)?);
        }
    }
    for typed in &args.parameters {
        let wrong =
            || Failure::usage(format!("`{typed}` is not of the form `KEY=VALUE`")).hint("-p max_tokens=32");
        let (name, value) = typed.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        parameters.insert(name.to_owned(), plain(file::loose(value))?);
    }
    Ok(parameters)
}

/// TOML as JSON; what JSON has no form for is no parameter.
fn plain(value: toml::Value) -> Result<Value, Failure> {
    match value {
        toml::Value::Datetime(_) | toml::Value::Table(_) => Err(Failure::usage(format!(
            "`{value}` is no parameter: give a text, a number, `true`, `false` or a list"
        ))),
        value => serde_json::to_value(value).map_err(|error| Failure::usage(error.to_string())),
    }
}

/// Keeps the id for `@last`.
fn remember(context: &Context, id: &str) -> Result<(), Failure> {
    let path = context.paths()?.last();
    let written = fetch::replace(&path, format!("{id}\n").as_bytes());
    if let Err(error) = written {
        // The job is accepted; only the short way to name it is missing.
        context.printer.talk(&format!("warning: `@last` cannot be kept in `{}`: {error}", path.display()))?;
    }
    Ok(())
}
