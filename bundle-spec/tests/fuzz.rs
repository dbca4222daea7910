//! Any bytes: no panic, no disagreement between whole and piecewise reading, and what is accepted is emitted
//! again.

use bundle_spec::{
    Builder, Bundle, BundleFlags, BundleId, CrcType, CreationTimestamp, DtnTime, Eid, Forwarding, Header,
    Lax, fragment, report::AdministrativeRecord, validate::validate,
};
use bytes::Bytes;

#[test]
fn any_bytes_are_read_or_refused() {
    bolero::check!().with_iterations(20_000).for_each(check_bytes);
}

#[test]
fn damaged_bundles_are_read_or_refused() {
    let bundles = [CrcType::None, CrcType::X25].map(sample);
    bolero::check!().with_type::<(bool, Vec<(u8, u8)>, u8)>().with_iterations(5_000).for_each(
        |(is_protected, damages, cut)| {
            let mut bytes = bundles[usize::from(*is_protected)].to_vec();
            for (at, value) in damages.iter().take(4) {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *value;
            }
            if *cut > 200 {
                bytes.truncate(usize::from(*cut) % bytes.len());
            }
            check_bytes(&bytes);
        },
    );
}

#[test]
fn any_text_is_an_eid_or_refused() {
    bolero::check!().with_type::<String>().with_iterations(5_000).for_each(|text| {
        if let Ok(eid) = text.parse::<Eid>() {
            assert_eq!(eid.to_string().parse::<Eid>(), Ok(eid));
        }
        if let Ok(id) = text.parse::<BundleId>() {
            assert_eq!(id.to_string().parse::<BundleId>(), Ok(id));
        }
    });
}

fn check_bytes(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    for lax in [Lax::strict(), Lax::dtn7(), Lax::all()] {
        let bundle = Bundle::parse(bytes.clone(), &lax);
        assert_eq!(validate(input, &lax).is_accepted(), bundle.is_ok());
        check_prefixes(&bytes, &lax);
        if let Ok(bundle) = bundle {
            assert_eq!(bundle.encode(), bytes);
            check_edits(&bundle);
        }
    }
    if let Ok(record) = AdministrativeRecord::decode(&bytes) {
        assert_eq!(AdministrativeRecord::decode(&record.encode()), Ok(record));
    }
}

/// A prefix is refused only as the whole is, and read only as the whole is.
fn check_prefixes(bytes: &Bytes, lax: &Lax) {
    let whole = Header::parse(bytes, lax);
    for len in 0..bytes.len() {
        match Header::parse(&bytes.slice(..len), lax) {
            Ok(None) => {}
            part => assert_eq!(part, whole, "{len}"),
        }
    }
}

fn check_edits(bundle: &Bundle) {
    let edits = Forwarding {
        previous_node: Some("dtn://bus/".parse().expect("a node id")),
        age_ms: Some(7),
        count_hop: true,
    };
    if let Ok(header) = bundle.header.forwarded(&edits) {
        assert_eq!(header.primary().raw(), bundle.header.primary().raw());
        assert_eq!(header.bundle_id(), bundle.header.bundle_id());
        let carried = Bundle { header, payload: bundle.payload.clone() };
        assert_eq!(Bundle::parse(carried.encode(), &Lax::all()), Ok(carried));
    }
    for block in bundle.header.blocks() {
        if let Some(header) = bundle.header.without_block(block.number) {
            assert_eq!(header.blocks().len() + 1, bundle.header.blocks().len());
        }
    }
    let cuts: Vec<u64> = fragment::cuts(bundle.header.payload_len(), 3).take(100).collect();
    if let Ok(parts) = fragment::split(&bundle.header, &cuts) {
        assert_eq!(parts.len(), cuts.len() + 1);
    }
}

fn sample(crc_type: CrcType) -> Bytes {
    let timestamp = CreationTimestamp { time: DtnTime(5), sequence: 1 };
    let [source, destination] = ["dtn://a/b", "ipn:977000.5.1"].map(|text| text.parse().expect("an EID"));
    let builder = Builder::new(source, destination, timestamp, 1000).crc(crc_type).payload_crc(crc_type);
    let builder = builder.flags(BundleFlags::REPORT_DELIVERY).age_ms(300).hop_limit(3);
    builder
        .previous_node("ipn:9.0".parse().expect("a node id"))
        .bundle(Bytes::from_static(b"payload"))
        .encode()
}
