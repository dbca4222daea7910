//! ADUs: what is written is read, one meaning has one encoding, and no bytes do harm.
//!
//! `vectors/adu` holds one example of each, as hex and, for people, as DAG-JSON; `UPDATE=1` rewrites both.

#[path = "adus/samples.rs"]
mod samples;

use std::{fs, path::PathBuf};

use bundle_spec::{
    Alias, BlockRef, Cid,
    adu::{
        ADU_BYTES_MAX, Adu, AduError, Advert, CHUNK_LISTS_MAX, Cancel, Failure, HAVE_ENTRIES_MAX, Have,
        INPUTS_MAX, Job, JobInput, JobResult, Kind, ModelSelector, Receipt, SealedJob, SealedResult, Value,
        WANT_BLOCKS_MAX, WANT_NAMES_MAX, Want,
    },
    manifest::{AssetKind, CHUNKS_PER_LIST_MAX, ChunkList, Manifest},
    sign::SigningKey,
};
use cid::{CidGeneric, multibase};
use minicbor::{Decoder, data::Type};

/// What is named by its CID or signed.
const CLOSED: [&str; 8] =
    ["job", "result", "sealed-job", "sealed-result", "manifest", "chunks", "receipt", "cancel"];

#[test]
fn every_sample_matches_its_vector() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/adu");
    for (name, adu) in samples::all() {
        let bytes = adu.encode();
        for (extension, text) in [("hex", hex(&bytes)), ("json", json(&mut Decoder::new(&bytes), 0) + "\n")] {
            let file = folder.join(name).with_extension(extension);
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&file, &text).unwrap();
            }
            let expected = fs::read_to_string(&file).unwrap();
            assert_eq!(text, expected, "{name}.{extension}; `UPDATE=1` accepts the difference");
        }
    }
}

#[test]
fn what_is_written_is_read() {
    for (name, adu) in samples::all() {
        let bytes = adu.encode();
        assert_eq!(Adu::decode(&bytes).as_ref(), Ok(&adu), "{name}");
        assert_eq!(Adu::decode(&bytes).unwrap().encode(), bytes, "{name}");
        minicbor::Decoder::new(&bytes).skip().unwrap();
    }
}

#[test]
fn an_adu_that_is_cut_short_or_continued_is_malformed() {
    for (name, adu) in samples::all() {
        let mut bytes = adu.encode().to_vec();
        for len in 0..bytes.len() {
            assert!(matches!(Adu::decode(&bytes[..len]), Err(AduError::Malformed { .. })), "{name} {len}");
        }
        bytes.push(0);
        let offset = bytes.len() - 1;
        assert_eq!(Adu::decode(&bytes), Err(AduError::Malformed { offset }), "{name}");
    }
}

#[test]
fn each_reader_takes_its_own_type_only() {
    for (name, adu) in samples::all() {
        let bytes = adu.encode();
        let kind = kind_of(name);
        for (other, is_read) in readers(&bytes) {
            assert_eq!(is_read, other == kind, "{name} read as {other}");
        }
    }
}

#[test]
fn a_later_version_and_a_strange_type_are_named() {
    let bytes = samples::job().encode();
    assert_eq!(Job::decode(&replaced(&bytes, b"version\x01", b"version\x02")), Err(AduError::Version(2)));
    assert_eq!(Adu::decode(&replaced(&bytes, b"cjob", b"cjab")), Err(AduError::Unknown("jab".into())));
    assert_eq!(Adu::decode(&[0xa0]), Err(AduError::Field { key: "type" }));
    assert_eq!(Adu::decode(&[0x80]), Err(AduError::Malformed { offset: 0 }));
}

