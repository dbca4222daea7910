//! The classes of disagreement between our decoder and that of the `bp7` crate: by what each is recognised,
//! and a bundle that shows it. `conformance.md` explains them.

use bp7::{Bundle as Peer, canonical::CanonicalData, eid::EndpointID};
use bundle_spec::{BLOCKS_MAX, Bundle, Eid, Error, Rule, block};

use super::{eids, unhex};

/// Who refuses what the other accepts.
#[derive(Clone, Copy)]
pub enum Refuses {
    /// We do.
    We,
    /// The peer does.
    Bp7,
    /// Both accept, and read it differently.
    Nobody,
}

impl Refuses {
    /// As the table says it.
    pub fn text(self) -> &'static str {
        match self {
            Self::We => "we",
            Self::Bp7 => "bp7",
            Self::Nobody => "nobody",
        }
    }
}

/// One way in which the two disagree.
pub struct Class {
    /// Its name in `conformance.md`.
    pub name: &'static str,
    pub refuses: Refuses,
    /// A bundle that shows it, in hex.
    pub witness: fn() -> Vec<u8>,
}

pub const CLASSES: &[Class] = &[
    Class {
        name: "bundle of definite length",
        refuses: Refuses::We,
        witness: || plain("82", DTN, PAYLOAD, ""),
    },
    Class {
        name: "item of indefinite length",
        refuses: Refuses::We,
        witness: || plain("9f", DTN, "85010100005f43010203ff", "ff"),
    },
    Class {
        name: "head that is not shortest",
        refuses: Refuses::We,
        witness: || block("85010118000043010203"),
    },
    Class { name: "tag before an item", refuses: Refuses::We, witness: || block("8501c101000043010203") },
    Class { name: "text or array for bytes", refuses: Refuses::We, witness: || block("850101000063616263") },
    Class {
        name: "dtn name outside the grammar",
        refuses: Refuses::We,
        witness: || from("8201662f2f6e6f6465"),
    },
    Class { name: "source of many", refuses: Refuses::We, witness: || from("8201682f2f616c6c2f7e78") },
    Class { name: "ipn of the local node", refuses: Refuses::We, witness: || from("8202821affffffff01") },
    Class { name: "anonymous and fragmentable", refuses: Refuses::We, witness: || from("820100") },
    Class {
        name: "anonymous and reports",
        refuses: Refuses::We,
        witness: || unhex("9f88071a00020004008202820201820100820100820a001864 8501010000 43010203 ff"),
    },
    Class {
        name: "anonymous as ipn:0.n",
        refuses: Refuses::We,
        witness: || unhex("9f880704008202820201 8202820000 820100820a0018648501010200 43010203 ff"),
    },
    Class {
        name: "fragment beyond the total",
        refuses: Refuses::We,
        witness: || unhex("9f8a0701008202820201 8202820102 820100820a00186402048501010000 43010203 ff"),
    },
    Class { name: "hop limit of 0", refuses: Refuses::We, witness: || extended("850a02000043820000") },
    Class {
        name: "unreadable security targets",
        refuses: Refuses::We,
        witness: || extended("850c0200004140"),
    },
    Class {
        name: "CRC made for ipn:0.0",
        refuses: Refuses::We,
        witness: || {
            unhex(
                "9f89070402820100820100 8202820005 820503 00 446e4367c0 8501010000 4a736f6d65206279746573 ff",
            )
        },
    },
    Class {
        name: "more blocks than we take",
        refuses: Refuses::We,
        witness: || {
            let first = 24;
            let numbers = (first..=first + BLOCKS_MAX).map(|number| format!("8518c818{number:02x}000040"));
            extended(&numbers.collect::<String>())
        },
    },
    Class {
        name: "reserved bundle flags",
        refuses: Refuses::Bp7,
        witness: || unhex("9f880708008202820201 8202820102 820100820a001864 8501010000 43010203 ff"),
    },
    Class { name: "reserved block flags", refuses: Refuses::Bp7, witness: || block("850101080043010203") },
    Class {
        name: "block flags above 255",
        refuses: Refuses::Bp7,
        witness: || block("850101190100 0043010203"),
    },
    Class {
        name: "hop count above 255",
        refuses: Refuses::Bp7,
        witness: || extended("850a0200004682181e190100"),
    },
    Class { name: "ipn of three numbers", refuses: Refuses::Bp7, witness: || from("820283000502") },
    Class { name: "node name of no characters", refuses: Refuses::Bp7, witness: || from("8201632f2f2f") },
    Class {
        name: "CRC over ipn:0.n",
        refuses: Refuses::Bp7,
        witness: || {
            unhex("9f89070002820100 8202820501 8202820005 82050003 44b9a7758d 8501010000 43010203 ff")
        },
    },
    Class {
        name: "encrypted block",
        refuses: Refuses::Bp7,
        witness: || extended("850702000044deadbeef 850c030000468102010182 00"),
    },
    Class {
        name: "null endpoint as ipn:0.n",
        refuses: Refuses::Nobody,
        witness: || unhex("9f880700008202820201 8202820102 8202820005 820a001864 8501010000 43010203 ff"),
    },
    Class {
        name: "allocator in the node number",
        refuses: Refuses::Nobody,
        witness: || from("8202821b000000010000000501"),
    },
    Class {
        name: "previous node of many",
        refuses: Refuses::Nobody,
        witness: || extended("85060200004b8201682f2f616c6c2f7e78"),
    },
];

