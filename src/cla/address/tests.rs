use super::*;

#[test]
fn an_address_reads_back_from_its_text() {
    let peer = peer_text(&PublicKey([7; 32]));
    for road in Road::ALL {
        for place in ["clinic.example:4558", "[fe80::1%eth0]:1", "127.0.0.1:65535"] {
            let text = format!("{road}://{place}");
            let address: PeerAddress = text.parse().unwrap();
            assert_eq!((address.to_string(), address.road()), (text, road));
        }
    }
    for text in [
        format!("quic://clinic:4558/{peer}").as_str(),
        "tcpclv4://clinic:4556?eid=ipn:5.0&lax=dtn7&tls=never",
        "tcpclv4://clinic:4556?lax=ack-flags,early-ack",
        "mtcp://clinic:16162?eid=dtn://clinic/",
        "udp://10.0.0.1:4556?eid=ipn:5.0&datagram=1400&rate=125000",
        "quicclav1://clinic:4560?eid=ipn:5.0",
    ] {
        assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), text);
    }
    let slash: PeerAddress = "quic://clinic:4558/".parse().unwrap();
    assert_eq!(slash.to_string(), "quic://clinic:4558");
    for (text, whole) in [
        ("quicclav1://clinic", "quicclav1://clinic:4560"),
        ("quicclav1://[::1]?eid=ipn:5.0", "quicclav1://[::1]:4560?eid=ipn:5.0"),
    ] {
        assert_eq!(text.parse::<PeerAddress>().unwrap().to_string(), whole);
    }
}

#[test]
fn an_address_says_who_is_there_and_what_they_need() {
    let address: PeerAddress = "tcpclv4://clinic:4556?lax=dtn7&eid=dtn://clinic/&tls=allow".parse().unwrap();
    assert_eq!(address.node().unwrap().to_string(), "dtn://clinic/");
    assert_eq!((address.lax(), address.tls()), (tcpclv4::Lax::dtn7(), Some(TlsPolicy::Allow)));
    let key = PublicKey([7; 32]);
    let address: PeerAddress = format!("quic://clinic:4558/{}", peer_text(&key)).parse().unwrap();
    assert_eq!((address.expected(), address.node()), (Some(&key), Some(key.node_id())));
    assert_eq!(address.lax(), tcpclv4::Lax::strict());
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    let error = |text: &str| text.parse::<PeerAddress>().unwrap_err();
    for road in Road::ALL {
        assert_eq!(error("clinic:4558"), AddressError::Scheme);
        assert_eq!(error("http://clinic:4558"), AddressError::Scheme);
        if road != Road::Quicclav1 {
            assert_eq!(error(&format!("{road}://clinic")), AddressError::Port);
        }
        assert_eq!(error(&format!("{road}://clinic:0")), AddressError::Port);
        assert_eq!(error(&format!("{road}://clinic:65536")), AddressError::Port);
        assert_eq!(error(&format!("{road}://clinic:+1")), AddressError::Port);
        assert_eq!(error(&format!("{road}://:4558")), AddressError::Host(road));
        assert_eq!(error(&format!("{road}://fe80::1:4558")), AddressError::Host(road));
        assert_eq!(error(&format!("{road}://[fe80::1:4558")), AddressError::Host(road));
        assert_eq!(error(&format!("{road}://cli nic:4558")), AddressError::Host(road));
        let unknown = error(&format!("{road}://clinic:4558?colour=red"));
        assert!(matches!(unknown, AddressError::Option { .. }), "{unknown}");
    }
    assert_eq!(error("quic://clinic:4558/bob"), AddressError::Peer("bob".to_owned()));
    assert_eq!(
        error("mtcp://clinic:4558/bob"),
        AddressError::Path { road: Road::Mtcp, path: "bob".to_owned() }
    );
    assert_eq!(error("mtcp://clinic:1?eid=ipn:1.0&eid=ipn:2.0"), AddressError::Twice("eid".to_owned()));
    for (text, name) in [
        ("mtcp://clinic:1?eid=clinic", "eid"),
        ("mtcp://clinic:1?eid=ipn:x.0", "eid"),
        ("mtcp://clinic:1?eid", "eid"),
        ("tcpclv4://clinic:1?lax=very", "lax"),
        ("tcpclv4://clinic:1?tls=yes", "tls"),
        ("udp://clinic:1?datagram=1023", "datagram"),
        ("udp://clinic:1?datagram=65508", "datagram"),
        ("udp://clinic:1?rate=0", "rate"),
    ] {
        let error = error(text);
        assert!(
            matches!(&error, AddressError::Value { name: named, .. } if named == name),
            "{text}: {error}"
        );
    }
    let lax = error("mtcp://clinic:1?lax=dtn7").to_string();
    assert_eq!(
        lax,
        "a mtcp address has no option `lax`; it may have `eid` and `encryption` only: nothing comes back on it"
    );
}

#[test]
fn no_text_makes_the_address_reader_panic() {
    bolero::check!().with_iterations(5_000).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        for road in Road::ALL {
            for begin in ["", "clinic:1?", "clinic:1?eid="] {
                if let Ok(address) = format!("{road}://{begin}{text}").parse::<PeerAddress>() {
                    assert_eq!(address.to_string().parse(), Ok(address));
                }
            }
        }
    });
}

#[test]
fn encryption_can_be_forbidden_on_every_road_that_does_without() {
    for road in ["tcpclv4", "mtcp", "stcp", "udp"] {
        let text = format!("{road}://radio:4556?eid=dtn://radio/&encryption=forbidden");
        let address: PeerAddress = text.parse().unwrap();
        assert!(address.clear_only(), "{text}");
        assert_eq!(address.to_string(), text);
        assert!(!format!("{road}://radio:1?encryption=allowed").parse::<PeerAddress>().unwrap().clear_only());
    }
    let error = |text: &str| text.parse::<PeerAddress>().unwrap_err();
    for road in [Road::Quic, Road::Quicclav1] {
        let refused = error(&format!("{road}://radio:4558?encryption=forbidden"));
        assert_eq!(refused, AddressError::Encrypts(road));
        assert!(refused.to_string().contains("use `tcpclv4://`"), "{refused}");
    }
    let contradiction = error("tcpclv4://radio:1?tls=require&encryption=forbidden");
    assert_eq!(contradiction, AddressError::TlsForbidden);
    assert!("tcpclv4://radio:1?tls=never&encryption=forbidden".parse::<PeerAddress>().is_ok());
    assert!(matches!(error("udp://radio:1?encryption=no"), AddressError::Value { .. }));
}
