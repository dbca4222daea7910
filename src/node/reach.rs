//! Under which addresses others can reach what listens here. Called when somebody is invited; looks at the
//! interfaces of this machine, never at the network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// The addresses of this machine's interfaces.
///
/// # Errors
/// What the operating system says.
pub(super) fn interfaces() -> io::Result<Vec<IpAddr>> {
    let found = if_addrs::get_if_addrs()?;
    Ok(found.iter().map(if_addrs::Interface::ip).collect())
}

/// Where others reach a socket that is bound to `bound` on a machine with these addresses: IPv4 first,
/// loopback only if there is nothing else.
pub(super) fn reachable(bound: IpAddr, interfaces: &[IpAddr]) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    // A socket that listens everywhere in IPv6 hears IPv4, too.
    let is_heard = |ip: &&IpAddr| bound.is_ipv6() || ip.is_ipv4();
    let mut found: Vec<IpAddr> =
        interfaces.iter().filter(is_heard).filter(|ip| is_told(ip)).copied().collect();
    found.sort_by_key(|ip| (ip.is_ipv6(), is_transient(ip)));
    found.dedup();
    if found.is_empty() {
        found.push(if bound.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    found
}

/// Without those that lead nowhere from elsewhere, unless that is all there is.
pub(super) fn without_loopback<T>(places: Vec<(T, SocketAddr)>) -> Vec<(T, SocketAddr)> {
    if places.iter().all(|(_, place)| place.ip().is_loopback()) {
        return places;
    }
    places.into_iter().filter(|(_, place)| !place.ip().is_loopback()).collect()
}

/// Whether an address means something elsewhere: one of IPv6 that is local to a link does not without the
/// name of an interface there.
fn is_told(ip: &IpAddr) -> bool {
    let is_of_link = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_of_link)
}

/// Whether it was made up for lack of a better one (RFC 3927).
fn is_transient(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_listens_everywhere_is_reached_at_every_address_that_means_something() {
        let machine =
            ips(&["127.0.0.1", "::1", "fe80::1", "169.254.9.9", "2001:db8::7", "192.168.1.7", "10.0.0.7"]);
        let v4 = ips(&["192.168.1.7", "10.0.0.7", "169.254.9.9"]);
        assert_eq!(reachable(ip("0.0.0.0"), &machine), v4);
        assert_eq!(reachable(ip("::"), &machine), [v4, ips(&["2001:db8::7"])].concat());
        assert_eq!(reachable(ip("10.0.0.7"), &machine), ips(&["10.0.0.7"]));
        assert_eq!(reachable(ip("127.0.0.1"), &machine), ips(&["127.0.0.1"]));
    }

    #[test]
    fn a_machine_without_a_network_is_reached_by_itself() {
        let machine = ips(&["127.0.0.1", "::1", "fe80::1"]);
        assert_eq!(reachable(ip("0.0.0.0"), &machine), ips(&["127.0.0.1"]));
        assert_eq!(reachable(ip("::"), &machine), ips(&["::1"]));
    }

    #[test]
    fn loopback_is_told_only_where_there_is_nothing_else() {
        let place = |text: &str| ((), SocketAddr::new(ip(text), 1));
        let alone = vec![place("127.0.0.1"), place("::1")];
        assert_eq!(without_loopback(alone.clone()), alone);
        assert_eq!(without_loopback([alone, vec![place("10.0.0.7")]].concat()), [place("10.0.0.7")]);
    }

    #[test]
    fn the_interfaces_of_this_machine_can_be_seen() {
        assert!(interfaces().unwrap().iter().any(IpAddr::is_loopback));
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| ip(text)).collect()
    }
}