/// Every way to write the number 1, the text "job", a map or a link that is not the shortest.
#[test]
fn a_second_encoding_of_one_meaning_is_refused() {
    let bytes = samples::job().encode();
    assert!(Job::decode(&bytes).is_ok());
    let cases: [(&str, &[u8], &[u8]); 9] = [
        ("a long integer", b"version\x01", b"version\x18\x01"),
        ("a longer integer", b"version\x01", b"version\x1b\0\0\0\0\0\0\0\x01"),
        ("a long text head", b"cjob", b"\x78\x03job"),
        ("text in pieces", b"cjob", b"\x7f\x61j\x62ob\xff"),
        ("a half float", b"\xfb\x3f\xe0\0\0\0\0\0\0", b"\xf9\x38\x00"),
        ("a single float", b"\xfb\x3f\xe0\0\0\0\0\0\0", b"\xfa\x3f\0\0\0"),
        ("the negative zero", b"\xfb\x3f\xe0\0\0\0\0\0\0", b"\xfb\x80\0\0\0\0\0\0\0"),
        ("infinity", b"\xfb\x3f\xe0\0\0\0\0\0\0", b"\xfb\x7f\xf0\0\0\0\0\0\0"),
        ("a long tag", b"\xd8\x2a\x58\x25\0", b"\xd9\0\x2a\x58\x25\0"),
    ];
    for (what, from, to) in cases {
        let refused = Job::decode(&replaced(&bytes, from, to));
        assert!(matches!(refused, Err(AduError::Malformed { .. })), "{what}: {refused:?}");
    }
}

#[test]
fn integers_take_the_shortest_form_at_each_boundary() {
    let with = |seed: i64| {
        let mut job = samples::job();
        job.parameters.insert("seed".into(), Value::Integer(seed));
        job
    };
    let cases: [(i64, &[u8], &[u8]); 4] = [
        (23, b"\x17", b"\x18\x17"),
        (0xff, b"\x18\xff", b"\x19\0\xff"),
        (0xffff, b"\x19\xff\xff", b"\x1a\0\0\xff\xff"),
        (0xffff_ffff, b"\x1a\xff\xff\xff\xff", b"\x1b\0\0\0\0\xff\xff\xff\xff"),
    ];
    for (seed, short, long) in cases {
        let seed_as = |form: &[u8]| [b"dseed", form].concat();
        let bytes = with(seed).encode();
        let stretched = replaced(&bytes, &seed_as(short), &seed_as(long));
        assert!(matches!(Job::decode(&stretched), Err(AduError::Malformed { .. })), "{seed}");
        for seed in [seed, seed + 1, -1 - seed, -2 - seed] {
            assert_eq!(Job::decode(&with(seed).encode()), Ok(with(seed)));
        }
    }
}

#[test]
fn keys_that_are_out_of_order_or_twice_are_refused() {
    for keys in [[b"aa".as_slice(), b"aa"], [b"ab", b"aa"], [b"bcd", b"aa"]] {
        let heads: [&[u8]; 2] = if keys[0].len() == 3 { [b"\x63", b"\x62"] } else { [b"\x62", b"\x62"] };
        let bytes = [b"\xa2", heads[0], keys[0], b"\x01", heads[1], keys[1], b"\x01"].concat();
        assert!(matches!(Adu::decode(&bytes), Err(AduError::Malformed { .. })), "{keys:?}");
    }
    assert_eq!(Adu::decode(b"\xa2\x61a\x01\x62aa\x01"), Err(AduError::Field { key: "type" }));
    assert_eq!(Adu::decode(b"\xa1\x01\x01"), Err(AduError::Malformed { offset: 1 }), "keys are text");
}

#[test]
fn an_unknown_key_is_an_error_where_it_would_change_a_name_and_ignored_elsewhere() {
    for (name, adu) in samples::all() {
        let kind = kind_of(name);
        // The map gets one more entry, at the end because its key is longest.
        let mut bytes = adu.encode().to_vec();
        bytes[0] += 1;
        bytes.extend_from_slice(b"\x6cx-new-thing!\x81\xf6");
        let expected = match CLOSED.contains(&kind) {
            true => Err(AduError::Extra { key: "x-new-thing!".into() }),
            false => Ok(adu),
        };
        assert_eq!(Adu::decode(&bytes), expected, "{name}");
    }
}