const DTN: &str = "8201692f2f686572652f696e";
const PAYLOAD: &str = "850101000043010203";

fn plain(start: &str, source: &str, blocks: &str, end: &str) -> Vec<u8> {
    unhex(&format!("{start} 8807000082028202 01 {source} 820100 820a00 1864 {blocks} {end}"))
}

fn from(source: &str) -> Vec<u8> {
    plain("9f", source, PAYLOAD, "ff")
}

fn block(payload: &str) -> Vec<u8> {
    plain("9f", DTN, payload, "ff")
}

fn extended(blocks: &str) -> Vec<u8> {
    block(&[blocks, PAYLOAD].concat())
}

fn named(name: &'static str) -> &'static Class {
    CLASSES.iter().find(|class| class.name == name).unwrap_or_else(|| panic!("no class is named `{name}`"))
}

/// The class of a bundle that we refuse.
///
/// # Errors
/// None is known.
pub fn of_our_refusal(error: &Error, bytes: &[u8], peer: &Peer) -> Result<&'static Class, String> {
    let first = bytes.get(error.offset).copied().unwrap_or_default();
    if first >> 5 == 6 {
        return Ok(named("tag before an item"));
    }
    let name = match error.rule {
        Rule::NotABundle => "bundle of definite length",
        Rule::IndefiniteItem => "item of indefinite length",
        Rule::BlockData if first == 0x5f => "item of indefinite length",
        Rule::LongHead => "head that is not shortest",
        Rule::BlockData | Rule::CrcField => "text or array for bytes",
        Rule::EidDtn => "dtn name outside the grammar",
        Rule::SourceNotSingleton => "source of many",
        Rule::LocalNode => "ipn of the local node",
        Rule::AnonymousFragmentable => "anonymous and fragmentable",
        Rule::AnonymousReports => "anonymous and reports",
        Rule::BlockReports if is_null_ipn(&peer.primary.source) => "anonymous as ipn:0.n",
        Rule::FragmentBeyondTotal => "fragment beyond the total",
        Rule::HopLimitRange => "hop limit of 0",
        Rule::SecurityTargets => "unreadable security targets",
        Rule::CrcMismatch if has_null_ipn(peer) => "CRC made for ipn:0.0",
        Rule::HeaderTooLong | Rule::TooManyBlocks => "more blocks than we take",
        _ => return Err(format!("we refuse by {:?} what the peer accepts", error.rule)),
    };
    Ok(named(name))
}

