//! What is noticed: any flipped bit of what is covered, wrong keys, blocks that contradict one another.

use bundle_spec::{
    Bundle, Lax, NewBlock, Rule,
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY},
    report::ReasonCode,
    security::{Field, Finding, KeySet, Role, SecurityBlock, SecurityError, Service, operations},
};

use super::bundles::*;

#[test]
fn every_flipped_bit_of_a_signed_payload_is_noticed() {
    let signed = sign(&plain(b"a sample of water"), &signing(&[1], &integrity_key())).unwrap();
    for bit in 0..signed.payload.len() * 8 {
        let mut payload = signed.payload.to_vec();
        payload[bit / 8] ^= 1 << (bit % 8);
        let forged = Bundle { header: signed.header.clone(), payload: payload.into() };
        assert!(receive(&forged, &keys(), Role::Verify).is_err(), "bit {bit}");
    }
}

#[test]
fn every_flipped_bit_of_an_encrypted_bundle_is_noticed_or_changes_nothing_that_is_covered() {
    let wanted = plain(b"a sample of water");
    let signed = sign(&wanted, &signing(&[0, 1], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1], &content_key()));
    // The primary block is signed along with the payload: that BIB cannot leave the payload alone.
    let sealed = sealed.unwrap();
    let bytes = sealed.encode();
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(bundle) = Bundle::parse(bytes.into(), &Lax::dtn7()) else {
            refused += 1;
            continue;
        };
        match receive(&bundle, &keys(), Role::Accept) {
            Err(_) => refused += 1,
            Ok((opened, cleared)) => {
                let lost = cleared.findings.iter().any(|finding| matches!(finding, Finding::Discarded(_)));
                assert!(lost || opened.payload == wanted.payload, "bit {bit}");
            }
        }
    }
    assert!(refused > bytes.len() * 4, "only {refused} of {} bits", bytes.len() * 8);
}

#[test]
fn a_primary_block_that_was_changed_is_noticed() {
    let signed = sign(&plain(b"a sample"), &signing(&[0], &integrity_key())).unwrap();
    let mut bytes = signed.encode().to_vec();
    let at = bytes.windows(8).position(|window| window == b"hospital").unwrap();
    bytes[at] = b'H';
    let forged = Bundle::parse(bytes.into(), &Lax::strict()).unwrap();
    let error = receive(&forged, &keys(), Role::Verify).unwrap_err();
    assert_eq!(error, SecurityError::Failed { service: Service::Integrity, target: 0 });
}

#[test]
fn an_extension_block_that_was_changed_is_removed_and_the_bundle_stays() {
    let signed = sign(&plain(b"a sample"), &signing(&[4], &integrity_key())).unwrap();
    let mut bytes = signed.encode().to_vec();
    let at = bytes.windows(4).position(|window| window == b"note").unwrap();
    bytes[at] = b'N';
    let forged = Bundle::parse(bytes.into(), &Lax::strict()).unwrap();
    let (left, cleared) = receive(&forged, &keys(), Role::Verify).unwrap();
    assert_eq!(count(&left, PRIVATE) + count(&left, BLOCK_INTEGRITY), 0);
    assert!(matches!(cleared.findings.as_slice(), [Finding::Discarded(_)]));
}

#[test]
fn operations_that_contradict_one_another_are_named() {
    let bib = |targets: &[u64]| block(BLOCK_INTEGRITY, targets, 1);
    let bcb = |targets: &[u64]| block(BLOCK_CONFIDENTIALITY, targets, 2);
    // The private block is number 4, these are 5 and 6.
    check(&[bib(&[1]), bib(&[1])], ReasonCode::ConflictingSecurityOperation);
    check(&[bcb(&[1]), bcb(&[1])], ReasonCode::ConflictingSecurityOperation);
    check(&[bib(&[6]), bib(&[1])], ReasonCode::UnexpectedSecurityOperation);
    check(&[bib(&[6]), bcb(&[1])], ReasonCode::UnexpectedSecurityOperation);
    check(&[bcb(&[0]), bib(&[1])], ReasonCode::UnexpectedSecurityOperation);
    check(&[bcb(&[6]), bcb(&[1])], ReasonCode::UnexpectedSecurityOperation);
    check(&[bib(&[9]), bib(&[1])], ReasonCode::UnexpectedSecurityOperation);
}

