//! Another implementation reads what we emit: the `bp7` crate of dtn7-rs.

use bp7::{Bundle as Peer, eid::EndpointID};
use bundle_spec::{Builder, Bundle, CrcType, CreationTimestamp, DtnTime, Forwarding, Lax, fragment};
use bytes::Bytes;

#[test]
fn bp7_reads_what_we_emit() {
    for crc_type in [CrcType::X25, CrcType::Castagnoli] {
        for (source, destination) in [("dtn://village/in", "dtn://pannier/~jobs"), ("ipn:5.2", "ipn:7.1")] {
            let builder = builder(source, destination).crc(crc_type).payload_crc(crc_type);
            let bundle = builder.age_ms(70_000).hop_limit(30).bundle(Bytes::from_static(b"a field report"));
            let mut peer = read(&bundle);
            assert_eq!(peer.primary.source.to_string(), source);
            assert_eq!(peer.primary.destination.to_string(), destination);
            assert_eq!(peer.payload().unwrap(), &b"a field report");
            assert_eq!(peer.to_cbor(), bundle.encode());
        }
    }
}

#[test]
fn bp7_reads_what_we_forward_and_cut() {
    let bundle =
        builder("dtn://village/in", "dtn://clinic/in").hop_limit(3).bundle(Bytes::from_static(b"0123456789"));
    let edits = Forwarding { previous_node: "dtn://bus/".parse().ok(), age_ms: Some(5), count_hop: true };
    let header = bundle.header.forwarded(&edits).unwrap();
    let peer = read(&Bundle { header, payload: bundle.payload.clone() });
    assert_eq!(peer.previous_node(), Some(&EndpointID::try_from("dtn://bus/").unwrap()));
    for header in fragment::split(&bundle.header, &[4]).unwrap() {
        let start = usize::try_from(header.primary().fragment().unwrap().offset).unwrap();
        let payload = bundle.payload.slice(start..).slice(..usize::try_from(header.payload_len()).unwrap());
        let peer = read(&Bundle { header, payload });
        assert_eq!(peer.primary.total_data_length, 10);
    }
}

#[test]
fn we_read_what_bp7_emits_with_its_switch() {
    let source = EndpointID::try_from("dtn://peer/in").unwrap();
    let destination = EndpointID::try_from("dtn://clinic/in").unwrap();
    let mut peer = bp7::bundle::new_std_payload_bundle(source, destination, b"hello".to_vec());
    let bundle = Bundle::parse(peer.to_cbor().into(), &Lax::dtn7()).unwrap();
    assert_eq!(bundle.payload, b"hello"[..]);
    assert_eq!(bundle.header.primary().source().to_string(), "dtn://peer/in");
}

fn read(bundle: &Bundle) -> Peer {
    let mut peer = Peer::try_from(bundle.encode().to_vec()).expect("bp7 parses it");
    assert!(peer.crc_valid());
    peer.validate().expect("bp7 finds nothing wrong");
    peer
}

fn builder(source: &str, destination: &str) -> Builder {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 1 };
    let [source, destination] = [source, destination].map(|text| text.parse().expect("an EID"));
    Builder::new(source, destination, timestamp, 86_400_000)
}