/// The class of a bundle that the peer refuses, saying `said`.
///
/// # Errors
/// None is known.
pub fn of_peer_refusal(said: &str, ours: &Bundle, bytes: &[u8]) -> Result<&'static Class, String> {
    let (header, flags) = (&ours.header, ours.header.primary().flags().0);
    let mut block_flags = header.blocks().iter().map(|block| block.flags.0).collect::<Vec<_>>();
    block_flags.push(header.payload_flags().0);
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    let is_encrypted = header.blocks().iter().any(|block| block.block_type == block::BLOCK_CONFIDENTIALITY);
    let known: [(&str, &'static str, bool); 10] = [
        ("BundleControlFlagsError(\"Given flag", "reserved bundle flags", flags & 0x18_bf98 != 0),
        (
            "BlockControlFlagsError(\"Given flag",
            "reserved block flags",
            block_flags.iter().any(|flags| flags & 0x68 != 0),
        ),
        ("expected u8", "block flags above 255", block_flags.iter().any(|flags| *flags > 255)),
        (
            "of type 10 can not be decoded",
            "hop count above 255",
            header.hop_count().is_some_and(|hops| hops.count > 255),
        ),
        ("TrailingData", "ipn of three numbers", has(b"\x82\x02\x83")),
        ("of type 6 can not be decoded", "ipn of three numbers", has(b"\x82\x02\x83")),
        ("malformed address url", "node name of no characters", has(b"///")),
        ("of type 6 can not be decoded", "node name of no characters", has(b"///")),
        ("CRC check failed", "CRC over ipn:0.n", has(b"\x82\x02\x82\x00")),
        ("can not be decoded", "encrypted block", is_encrypted),
    ];
    let found = known.iter().find(|(text, _, holds)| said.contains(text) && *holds);
    Ok(named(found.ok_or_else(|| format!("the peer refuses what we accept and says {said}"))?.1))
}

/// The class of a bundle that both accept and read differently.
///
/// # Errors
/// None is known.
pub fn of_meaning(difference: &str, ours: &Bundle, peer: &Peer) -> Result<&'static Class, String> {
    let (what, values) = difference.split_once(": ").expect("a difference says what it concerns");
    let names = ["source", "destination", "report-to", "previous node"];
    let has_allocator = |eid: &Eid| matches!(eid, Eid::Ipn { allocator: 1.., .. });
    let previous = ours.header.previous_node();
    if what == "bytes" && has_null_ipn(peer) {
        return Ok(named("null endpoint as ipn:0.n"));
    }
    if names.contains(&what) {
        if values.ends_with(", ipn:0.0") {
            return Ok(named("null endpoint as ipn:0.n"));
        }
        if what == "previous node" && previous.is_none() && has_previous_of_many(peer) {
            return Ok(named("previous node of many"));
        }
        if eids(ours).into_iter().chain(previous.as_ref().map(|node| node.eid())).any(has_allocator) {
            return Ok(named("allocator in the node number"));
        }
    }
    Err(format!("both accept but differ in {difference}"))
}

fn is_null_ipn(eid: &EndpointID) -> bool {
    matches!(eid, EndpointID::Ipn(_, address) if address.node_number() == 0)
}

/// Whether any endpoint of the peer's bundle is its null endpoint of the ipn scheme.
fn has_null_ipn(peer: &Peer) -> bool {
    let primary = &peer.primary;
    [&primary.destination, &primary.source, &primary.report_to].into_iter().any(is_null_ipn)
        || peer
            .canonicals
            .iter()
            .any(|block| matches!(block.data(), CanonicalData::PreviousNode(eid) if is_null_ipn(eid)))
}

fn has_previous_of_many(peer: &Peer) -> bool {
    peer.previous_node().is_some_and(EndpointID::is_non_singleton)
}