#[test]
fn an_unknown_context_passes_through_byte_for_byte() {
    for context in [-7, 3, i64::from(i16::MAX)] {
        let bundle = with_blocks(&[block(BLOCK_INTEGRITY, &[1], context)]);
        for role in [Role::Verify, Role::Accept] {
            let (passed, cleared) = receive(&bundle, &keys(), role).unwrap();
            assert_eq!(passed, bundle);
            assert!(matches!(cleared.findings.as_slice(), [Finding::Unknown(_)]));
        }
    }
}

#[test]
fn a_parameter_that_the_context_does_not_have_is_refused() {
    let mut content = content(&[1], 1);
    for parameters in [
        vec![Field::unsigned(9, 1)],
        vec![Field::unsigned(1, 8)],
        vec![Field::unsigned(1, 5), Field::unsigned(1, 5)],
        vec![Field::bytes(3, b"x")],
    ] {
        content.parameters = Some(parameters);
        let bundle = with_blocks(&[new_block(BLOCK_INTEGRITY, content.encode())]);
        let error = receive(&bundle, &keys(), Role::Verify).unwrap_err();
        assert_eq!(error.reason(), ReasonCode::BlockUnintelligible);
    }
}

#[test]
fn a_security_block_that_is_none_is_refused_with_its_byte() {
    for (data, offset, rule) in [
        ("80 01 00 820100 80", 0, Rule::SecurityTargetCount),
        ("820101 01 00 820100 82 80 80", 2, Rule::SecurityTargetCount),
        ("8101 01 00 820100 80", 7, Rule::SecurityResults),
        ("8101 01 01 820100 8101 8180", 8, Rule::SecurityBlock),
        ("8101 40 00 820100 8180", 2, Rule::SecurityBlock),
        ("8101 01 00 820100 8180 00", 9, Rule::SecurityBlock),
        ("8101 01 00 820100 8181 82 01 5f", 11, Rule::IndefiniteItem),
    ] {
        let found = SecurityBlock::decode(&hex(data).into()).unwrap_err();
        assert_eq!((found.offset, found.rule), (offset, rule), "{data}");
    }
}

#[test]
fn a_security_block_has_no_more_targets_than_a_bundle_has_blocks() {
    let block = |count: u64| content(&(0..count).collect::<Vec<_>>(), 7).encode();
    assert!(SecurityBlock::decode(&block(66).into()).is_ok());
    let error = SecurityBlock::decode(&block(67).into()).unwrap_err();
    assert_eq!(error.rule, Rule::SecurityTargetCount);
}

#[test]
fn values_of_foreign_contexts_may_be_any_item() {
    let data = hex("8101 37 01 820100 81 8202 a201f9000002 83c1fb0000000000000000f663616263 81 81 8201 3863");
    let block = SecurityBlock::decode(&data.clone().into()).unwrap();
    assert_eq!(block.context, -24);
    assert_eq!(block.encode(), data);
}

#[test]
fn a_verifier_without_the_key_lets_pass_what_it_cannot_check() {
    let signed = sign(&plain(b"a sample"), &signing(&[1], &integrity_key())).unwrap();
    let (passed, cleared) = receive(&signed, &KeySet::default(), Role::Verify).unwrap();
    assert_eq!(passed, signed);
    assert!(matches!(cleared.findings.as_slice(), [Finding::NoKey(_)]));
}

#[test]
fn a_verifier_of_confidentiality_checks_the_tag_and_reads_nothing() {
    let sealed = seal(&plain(b"a sample"), &sealing(&[1], &content_key())).unwrap();
    let (passed, cleared) = receive(&sealed, &keys(), Role::Verify).unwrap();
    assert_eq!(passed, sealed);
    assert!(cleared.payload.is_none());
    let mut forged = sealed;
    forged.payload = b"another.".to_vec().into();
    assert!(receive(&forged, &keys(), Role::Verify).is_err());
}

