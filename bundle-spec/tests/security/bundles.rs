//! What the cases are made of: keys, bundles of the conformance suite, and a whole node's way with a bundle.

use bundle_spec::{
    Builder, Bundle, BundleFlags, CrcType, CreationTimestamp, DtnTime, Header, Lax, NewBlock,
    security::{
        Aes, Algorithm, Cleared, Decision, Key, KeySet, KeyUse, Operation, Permissions, Reception, Role,
        Scope, Sealer, Sealing, SecurityError, Sha, Signer, Signing,
    },
};
use bytes::Bytes;

pub const BOTH: Permissions = Permissions { may_make: true, may_check: true };
/// Type of a block that means nothing to anybody.
pub const PRIVATE: u64 = 193;

pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A bundle of the conformance suite, by its name. These have no CRC on the primary block.
pub fn suite(name: &str) -> Bundle {
    let table = include_str!("../../vectors/rfc9173/suite.tsv");
    let row = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')).unwrap();
    Bundle::parse(hex(row).into(), &Lax::dtn7()).unwrap()
}

pub fn integrity_key() -> Key {
    Key::new("hmac", Algorithm::Hmac(Sha::S384), BOTH, &hex(&"1a2b".repeat(8))).unwrap()
}

pub fn content_key() -> Key {
    Key::new("gcm", Algorithm::Content(Aes::A256), BOTH, b"qwertyuiopasdfghqwertyuiopasdfgh").unwrap()
}

pub fn wrong_content_key() -> Key {
    Key::new("other", Algorithm::Content(Aes::A256), BOTH, &[0; 32]).unwrap()
}

pub fn keys() -> KeySet {
    KeySet::new(vec![integrity_key(), content_key()])
}

/// A bundle of this node with an extension block that means nothing to anybody: number 4, behind age (2) and
/// hop count (3).
pub fn plain(payload: &[u8]) -> Bundle {
    builder().bundle(Bytes::copy_from_slice(payload))
}

pub fn builder() -> Builder {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 7 };
    let [source, destination] =
        ["dtn://clinic/water", "dtn://hospital/lab"].map(|text| text.parse().unwrap());
    let block = NewBlock {
        block_type: PRIVATE,
        flags: bundle_spec::BlockFlags::NONE,
        crc_type: CrcType::Castagnoli,
        data: b"note".to_vec(),
    };
    Builder::new(source, destination, timestamp, 60_000).age_ms(5).hop_limit(9).block(block)
}

pub fn fragment() -> Bundle {
    let origin = bundle_spec::FragmentOrigin { offset: 3, total: 100 };
    builder().fragment(origin).flags(BundleFlags::NONE).bundle(Bytes::from_static(b"part"))
}

pub fn signing<'a>(targets: &'a [u64], key: &'a Key) -> Signing<'a> {
    let Algorithm::Hmac(sha) = key.algorithm() else { panic!("a key that signs") };
    Signing {
        source: "dtn://clinic/".parse().unwrap(),
        targets,
        sha,
        scope: Scope::PRIMARY.and(Scope::TARGET),
        key: KeyUse::Direct(key),
        crc_type: CrcType::Castagnoli,
    }
}

pub fn sealing<'a>(targets: &'a [u64], key: &'a Key) -> Sealing<'a> {
    Sealing {
        source: "dtn://clinic/".parse().unwrap(),
        targets,
        aes: Aes::A256,
        scope: Scope::ALL,
        key: KeyUse::Direct(key),
        crc_type: CrcType::Castagnoli,
    }
}

pub fn sign(bundle: &Bundle, signing: &Signing<'_>) -> Result<Bundle, SecurityError> {
    let mut signer = Signer::new(&bundle.header, signing)?;
    bundle.payload.chunks(5).for_each(|chunk| signer.update(chunk));
    whole(signer.finish()?, bundle.payload.clone())
}

pub fn seal(bundle: &Bundle, sealing: &Sealing<'_>) -> Result<Bundle, SecurityError> {
    let mut count = 0_u8;
    let mut sealer = Sealer::new(&bundle.header, sealing, |number| {
        count += 1;
        let number = u8::try_from(number).unwrap();
        [number, count, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    })?;
    bundle.payload.chunks(5).for_each(|chunk| sealer.update(chunk));
    let sealed = sealer.finish()?;
    let mut payload = bundle.payload.to_vec();
    if let Some(mut stream) = sealed.payload {
        stream.apply(0, &mut payload);
    }
    whole(sealed.header, payload.into())
}

/// What a node has once it has received a bundle in a role for everything.
pub fn receive(bundle: &Bundle, keys: &KeySet, role: Role) -> Result<(Bundle, Cleared), SecurityError> {
    receive_as(bundle, keys, |_| role, &[])
}

pub fn receive_as(
    bundle: &Bundle,
    keys: &KeySet,
    role: impl Fn(&Operation) -> Role,
    required: &[(bundle_spec::security::Service, u64)],
) -> Result<(Bundle, Cleared), SecurityError> {
    let decide = |operation: &Operation| Decision { role: role(operation), key: None };
    let mut reception = Reception::new(&bundle.header, keys, decide, required)?;
    bundle.payload.chunks(7).for_each(|chunk| reception.update(chunk));
    let cleared = reception.finish()?;
    let len = usize::try_from(cleared.header.payload_len()).unwrap();
    let mut payload = bundle.payload[..len].to_vec();
    if let Some(stream) = &cleared.payload {
        stream.clone().apply(0, &mut payload);
    }
    Ok((whole(cleared.header.clone(), payload.into())?, cleared))
}

/// The bundle as another node reads it.
fn whole(header: Header, payload: Bytes) -> Result<Bundle, SecurityError> {
    let bundle = Bundle { header, payload };
    assert_eq!(Bundle::parse(bundle.encode(), &Lax::dtn7()).as_ref(), Ok(&bundle));
    Ok(bundle)
}

/// Whether two bundles say the same: CRCs are the business of each hop.
pub fn assert_same(found: &Bundle, wanted: &Bundle) {
    let blocks = |bundle: &Bundle| -> Vec<(u64, u64, Vec<u8>)> {
        let blocks = bundle.header.blocks().iter();
        blocks.map(|block| (block.block_type, block.number, block.data().to_vec())).collect()
    };
    assert_eq!(found.header.bundle_id(), wanted.header.bundle_id());
    assert_eq!(blocks(found), blocks(wanted));
    assert_eq!(found.payload, wanted.payload);
}

pub fn count(bundle: &Bundle, block_type: u64) -> usize {
    bundle.header.blocks().iter().filter(|block| block.block_type == block_type).count()
}
