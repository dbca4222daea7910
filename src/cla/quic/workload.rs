//! What the link benchmark measures: bundles over a link between two stores, and the same bytes over bare
//! streams of the same transport. Called by `cargo xtask bench link`; never by a node.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bundle_spec::{Builder, CreationTimestamp, DtnTime, security::Policy, sign::SigningKey};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{Quic, tls, transport};
use crate::{
    agent::{Agent, Config, Input, LinkId, Outgoing},
    cla::{
        ClaError, ConvergenceLayer,
        address::{PeerAddress, Road},
        identity::Certificate,
    },
    limits::{self, LINK_TRANSFERS_MAX},
    node::mailbox::{Clock, Handle, LinkCommand, Mail, Store, Time},
    route::Epidemic,
};

/// How many bundles of which length.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many.
    pub bundles: u64,
    /// Payload bytes of each.
    pub len: usize,
}

/// Sends bundles from one store to the other over a link; how long it took until the last bundle was durable.
///
/// # Errors
/// What the link or a store says.
pub async fn bundles(
    outgoing: Vec<Outgoing>,
    source: Arc<dyn Store>,
    target: Arc<dyn Store>,
) -> Result<Duration, ClaError> {
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let receiver = End::start(2, target, None, &stop, &mut tasks).await;
    let (key, port) = (SigningKey::from_bytes(&[2; 32]).public(), receiver.bound.port());
    let address = PeerAddress::new(Road::Quic, "127.0.0.1", port).map_err(failed)?.with_key(key);
    let sender = End::start(1, source, Some(address), &stop, &mut tasks).await;
    tasks.spawn(async move {
        receiver.acknowledge().await;
        Ok(())
    });
    let took = sender.send(outgoing).await;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(failed)??;
    }
    took
}

/// Whose settings bare streams have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// Those with which quinn comes.
    Quinn,
    /// Those of our links.
    Link,
}

/// Sends the same bytes over bare streams; how long it took until the last one was received.
///
/// # Errors
/// What the connection says.
pub async fn streams(load: Load, tuning: Tuning) -> Result<Duration, ClaError> {
    let node = SigningKey::from_bytes(&[2; 32]).public().node_id();
    let certificate = Certificate::of_secret(&[2; 32], &node).map_err(failed)?;
    let mut server = ServerConfig::with_crypto(Arc::new(tls::server(&certificate).map_err(failed)?));
    server.transport_config(Arc::new(tuning.transport()));
    let server = tuning.endpoint(Some(server))?;
    let address = server.local_addr().map_err(failed)?;
    let mut client = ClientConfig::new(Arc::new(tls::client(&certificate, None).map_err(failed)?));
    client.transport_config(Arc::new(tuning.transport()));
    let endpoint = tuning.endpoint(None)?;
    let mut readers = JoinSet::new();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let Some(incoming) = server.accept().await else { return };
        let Ok(connection) = incoming.await else { return };
        while let Ok(mut stream) = connection.accept_uni().await {
            readers.spawn(async move {
                let mut buffer = vec![0; transport::CHUNK_BYTES];
                while let Ok(Some(_)) = stream.read(&mut buffer).await {}
            });
        }
    });
    let connecting = endpoint.connect_with(client, address, tls::SERVER_NAME).map_err(failed)?;
    let connection = connecting.await.map_err(failed)?;
    let payload = bytes::Bytes::from(vec![7; load.len]);
    let begun = tokio::time::Instant::now();
    let mut writers = JoinSet::new();
    for _ in 0..load.bundles {
        if writers.len() >= LINK_TRANSFERS_MAX {
            writers.join_next().await;
        }
        let (connection, payload) = (connection.clone(), payload.clone());
        writers.spawn(async move {
            let Ok(mut stream) = connection.open_uni().await else { return };
            if stream.write_chunk(payload).await.is_ok() && stream.finish().is_ok() {
                let _ = stream.stopped().await;
            }
        });
    }
    while writers.join_next().await.is_some() {}
    Ok(begun.elapsed())
}

impl Tuning {
    fn transport(self) -> TransportConfig {
        match self {
            Self::Quinn => TransportConfig::default(),
            Self::Link => transport::transport(transport::CONTROL_STREAMS),
        }
    }

    fn endpoint(self, server: Option<ServerConfig>) -> Result<Endpoint, ClaError> {
        let config = match self {
            Self::Quinn => EndpointConfig::default(),
            Self::Link => transport::endpoint(),
        };
        let socket = std::net::UdpSocket::bind(any_port()).map_err(failed)?;
        Endpoint::new(config, server, socket, Arc::new(TokioRuntime)).map_err(failed)
    }
}

