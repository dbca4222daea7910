//! The sockets on which beacons come and go: shared with other programs of this machine, and members of the
//! groups to which beacons are sent.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use tokio::net::UdpSocket;
use tracing::warn;

/// A socket at `address` that hears what is sent to the groups among `to`.
///
/// # Errors
/// The address cannot be had. A group that cannot be joined is said in the log: the others still work.
pub(super) fn open(address: SocketAddr, to: &[SocketAddr]) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_broadcast(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)?;
    for group in to.iter().map(SocketAddr::ip).filter(IpAddr::is_multicast) {
        let joined = match group {
            IpAddr::V4(group) if address.is_ipv4() => {
                sockopt::set_ip_add_membership(&socket, &group, &Ipv4Addr::UNSPECIFIED)
            }
            IpAddr::V6(group) if address.is_ipv6() => sockopt::set_ipv6_add_membership(&socket, &group, 0),
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(()),
        };
        if let Err(error) = joined {
            warn!(%group, %error, "the group cannot be joined: its beacons are not heard");
        }
    }
    UdpSocket::from_std(socket.into())
}
