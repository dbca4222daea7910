//! The same bytes before two decoders, ours and that of the `bp7` crate: wherever they disagree, the class of
//! the disagreement is one of `CLASSES`, which `conformance.md` explains one by one. A disagreement without a
//! class fails, and so does a class without a bundle that shows it.

#[path = "differential/classes.rs"]
mod classes;
#[path = "differential/draft.rs"]
mod draft;

use std::{collections::BTreeSet, fs, path::Path};

use bp7::Bundle as Peer;
use bundle_spec::{Bundle, Eid, Lax};
use bytes::Bytes;

use self::{
    classes::{CLASSES, Class, of_meaning, of_our_refusal, of_peer_refusal},
    draft::draft,
};

/// What the peer makes of bytes: a bundle, or why not.
type PeerVerdict = Result<Peer, Vec<String>>;

#[test]
fn bundles_drawn_at_random_are_judged_alike_or_the_difference_has_a_class() {
    bolero::check!().with_iterations(30_000).for_each(|script: &[u8]| {
        compare(&draft(script)).unwrap_or_else(|unexplained| panic!("{unexplained}"));
    });
}

#[test]
fn any_bytes_are_judged_alike_or_the_difference_has_a_class() {
    bolero::check!().with_iterations(10_000).for_each(|input: &[u8]| {
        compare(input).unwrap_or_else(|unexplained| panic!("{unexplained}"));
    });
}

#[test]
fn damaged_bundles_are_judged_alike_or_the_difference_has_a_class() {
    bolero::check!().with_type::<(Vec<u8>, Vec<(u8, u8)>)>().with_iterations(10_000).for_each(
        |(script, damages)| {
            let mut bytes = draft(script);
            for (at, value) in damages.iter().take(3) {
                let at = usize::from(*at) % bytes.len();
                bytes[at] = *value;
            }
            compare(&bytes).unwrap_or_else(|unexplained| panic!("{unexplained}"));
        },
    );
}

#[test]
fn every_class_of_disagreement_has_a_bundle_that_shows_it() {
    for class in CLASSES {
        let found = compare(&(class.witness)()).unwrap_or_else(|unexplained| panic!("{unexplained}"));
        assert!(found.contains(class.name), "`{}` is not shown by its bundle: {found:?}", class.name);
    }
}

#[test]
fn every_class_of_disagreement_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance.md");
    let statement = fs::read_to_string(path).unwrap();
    let rows = statement.lines().skip_while(|line| !line.starts_with("## Disagreements")).skip(1);
    let rows: Vec<&str> = rows.take_while(|line| !line.starts_with("## ")).collect();
    for class in CLASSES {
        let start = format!("| {} | {} |", class.name, class.refuses.text());
        assert!(rows.iter().any(|row| row.starts_with(&start)), "conformance.md has no row `{start}`");
    }
    let rows = rows.iter().filter(|row| row.starts_with("| ") && !row.starts_with("| what"));
    assert_eq!(rows.count(), CLASSES.len());
}

/// The classes of everything on which the two disagree.
///
/// # Errors
/// A disagreement that has no class, in words.
fn compare(bytes: &[u8]) -> Result<BTreeSet<&'static str>, String> {
    let ours = Bundle::parse(Bytes::copy_from_slice(bytes), &Lax::dtn7());
    let peer = ask_peer(bytes);
    let classes = match (&ours, &peer) {
        (Err(_), Err(_)) => Ok(Vec::new()),
        (Err(error), Ok(peer)) => of_our_refusal(error, bytes, peer).map(|class| vec![class]),
        (Ok(bundle), Err(said)) => said.iter().map(|said| of_peer_refusal(said, bundle, bytes)).collect(),
        (Ok(bundle), Ok(peer)) => differences(bundle, peer, bytes)
            .into_iter()
            .map(|difference| of_meaning(&difference, bundle, peer))
            .collect(),
    };
    let classes: Vec<&Class> = classes.map_err(|what| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{what}\nours: {ours:?}\npeer: {peer:?}\nbundle: {hex}")
    })?;
    Ok(classes.into_iter().map(|class| class.name).collect())
}

