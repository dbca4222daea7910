//! The cases of the BPSec conformance suite for the default contexts, one sentence each, in its order.

use bundle_spec::{
    Bundle, Header,
    block::{BLOCK_CONFIDENTIALITY, BLOCK_INTEGRITY, BUNDLE_AGE},
    report::ReasonCode,
    security::{Finding, KeySet, KeyUse, Role, Scope, SecurityError, Service, Signing, operations},
};

use super::bundles::*;

/// Signs like the suite: no parameter, everything in scope.
fn suite_signing<'a>(targets: &'a [u64], key: &'a bundle_spec::security::Key) -> Signing<'a> {
    let source = "ipn:3.1".parse().unwrap();
    Signing { source, scope: Scope::ALL, key: KeyUse::Direct(key), ..signing(targets, key) }
}

#[test]
fn an_encrypted_payload_is_not_encrypted_again() {
    let error = seal(&suite("sealed"), &sealing(&[1], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::Repeated { service: Service::Confidentiality, target: 1 });
    assert_eq!(error.reason(), ReasonCode::ConflictingSecurityOperation);
}

#[test]
fn a_signed_payload_is_not_signed_again() {
    let error = sign(&suite("signed"), &signing(&[1], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::Repeated { service: Service::Integrity, target: 1 });
}

#[test]
fn one_bib_signs_payload_and_age_with_the_codes_of_the_suite() {
    let signed = sign(&suite("plain"), &suite_signing(&[1, 2], &integrity_key())).unwrap();
    let codes = |bundle: &Bundle| {
        let bib = bundle.header.blocks().iter().find(|block| block.block_type == BLOCK_INTEGRITY).unwrap();
        let block = bundle_spec::security::SecurityBlock::decode(&bib.data().to_vec().into()).unwrap();
        (bib.number, block.targets, block.results)
    };
    assert_eq!(codes(&signed), codes(&suite("signed-both")));
}

#[test]
fn an_acceptor_verifies_and_removes_a_bib() {
    let (accepted, cleared) = receive(&suite("signed-both"), &keys(), Role::Accept).unwrap();
    assert_same(&accepted, &suite("plain"));
    assert_eq!(cleared.findings.len(), 2);
}

#[test]
fn payload_and_age_are_encrypted_each_with_a_vector_of_its_own() {
    // The suite has one BCB with one initialization vector for both, which gives both away.
    let sealed = seal(&suite("plain"), &sealing(&[1, 2], &content_key())).unwrap();
    assert_eq!(count(&sealed, BLOCK_CONFIDENTIALITY), 2);
    assert_ne!(sealed.payload, suite("plain").payload);
    let (opened, _) = receive(&sealed, &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
}

#[test]
fn an_acceptor_opens_and_removes_a_bcb_with_two_targets() {
    let (opened, _) = receive(&suite("sealed-both"), &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
}

#[test]
fn what_is_signed_is_encrypted_with_its_bib() {
    let signed = sign(&suite("plain"), &suite_signing(&[1, 2], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1, 2], &content_key())).unwrap();
    assert_eq!(count(&sealed, BLOCK_CONFIDENTIALITY), 3);
    assert_eq!(count(&sealed, BLOCK_INTEGRITY), 1);
    let readable = operations(&sealed.header).unwrap();
    assert!(readable.iter().all(|operation| operation.service == Service::Confidentiality));
    let (opened, _) = receive(&sealed, &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
}

#[test]
fn an_acceptor_opens_a_bib_and_then_verifies_both_targets() {
    let (opened, cleared) = receive(&suite("signed-sealed-both"), &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
    assert_eq!(cleared.findings.len(), 5);
    assert!(cleared.findings.iter().all(|finding| matches!(finding, Finding::Accepted(_))));
}

#[test]
fn signing_and_encrypting_take_turns() {
    let (signs, encrypts) = (integrity_key(), content_key());
    let first = sign(&suite("plain"), &suite_signing(&[1], &signs)).unwrap();
    let second = seal(&first, &sealing(&[1], &encrypts)).unwrap();
    let third = sign(&second, &suite_signing(&[2], &signs)).unwrap();
    let fourth = seal(&third, &sealing(&[2], &encrypts)).unwrap();
    assert_eq!(count(&fourth, BLOCK_INTEGRITY), 2);
    let (opened, _) = receive(&fourth, &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
}

#[test]
fn an_acceptor_opens_two_bibs_and_verifies_what_they_cover() {
    let (opened, cleared) = receive(&suite("interleaved"), &keys(), Role::Accept).unwrap();
    assert_same(&opened, &suite("plain"));
    assert_eq!(cleared.findings.len(), 6);
}

#[test]
fn a_bib_does_not_target_a_bib() {
    let error = sign(&suite("signed"), &signing(&[3], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::ForbiddenTarget { service: Service::Integrity, target: 3 });
}

#[test]
fn a_bib_does_not_target_a_bcb() {
    let error = sign(&suite("sealed"), &signing(&[3], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::ForbiddenTarget { service: Service::Integrity, target: 3 });
}

#[test]
fn a_bcb_does_not_target_a_bcb() {
    let error = seal(&suite("sealed"), &sealing(&[3], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::ForbiddenTarget { service: Service::Confidentiality, target: 3 });
}

#[test]
fn a_bcb_does_not_target_the_primary_block() {
    let error = seal(&suite("plain"), &sealing(&[0], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::ForbiddenTarget { service: Service::Confidentiality, target: 0 });
}

#[test]
fn a_bib_is_not_encrypted_for_its_own_sake() {
    let error = seal(&suite("signed"), &sealing(&[3], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::ForbiddenTarget { service: Service::Confidentiality, target: 3 });
}

#[test]
fn a_bib_is_split_when_some_of_its_targets_are_encrypted() {
    let plain = plain(b"a sample of water");
    let signed = sign(&plain, &signing(&[1, 4], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1], &content_key())).unwrap();
    assert_eq!(count(&sealed, BLOCK_INTEGRITY), 2);
    assert_eq!(count(&sealed, BLOCK_CONFIDENTIALITY), 2);
    let readable = operations(&sealed.header).unwrap();
    let signed_in_plain: Vec<u64> = readable
        .iter()
        .filter(|operation| operation.service == Service::Integrity)
        .map(|operation| operation.target)
        .collect();
    assert_eq!(signed_in_plain, [4]);
    let (opened, _) = receive(&sealed, &keys(), Role::Accept).unwrap();
    assert_same(&opened, &plain);
}

#[test]
fn a_bib_whose_codes_cover_its_own_header_is_not_split() {
    let error = seal(&suite("signed-both"), &sealing(&[1], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::Inseparable { block: 3 });
    assert!(seal(&suite("signed-both"), &sealing(&[1, 2], &content_key())).is_ok());
}

#[test]
fn what_is_encrypted_is_not_signed() {
    let error = sign(&suite("sealed"), &signing(&[1], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::Encrypted { target: 1 });
}

#[test]
fn flags_that_were_changed_on_the_way_are_noticed() {
    let error = receive(&suite("flags-changed"), &keys(), Role::Verify).unwrap_err();
    assert_eq!(error, SecurityError::Failed { service: Service::Integrity, target: 1 });
    assert_eq!(error.reason(), ReasonCode::FailedSecurityOperation);
}

#[test]
fn a_bcb_of_others_passes_through_byte_for_byte() {
    let sealed = suite("sealed");
    let (passed, cleared) = receive(&sealed, &KeySet::default(), Role::Pass).unwrap();
    assert_eq!(passed, sealed);
    assert!(matches!(cleared.findings.as_slice(), [Finding::Passed(_)]));
}

#[test]
fn a_bundle_without_a_required_bcb_is_refused() {
    let required = [(Service::Confidentiality, 1)];
    let error = receive_as(&suite("plain"), &keys(), |_| Role::Accept, &required).unwrap_err();
    assert_eq!(error, SecurityError::Missing { service: Service::Confidentiality, target: 1 });
    assert_eq!(error.reason(), ReasonCode::MissingSecurityOperation);
}

#[test]
fn a_payload_that_no_key_opens_discards_the_bundle() {
    for keys in [KeySet::new(vec![wrong_content_key()]), KeySet::default()] {
        assert!(receive(&suite("sealed"), &keys, Role::Accept).is_err());
    }
}

#[test]
fn an_extension_block_that_no_key_opens_is_removed_and_the_bundle_stays() {
    let plain = plain(b"a sample of water");
    let sealed = seal(&plain, &sealing(&[4], &content_key())).unwrap();
    let wrong = KeySet::new(vec![wrong_content_key()]);
    let (left, cleared) = receive(&sealed, &wrong, Role::Accept).unwrap();
    assert_eq!(count(&left, PRIVATE), 0);
    assert_eq!(count(&left, BLOCK_CONFIDENTIALITY), 0);
    assert_eq!(left.payload, plain.payload);
    assert!(matches!(cleared.findings.as_slice(), [Finding::Discarded(_)]));
}

#[test]
fn an_age_that_no_key_opens_discards_a_bundle_that_has_no_other_time() {
    let wrong = KeySet::new(vec![wrong_content_key()]);
    let error = receive(&suite("age-sealed"), &wrong, Role::Accept).unwrap_err();
    assert_eq!(error, SecurityError::Indispensable { target: 2 });
}

#[test]
fn a_bib_of_others_passes_through_byte_for_byte() {
    let signed = suite("signed");
    let (passed, _) = receive(&signed, &KeySet::default(), Role::Pass).unwrap();
    assert_eq!(passed, signed);
}

#[test]
fn a_bib_is_not_processed_while_its_target_is_encrypted() {
    let sealed = suite("signed-sealed");
    let only_integrity = KeySet::new(vec![integrity_key()]);
    let (passed, cleared) = receive(&sealed, &only_integrity, Role::Verify).unwrap();
    assert_eq!(passed, sealed);
    let integrity = |finding: &&Finding| matches!(finding, Finding::Verified(found) if found.service == Service::Integrity);
    assert_eq!(cleared.findings.iter().filter(integrity).count(), 0);
}

#[test]
fn a_bundle_without_a_required_bib_on_its_payload_is_refused() {
    let required = [(Service::Integrity, 1)];
    let error = receive_as(&suite("plain"), &keys(), |_| Role::Verify, &required).unwrap_err();
    assert_eq!(error, SecurityError::Missing { service: Service::Integrity, target: 1 });
    let required = [(Service::Integrity, 0)];
    let error = receive_as(&suite("signed"), &keys(), |_| Role::Verify, &required).unwrap_err();
    assert_eq!(error, SecurityError::Missing { service: Service::Integrity, target: 0 });
}

#[test]
fn an_extension_block_without_a_required_bib_is_removed() {
    let required = [(Service::Integrity, 4)];
    let (left, cleared) =
        receive_as(&plain(b"a sample of water"), &keys(), |_| Role::Verify, &required).unwrap();
    assert_eq!(count(&left, PRIVATE), 0);
    assert_eq!(cleared.findings, [Finding::Missing { service: Service::Integrity, target: 4 }]);
}

#[test]
fn a_verifier_leaves_a_bib_where_it_is() {
    let signed = suite("signed");
    let (passed, cleared) = receive(&signed, &keys(), Role::Verify).unwrap();
    assert_eq!(passed, signed);
    assert!(matches!(cleared.findings.as_slice(), [Finding::Verified(_)]));
}

#[test]
fn a_fragment_takes_no_bcb() {
    let error = seal(&fragment(), &sealing(&[1], &content_key())).unwrap_err();
    assert_eq!(error, SecurityError::Fragment);
}

#[test]
fn a_fragment_takes_no_bib() {
    let error = sign(&fragment(), &signing(&[1], &integrity_key())).unwrap_err();
    assert_eq!(error, SecurityError::Fragment);
}

#[test]
fn a_bib_removed_and_made_again_is_the_same() {
    let signed = sign(&plain(b"a sample"), &signing(&[1], &integrity_key())).unwrap();
    let (accepted, _) = receive(&signed, &keys(), Role::Accept).unwrap();
    assert_eq!(sign(&accepted, &signing(&[1], &integrity_key())).unwrap(), signed);
}

#[test]
fn opening_the_payload_alone_leaves_its_bib_encrypted() {
    let signed = sign(&plain(b"a sample"), &signing(&[1], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1], &content_key())).unwrap();
    let for_payload = |operation: &bundle_spec::security::Operation| match operation.target {
        1 => Role::Accept,
        _ => Role::Pass,
    };
    let (opened, _) = receive_as(&sealed, &keys(), for_payload, &[]).unwrap();
    assert_eq!(opened.payload, plain(b"a sample").payload);
    assert_eq!(count(&opened, BLOCK_CONFIDENTIALITY), 1);
    assert_eq!(count(&opened, BLOCK_INTEGRITY), 1);
}

#[test]
fn a_bcb_on_the_payload_goes_with_every_fragment_and_is_never_to_be_discarded() {
    let sealed = seal(&plain(b"a sample"), &sealing(&[1, 4], &content_key())).unwrap();
    let of_type = |header: &Header| -> Vec<u64> {
        let blocks = header.blocks().iter().filter(|block| block.block_type == BLOCK_CONFIDENTIALITY);
        blocks.map(|block| block.flags.0).collect()
    };
    assert_eq!(of_type(&sealed.header), [1, 0]);
}

#[test]
fn blocks_that_are_secured_have_no_crc_until_they_are_free_again() {
    use bundle_spec::CrcType;
    let signed = sign(&plain(b"a sample"), &signing(&[0, 1, 2], &integrity_key())).unwrap();
    let age = |bundle: &Bundle| {
        bundle.header.blocks().iter().find(|block| block.block_type == BUNDLE_AGE).unwrap().crc_type
    };
    let all =
        |bundle: &Bundle| [bundle.header.primary().crc_type(), bundle.header.payload_crc(), age(bundle)];
    assert_eq!(all(&signed), [CrcType::None; 3]);
    let (accepted, _) = receive(&signed, &keys(), Role::Accept).unwrap();
    assert_eq!(all(&accepted), [CrcType::Castagnoli; 3]);
    assert_eq!(accepted, plain(b"a sample"));
}
