//! What is built parses, what is forwarded changes only where it must, what is streamed equals what is whole.

use bundle_spec::{
    BLOCKS_MAX, BlockFlags, Builder, Bundle, BundleFlags, CrcType, CreationTimestamp, DtnTime, Eid, Error,
    Forwarding, HEADER_BYTES_MAX, Header, Lax, NewBlock, NodeId, PayloadTail, Rule, block,
};
use bytes::Bytes;

#[test]
fn what_is_built_parses_to_the_same_bundle() {
    for crc_type in [CrcType::None, CrcType::X25, CrcType::Castagnoli] {
        for len in [0, 1, 23, 24, 255, 256, 70_000] {
            let bundle = builder().crc(crc_type).payload_crc(crc_type).bundle(payload(len));
            let bytes = bundle.encode();
            let parsed = Bundle::parse(bytes.clone(), &Lax::dtn7()).unwrap();
            assert_eq!(parsed, bundle);
            assert_eq!(parsed.encode(), bytes);
            assert_eq!(bundle.header.bundle_len(), Some(bytes.len() as u64));
        }
    }
}

#[test]
fn a_header_is_read_as_soon_as_it_is_there_and_not_before() {
    let bytes = builder().bundle(payload(100)).encode();
    let whole = Bundle::parse(bytes.clone(), &Lax::strict()).unwrap();
    let header_len = whole.header.len_bytes();
    for len in 0..bytes.len() {
        let header = Header::parse(&bytes.slice(..len), &Lax::strict()).unwrap();
        assert_eq!(header.is_some(), len >= header_len, "{len}");
    }
    assert_eq!(Bundle::parse(bytes.slice(..header_len), &Lax::strict()).unwrap_err().rule, Rule::Truncated);
}

#[test]
fn a_streamed_payload_has_the_same_tail() {
    for crc_type in [CrcType::None, CrcType::X25, CrcType::Castagnoli] {
        let bundle = builder().payload_crc(crc_type).bundle(payload(1000));
        let bytes = bundle.encode();
        let tail = bytes.slice(bundle.header.len_bytes() + 1000..);
        assert_eq!(tail.len(), PayloadTail::tail_len(crc_type));
        let streamed = || {
            let mut digest = PayloadTail::new(&bundle.header);
            bundle.payload.chunks(7).for_each(|chunk| digest.update(chunk));
            digest
        };
        assert_eq!(streamed().emit(), tail);
        streamed().finish(&tail).unwrap();
    }
}

#[test]
fn a_damaged_tail_is_noticed() {
    let bundle = builder().bundle(payload(10));
    let tail = bundle.encode().slice(bundle.header.len_bytes() + 10..);
    let finish = |payload: &[u8], tail: &[u8]| {
        let mut digest = PayloadTail::new(&bundle.header);
        digest.update(payload);
        digest.finish(tail).unwrap_err().rule
    };
    assert_eq!(finish(&bundle.payload[..9], &tail), Rule::PayloadLength);
    assert_eq!(finish(&[0; 11], &tail), Rule::PayloadLength);
    assert_eq!(finish(&[0; 10], &tail), Rule::CrcMismatch);
    assert_eq!(finish(&bundle.payload, &tail[..5]), Rule::Truncated);
    assert_eq!(finish(&bundle.payload, &tail[..3]), Rule::Truncated);
    assert_eq!(finish(&bundle.payload, &[&tail[..], &[0]].concat()), Rule::TrailingBytes);
    assert_eq!(finish(&bundle.payload, &[&tail[..5], &[0x85]].concat()), Rule::PayloadNotLast);
    assert_eq!(finish(&bundle.payload, &[0x42, 0, 0, 0xff]), Rule::CrcField);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = builder().age_ms(5).hop_limit(9).bundle(payload(40)).encode();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Bundle::parse(Bytes::from(damaged), &Lax::all()).is_err(), "bit {bit}");
    }
}

