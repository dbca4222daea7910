//! Every rule of RFC 9171 that a receiver checks: a bundle that breaks it, the rule that is named, and where.
//!
//! A bar in the hex marks the byte at which the violation is found.

use bundle_spec::{BLOCKS_MAX, Bundle, HEADER_BYTES_MAX, Header, Lax, Rule, validate::validate};
use bytes::Bytes;

const DESTINATION: &str = "8202820201";
const SOURCE: &str = "8202820102";
const REPORT_TO: &str = "820100";
const TIME: &str = "820a00";
const PAYLOAD: &str = "8501010000 43010203";

#[test]
fn a_well_formed_bundle_is_accepted() {
    assert_accepted(&bundle(&primary("00", SOURCE, TIME), ""));
}

#[test]
fn the_frame_of_a_bundle_is_checked() {
    let plain = primary("00", SOURCE, TIME);
    assert_broken(&format!("|84 {plain} {PAYLOAD} ff"), Rule::NotABundle);
    assert_broken(&format!("9f {plain} {PAYLOAD} |"), Rule::Truncated);
    assert_broken(&format!("9f {plain} {PAYLOAD} ff | 00"), Rule::TrailingBytes);
    assert_broken(&format!("9f {plain} | ff"), Rule::PayloadMissing);
    assert_broken(&format!("9f {plain} {PAYLOAD} | 8518c8020000 40 ff"), Rule::PayloadNotLast);
    assert_broken(&format!("9f {plain} | 01 ff"), Rule::NotAnArray);
    assert_broken(&format!("9f {plain} | 9f 01 01 00 00 40 ff ff"), Rule::IndefiniteItem);
    assert_broken(&format!("9f {plain} 85 | 1c 01 00 00 40 ff"), Rule::ReservedHead);
}

#[test]
fn integers_must_be_shortest() {
    for (long, is_long) in [("1817", true), ("1818", false), ("1900ff", true), ("190100", false)] {
        check_long_head(long, is_long);
    }
    for (long, is_long) in [("1a0000ffff", true), ("1a00010000", false)] {
        check_long_head(long, is_long);
    }
    for (long, is_long) in [("1b00000000ffffffff", true), ("1b0000000100000000", false)] {
        check_long_head(long, is_long);
    }
}

#[test]
fn the_primary_block_is_checked() {
    let rest = format!("{DESTINATION} {SOURCE} {REPORT_TO} {TIME} 1903e8");
    let broken = |primary: &str, rule| assert_broken(&format!("9f {primary} {PAYLOAD} ff"), rule);
    broken(&format!("88 | 06 00 00 {rest}"), Rule::Version);
    broken(&format!("| 89 07 00 00 {rest} 00"), Rule::PrimaryItems);
    broken(&format!("| 87 07 00 00 {DESTINATION} {SOURCE} {REPORT_TO} {TIME}"), Rule::PrimaryItems);
    broken(&format!("| 8a 07 00 00 {rest} 00 03"), Rule::PrimaryItems);
    broken(&format!("| 88 07 01 00 {rest}"), Rule::FragmentWithoutExtent);
    broken(&format!("89 07 00 | 03 {rest} 00"), Rule::CrcType);
    broken(&format!("89 07 00 01 {rest} | 440000 0000"), Rule::CrcField);
    broken(&format!("89 07 00 01 {rest} | 01"), Rule::CrcField);
    broken(&format!("89 07 00 01 {rest} | 420000"), Rule::CrcMismatch);
    broken(&format!("88 07 00 00 {DESTINATION} {SOURCE} {REPORT_TO} | 8101 1903e8"), Rule::TimestampShape);
    broken(&format!("88 07 | 40 00 {rest}"), Rule::NotAnInteger);
}

#[test]
fn endpoint_identifiers_are_checked() {
    let broken = |destination: &str, rule| {
        let primary = format!("88 07 00 00 {destination} {SOURCE} {REPORT_TO} {TIME} 1903e8");
        assert_broken(&format!("9f {primary} {PAYLOAD} ff"), rule);
    };
    broken("| 8101", Rule::EidShape);
    broken("| 01", Rule::EidShape);
    broken("| 820300", Rule::EidScheme);
    broken("8201 | 01", Rule::EidDtn);
    broken("8201 | 646e6f6e65", Rule::EidDtn);
    broken("8201 | 632f2f61", Rule::EidDtn);
    broken("8201 | 652f2f612f00", Rule::EidDtn);
    broken("8201 | 642f2f202f", Rule::EidDtn);
    broken("8202 | 8101", Rule::EidIpn);
    broken("8202 | 831b000000010000000001 01", Rule::EidIpn);
    broken("| 8202821affffffff01", Rule::LocalNode);
}

