//! How the TCP sockets of sessions behave: words leave at once, and a peer that is gone is noticed even where
//! keepalives are switched off by it.

use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tracing::debug;

/// After this long without a sign of life the peer is asked for one.
const QUIET: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How many times it is asked in vain until the connection is over.
const ASK_TIMES: u32 = 3;
/// How long what was written may stay unacknowledged by the peer's machine, in milliseconds.
const UNACKNOWLEDGED_MS_MAX: u32 = 30_000;

/// Prepares a connection. A system that refuses one of these still has a working socket.
pub(super) fn prepare(stream: &TcpStream) {
    let prepared = stream.set_nodelay(true).map_err(|error| error.to_string()).and_then(|()| {
        sockopt::set_socket_keepalive(stream, true)
            .and_then(|()| sockopt::set_tcp_keepidle(stream, QUIET))
            .and_then(|()| sockopt::set_tcp_keepintvl(stream, ASK_EVERY))
            .and_then(|()| sockopt::set_tcp_keepcnt(stream, ASK_TIMES))
            .and_then(|()| sockopt::set_tcp_user_timeout(stream, UNACKNOWLEDGED_MS_MAX))
            .map_err(|error| error.to_string())
    });
    if let Err(error) = prepared {
        debug!(error, "a socket option was refused");
    }
}