#[test]
fn nothing_nests_deeper_than_eight_levels() {
    let nested = |levels: usize| {
        let mut job = samples::job();
        let value = (0..levels).fold(Value::Integer(1), |value, _| Value::List(vec![value]));
        job.parameters.insert("deep".into(), value);
        job
    };
    // The job and its parameters are two levels.
    assert_eq!(nested(6).check(), Ok(()));
    assert!(matches!(nested(7).check(), Err(AduError::Malformed { .. })));
    assert!(matches!(Adu::decode(&[0x81; 100_000]), Err(AduError::Malformed { offset: 8 })));
    let endless = [b"\x9b".as_slice(), &[0xff; 8]].concat();
    assert!(matches!(Adu::decode(&endless), Err(AduError::Malformed { .. })));
}

#[test]
fn limits_are_checked_before_a_job_leaves() {
    let mut job = samples::job();
    assert_eq!(job.check(), Ok(()));
    job.inputs = vec![JobInput::Inline { media: "text/plain".into(), data: "a".into() }; INPUTS_MAX];
    assert_eq!(job.check(), Ok(()));
    job.inputs.push(job.inputs[0].clone());
    assert_eq!(job.check(), Err(AduError::Limit { key: "inputs", max: INPUTS_MAX }));

    job.inputs = vec![JobInput::Inline { media: "a/b".into(), data: vec![0; ADU_BYTES_MAX].into() }];
    assert_eq!(job.check(), Err(AduError::TooLong));

    let mut job = samples::job();
    job.model = ModelSelector::Named(String::new());
    assert_eq!(job.check(), Err(AduError::Field { key: "model" }));
    job.model = ModelSelector::Cid(Cid::raw(b"a manifest is not raw"));
    assert_eq!(job.check(), Err(AduError::Field { key: "model" }));
    job.model = ModelSelector::None;
    job.parameters.insert("p".repeat(65), Value::Bool(true));
    assert_eq!(job.check(), Err(AduError::Limit { key: "parameters", max: 64 }));
}

#[test]
fn numbers_are_finite_and_zero_has_no_sign() {
    let with = |value: f64| {
        let mut job = samples::job();
        job.parameters.insert("temperature".into(), Value::Float(value));
        job
    };
    assert_eq!(with(-0.0).encode(), with(0.0).encode());
    assert_eq!(Value::float(-0.0).unwrap(), Value::Float(0.0));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Value::float(value), Err(AduError::NotFinite));
        assert_eq!(with(value).check(), Err(AduError::NotFinite));
        assert!(Job::decode(&with(value).encode()).is_err());
    }
    for value in [i64::MIN, -1, 0, 23, 24, i64::MAX] {
        let mut job = samples::job();
        job.parameters.insert("seed".into(), Value::Integer(value));
        assert_eq!(Job::decode(&job.encode()), Ok(job));
    }
}

#[test]
fn equal_jobs_have_one_name_and_every_difference_another() {
    let job = samples::job();
    assert_eq!(job.cid(), samples::job().cid());
    let mut others = vec![job.clone(); 5];
    others[0].kind = Kind::Complete;
    others[1].model = ModelSelector::None;
    others[2].inputs.pop();
    others[3].parameters.insert("max_tokens".into(), Value::Integer(33));
    others[4].nonce = Some([0; 16]);
    assert!(others.iter().all(|other| other.cid() != job.cid()));
}

#[test]
fn a_changed_statement_is_noticed_at_every_byte() {
    let result = samples::completed();
    assert_eq!(result.verify(), Ok(samples::key().public()));
    let bytes = result.encode();
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let outcome = JobResult::decode(&changed).and_then(|result| result.verify());
        assert!(outcome.is_err(), "byte {at}");
    }
}