#[test]
fn a_payload_that_is_cut_short_is_noticed() {
    let sealed = seal(&plain(b"a sample"), &sealing(&[1], &content_key())).unwrap();
    let decide = |_: &_| bundle_spec::security::Decision { role: Role::Accept, key: None };
    let reception = bundle_spec::security::Reception::new(&sealed.header, &keys(), decide, &[]).unwrap();
    assert_eq!(reception.finish().unwrap_err(), SecurityError::PayloadLength);
}

#[test]
fn a_fragment_is_not_checked_before_it_is_whole_again() {
    let (passed, cleared) = receive(&fragment(), &keys(), Role::Accept).unwrap();
    assert_eq!(passed, fragment());
    assert!(cleared.findings.is_empty());
}

#[test]
fn flags_that_nobody_has_assigned_are_covered_as_zero() {
    let plain = builder().payload_flags(bundle_spec::BlockFlags(0x41)).bundle(b"a sample".to_vec().into());
    let signed = sign(&plain, &signing(&[1], &integrity_key())).unwrap();
    let head = |flags: &str| hex(&format!("8501 01 {flags} 00 48"));
    let replaced = |from: &str, to: &str| {
        let bytes = signed.encode();
        let at = bytes.windows(7).position(|window| window == head(from)).unwrap();
        let bytes = [&bytes[..at], &head(to), &bytes[at + 7..]].concat();
        Bundle::parse(bytes.into(), &Lax::strict()).unwrap()
    };
    assert!(receive(&replaced("1841", "1881"), &keys(), Role::Verify).is_ok());
    assert!(receive(&replaced("1841", "1843"), &keys(), Role::Verify).is_err());
}

#[test]
fn the_primary_block_keeps_its_bib_while_others_cover_it() {
    let signed = sign(&plain(b"a sample"), &signing(&[0], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1], &content_key())).unwrap();
    let only_integrity = |operation: &bundle_spec::security::Operation| match operation.service {
        Service::Integrity => Role::Accept,
        Service::Confidentiality => Role::Pass,
    };
    let (left, _) = receive_as(&sealed, &keys(), only_integrity, &[]).unwrap();
    assert_eq!(left.header.primary().raw(), sealed.header.primary().raw());
    assert_eq!(count(&left, BLOCK_INTEGRITY), 1);
    let (opened, _) = receive(&left, &keys(), Role::Accept).unwrap();
    assert_eq!(opened, plain(b"a sample"));
}

#[test]
fn a_primary_block_that_others_cover_is_not_signed_afterwards() {
    let sealed = seal(&plain(b"a sample"), &sealing(&[1], &content_key())).unwrap();
    let error = sign(&sealed, &signing(&[0], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::PrimaryCovered);
}

fn content(targets: &[u64], context: i64) -> SecurityBlock {
    SecurityBlock {
        targets: targets.to_vec(),
        context,
        source: "ipn:3.1".parse().unwrap(),
        parameters: None,
        results: targets.iter().map(|_| vec![Field::bytes(1, &[7; 48])]).collect(),
    }
}

fn block(block_type: u64, targets: &[u64], context: i64) -> NewBlock {
    new_block(block_type, content(targets, context).encode())
}

fn new_block(block_type: u64, data: Vec<u8>) -> NewBlock {
    let flags = bundle_spec::BlockFlags::NONE;
    NewBlock { block_type, flags, crc_type: bundle_spec::CrcType::None, data }
}

fn with_blocks(blocks: &[NewBlock]) -> Bundle {
    let builder = blocks.iter().fold(builder(), |builder, block| builder.block(block.clone()));
    builder.bundle(b"a sample".to_vec().into())
}

fn check(blocks: &[NewBlock], reason: ReasonCode) {
    let bundle = with_blocks(blocks);
    let error = operations(&bundle.header).unwrap_err();
    assert_eq!(error.reason(), reason, "{error}");
    assert_eq!(receive(&bundle, &keys(), Role::Pass).unwrap_err(), error);
}
