//! The gateway's client: over the control socket, or over loopback where `--node` says so. One connection a
//! request.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    pin::pin,
};

use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Failure, exit::Exit};
use crate::gateway::Reach;

/// A body on its way to the node.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A control socket.
    Unix(PathBuf),
    /// A loopback port.
    Tcp(SocketAddr),
}

impl Address {
    /// Reads `unix:PATH` or `http://HOST:PORT`.
    pub(super) fn read(text: &str) -> Result<Self, Failure> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        let wrong = || {
            Failure::usage(format!("`{text}` is no node's address"))
                .hint("write `unix:/run/pannier/control.sock` or `http://127.0.0.1:4580`")
        };
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?.trim_end_matches('/');
        let rest = rest.replace("localhost", "127.0.0.1");
        let address: SocketAddr = rest
            .parse()
            .or_else(|_| rest.parse::<IpAddr>().map(|ip| (ip, 80).into()))
            .map_err(|_| wrong())?;
        Ok(Self::Tcp(address))
    }
}

/// Talks to one node.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Where it is.
    pub(super) address: Address,
    /// The key that shows that there is a node at all.
    pub(super) identity: Option<PathBuf>,
}

/// What the node answered.
#[derive(Debug)]
pub(super) struct Reply {
    /// HTTP status.
    pub(super) status: u16,
    /// Media type.
    pub(super) media: String,
    /// The body.
    pub(super) body: Bytes,
}

impl Reply {
    /// The body if all went well, what the gateway says otherwise.
    pub(super) fn checked(self) -> Result<Self, Failure> {
        if (200..300).contains(&self.status) && self.status != 202 {
            return Ok(self);
        }
        Err(Failure::of_problem(self.status, &self.body))
    }
}

impl Client {
    /// Reads something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let reply = self.send(Method::GET, path, "", Bytes::new()).await?;
        decoded(&reply)
    }

    /// Sends JSON and reads the answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).expect("wire types become JSON");
        let reply = self.send(method, path, "application/json", body.into()).await?;
        decoded(&reply)
    }

    /// Sends bytes; an answer that is no success is an error.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let reply = self.exchange(method, path, media, body).await?;
        reply.checked()
    }

    /// Sends a body and reads the whole answer, whatever its status.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Body,
    ) -> Result<Reply, Failure> {
        self.converse(request(method, path, media, body), whole).await
    }

    /// Posts a body and reads the whole answer, whatever its status. A length that is known is announced.
    pub(super) async fn upload(&self, path: &str, body: Body, len: Option<u64>) -> Result<Reply, Failure> {
        let mut request = request(Method::POST, path, "application/octet-stream", body);
        if let Some(len) = len {
            request.headers_mut().insert(header::CONTENT_LENGTH, len.into());
        }
        self.converse(request, whole).await
    }

    /// Reads a body piece by piece.
    pub(super) async fn download(
        &self,
        path: &str,
        mut each: impl AsyncFnMut(Bytes) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let empty = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let read = async |response: Response<Incoming>| {
            if response.status() != 200 {
                return Err(whole(response).await?.checked().err().unwrap_or_else(|| {
                    Failure::new(Exit::Failed, "the node answered something else than was asked for")
                }));
            }
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(piece) = frame.map_err(|error| broken(&error))?.into_data() {
                    each(piece).await?;
                }
            }
            Ok(())
        };
        self.converse(request(Method::GET, path, "", empty), read).await
    }

    /// Reads a stream of server-sent events; `each` gets the data of every one and says whether to go on.
    pub(super) async fn events(
        &self,
        path: &str,
        mut each: impl AsyncFnMut(&str) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let empty = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let read = async |response: Response<Incoming>| {
            let status = response.status().as_u16();
            let mut body = response.into_body();
            if status != 200 {
                let body = body.collect().await.map_err(|error| broken(&error))?.to_bytes();
                return Err(Failure::of_problem(status, &body));
            }
            let mut pending = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| broken(&error))?;
                pending.extend_from_slice(frame.data_ref().map_or(&[], |bytes| bytes.as_ref()));
                while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = pending.drain(..=end).collect();
                    let line = String::from_utf8_lossy(&line);
                    if let Some(data) = line.trim_end().strip_prefix("data:")
                        && !each(data.trim_start()).await?
                    {
                        return Ok(());
                    }
                }
            }
            Ok(())
        };
        self.converse(request(Method::GET, path, "", empty), read).await
    }

    async fn converse<T>(
        &self,
        request: Request<Body>,
        read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match &self.address {
            Address::Unix(path) => {
                let reach = Reach::existing(path).map_err(|error| self.absent(&error))?;
                let stream = tokio::net::UnixStream::connect(&reach.path).await;
                over(stream.map_err(|error| self.absent(&error))?, request, read).await
            }
            Address::Tcp(address) => {
                let stream = tokio::net::TcpStream::connect(address).await;
                over(stream.map_err(|error| self.absent(&error))?, request, read).await
            }
        }
    }

    /// Nobody answers: because there is no node yet, or because it does not run.
    fn absent(&self, error: &io::Error) -> Failure {
        if let Some(identity) = self.identity.as_deref().filter(|path| !Path::exists(path)) {
            return Failure::new(Exit::NotInitialised, "there is no node here yet")
                .cause(format!("`{}` does not exist", identity.display()))
                .hint("pannier init");
        }
        let place = match &self.address {
            Address::Unix(path) => path.display().to_string(),
            Address::Tcp(address) => address.to_string(),
        };
        Failure::new(Exit::NoNode, "no node is running")
            .cause(format!("`{place}`: {error}"))
            .hint("pannier run")
    }
}

/// The whole of an answer.
async fn whole(response: Response<Incoming>) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let media = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.unwrap_or("").to_owned();
    let body = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
    Ok(Reply { status, media, body })
}

/// One request over a fresh connection. The connection is driven along with whoever reads the answer.
async fn over<T>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
    read: impl AsyncFnOnce(Response<Incoming>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let work = pin!(async move {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        read(response).await
    });
    match select(work, pin!(connection)).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}

fn request(method: Method, path: &str, media: &str, body: Body) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    if !media.is_empty() {
        builder = builder.header(header::CONTENT_TYPE, media);
    }
    builder.body(body).expect("paths are escaped")
}

fn decoded<T: DeserializeOwned>(reply: &Reply) -> Result<T, Failure> {
    serde_json::from_slice(&reply.body)
        .map_err(|error| Failure::new(Exit::Failed, "the node's answer makes no sense").cause(error))
}

fn broken(error: &hyper::Error) -> Failure {
    if error.is_user() {
        let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        return Failure::new(Exit::Failed, "the input broke off before its end").cause(cause);
    }
    Failure::new(Exit::NoNode, "the node went away").cause(error).hint("pannier run")
}

/// A text as it stands in a path or a query (RFC 3986).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_at_a_socket_or_at_a_loopback_url() {
        assert_eq!(Address::read("unix:/run/x.sock").unwrap(), Address::Unix("/run/x.sock".into()));
        let port = SocketAddr::from(([127, 0, 0, 1], 4580));
        assert_eq!(Address::read("http://127.0.0.1:4580/").unwrap(), Address::Tcp(port));
        assert_eq!(Address::read("http://localhost:4580").unwrap(), Address::Tcp(port));
        for text in ["", "unix:", "https://127.0.0.1:4580", "127.0.0.1:4580", "http://"] {
            assert_eq!(Address::read(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(escaped("qwen2.5:0.5b/x y"), "qwen2.5%3A0.5b%2Fx%20y");
    }
}