/// Different payloads in the store, and a bundle for each.
///
/// # Errors
/// What the store says.
pub async fn blocks(load: Load, store: &Arc<dyn Store>) -> Result<Vec<Outgoing>, ClaError> {
    let store = Arc::clone(store);
    let written = tokio::task::spawn_blocking(move || {
        let len = u64::try_from(load.len).expect("a length fits 64 bits");
        let source = SigningKey::from_bytes(&[1; 32]).public().node_id().endpoint("bench", 1);
        let target = SigningKey::from_bytes(&[2; 32]).public().node_id().endpoint("bench", 1);
        let mut outgoing = Vec::new();
        for sequence in 0..load.bundles {
            let mut bytes = vec![0; load.len];
            blake3::Hasher::new().update(&sequence.to_be_bytes()).finalize_xof().fill(&mut bytes);
            let mut writer = store.create(len)?;
            writer.write(&bytes)?;
            let payload = writer.finish(None)?;
            let timestamp = CreationTimestamp { time: DtnTime(1), sequence };
            let header = Builder::new(source.clone(), target.clone(), timestamp, 3_600_000).header(len);
            outgoing.push(Outgoing {
                bundle: header.bundle_id(),
                header,
                payload,
                start: 0,
                offset: 0,
                clear_only: false,
                sealed: None,
            });
        }
        store.append(&[])?;
        Ok::<_, crate::node::mailbox::StoreError>(outgoing)
    });
    written.await.map_err(failed)?.map_err(failed)
}

/// One end of a link without an agent.
struct End {
    handle: Handle,
    /// Holds nothing; answers whether a bundle would be taken.
    agent: Agent,
    mail: mpsc::Receiver<Mail>,
    links: BTreeMap<LinkId, mpsc::Sender<LinkCommand>>,
    bound: SocketAddr,
}

impl End {
    async fn start(
        seed: u8,
        store: Arc<dyn Store>,
        peer: Option<PeerAddress>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<Result<(), ClaError>>,
    ) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let node = key.public().node_id();
        let (handle, mail) = Handle::new(node.clone(), store, Arc::new(Clock::resume(0, Time::ZERO)));
        let config = Config {
            node,
            key,
            version: String::new(),
            bundles_max: limits::BUNDLES_MAX,
            status_reports: false,
            rules: Policy::default(),
        };
        let now = handle.clock().now();
        let agent = Agent::restore(config, Box::new(Epidemic), [seed; 32], Vec::new(), now);
        let bound = watch::Sender::new(None);
        let mut told = bound.subscribe();
        let quic = Quic {
            listen: Some(any_port()),
            may_fall_back: false,
            secret: [seed; 32],
            peers: watch::Sender::new(peer.into_iter().collect()).subscribe(),
            bound,
            quicclav1: None,
        };
        tasks.spawn(Box::new(quic).run(handle.clone(), stop.clone()));
        let address = told.wait_for(Option::is_some).await.ok().and_then(|address| *address);
        Self { handle, agent, mail, links: BTreeMap::new(), bound: address.unwrap_or_else(any_port) }
    }

    /// Sends everything, so many at a time; how long it took.
    async fn send(mut self, outgoing: Vec<Outgoing>) -> Result<Duration, ClaError> {
        let mut waiting = outgoing.into_iter();
        let mut left = waiting.len();
        let mut begun = tokio::time::Instant::now();
        while left > 0 {
            match self.mail.recv().await.ok_or(ClaError::NodeStopped)? {
                Mail::Input(Input::ContactOpened { link, .. }) => {
                    begun = tokio::time::Instant::now();
                    for next in waiting.by_ref().take(LINK_TRANSFERS_MAX) {
                        command(&self.links, link, LinkCommand::Transmit(next)).await;
                    }
                }
                Mail::Input(Input::Transmitted { link, .. }) => {
                    left -= 1;
                    if let Some(next) = waiting.next() {
                        command(&self.links, link, LinkCommand::Transmit(next)).await;
                    }
                }
                Mail::Input(Input::Refused { reason, .. }) => return Err(failed(format!("{reason:?}"))),
                other => self.note(other),
            }
        }
        Ok(begun.elapsed())
    }

    /// Makes durable and acknowledges whatever comes, what came together at once, until the sender goes.
    async fn acknowledge(mut self) {
        while let Some(mail) = self.mail.recv().await {
            let mut arrived = Vec::new();
            let mut mails = vec![mail];
            while let Ok(mail) = self.mail.try_recv() {
                mails.push(mail);
            }
            for mail in mails {
                match mail {
                    Mail::Input(Input::Received { link, header, .. }) => arrived.push((link, header)),
                    Mail::Input(Input::ContactClosed { .. }) => return,
                    other => self.note(other),
                }
            }
            if arrived.is_empty() {
                continue;
            }
            let store = Arc::clone(self.handle.store());
            let durable = tokio::task::spawn_blocking(move || store.append(&[])).await;
            if !matches!(durable, Ok(Ok(()))) {
                return;
            }
            for (link, header) in arrived {
                command(&self.links, link, LinkCommand::Acknowledge(header.bundle_id())).await;
            }
        }
    }

    fn note(&mut self, mail: Mail) {
        match mail {
            Mail::Link { link, commands } => {
                self.links.insert(link, commands);
            }
            Mail::Ask(question) => question(&self.agent, self.handle.clock().now()),
            Mail::Input(_) | Mail::Call { .. } | Mail::Brought(_) => {}
        }
    }
}

async fn command(links: &BTreeMap<LinkId, mpsc::Sender<LinkCommand>>, link: LinkId, command: LinkCommand) {
    if let Some(commands) = links.get(&link) {
        // A link that has gone is seen in the mail.
        let _ = commands.send(command).await;
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn failed(error: impl std::fmt::Display) -> ClaError {
    ClaError::Failed(error.to_string())
}
