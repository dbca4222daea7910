//! Any bundle, any set of targets, any scope: what is secured is received as it was.

use bundle_spec::security::{Aes, Algorithm, Key, KeySet, KeyUse, Role, Scope, Sha};

use super::bundles::*;

#[test]
fn what_is_signed_and_sealed_is_received_as_it_was() {
    bolero::check!().with_type::<(Vec<u8>, u8, u8, u8, u8)>().with_iterations(300).for_each(
        |(payload, signed, sealed, scope, variant)| {
            let plain = plain(payload);
            let shas = [Sha::S256, Sha::S384, Sha::S512];
            let sha = shas[usize::from(*variant) % 3];
            let aes = if variant & 8 == 0 { Aes::A128 } else { Aes::A256 };
            let signs = Key::new("s", Algorithm::Hmac(sha), BOTH, &[*variant; 40]).unwrap();
            let encrypts = Key::new("e", Algorithm::Content(aes), BOTH, &vec![7; aes.key_len()]).unwrap();
            // What is split must not cover its own header.
            let scope = Scope(u64::from(scope & 3));
            let mut bundle = plain.clone();
            let targets = chosen(&[0, 1, 2, 3, 4], *signed);
            if !targets.is_empty() {
                let mut signing = signing(&targets, &signs);
                signing.scope = scope;
                bundle = sign(&bundle, &signing).unwrap();
            }
            let targets = chosen(&[1, 2, 3, 4], *sealed);
            if !targets.is_empty() {
                let mut sealing = sealing(&targets, &encrypts);
                sealing.aes = aes;
                bundle = seal(&bundle, &sealing).unwrap();
            }
            let keys = KeySet::new(vec![signs, encrypts]);
            let (passed, _) = receive(&bundle, &keys, Role::Verify).unwrap();
            assert_eq!(passed, bundle);
            let (opened, _) = receive(&bundle, &keys, Role::Accept).unwrap();
            assert_eq!(opened, plain);
        },
    );
}

#[test]
fn a_key_that_travels_wrapped_is_unwrapped_by_whoever_has_the_other() {
    for len in [16, 24, 32] {
        let by = Key::new("kek", Algorithm::Wrap(Aes::A256), BOTH, &vec![3; len]).unwrap();
        let other = Key::new("other", Algorithm::Wrap(Aes::A256), BOTH, &vec![4; len]).unwrap();
        let signs = integrity_key();
        let mut how = signing(&[0, 1], &signs);
        how.key = KeyUse::Wrapped { by: &by, content: &[5; 48] };
        let signed = sign(&plain(b"a sample"), &how).unwrap();
        let encrypts = content_key();
        let mut how = sealing(&[4], &encrypts);
        how.key = KeyUse::Wrapped { by: &by, content: &[6; 32] };
        let sealed = seal(&signed, &how).unwrap();
        let keys = KeySet::new(vec![other.clone(), by.clone()]);
        let (opened, _) = receive(&sealed, &keys, Role::Accept).unwrap();
        assert_eq!(opened, plain(b"a sample"));
        assert!(receive(&sealed, &KeySet::new(vec![other]), Role::Accept).is_err());
    }
}

#[test]
fn a_payload_in_pieces_of_any_size_has_the_same_code_and_the_same_ciphertext() {
    let payload: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let (signs, encrypts) = (integrity_key(), content_key());
    let signed = sign(&plain(&payload), &signing(&[1], &signs)).unwrap();
    let sealed = seal(&plain(&payload), &sealing(&[1], &encrypts)).unwrap();
    for size in [1, 15, 16, 17, 1000] {
        let mut signer =
            bundle_spec::security::Signer::new(&plain(&payload).header, &signing(&[1], &signs)).unwrap();
        payload.chunks(size).for_each(|chunk| signer.update(chunk));
        assert_eq!(signer.finish().unwrap(), signed.header);
        let mut stream = {
            let decide = |_: &_| bundle_spec::security::Decision { role: Role::Accept, key: None };
            let keys = keys();
            let mut reception =
                bundle_spec::security::Reception::new(&sealed.header, &keys, decide, &[]).unwrap();
            sealed.payload.chunks(size).for_each(|chunk| reception.update(chunk));
            reception.finish().unwrap().payload.unwrap()
        };
        // Any part of it can be read on its own.
        let mut part = sealed.payload[size..].to_vec();
        stream.apply(u64::try_from(size).unwrap(), &mut part);
        assert_eq!(part, payload[size..]);
    }
}

fn chosen(numbers: &[u64], bits: u8) -> Vec<u64> {
    let is_chosen = |index: usize| bits >> index & 1 == 1;
    numbers.iter().enumerate().filter(|(index, _)| is_chosen(*index)).map(|(_, number)| *number).collect()
}
