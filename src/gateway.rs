//! People's side over HTTP: our own paths under `/api`, OpenAI's under `/v1`, on the control socket and on
//! loopback.
//!
//! The node starts it with listeners and a token that stops it. It holds no state that is not in the agent:
//! restarting it loses nothing, and a client that goes away does not lose its job. It knows the mailbox and
//! [`node_ops::NodeOps`], never the agent.

mod answer;
mod bundles;
mod endpoints;
mod events;
mod extract;
mod guard;
mod incoming;
mod invitations;
mod jobs;
mod listeners;
mod models;
mod node;
pub mod node_ops;
mod openai;
mod payload;
mod peers;
mod ping;
mod problem;
mod views;
mod wait;
pub mod wire;
mod work;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get, post, put},
    serve::ListenerExt,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::listeners::Reach;
pub use self::{
    listeners::{ListenError, Listeners, listen},
    problem::Code,
};
use self::{
    node_ops::NodeOps,
    problem::{OpenAiProblem, Problem},
};
use crate::node::mailbox::Handle;

/// Longest body that is read into memory, in bytes: the longest input as JSON text whose every byte is
/// escaped.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the gateway is told once.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a request under `/v1` waits for its answer.
    pub wait: Duration,
    /// Folder for files on their way in; made if need be.
    pub incoming: PathBuf,
}

/// What every request may use.
struct Gateway {
    handle: Handle,
    node: Arc<dyn NodeOps>,
    options: Options,
    stop: CancellationToken,
}

type Shared = axum::extract::State<Arc<Gateway>>;

/// Answers requests until `stop`; those under way then end, with an error if they still wait.
///
/// # Errors
/// If a listener fails.
pub async fn serve(
    handle: Handle,
    node: Arc<dyn NodeOps>,
    options: Options,
    listeners: Listeners,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = router(Arc::new(Gateway { handle, node, options, stop: stop.clone() }));
    let unix = async {
        match listeners.unix {
            Some(listener) => {
                axum::serve(listener, router.clone())
                    .with_graceful_shutdown(stop.clone().cancelled_owned())
                    .await
            }
            None => Ok(()),
        }
    };
    let tcp = async {
        match listeners.tcp {
            Some(listener) => {
                // An answer is written in pieces; none of them waits for the acknowledgement of another.
                let listener = listener.tap_io(|stream| {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "answers may be delayed");
                    }
                });
                axum::serve(listener, router.clone())
                    .with_graceful_shutdown(stop.clone().cancelled_owned())
                    .await
            }
            None => Ok(()),
        }
    };
    tokio::try_join!(unix, tcp)?;
    Ok(())
}

fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .merge(openai::router())
        .route("/api/jobs", get(jobs::list).post(jobs::submit))
        .route("/api/jobs/{id}", get(jobs::show).delete(jobs::cancel))
        .route("/api/jobs/{id}/result", get(jobs::result))
        .route("/api/bundles", get(bundles::list).post(bundles::send))
        .route("/api/bundles/{id}", get(bundles::show).delete(bundles::take))
        .route("/api/bundles/{id}/payload", get(bundles::read))
        .route("/api/bundles/{id}/raw", get(bundles::raw))
        .route("/api/bundles/{id}/claim", post(bundles::claim))
        .route("/api/endpoints", get(endpoints::list))
        .route("/api/endpoints/{endpoint}", put(endpoints::register).delete(endpoints::unregister))
        .route("/api/endpoints/{endpoint}/bundles", get(endpoints::waiting))
        .route("/api/models", get(models::list).post(models::add))
        .route("/api/models/{name}", get(models::show).delete(models::drop_model))
        .route("/api/peers", get(peers::list).post(peers::add).delete(peers::forget))
        .route("/api/invitations", post(invitations::invite))
        .route("/api/join", post(invitations::join))
        .route("/api/spool/export", post(peers::spool_export))
        .route("/api/spool/import", post(peers::spool_import))
        .route("/api/status", get(node::status))
        .route("/api/doctor", get(node::doctor))
        .route("/api/ping", post(ping::ping))
        .route("/api/events", get(events::stream))
        .route("/health", get(node::health))
        .route("/v1/health", get(node::health))
        .route("/ready", get(node::ready))
        .route("/metrics", get(node::metrics))
        .fallback(any(no_such_path))
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(guard::guard))
        .with_state(gateway)
}

async fn no_such_path(uri: axum::http::Uri) -> Response {
    shaped(&uri, Problem::new(Code::NotFound, format!("there is nothing at `{}`", uri.path())))
}

async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> Response {
    shaped(&uri, Problem::new(Code::MethodNotAllowed, format!("`{}` does not take {method}", uri.path())))
}

/// A problem as the clients of this path read it.
fn shaped(uri: &axum::http::Uri, problem: Problem) -> Response {
    match uri.path().starts_with("/v1/") {
        true => OpenAiProblem(problem).into_response(),
        false => problem.into_response(),
    }
}

#[cfg(test)]
mod tests;