#[test]
fn the_source_and_the_flags_must_agree() {
    let broken = |flags: &str, source: &str, rule| {
        let primary = format!("88 07 {flags} 00 {DESTINATION} | {source} {REPORT_TO} {TIME} 1903e8");
        assert_broken(&format!("9f {primary} {PAYLOAD} ff"), rule);
    };
    broken("00", "820100", Rule::AnonymousFragmentable);
    broken("194004", "820100", Rule::AnonymousReports);
    broken("1a00010002", SOURCE, Rule::AdministrativeReports);
    broken("00", "8201652f2f612f7e", Rule::SourceNotSingleton);
    // ipn:0.7 is the null endpoint, too.
    broken("00", "8202820007", Rule::AnonymousFragmentable);
    let reporting = "85c8020200 40";
    for flags in ["02", "04"] {
        let source = if flags == "04" { "820100" } else { SOURCE };
        assert_broken(&bundle(&primary(flags, source, TIME), &format!("| {reporting}")), Rule::BlockReports);
    }
    assert_accepted(&bundle(&primary("00", SOURCE, TIME), reporting));
}

#[test]
fn unknown_flags_mean_nothing() {
    let header = bundle(&primary("1b8000000000000088", SOURCE, TIME), "85c80218e800 40");
    assert_accepted(&header);
    let parsed = Header::parse(&unmark(&header).0, &lax()).expect("it is accepted").expect("it is whole");
    assert_eq!(parsed.primary().flags().0, 0x8000_0000_0000_0088);
    assert_eq!(parsed.blocks()[0].flags.0, 0xe8);
}

#[test]
fn canonical_blocks_are_checked() {
    let broken = |block: &str, rule| assert_broken(&bundle(&primary("00", SOURCE, TIME), block), rule);
    broken("| 84c802000040", Rule::BlockItems);
    broken("| 86c8020000 40 420000", Rule::BlockItems);
    broken("| 85c8020001 40", Rule::BlockItems);
    broken("85c8 | 000000 40", Rule::BlockNumberZero);
    broken("85c8 | 010000 40", Rule::PayloadNumber);
    broken("8501 | 020000 40", Rule::PayloadNumber);
    broken("85c8020000 40 | 85c9020000 40", Rule::BlockNumberRepeated);
    broken("85c8020000 | 60", Rule::BlockData);
    broken("85c8020000 | 5f40ff", Rule::BlockData);
    broken("85c80200 | 03 40", Rule::CrcType);
    broken("86c8020001 4101 | 420000", Rule::CrcMismatch);
    broken("86c8020002 4101 | 420000", Rule::CrcField);
}

#[test]
fn the_payload_block_is_checked() {
    let plain = primary("00", SOURCE, TIME);
    assert_broken(&format!("9f {plain} 86 01 01 00 01 4101 | 420000 ff"), Rule::CrcMismatch);
    assert_broken(&format!("9f {plain} 86 01 01 00 02 4101 | 420000 ff"), Rule::CrcField);
    assert_broken(&format!("9f {plain} 85 01 01 00 00 5bffffffffffffffff 01 |"), Rule::Truncated);
}

#[test]
fn blocks_that_all_nodes_understand_are_checked() {
    let broken = |block: &str, rule| assert_broken(&bundle(&primary("00", SOURCE, TIME), block), rule);
    broken("8506020000 41 | 01", Rule::EidShape);
    broken("8506020000 44 820100 | 00", Rule::PreviousNodeData);
    broken("8506020000 43 820100 | 8506030000 43 820100", Rule::PreviousNodeRepeated);
    broken("8507020000 41 | 40", Rule::AgeData);
    broken("8507020000 42 01 | 00", Rule::AgeData);
    broken("8507020000 41 18 |", Rule::AgeData);
    broken("8507020000 4100 | 8507030000 4100", Rule::AgeRepeated);
    broken("850a020000 43 | 830100", Rule::HopCountData);
    broken("850a020000 43 82 | 0000", Rule::HopLimitRange);
    broken("850a020000 45 82 | 19010000", Rule::HopLimitRange);
    broken("850a020000 43 820100 | 850a030000 43 820100", Rule::HopCountRepeated);
    broken("850b020000 41 | 01", Rule::SecurityTargets);
}

#[test]
fn creation_time_zero_needs_an_age() {
    assert_broken(&bundle(&format!("| {}", primary("00", SOURCE, "820000")), ""), Rule::AgeMissing);
    assert_accepted(&bundle(&primary("00", SOURCE, "820000"), "8507020000 4100"));
}

#[test]
fn an_encrypted_block_is_not_interpreted() {
    let hidden = "8507020000 42ffff 850c030000 44 81020100";
    assert_accepted(&bundle(&primary("00", SOURCE, "820000"), hidden));
}

