//! What stands in the path and in the query of a request. As axum's own, but what makes no sense is a
//! problem in our shape and no plain text; paths under `/v1` take a `Result` and make it OpenAI's.

use axum::{
    extract::{self, FromRequestParts},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The variable parts of a path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Path::from_request_parts(parts, state).await;
        let extract::Path(value) = read.map_err(|error| Problem::bad(error.body_text()))?;
        Ok(Self(value))
    }
}

/// The query, as a whole.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = extract::Query::from_request_parts(parts, state).await;
        let extract::Query(value) = read.map_err(|error| Problem::bad(error.body_text()))?;
        Ok(Self(value))
    }
}
