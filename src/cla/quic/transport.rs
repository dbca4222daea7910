//! How QUIC behaves on our links: windows, timers, congestion control. Every choice stands here.

use std::{sync::Arc, time::Duration};

use quinn::{EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TransportConfig, VarInt, congestion};

use crate::limits::LINK_TRANSFERS_MAX;

/// Streams that go both ways of our own protocol.
pub const CONTROL_STREAMS: u32 = 1;
/// How many bytes go from store to wire, or back, in one step: a block. A transfer holds at most two of them.
/// Steps of a quarter took a tenth of the throughput for their changes of threads.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// After this long without a sign of life a connection is over on which nothing is under way; where something
/// is, that is seen sooner (`pulse`).
const IDLE: Duration = Duration::from_secs(30);
/// How often a quiet side gives a sign of life, so that a stalled sender is woken.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// Round trip that is assumed until one was measured.
const INITIAL_RTT: Duration = Duration::from_millis(333);
/// Longest datagram that is tried. Jumbo frames and loopback take it; elsewhere the attempts are lost or
/// refused, and it stays at what Ethernet takes. Ten of them, as many as quinn gives to one system call, stay
/// below the 64 KiB that the system takes at once.
const DATAGRAM_BYTES_MAX: u16 = 6500;
/// One stream's window, and how much a sender has under way: eight blocks, and four times a geostationary
/// 25 Mbit/s. With more, what is sent again and what is read next fall out of the processor's caches.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;

/// The settings of connections on which the peer may open so many streams that go both ways.
#[must_use]
pub fn transport(control_streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    let transfers = u32::try_from(LINK_TRANSFERS_MAX).expect("a small number");
    config
        .max_idle_timeout(Some(IdleTimeout::try_from(IDLE).expect("30 s fit")))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(2 * STREAM_WINDOW))
        .send_window(STREAM_WINDOW.into())
        .max_concurrent_uni_streams(VarInt::from_u32(transfers))
        .max_concurrent_bidi_streams(VarInt::from_u32(control_streams))
        .datagram_receive_buffer_size(None)
        .mtu_discovery_config(Some(discovery()))
        .congestion_controller_factory(congestion_control());
    config
}

/// Which congestion control links use.
fn congestion_control() -> Arc<dyn congestion::ControllerFactory + Send + Sync> {
    Arc::new(congestion::CubicConfig::default())
}

/// Longer datagrams where the path takes them.
fn discovery() -> MtuDiscoveryConfig {
    let mut config = MtuDiscoveryConfig::default();
    config.upper_bound(DATAGRAM_BYTES_MAX);
    config
}

/// The settings of every endpoint.
pub fn endpoint() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(DATAGRAM_BYTES_MAX).expect("a datagram has at least 1200 bytes");
    config
}
