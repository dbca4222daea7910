//! Reading a bundle allocates nothing, however large it is.

use bundle_spec::{Builder, Bundle, CreationTimestamp, DtnTime, Header, Lax};
use bytes::Bytes;

#[test]
fn reading_a_bundle_allocates_nothing() {
    for len in [1 << 10, 1 << 16, 1 << 20] {
        let bytes = sample(len);
        // A buffer is shared from its first clone on, which allocates its counter.
        let _shared = bytes.clone();
        let counted = allocation_counter::measure(|| {
            let bundle = Bundle::parse(bytes.clone(), &Lax::strict()).expect("the sample is well-formed");
            assert_eq!(bundle.header.blocks().len(), 3);
        });
        assert_eq!(counted.count_total, 0, "{len}");
    }
}

#[test]
fn absurd_lengths_allocate_nothing() {
    let good = sample(10);
    let header = Header::parse(&good, &Lax::strict()).expect("it is accepted").expect("it is whole");
    let start = header.len_bytes() - 1;
    let absurd: Bytes =
        [&good[..start], &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat().into();
    let _shared = absurd.clone();
    let counted = allocation_counter::measure(|| {
        assert!(Bundle::parse(absurd.clone(), &Lax::strict()).is_err());
        assert!(Header::parse(&absurd, &Lax::strict()).is_ok_and(|header| header.is_some()));
    });
    assert_eq!(counted.count_total, 0);
}

fn sample(len: usize) -> Bytes {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 1 };
    let [source, destination] = ["dtn://village/in", "ipn:7.1"].map(|text| text.parse().expect("an EID"));
    let builder = Builder::new(source, destination, timestamp, 86_400_000);
    let builder = builder.previous_node("dtn://bus/".parse().expect("a node id")).age_ms(1000).hop_limit(30);
    builder.bundle(Bytes::from(vec![7; len])).encode()
}