#[test]
fn a_node_that_is_a_key_is_spoken_for_by_that_key_alone() {
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let statement = samples::completed().statement;
    assert_eq!(JobResult::sign(statement.clone(), &stranger).verify(), Err(AduError::Signature));
    let node = samples::key().public().node_id();
    let job = samples::job().cid();
    assert_eq!(Cancel::sign(job, node.clone(), 0, &stranger).verify(), Err(AduError::Signature));
    assert_eq!(Receipt::sign(job, job, node.clone(), 0, 0, &stranger).verify(), Err(AduError::Signature));
    assert_eq!(Cancel::sign(job, node, 0, &samples::key()).verify(), Ok(()));

    let named = bundle_spec::adu::Statement { executor: "dtn://clinic/".parse().unwrap(), ..statement };
    assert_eq!(JobResult::sign(named, &stranger).verify(), Ok(stranger.public()));
}

#[test]
fn a_signature_for_one_type_does_not_serve_another() {
    let receipt = samples::receipt();
    let (job, node, sequence) = (receipt.job, receipt.node.clone(), receipt.sequence);
    let cancel = Cancel { job, node, sequence, signature: receipt.signature };
    assert_eq!(cancel.verify(), Err(AduError::Signature));
}

#[test]
fn which_wishes_are_over_is_signed() {
    let receipt = samples::receipt();
    let later = Receipt { sequence: receipt.sequence + 1, ..receipt.clone() };
    assert_eq!((receipt.verify(), later.verify()), (Ok(()), Err(AduError::Signature)));
    let cancel = Cancel::sign(receipt.job, receipt.node, 11, &samples::key());
    let later = Cancel { sequence: 12, ..cancel.clone() };
    assert_eq!((cancel.verify(), later.verify()), (Ok(()), Err(AduError::Signature)));
}

#[test]
fn a_full_chunk_list_and_a_full_manifest_fit_into_an_adu() {
    let chunk = BlockRef { cid: Cid::raw(b"chunk"), len: 1024 * 1024 };
    let lists = ChunkList::lists(&vec![chunk; CHUNKS_PER_LIST_MAX + 1]);
    assert_eq!((lists.len(), lists[0].chunks.len(), lists[1].chunks.len()), (2, CHUNKS_PER_LIST_MAX, 1));
    assert_eq!(ChunkList::decode(&lists[0].encode()).as_ref(), Ok(&lists[0]));
    let full = Manifest { chunk_lists: vec![lists[0].block(); CHUNK_LISTS_MAX], ..samples::manifest() };
    assert_eq!(Manifest::decode(&full.encode()), Ok(full));

    let over = ChunkList { chunks: vec![chunk; CHUNKS_PER_LIST_MAX + 1] };
    let expected = AduError::Limit { key: "chunks", max: CHUNKS_PER_LIST_MAX };
    assert_eq!(ChunkList::decode(&over.encode()), Err(expected));
}

#[test]
fn a_manifest_says_the_alias_of_its_file_in_one_form_only() {
    let manifest = samples::data();
    let alias: Alias =
        "sha256:f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2".parse().unwrap();
    assert_eq!(manifest.alias(), Some(alias));
    assert_eq!(samples::manifest().alias(), None, "one without the hint is read as well");
    let others = [
        Value::Text(alias.hex().to_uppercase()),
        Value::Text(alias.to_string()),
        Value::Text(alias.hex()[1..].to_owned()),
        Value::Integer(7),
    ];
    for other in others {
        let mut manifest = manifest.clone();
        manifest.hints.insert(Manifest::ALIAS_HINT.to_owned(), other.clone());
        assert_eq!(Manifest::decode(&manifest.encode()).unwrap().alias(), None, "{other:?}");
    }
}

