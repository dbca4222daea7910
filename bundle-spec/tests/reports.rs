//! Administrative records (RFC 9171 §6.1).

use bundle_spec::{
    DtnTime, Rule,
    report::{AdministrativeRecord, Assertion, ReasonCode, StatusReport},
};
use bytes::Bytes;

#[test]
fn status_reports_survive_the_wire() {
    for id in ["dtn://village/in@820000000000.3", "ipn:1.2@0.1+100:20"] {
        let mut report = StatusReport::new(id.parse().unwrap(), ReasonCode::LifetimeExpired);
        report.received = Assertion::Yes;
        report.deleted = Assertion::At(DtnTime(5));
        let record = AdministrativeRecord::StatusReport(report);
        assert_eq!(AdministrativeRecord::decode(&record.encode()), Ok(record));
    }
}

#[test]
fn a_status_report_has_the_specified_bytes() {
    let mut report = StatusReport::new("ipn:1.2@7.3".parse().unwrap(), ReasonCode::HopLimitExceeded);
    report.deleted = Assertion::At(DtnTime(24));
    let expected = [
        0x82, 1, 0x84, 0x84, 0x81, 0xf4, 0x81, 0xf4, 0x81, 0xf4, 0x82, 0xf5, 0x18, 24, 9, 0x82, 2, 0x82, 1,
        2, 0x82, 7, 3,
    ];
    assert_eq!(AdministrativeRecord::StatusReport(report).encode()[..], expected);
}

#[test]
fn records_of_unknown_types_are_kept() {
    let bytes = Bytes::from_static(&[0x82, 0x18, 99, 0x82, 1, 2]);
    let record = AdministrativeRecord::decode(&bytes).unwrap();
    let content = bytes.slice(3..);
    assert_eq!(record, AdministrativeRecord::Other { record_type: 99, content });
    assert_eq!(record.encode(), bytes);
}

#[test]
fn damaged_reports_are_refused_with_rule_and_offset() {
    let report = StatusReport::new("ipn:1.2@7.3+4:5".parse().unwrap(), ReasonCode::NoInformation);
    let good = AdministrativeRecord::StatusReport(report).encode();
    for len in 0..good.len() {
        assert!(AdministrativeRecord::decode(&good.slice(..len)).is_err(), "{len}");
    }
    let mut long = good.to_vec();
    long.push(0);
    assert_eq!(AdministrativeRecord::decode(&long.into()).unwrap_err().rule, Rule::StatusReport);
    let mut untrue = good.to_vec();
    untrue[5] = 0xf6;
    let error = AdministrativeRecord::decode(&untrue.into()).unwrap_err();
    assert_eq!((error.rule, error.offset), (Rule::StatusReport, 4));
}

#[test]
fn every_reason_code_has_its_number() {
    for code in 0..20 {
        assert_eq!(ReasonCode::from_code(code).code(), code);
    }
    assert_eq!(ReasonCode::BlockUnsupported.code(), 11);
    assert_eq!(ReasonCode::ConflictingSecurityOperation.code(), 16);
    assert_eq!(ReasonCode::from_code(17), ReasonCode::Other(17));
    assert_eq!(ReasonCode::from_code(9).to_string(), "hop limit exceeded");
}
