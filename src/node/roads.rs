//! Starts every convergence layer and gathers where they listen. Called once, by `surroundings`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bundle_spec::sign::SigningKey;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{mailbox::Handle, peers::Peers, readiness::ReadyLink, surroundings::Owned};
use crate::{
    cla::{
        ConvergenceLayer,
        address::{Leniency, PeerAddress, Road},
        ipnd::Ipnd,
        mtcp::ByteString,
        quic::Quic,
        quicclav1::Offer,
        spool::Spool,
        stcp::Prefix,
        stream::{Framing, Streams},
        tcpclv4::{self, Tcpclv4, TlsPolicy},
        udp::Udp,
    },
    settings::{self, IpndSettings, Settings, StreamSettings, Tcpclv4Settings, UdpSettings},
};

/// How often folders are looked at for sticks.
const STICK_PERIOD: Duration = Duration::from_secs(3);

/// A convergence layer that has been started.
struct Started {
    road: Road,
    /// Where it listens, once it does; the sender goes when the layer ends.
    bound: watch::Receiver<Option<SocketAddr>>,
    /// Whether it shall listen.
    listens: bool,
}

/// The convergence layers that shall listen.
pub(super) struct Listening(Vec<(Road, watch::Receiver<Option<SocketAddr>>)>);

impl Listening {
    /// Whether each of them does at this moment, and where.
    pub(super) fn state(&self) -> Vec<(&'static str, Option<SocketAddr>)> {
        let at = |bound: &watch::Receiver<Option<SocketAddr>>| {
            // A layer that has ended has dropped its sender.
            if bound.has_changed().is_ok() { *bound.borrow() } else { None }
        };
        self.0.iter().map(|(road, bound)| (road.name(), at(bound))).collect()
    }
}

/// Starts convergence layers.
pub(super) struct Roads<'a> {
    pub(super) settings: &'a Settings,
    pub(super) handle: &'a Handle,
    pub(super) key: &'a SigningKey,
    pub(super) peers: &'a Arc<Peers>,
    pub(super) stop: &'a CancellationToken,
    pub(super) owned: &'a mut Owned,
}