#[test]
fn a_fragment_must_lie_within_the_whole() {
    let primary =
        |offset: &str| format!("8a 07 01 00 {DESTINATION} {SOURCE} {REPORT_TO} {TIME} 1903e8 {offset} 05");
    assert_accepted(&format!("9f {} {PAYLOAD} ff", primary("02")));
    assert_broken(&format!("9f {} | {PAYLOAD} ff", primary("03")), Rule::FragmentBeyondTotal);
    assert_broken(&format!("9f {} | {PAYLOAD} ff", primary("1bffffffffffffffff")), Rule::FragmentBeyondTotal);
}

#[test]
fn a_primary_block_needs_a_crc_or_a_bib() {
    let unprotected = unmark(&bundle(&primary("00", SOURCE, TIME), "")).0;
    let error = Bundle::parse(unprotected.clone(), &Lax::strict()).unwrap_err();
    assert_eq!((error.rule, error.offset), (Rule::PrimaryWithoutCrc, 1));
    assert!(Bundle::parse(unprotected, &Lax::dtn7()).is_ok());
    let covered = unmark(&bundle(&primary("00", SOURCE, TIME), "850b020000 44 81000100")).0;
    assert!(Bundle::parse(covered, &Lax::strict()).is_ok());
    let other = unmark(&bundle(&primary("00", SOURCE, TIME), "850b020000 44 81010100")).0;
    assert_eq!(Bundle::parse(other, &Lax::strict()).unwrap_err().rule, Rule::PrimaryWithoutCrc);
}

#[test]
fn headers_are_bounded() {
    let plain = primary("00", SOURCE, TIME);
    let long = format!("9f {plain} 8518c8020000 |5a{:08x}", HEADER_BYTES_MAX);
    let (bytes, offset) = unmark(&long);
    let error = Header::parse(&bytes, &lax()).unwrap_err();
    assert_eq!((error.rule, error.offset), (Rule::HeaderTooLong, offset + 5));
    let blocks =
        |count| (0..count).map(|number| format!("85c818{:02x}000040", number + 24)).collect::<String>();
    assert_accepted(&bundle(&plain, &blocks(BLOCKS_MAX)));
    let error = Bundle::parse(unmark(&bundle(&plain, &blocks(BLOCKS_MAX + 1))).0, &lax()).unwrap_err();
    assert_eq!(error.rule, Rule::TooManyBlocks);
}

#[test]
fn an_error_names_offset_rule_and_section() {
    let (bytes, _) = unmark(&bundle(&primary("00", SOURCE, "820000"), ""));
    let error = Bundle::parse(bytes, &lax()).unwrap_err();
    assert_eq!(error.to_string(), "byte 1: creation time 0 needs a bundle age block (RFC 9171 §4.4.2)");
}

fn check_long_head(number: &str, is_long: bool) {
    let bytes = format!("9f 88 07 00 00 {DESTINATION} {SOURCE} {REPORT_TO} {TIME} | {number} {PAYLOAD} ff");
    if is_long {
        assert_broken(&bytes, Rule::LongHead);
        assert!(Bundle::parse(unmark(&bytes).0, &Lax { long_heads: true, ..lax() }).is_ok());
    } else {
        assert_accepted(&bytes);
    }
}

fn primary(flags: &str, source: &str, time: &str) -> String {
    format!("88 07 {flags} 00 {DESTINATION} {source} {REPORT_TO} {time} 1903e8")
}

fn bundle(primary: &str, blocks: &str) -> String {
    format!("9f {primary} {} {PAYLOAD} ff", blocks.replace("c8", "18c8").replace("c9", "18c9"))
}

fn assert_accepted(hex: &str) {
    let (bytes, _) = unmark(hex);
    let bundle = Bundle::parse(bytes.clone(), &lax()).unwrap_or_else(|error| panic!("{hex}: {error}"));
    assert_eq!(bundle.encode(), bytes);
}

fn assert_broken(hex: &str, rule: Rule) {
    let (bytes, offset) = unmark(hex);
    let error = Bundle::parse(bytes.clone(), &lax()).expect_err(hex);
    assert_eq!((error.rule, error.offset), (rule, offset), "{hex}");
    if rule.switch().is_none() {
        assert!(!validate(&bytes, &Lax::all()).ok, "{hex}");
    }
}

fn lax() -> Lax {
    Lax { primary_without_crc: true, ..Lax::strict() }
}

/// The bytes of `hex`, and how many of them precede the bar.
fn unmark(hex: &str) -> (Bytes, usize) {
    let digits: String = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
    let (before, after) = digits.split_once('|').unwrap_or((&digits, ""));
    let joined = [before, after].concat();
    let byte = |at: usize| u8::from_str_radix(&joined[at..at + 2], 16).expect("two hex digits");
    ((0..joined.len()).step_by(2).map(byte).collect(), before.len() / 2)
}
