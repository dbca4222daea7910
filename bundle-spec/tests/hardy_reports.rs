//! What hardy 0.2.0 puts on the wire and we refuse: recorded bytes and the rule they break.

use bundle_spec::{Bundle, Error, Lax, Rule};
use bytes::Bytes;

/// A status report of a delivery: an administrative record whose previous node block has the flag "report if
/// it cannot be processed".
const REPORT: &str = "9f890702028202820a182b82028214008202821400821b000000c58e94985d1a00049b101a\
    05265c0044f8e45830\
    8606020202458202821400 44d5eae5ea\
    860101040258228201848481f481f481f581f4008202820a182a821b000000c58e9498581a329317b54410c5ad63ff";
/// Where its previous node block begins.
const BLOCK_AT: usize = 46;

#[test]
fn a_report_of_hardy_asks_for_reports() {
    let parsed = Bundle::parse(unhex(REPORT), &Lax::all());
    assert_eq!(parsed, Err(Error { offset: BLOCK_AT, rule: Rule::BlockReports }));
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| Some(16 * digit(pair[0])? + digit(*pair.get(1)?)?);
    digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>().expect("pairs of hexadecimal digits").into()
}