#[test]
fn forwarding_changes_only_the_hop() {
    let unknown = NewBlock {
        block_type: 200,
        flags: BlockFlags::REPLICATE,
        crc_type: CrcType::X25,
        data: vec![0xff, 1, 2],
    };
    let bundle = builder().age_ms(5).hop_limit(2).block(unknown).bundle(payload(10));
    let node: NodeId = "dtn://bus/".parse().unwrap();
    let edits = Forwarding { previous_node: Some(node.clone()), age_ms: Some(700), count_hop: true };
    let first = bundle.header.forwarded(&edits).unwrap();
    assert_eq!(first.primary().raw(), bundle.header.primary().raw());
    assert_eq!(first.previous_node(), Some(node));
    assert_eq!(first.age_ms(), Some(700));
    assert_eq!(first.hop_count().map(|hops| (hops.limit, hops.count)), Some((2, 1)));
    assert_eq!(first.bundle_id(), bundle.header.bundle_id());
    let kept =
        |header: &Header| header.blocks().iter().find(|block| block.block_type == 200).cloned().unwrap();
    assert_eq!(kept(&first).raw, kept(&bundle.header).raw);
    let carried = Bundle { header: first.clone(), payload: bundle.payload.clone() };
    assert_eq!(Bundle::parse(carried.encode(), &Lax::strict()).unwrap(), carried);

    let second = first.forwarded(&Forwarding { previous_node: None, ..edits.clone() }).unwrap();
    assert_eq!(second.previous_node(), None);
    assert!(second.forwarded(&edits).is_err());
    assert!(second.forwarded(&Forwarding { count_hop: false, ..edits }).is_ok());
}

#[test]
fn a_block_can_be_discarded_by_its_number() {
    let unknown = |block_type| NewBlock {
        block_type,
        flags: BlockFlags::DISCARD_UNPROCESSED,
        crc_type: CrcType::Castagnoli,
        data: vec![1],
    };
    let header = builder().hop_limit(9).block(unknown(200)).block(unknown(201)).header(10);
    let number = header.blocks().iter().find(|block| block.block_type == 200).unwrap().number;
    let without = header.without_block(number).unwrap();
    let types: Vec<u64> = without.blocks().iter().map(|block| block.block_type).collect();
    assert_eq!(types, [block::HOP_COUNT, 201]);
    assert_eq!(header.without_block(77), None);
    assert_eq!(header.without_block(1), None);
}

#[test]
fn a_header_at_its_bounds_can_still_be_forwarded() {
    let unknown = |len| NewBlock {
        block_type: 200,
        flags: BlockFlags::NONE,
        crc_type: CrcType::None,
        data: vec![0; len],
    };
    let many = (0..BLOCKS_MAX).fold(builder(), |builder, _| builder.block(unknown(1))).header(1);
    let long = builder().block(unknown(HEADER_BYTES_MAX - 150)).header(1);
    let edits = Forwarding { previous_node: "dtn://bus/".parse().ok(), age_ms: Some(1), count_hop: true };
    for header in [many, long] {
        let forwarded = header.forwarded(&edits).unwrap();
        assert_eq!(forwarded.age_ms(), Some(1));
        assert_eq!(forwarded.blocks().len(), header.blocks().len() + 2);
    }
}

#[test]
fn the_age_that_a_clockless_bundle_needs_cannot_be_discarded() {
    let header = Builder::new(eid("ipn:1.2"), eid("ipn:3.4"), timestamp(0), 1000).header(0);
    assert_eq!(header.without_block(header.blocks()[0].number), None);
}

#[test]
fn an_anonymous_bundle_is_made_unfragmentable_and_may_not_ask_for_reports() {
    let builder = || Builder::new(Eid::None, eid("dtn://b/"), timestamp(5), 1000);
    assert!(!builder().header(1).primary().flags().may_fragment());
    let error: Error = builder().flags(BundleFlags::REPORT_DELIVERY).try_header(1).unwrap_err();
    assert_eq!(error.rule, Rule::AnonymousReports);
}

#[test]
fn a_source_without_clock_gets_an_age_block() {
    let header = Builder::new(eid("ipn:1.2"), eid("ipn:3.4"), timestamp(0), 1000).header(0);
    assert_eq!(header.age_ms(), Some(0));
}

#[test]
fn the_bytes_of_an_eid_do_not_hold_the_bundle() {
    let bytes = builder().bundle(payload(10)).encode();
    let header = Header::parse(&bytes, &Lax::strict()).unwrap().unwrap();
    let kept = header.detached();
    assert_eq!(kept, header);
    let range = bytes.as_ptr_range();
    assert!(!range.contains(&kept.raw().as_ptr()));
    assert!(range.contains(&header.raw().as_ptr()));
}

fn builder() -> Builder {
    Builder::new(eid("dtn://village/in"), eid("dtn://pannier/~jobs"), timestamp(820_000_000_000), 86_400_000)
        .flags(BundleFlags::REPORT_DELIVERY)
}

fn timestamp(ms: u64) -> CreationTimestamp {
    CreationTimestamp { time: DtnTime(ms), sequence: 3 }
}

fn eid(text: &str) -> Eid {
    text.parse().expect("an EID")
}

fn payload(len: usize) -> Bytes {
    (0..len).map(|index| u8::try_from(index % 251).expect("below 256")).collect()
}
