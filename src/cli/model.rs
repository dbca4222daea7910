//! `pannier model`: add, list, show, drop.

use std::{io, path::Path};

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Method, body::Frame};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::{Context, Exit, Failure, args::Model, client::escaped};
use crate::{gateway::wire::ModelWire, settings::quantity::show_size};

/// Bytes that are read from a file at a time.
const READ_BYTES: usize = 256 * 1024;

pub(super) async fn model(context: &Context, command: Model) -> Result<Exit, Failure> {
    match command {
        Model::Add { file, name, kind } => add(context, &file, name, &kind).await,
        Model::List => list(context).await,
        Model::Show { name } => show(context, &name).await,
        Model::Drop { name } => {
            let path = format!("/api/models/{}", escaped(&name));
            let dropped: Value = context.client()?.json(Method::DELETE, &path, &json!({})).await?;
            context.printer.talk(&format!("`{name}` is no longer kept"))?;
            context.printer.line("result", dropped)?;
            Ok(Exit::Done)
        }
    }
}

async fn add(context: &Context, file: &Path, name: Option<String>, kind: &str) -> Result<Exit, Failure> {
    let unreadable = |error: &io::Error| Failure::io(format!("`{}` cannot be read", file.display()), error);
    let usual = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name =
        name.or_else(usual).ok_or_else(|| Failure::usage("this file has no name").hint("--name NAME"))?;
    let opened = tokio::fs::File::open(file).await.map_err(|error| unreadable(&error))?;
    let metadata = opened.metadata().await.map_err(|error| unreadable(&error))?;
    if metadata.is_dir() {
        return Err(
            Failure::usage(format!("`{}` is a folder", file.display())).hint("name the model file in it")
        );
    }
    let bar = context.printer.bar(metadata.len(), "adding");
    let moving = bar.clone();
    let frames = ReaderStream::with_capacity(opened, READ_BYTES)
        .inspect_ok(move |bytes| moving.inc(u64::try_from(bytes.len()).unwrap_or(0)))
        .map_ok(Frame::data);
    let body = StreamBody::new(frames).boxed_unsync();
    let path = format!("/api/models?name={}&kind={kind}", escaped(&name));
    let reply = context.client()?.exchange(Method::POST, &path, "application/octet-stream", body).await;
    bar.finish_and_clear();
    let reply = reply?.checked()?;
    let model: ModelWire = serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::new(Exit::Failed, "the node's answer makes no sense").cause(error))?;
    let known = match model.known {
        Some(known) if known > 0 => format!("; {} of it were here already", show_size(known)),
        Some(_) | None => String::new(),
    };
    context.printer.talk(&format!("`{}` is kept here, {}{known}", model.name, show_size(model.size)))?;
    context.printer.data(&model.manifest)?;
    context.printer.line("result", &model)?;
    Ok(Exit::Done)
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let models: Vec<ModelWire> = context.client()?.get("/api/models").await?;
    for model in &models {
        let size = if model.size == 0 { String::from("?") } else { show_size(model.size) };
        let name = if model.name.is_empty() { "-" } else { &model.name };
        let at: Vec<String> = model.at.iter().map(|node| context.printer.node(node)).collect();
        let line = format!("{name:<24} {:<6} {size:>10}  {}  {}", model.held, model.manifest, at.join(", "));
        context.printer.data(line.trim_end())?;
        context.printer.line("model", model)?;
    }
    if models.is_empty() {
        context.printer.talk("no models; `pannier model add FILE` adds one")?;
    }
    context.printer.line("result", json!({ "models": models.len() }))?;
    Ok(Exit::Done)
}

async fn show(context: &Context, name: &str) -> Result<Exit, Failure> {
    let model: ModelWire = context.client()?.get(&format!("/api/models/{}", escaped(name))).await?;
    let printer = &context.printer;
    printer.data(&format!("name      {}", model.name))?;
    printer.data(&format!("manifest  {}", model.manifest))?;
    printer.data(&format!("size      {}", show_size(model.size)))?;
    printer.data(&format!("held      {}", model.held))?;
    for node in &model.at {
        printer.data(&format!("at        {}", printer.node(node)))?;
    }
    for (key, value) in model.hints.as_object().into_iter().flatten() {
        printer.data(&format!("{key:<9} {value}"))?;
    }
    printer.line("result", &model)?;
    Ok(Exit::Done)
}
