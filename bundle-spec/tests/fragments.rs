//! Cutting bundles and putting them together again (RFC 9171 §5.8, §5.9).

use bundle_spec::{
    BlockFlags, Builder, Bundle, BundleFlags, CrcType, CreationTimestamp, DtnTime, FragmentExtent, Header,
    Lax, NewBlock, block,
    fragment::{self, Assembly, InsertError, RANGES_MAX, SplitError},
};
use bytes::Bytes;

#[test]
fn fragments_put_together_are_the_original() {
    let payload: Bytes = (0..=255).collect();
    let original = builder().bundle(payload.clone());
    let cuts: Vec<u64> = fragment::cuts(256, 100).collect();
    assert_eq!(cuts, [100, 200]);
    let headers = fragment::split(&original.header, &cuts).unwrap();
    let mut assembly = Assembly::new(256);
    let mut joined = Vec::new();
    for header in &headers {
        let origin = header.primary().fragment().unwrap();
        let [start, len] =
            [origin.offset, header.payload_len()].map(|number| usize::try_from(number).unwrap());
        let part = Bundle { header: header.clone(), payload: payload.slice(start..start + len) };
        let part = Bundle::parse(part.encode(), &Lax::strict()).unwrap();
        joined.extend_from_slice(&part.payload);
        assert!(assembly.insert(part.header.bundle_id().fragment.unwrap()).unwrap());
    }
    assert!(assembly.is_complete());
    assert_eq!(joined, payload);
    let whole = fragment::whole(&headers[0]).unwrap();
    assert_eq!(whole, original.header);
    assert_eq!(fragment::whole(&headers[1]), None);
    assert_eq!(fragment::whole(&whole), None);
}

#[test]
fn parts_of_parts_count_from_the_original() {
    let original = builder().header(1000);
    let parts = fragment::split(&original, &[400]).unwrap();
    let parts = fragment::split(&parts[1], &[250]).unwrap();
    let extents: Vec<_> = parts.iter().map(|part| part.bundle_id().fragment.unwrap()).collect();
    assert_eq!(extents, [FragmentExtent { offset: 400, len: 250 }, FragmentExtent { offset: 650, len: 350 }]);
    assert!(parts.iter().all(|part| part.primary().fragment().unwrap().total == 1000));
}

#[test]
fn only_the_first_fragment_has_all_blocks() {
    let block = |block_type, flags| NewBlock { block_type, flags, crc_type: CrcType::X25, data: vec![7] };
    let original = builder()
        .age_ms(1)
        .hop_limit(5)
        .block(block(200, BlockFlags::NONE))
        .block(block(201, BlockFlags::REPLICATE))
        .header(10);
    let parts = fragment::split(&original, &[5]).unwrap();
    let types = |header: &Header| header.blocks().iter().map(|block| block.block_type).collect::<Vec<_>>();
    assert_eq!(types(&parts[0]), [block::BUNDLE_AGE, block::HOP_COUNT, 200, 201]);
    assert_eq!(types(&parts[1]), [block::BUNDLE_AGE, block::HOP_COUNT, 201]);
}

#[test]
fn an_unfragmentable_bundle_is_not_cut() {
    let header = builder().flags(BundleFlags::MUST_NOT_FRAGMENT).header(10);
    assert_eq!(fragment::split(&header, &[5]), Err(SplitError::Forbidden));
}

#[test]
fn cuts_outside_the_payload_are_refused() {
    let header = builder().header(10);
    for cuts in [&[0][..], &[10], &[11], &[5, 5], &[6, 5]] {
        assert!(matches!(fragment::split(&header, cuts), Err(SplitError::Cut { .. })), "{cuts:?}");
    }
    assert_eq!(fragment::split(&header, &[]).unwrap().len(), 1);
    assert_eq!(fragment::cuts(10, 0).count(), 0);
    assert_eq!(fragment::cuts(10, 10).count(), 0);
}

#[test]
fn an_assembly_knows_its_gaps_in_any_order() {
    let mut assembly = Assembly::new(100);
    let extent = |offset, len| FragmentExtent { offset, len };
    assert_eq!(assembly.gaps().collect::<Vec<_>>(), [extent(0, 100)]);
    assert_eq!(assembly.insert(extent(40, 20)), Ok(true));
    assert_eq!(assembly.insert(extent(10, 10)), Ok(true));
    assert_eq!(assembly.insert(extent(45, 5)), Ok(false));
    assert_eq!(assembly.insert(extent(5, 0)), Ok(false));
    assert_eq!(assembly.gaps().collect::<Vec<_>>(), [extent(0, 10), extent(20, 20), extent(60, 40)]);
    assert_eq!(assembly.insert(extent(15, 50)), Ok(true));
    assert_eq!(assembly.gaps().collect::<Vec<_>>(), [extent(0, 10), extent(65, 35)]);
    assert_eq!(assembly.insert(extent(90, 11)), Err(InsertError::BeyondTotal { total: 100 }));
    assert_eq!(assembly.insert(extent(u64::MAX, 2)), Err(InsertError::BeyondTotal { total: 100 }));
    assert_eq!(assembly.insert(extent(0, 100)), Ok(true));
    assert!(assembly.is_complete());
    assert_eq!(assembly.gaps().count(), 0);
    assert!(Assembly::new(0).is_complete());
}

#[test]
fn an_assembly_remembers_a_bounded_number_of_ranges() {
    let mut assembly = Assembly::new(u64::MAX);
    let single = |index| FragmentExtent { offset: index * 2, len: 1 };
    for index in 0..RANGES_MAX as u64 {
        assembly.insert(single(index)).unwrap();
    }
    assert_eq!(assembly.insert(single(RANGES_MAX as u64)), Err(InsertError::TooManyRanges));
    assert_eq!(assembly.insert(FragmentExtent { offset: 1, len: 1 }), Ok(true));
}

fn builder() -> Builder {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 1 };
    let [source, destination] =
        ["dtn://village/in", "ipn:977000.5.1"].map(|text| text.parse().expect("an EID"));
    Builder::new(source, destination, timestamp, 1000)
}