#[test]
fn a_full_have_and_a_full_want_fit_into_an_adu() {
    let node = samples::key().public().node_id();
    let have = Have {
        node: node.clone(),
        more: false,
        bundles: vec![[1; 16]; HAVE_ENTRIES_MAX],
        jobs: vec![[2; 32]; HAVE_ENTRIES_MAX],
    };
    assert_eq!(Have::decode(&have.encode()), Ok(have));
    let blocks = vec![Cid::raw(b"block"); WANT_BLOCKS_MAX];
    let want = Want { node, blocks, names: vec!["n".repeat(255); WANT_NAMES_MAX] };
    assert_eq!(Want::decode(&want.encode()), Ok(want));
}

#[test]
fn names_read_back() {
    for kind in Kind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    for failure in Failure::ALL {
        assert_eq!(failure.to_string().parse(), Ok(failure));
    }
    for kind in AssetKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert!("Chat".parse::<Kind>().is_err() && "".parse::<Failure>().is_err());
}

#[test]
fn an_advert_of_a_newer_node_is_read_without_the_kinds_of_work_it_adds() {
    let Adu::Advert(advert) = samples::advert() else { unreachable!() };
    let newer = replaced(&advert.encode(), b"dechodchat", b"dechoddraw");
    let read = Advert::decode(&newer).unwrap();
    assert_eq!(read.engines[0].kinds, [Kind::Echo]);
}

#[test]
fn a_node_id_has_one_spelling() {
    let have = Have { node: "ipn:7.0".parse().unwrap(), more: false, bundles: vec![], jobs: vec![] };
    let bytes = have.encode();
    for spelling in [b"gipn:7.1", b"gipn:07.", b"gdtn:non"] {
        let changed = replaced(&bytes, b"gipn:7.0", spelling);
        assert_eq!(Have::decode(&changed), Err(AduError::Field { key: "node" }), "{changed:?}");
    }
    let moved = Have { node: "ipn:8.0".parse().unwrap(), ..have };
    assert_eq!(Have::decode(&replaced(&bytes, b"gipn:7.0", b"gipn:8.0")), Ok(moved));
}

#[test]
fn any_bytes_are_read_or_refused() {
    bolero::check!().for_each(|bytes: &[u8]| check_bytes(bytes));
}

#[test]
fn any_change_of_an_adu_is_read_as_something_else_or_refused() {
    let samples: Vec<_> = samples::all().into_iter().map(|(_, adu)| adu.encode()).collect();
    bolero::check!().with_type::<(u8, Vec<(u16, u8)>, u16)>().for_each(|(which, edits, cut)| {
        let mut bytes = samples[usize::from(*which) % samples.len()].to_vec();
        for (at, byte) in edits.iter().take(4) {
            let at = usize::from(*at) % bytes.len();
            bytes[at] = *byte;
        }
        check_bytes(&bytes);
        bytes.truncate(usize::from(*cut) % bytes.len());
        check_bytes(&bytes);
    });
}

#[test]
fn any_parameters_come_back() {
    type Parameters = Vec<(u8, i64, f64, bool)>;
    bolero::check!().with_type::<(Parameters, Option<[u8; 16]>)>().for_each(|(entries, nonce)| {
        let mut job = Job { nonce: *nonce, ..samples::job() };
        for (key, integer, float, flag) in entries.iter().take(16) {
            let float = Value::float(*float).unwrap_or(Value::Bool(*flag));
            let list = Value::List(vec![Value::Integer(*integer), float, Value::Text("ä".repeat(30))]);
            job.parameters.insert(format!("key{key}"), list);
        }
        let bytes = job.encode();
        let read = Job::decode(&bytes).unwrap();
        assert_eq!(read, job);
        assert_eq!(read.encode(), bytes);
    });
}

