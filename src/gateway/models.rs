//! `/api/models`: what is held, what is known to be somewhere, add and drop.

use axum::{Json, body::Body, extract::State, http::StatusCode};
use bundle_spec::{
    Alias,
    manifest::{AssetKind, Manifest},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Shared,
    extract::{Path, Query},
    incoming::{self, Incoming},
    problem::{Code, Problem},
    views,
    wire::ModelWire,
};
/// Longest name of a model in bytes.
const NAME_BYTES_MAX: usize = 128;

/// `GET /api/models`.
pub(super) async fn list(State(gateway): Shared) -> Result<Json<Vec<ModelWire>>, Problem> {
    let models = gateway.handle.models().await?;
    Ok(Json(models.iter().map(views::model).collect()))
}

/// `GET /api/models/{name}`: by name, by CID or by `sha256:` and digits.
pub(super) async fn show(
    State(gateway): Shared,
    Path(name): Path<String>,
) -> Result<Json<ModelWire>, Problem> {
    let models = gateway.handle.models().await?;
    let found = models.iter().find(|view| views::is_called(view, &name));
    found.map(|view| Json(views::model(view))).ok_or_else(|| unknown(&name))
}

/// What the file shall be called, and what it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddQuery {
    name: String,
    /// `gguf` if nothing is said, or `data`.
    kind: Option<String>,
}

/// `POST /api/models?name=NAME&kind=KIND`: the body is the file.
pub(super) async fn add(
    State(gateway): Shared,
    query: Result<Query<AddQuery>, Problem>,
    mut request: Body,
) -> Result<(StatusCode, Json<ModelWire>), Problem> {
    let received = match named(query) {
        Ok(asset) => Incoming::receive(&gateway, &mut request).await.map(|file| (asset, file)),
        Err(problem) => Err(problem),
    };
    let ((name, kind), file) = match received {
        Ok(received) => received,
        Err(problem) => {
            incoming::hear_out(&mut request).await;
            return Err(problem);
        }
    };
    let model = gateway.node.import_model(name, kind, file.path.clone()).await?;
    let wire = ModelWire {
        name: model.name,
        manifest: model.manifest.to_string(),
        size: model.size,
        held: String::from("here"),
        at: Vec::new(),
        hints: model.alias.map_or(Value::Null, |alias| json!({ Manifest::ALIAS_HINT: alias.hex() })),
        known: Some(model.known),
    };
    Ok((StatusCode::CREATED, Json(wire)))
}

fn named(query: Result<Query<AddQuery>, Problem>) -> Result<(String, AssetKind), Problem> {
    let Query(AddQuery { name, kind }) = query?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let detail = format!("a model's name has 1 to {NAME_BYTES_MAX} bytes and no control characters");
        return Err(Problem::bad(detail).parameter("name"));
    }
    if name.starts_with(Alias::PREFIX) {
        let detail = "a model is found by its file's hash under any name, and no name begins with `sha256:`";
        return Err(Problem::bad(detail).parameter("name").hint("--name NAME"));
    }
    let kind = match kind.as_deref() {
        None | Some("gguf") => AssetKind::Gguf,
        Some("data") => AssetKind::Data,
        Some(other) => {
            let detail = format!("`{other}` is none of `gguf`, and `data` for any other file");
            return Err(Problem::bad(detail).parameter("kind"));
        }
    };
    Ok((name, kind))
}

/// `DELETE /api/models/{name}`.
pub(super) async fn drop_model(
    State(gateway): Shared,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    gateway.handle.drop_model(name.clone()).await.map_err(|error| match Problem::from(error) {
        Problem { code: Code::NotFound, .. } => unknown(&name),
        other => other,
    })?;
    Ok(Json(json!({ "name": name })))
}

fn unknown(name: &str) -> Problem {
    Problem::new(Code::NotFound, format!("no model `{name}` is known here")).hint("pannier model list")
}
