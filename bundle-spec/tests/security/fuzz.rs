//! Any bytes: no panic, and what is read is emitted as it was.

use bundle_spec::{
    Bundle, Lax,
    security::{EidPattern, KeySet, PolicyRule, Role, SecurityBlock, operations},
};
use bytes::Bytes;

use super::bundles::*;

#[test]
fn any_bytes_are_a_security_block_or_refused() {
    bolero::check!().with_iterations(20_000).for_each(|input| {
        let bytes = Bytes::copy_from_slice(input);
        if let Ok(block) = SecurityBlock::decode(&bytes) {
            let encoded = Bytes::from(block.encode());
            assert_eq!(SecurityBlock::decode(&encoded), Ok(block));
        }
    });
}

#[test]
fn damaged_security_blocks_are_read_or_refused() {
    let signed = sign(&plain(b"a sample"), &signing(&[0, 1, 4], &integrity_key())).unwrap();
    let sealed = seal(&signed, &sealing(&[1, 4], &content_key()));
    // Its codes do not cover the header of their block: it is split.
    let bytes = sealed.unwrap().encode();
    bolero::check!().with_type::<Vec<(u16, u8)>>().with_iterations(3_000).for_each(|damages| {
        let mut bytes = bytes.to_vec();
        for (at, value) in damages.iter().take(3) {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *value;
        }
        let Ok(bundle) = Bundle::parse(bytes.into(), &Lax::dtn7()) else { return };
        if operations(&bundle.header).is_err() {
            assert!(receive(&bundle, &keys(), Role::Accept).is_err());
        }
        for role in [Role::Pass, Role::Verify, Role::Accept] {
            let _ = receive(&bundle, &keys(), role);
        }
    });
}

#[test]
fn any_text_is_a_pattern_a_rule_and_a_key_file_or_refused() {
    bolero::check!().with_type::<String>().with_iterations(5_000).for_each(|text| {
        if let Ok(pattern) = text.parse::<EidPattern>() {
            assert_eq!(pattern.to_string().parse::<EidPattern>(), Ok(pattern));
        }
        let _ = text.parse::<PolicyRule>();
        let _ = KeySet::parse(text);
    });
}