/// Whatever is read and is closed is written again as it was; signatures are checked without harm.
fn check_bytes(bytes: &[u8]) {
    let _ = readers(bytes);
    let Ok(adu) = Adu::decode(bytes) else { return };
    match &adu {
        Adu::Result(result) => drop(result.verify()),
        Adu::Receipt(receipt) => drop(receipt.verify()),
        Adu::Cancel(cancel) => drop(cancel.verify()),
        Adu::Want(_) | Adu::Have(_) | Adu::Advert(_) => {
            assert_eq!(Adu::decode(&adu.encode()), Ok(adu));
            return;
        }
        Adu::SealedJob(sealed) => drop(sealed.open(&samples::sealing_keys())),
        Adu::SealedResult(sealed) => drop(sealed.open(&samples::sealing_keys())),
        Adu::Job(_) | Adu::Manifest(_) | Adu::ChunkList(_) => {}
    }
    assert_eq!(adu.encode(), bytes);
}

fn readers(bytes: &[u8]) -> [(&'static str, bool); 11] {
    [
        ("job", Job::decode(bytes).is_ok()),
        ("result", JobResult::decode(bytes).is_ok()),
        ("sealed-job", SealedJob::decode(bytes).is_ok()),
        ("sealed-result", SealedResult::decode(bytes).is_ok()),
        ("manifest", Manifest::decode(bytes).is_ok()),
        ("chunks", ChunkList::decode(bytes).is_ok()),
        ("want", Want::decode(bytes).is_ok()),
        ("have", Have::decode(bytes).is_ok()),
        ("advert", Advert::decode(bytes).is_ok()),
        ("receipt", Receipt::decode(bytes).is_ok()),
        ("cancel", Cancel::decode(bytes).is_ok()),
    ]
}

/// The type of the sample of this name.
fn kind_of(name: &'static str) -> &'static str {
    if name.starts_with("sealed-") { name } else { name.split('-').next().expect("there is a first word") }
}

/// `bytes` with the first occurrence of `from` replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the sample contains it");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Only samples are printed.
const SAMPLE: &str = "a sample is well-formed";

fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(40).map(line).collect()
}

/// DAG-JSON, indented, by a reader of CBOR that is not ours.
fn json(decoder: &mut Decoder<'_>, depth: usize) -> String {
    let indent = "  ".repeat(depth + 1);
    let close = "  ".repeat(depth);
    let wrap = |open: char, items: Vec<String>, end: char| match items.len() {
        0 => format!("{open}{end}"),
        _ => format!("{open}\n{indent}{}\n{close}{end}", items.join(&format!(",\n{indent}"))),
    };
    match decoder.datatype().expect(SAMPLE) {
        Type::Map => {
            let count = decoder.map().expect(SAMPLE).expect(SAMPLE);
            let entry = |_| format!("{:?}: {}", decoder.str().expect(SAMPLE), json(decoder, depth + 1));
            wrap('{', (0..count).map(entry).collect(), '}')
        }
        Type::Array => {
            let count = decoder.array().expect(SAMPLE).expect(SAMPLE);
            wrap('[', (0..count).map(|_| json(decoder, depth + 1)).collect(), ']')
        }
        Type::Tag => {
            assert_eq!(decoder.tag().expect(SAMPLE).as_u64(), 42);
            let cid = CidGeneric::<32>::try_from(&decoder.bytes().expect(SAMPLE)[1..]).expect(SAMPLE);
            format!("{{\"/\": \"{cid}\"}}")
        }
        Type::Bytes => {
            let base64 = multibase::encode(multibase::Base::Base64, decoder.bytes().expect(SAMPLE));
            format!("{{\"/\": {{\"bytes\": \"{}\"}}}}", &base64[1..])
        }
        Type::String => format!("{:?}", decoder.str().expect(SAMPLE)),
        Type::Bool => decoder.bool().expect(SAMPLE).to_string(),
        Type::F64 => format!("{:?}", decoder.f64().expect(SAMPLE)),
        Type::Null => decoder.null().map(|()| "null".to_owned()).expect(SAMPLE),
        _ => decoder.int().expect(SAMPLE).to_string(),
    }
}