fn ask_peer(bytes: &[u8]) -> PeerVerdict {
    let mut peer = Peer::try_from(bytes).map_err(|error| vec![error.to_string()])?;
    if let Err(errors) = peer.validate() {
        return Err(errors.iter().map(ToString::to_string).collect());
    }
    if !peer.crc_valid() {
        return Err(vec!["CRC check failed".to_owned()]);
    }
    Ok(peer)
}

/// What two readings of the same accepted bundle differ in, each as `what: ours, theirs`.
fn differences(ours: &Bundle, peer: &Peer, bytes: &[u8]) -> Vec<String> {
    let (header, primary) = (&ours.header, ours.header.primary());
    let theirs = &peer.primary;
    let mut found = Vec::new();
    let mut note = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{what}: {ours}, {theirs}"));
        }
    };
    note("destination", primary.destination().to_string(), theirs.destination.to_string());
    note("source", primary.source().to_string(), theirs.source.to_string());
    note("report-to", primary.report_to().to_string(), theirs.report_to.to_string());
    note("flags", primary.flags().0.to_string(), theirs.bundle_control_flags.to_string());
    note("time", primary.timestamp().time.0.to_string(), theirs.creation_timestamp.dtntime().to_string());
    note("sequence", primary.timestamp().sequence.to_string(), theirs.creation_timestamp.seqno().to_string());
    note("lifetime", primary.lifetime_ms().to_string(), theirs.lifetime.as_millis().to_string());
    let extent = primary.fragment().map_or((0, 0), |origin| (origin.offset, origin.total));
    note(
        "fragment",
        format!("{extent:?}"),
        format!("{:?}", (theirs.fragmentation_offset, theirs.total_data_length)),
    );
    note(
        "payload",
        format!("{:?}", &ours.payload[..]),
        format!("{:?}", peer.payload().expect("it accepts no bundle without")),
    );
    let of_peer = |kind| peer.extension_block_by_type(kind);
    let age = of_peer(bp7::canonical::BUNDLE_AGE_BLOCK).and_then(|block| block.bundle_age_get());
    note("age", format!("{:?}", header.age_ms().map(u128::from)), format!("{age:?}"));
    let hops = of_peer(bp7::canonical::HOP_COUNT_BLOCK).and_then(|block| block.hop_count_get());
    let hops = hops.map(|(limit, count)| (u64::from(limit), u64::from(count)));
    let our_hops = header.hop_count().map(|hops| (u64::from(hops.limit), hops.count));
    note("hop count", format!("{our_hops:?}"), format!("{hops:?}"));
    let node = peer.previous_node().and_then(|eid| eid.node_id()).unwrap_or_default();
    note("previous node", header.previous_node().map(|node| node.to_string()).unwrap_or_default(), node);
    let blocks = header.blocks().iter();
    let blocks = blocks.map(|block| (block.block_type, block.number, block.flags.0)).collect::<Vec<_>>();
    let their_blocks = peer.canonicals.iter().filter(|block| block.block_type != 1);
    let their_blocks = their_blocks
        .map(|block| (block.block_type, block.block_number, u64::from(block.block_control_flags)))
        .collect::<Vec<_>>();
    note("blocks", format!("{blocks:?}"), format!("{their_blocks:?}"));
    if peer.clone().to_cbor() != bytes {
        found.push("bytes: emitted again, they are others".to_owned());
    }
    found
}

/// The EIDs of a bundle.
fn eids(bundle: &Bundle) -> [&Eid; 3] {
    let primary = bundle.header.primary();
    [primary.destination(), primary.source(), primary.report_to()]
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two hex digits")
    };
    digits.chunks(2).map(byte).collect()
}