impl Roads<'_> {
    /// Starts all of them; returns where they listen once they do.
    pub(super) async fn start(mut self) -> (Vec<ReadyLink>, Listening) {
        let (mtcp, stcp) = (self.settings.mtcp, self.settings.stcp);
        let started = [
            self.quic(),
            self.tcpclv4(),
            self.streams(&ByteString, mtcp),
            self.streams(&Prefix, stcp),
            self.udp(),
        ];
        self.ipnd(&started);
        if !self.settings.spool_watch.is_empty() {
            let spool = Spool { parents: self.settings.spool_watch.clone(), period: STICK_PERIOD };
            self.own(Box::new(spool));
        }
        let mut links = Vec::new();
        let mut listening = Vec::new();
        for Started { road, mut bound, .. } in started.into_iter().filter(|started| started.listens) {
            // A layer that cannot listen drops its sender and says why in the log; the node goes on without.
            if let Ok(address) = bound.wait_for(Option::is_some).await
                && let Some(address) = *address
            {
                links.push(ReadyLink { cla: road.name(), addr: dialable(address).to_string() });
            }
            listening.push((road, bound));
        }
        (links, Listening(listening))
    }

    fn quic(&mut self) -> Started {
        let (bound, bound_told) = watch::channel(None);
        let listen = self.settings.quic.listen;
        let quicclav1 = self.quicclav1();
        self.own(Box::new(Quic {
            listen,
            may_fall_back: self.settings.quic.listen_is_default,
            secret: self.key.to_bytes(),
            peers: self.peers.watch(Road::Quic),
            bound,
            quicclav1,
        }));
        Started { road: Road::Quic, bound: bound_told, listens: listen.is_some() }
    }

    /// What is offered beside our own protocol. Where nothing is, peers that are named all the same are not
    /// passed over in silence.
    fn quicclav1(&mut self) -> Option<Offer> {
        let mut peers = self.peers.watch(Road::Quicclav1);
        if self.settings.quic.quicclav1 {
            return Some(Offer { authorities: self.settings.tcpclv4.authorities.clone(), peers });
        }
        let stop = self.stop.clone();
        self.owned.own("quicclav1 peers", async move {
            peers.mark_changed();
            while stop.run_until_cancelled(peers.changed()).await.is_some_and(|changed| changed.is_ok()) {
                if !peers.borrow_and_update().is_empty() {
                    warn!("`quicclav1` peers are not dialled; set `cla.quic.quicclav1` to `on`");
                }
            }
        });
        None
    }

    fn tcpclv4(&mut self) -> Started {
        let (bound, bound_told) = watch::channel(None);
        let Tcpclv4Settings { listen, tls, authorities, certificate, lax, clear_only } =
            self.settings.tcpclv4.clone();
        let mut named = self.peers.watch(Road::Tcpclv4);
        let peers = watch::Sender::new(named.borrow_and_update().iter().map(session_peer).collect());
        self.own(Box::new(Tcpclv4 {
            listen,
            may_fall_back: false,
            tls: tls_policy(tls),
            lax: leniency(lax).sessions(),
            clear_only,
            authorities,
            certificate,
            secret: self.key.to_bytes(),
            peers: peers.subscribe(),
            bound,
        }));
        let stop = self.stop.clone();
        self.owned.own("tcpclv4 peers", async move {
            // An unchanged list wakes the dialler, too.
            while stop.run_until_cancelled(named.changed()).await.is_some_and(|changed| changed.is_ok()) {
                peers.send_replace(named.borrow_and_update().iter().map(session_peer).collect());
            }
        });
        Started { road: Road::Tcpclv4, bound: bound_told, listens: listen.is_some() }
    }

    /// `mtcp` or `stcp`.
    fn streams(&mut self, framing: &'static dyn Framing, settings: StreamSettings) -> Started {
        let (bound, bound_told) = watch::channel(None);
        let StreamSettings { listen, lax, clear_only } = settings;
        let road = framing.road();
        let peers = self.peers.watch(road);
        let lax = leniency(lax).bundles();
        self.own(Box::new(Streams { framing, listen, lax, clear_only, peers, bound }));
        Started { road, bound: bound_told, listens: listen.is_some() }
    }

    fn udp(&mut self) -> Started {
        let (bound, bound_told) = watch::channel(None);
        let UdpSettings { listen, lax, rate, clear_only } = self.settings.udp;
        let peers = self.peers.watch(Road::Udp);
        let lax = leniency(lax).bundles();
        self.own(Box::new(Udp { listen, lax, clear_only, rate, peers, bound }));
        Started { road: Road::Udp, bound: bound_told, listens: listen.is_some() }
    }

    fn ipnd(&mut self, started: &[Started]) {
        let IpndSettings { listen, to, period, lax } = self.settings.ipnd.clone();
        if listen.is_empty() {
            return;
        }
        let (found, mut found_told) = watch::channel(Vec::new());
        let offers = started.iter().map(|started| (started.road, started.bound.clone())).collect();
        let bound = watch::Sender::new(Vec::new());
        let leniency = leniency(lax);
        self.own(Box::new(Ipnd { listen, to, period, leniency, offers, found, bound }));
        let peers = Arc::clone(self.peers);
        let clear = clear_roads(self.settings);
        self.owned.own("neighbours", async move {
            while found_told.changed().await.is_ok() {
                let found = found_told.borrow_and_update().clone().into_iter();
                // Where nothing encrypted may come in, nothing encrypted goes out.
                let found = found.map(|address| match clear.contains(&address.road()) {
                    true => address.with_clear_only(),
                    false => address,
                });
                peers.find(found.collect());
            }
        });
    }

    fn own(&mut self, cla: Box<dyn ConvergenceLayer>) {
        let name = cla.name();
        let serving = cla.run(self.handle.clone(), self.stop.clone());
        self.owned.own(name, async move {
            if let Err(error) = serving.await {
                warn!(cla = name, %error, "the convergence layer has ended");
            }
        });
    }
}

/// The roads on which encryption is forbidden for those who come.
pub(super) fn clear_roads(settings: &Settings) -> Vec<Road> {
    let roads = [
        (Road::Tcpclv4, settings.tcpclv4.clear_only),
        (Road::Mtcp, settings.mtcp.clear_only),
        (Road::Stcp, settings.stcp.clear_only),
        (Road::Udp, settings.udp.clear_only),
    ];
    roads.into_iter().filter_map(|(road, is_clear)| is_clear.then_some(road)).collect()
}

/// A peer as sessions see it.
fn session_peer(address: &PeerAddress) -> tcpclv4::Peer {
    tcpclv4::Peer {
        host: address.host().to_owned(),
        port: address.port(),
        node: address.node(),
        lax: address.lax(),
        tls: address.tls(),
        clear_only: address.clear_only(),
    }
}

/// What settings mean for sessions.
fn tls_policy(tls: settings::Encryption) -> TlsPolicy {
    match tls {
        settings::Encryption::Require => TlsPolicy::Require,
        settings::Encryption::Allow => TlsPolicy::Allow,
        settings::Encryption::Never => TlsPolicy::Never,
    }
}

/// What settings mean for links.
fn leniency(lax: settings::Leniency) -> Leniency {
    match lax {
        settings::Leniency::Strict => Leniency::Strict,
        settings::Leniency::Dtn7 => Leniency::Dtn7,
        settings::Leniency::All => Leniency::All,
    }
}

/// An address that this machine can dial: where a link listens everywhere, it listens on loopback, too.
fn dialable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        named => named,
    };
    SocketAddr::new(ip, address.port())
}
