//! Every vector: the verdict table of differential testing, and the bundles of our own in `vectors/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use bundle_spec::{
    BlockFlags, Builder, Bundle, BundleFlags, CrcType, CreationTimestamp, DtnTime, Lax, NewBlock, Rule,
    fragment,
    report::{AdministrativeRecord, Assertion, ReasonCode, StatusReport},
    security::{Aes, Algorithm, Key, KeyUse, Permissions, Scope, Sealer, Sealing, Sha, Signer, Signing},
    validate::{Severity, validate},
};
use bytes::Bytes;

/// A row of the verdict table.
struct Row {
    id: String,
    verdict: String,
    bundle: Vec<u8>,
}

/// Which rule or switch each row that is not simply accepted must name.
const RULES: [(&str, Rule); 8] = [
    ("primary-nocrc-nobib", Rule::PrimaryWithoutCrc),
    ("payload-blocknum-33", Rule::PayloadNumber),
    ("payload-not-last", Rule::PayloadNotLast),
    ("anon-src-report-flag", Rule::BlockReports),
    ("ts0-no-age", Rule::AgeMissing),
    ("payload-text-string", Rule::BlockData),
    ("crc-type-25", Rule::CrcType),
    ("frag+mustnotfrag", Rule::FragmentWithoutExtent),
];

#[test]
fn the_shipped_verdict_table_holds() {
    check_table(&own("vectors/rfc9171.tsv"));
}

#[test]
fn the_shared_verdict_table_holds() {
    let shared = env::var_os("PANNIER_SHARED").map_or_else(|| own("../../shared"), PathBuf::from);
    let table = shared.join("vectors/rfc9171.tsv");
    if table.exists() {
        check_table(&table);
    } else {
        println!(
            "skipped: {} is absent; set PANNIER_SHARED to the folder that has vectors/",
            table.display()
        );
    }
}

fn check_table(path: &Path) {
    let rows = read_table(path);
    assert!(rows.len() >= 12, "{} has {} rows", path.display(), rows.len());
    for row in &rows {
        check_row(row);
    }
}

fn check_row(row: &Row) {
    let expected = RULES.iter().find(|(id, _)| *id == row.id).map(|(_, rule)| *rule);
    let tolerant = validate(&row.bundle, &Lax { primary_without_crc: true, ..Lax::strict() });
    let all = validate(&row.bundle, &Lax::all());
    let strict = validate(&row.bundle, &Lax::strict());
    match row.verdict.as_str() {
        "accept" => assert!(tolerant.is_accepted(), "{}: {:?}", row.id, tolerant.findings),
        "reject" => {
            assert!(!all.ok, "{} is accepted", row.id);
            let last = all.findings.last().expect("a rejection is a finding");
            assert_eq!(last.severity, Severity::Reject, "{}", row.id);
            assert_eq!(Some(last.rule), expected, "{} at byte {}", row.id, last.offset);
        }
        "policy" => {
            assert!(all.is_accepted(), "{}: {:?}", row.id, all.findings);
            assert!(strict.ok && !strict.is_accepted(), "{}: {:?}", row.id, strict.findings);
            let rule = expected.expect("a policy row has a rule");
            assert!(strict.findings.iter().any(|finding| finding.rule == rule), "{}", row.id);
            assert!(rule.switch().is_some(), "{}", row.id);
        }
        other => panic!("{}: unknown verdict {other}", row.id),
    }
}

fn read_table(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("a table");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let mut columns = line.split('\t');
            let mut next = || columns.next().expect("a row has three columns").to_owned();
            Row { id: next(), verdict: next(), bundle: unhex(&next()) }
        })
        .collect()
}

fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("two hex digits")
    };
    digits.chunks(2).map(pair).collect()
}

#[test]
fn our_own_bundles_have_the_bytes_and_the_meaning_that_the_vectors_say() {
    let updates = env::var_os("UPDATE").is_some();
    for (name, bundle) in own_bundles() {
        let bytes = bundle.encode();
        let hex = format!("{}\n", hex(&bytes));
        let meaning = describe(&Bundle::parse(bytes, &Lax::strict()).unwrap());
        for (ending, text) in [("hex", hex), ("json", meaning)] {
            let path = own(&format!("vectors/{name}.{ending}"));
            if updates {
                fs::write(&path, &text).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, expected, "{} differs; UPDATE=1 rewrites it", path.display());
        }
    }
}

#[test]
fn every_vector_on_disk_parses_and_is_emitted_again() {
    let mut count = 0;
    for entry in fs::read_dir(own("vectors")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "hex") {
            let bytes = Bytes::from(unhex(&fs::read_to_string(&path).unwrap()));
            let bundle = Bundle::parse(bytes.clone(), &Lax::strict()).unwrap();
            assert_eq!(bundle.encode(), bytes, "{}", path.display());
            count += 1;
        }
    }
    assert_eq!(count, own_bundles().len());
}

fn own_bundles() -> Vec<(&'static str, Bundle)> {
    let text = || Bytes::from_static(b"three people at the bridge need water");
    let job = || builder("dtn://village/in", "dtn://pannier/~jobs", 820_000_000_000).hop_limit(30);
    let unknown = NewBlock {
        block_type: 200,
        flags: BlockFlags::REPLICATE | BlockFlags::DISCARD_UNPROCESSED,
        crc_type: CrcType::X25,
        data: vec![0x43, 1, 2, 3],
    };
    let parts = fragment::split(&job().header(37), &[20]).expect("a constant");
    let mut report = StatusReport::new(
        "dtn://village/in@820000000000.1".parse().expect("a constant"),
        ReasonCode::NoInformation,
    );
    report.delivered = Assertion::At(DtnTime(820_000_360_000));
    let record = AdministrativeRecord::StatusReport(report).encode();
    let from_bus = job().previous_node("dtn://bus/".parse().expect("a constant")).age_ms(3_600_000);
    vec![
        ("minimal", builder("ipn:5.2", "ipn:7.1", 820_000_000_000).bundle(text())),
        ("job", from_bus.flags(BundleFlags::REPORT_DELIVERY).bundle(text())),
        ("crc16", job().crc(CrcType::X25).payload_crc(CrcType::X25).bundle(text())),
        ("clockless", builder("ipn:5.2", "dtn://clinic/in", 0).age_ms(70_000).bundle(text())),
        ("anonymous", builder("dtn:none", "dtn://clinic/in", 820_000_000_000).bundle(text())),
        ("allocator", builder("ipn:977000.5.2", "ipn:977000.7.1", 820_000_000_000).bundle(text())),
        ("unknown-block", job().block(unknown).bundle(text())),
        ("fragment-first", Bundle { header: parts[0].clone(), payload: text().slice(..20) }),
        ("fragment-last", Bundle { header: parts[1].clone(), payload: text().slice(20..) }),
        (
            "status-report",
            builder("dtn://clinic/", "dtn://village/in", 820_000_360_000)
                .flags(BundleFlags::IS_ADMINISTRATIVE)
                .bundle(record),
        ),
        ("signed", signed(&job().age_ms(5).bundle(text()))),
        ("sealed", sealed(&signed(&job().age_ms(5).bundle(text())))),
        ("empty-payload", builder("ipn:5.2", "ipn:7.1", 820_000_000_000).bundle(Bytes::new())),
    ]
}

/// Signed by HMAC-SHA-256 with sixteen bytes of 7: primary block, payload and age.
fn signed(plain: &Bundle) -> Bundle {
    let key = security_key(Algorithm::Hmac(Sha::S256), &[7; 16]);
    let signing = Signing {
        source: "dtn://village/".parse().expect("an EID"),
        targets: &[0, 1, 2],
        sha: Sha::S256,
        scope: Scope::PRIMARY.and(Scope::TARGET),
        key: KeyUse::Direct(&key),
        crc_type: CrcType::Castagnoli,
    };
    let mut signer = Signer::new(&plain.header, &signing).expect("a bundle that can be signed");
    signer.update(&plain.payload);
    Bundle { header: signer.finish().expect("the whole payload"), payload: plain.payload.clone() }
}

/// The payload encrypted by AES-256-GCM with a key of 32 bytes of 8, wrapped with sixteen bytes of 9.
fn sealed(plain: &Bundle) -> Bundle {
    let key = security_key(Algorithm::Wrap(Aes::A256), &[9; 16]);
    let sealing = Sealing {
        source: "dtn://village/".parse().expect("an EID"),
        targets: &[1],
        aes: Aes::A256,
        scope: Scope::ALL,
        key: KeyUse::Wrapped { by: &key, content: &[8; 32] },
        crc_type: CrcType::Castagnoli,
    };
    let vector = |number: u64| [u8::try_from(number).expect("a small number"); 12];
    let mut sealer = Sealer::new(&plain.header, &sealing, vector).expect("a bundle that can be sealed");
    sealer.update(&plain.payload);
    let sealed = sealer.finish().expect("the whole payload");
    let mut payload = plain.payload.to_vec();
    sealed.payload.expect("the payload is sealed").apply(0, &mut payload);
    Bundle { header: sealed.header, payload: payload.into() }
}

fn security_key(algorithm: Algorithm, secret: &[u8]) -> Key {
    let permissions = Permissions { may_make: true, may_check: true };
    Key::new("vector", algorithm, permissions, secret).expect("a key of the right length")
}

fn builder(source: &str, destination: &str, time: u64) -> Builder {
    let [source, destination] = [source, destination].map(|text| text.parse().expect("an EID"));
    Builder::new(source, destination, CreationTimestamp { time: DtnTime(time), sequence: 1 }, 86_400_000)
}

/// What a bundle says, as JSON with a line per fact.
fn describe(bundle: &Bundle) -> String {
    let header = &bundle.header;
    let primary = header.primary();
    let mut lines = vec![
        format!("\"id\": \"{}\"", header.bundle_id()),
        format!("\"digest\": \"{}\"", hex(&header.bundle_id().digest())),
        format!("\"flags\": {}", primary.flags().0),
        format!("\"crc_type\": {}", primary.crc_type().code()),
        format!("\"destination\": \"{}\"", primary.destination()),
        format!("\"source\": \"{}\"", primary.source()),
        format!("\"report_to\": \"{}\"", primary.report_to()),
        format!("\"created\": \"{}\"", primary.timestamp().time),
        format!("\"lifetime_ms\": {}", primary.lifetime_ms()),
    ];
    if let Some(origin) = primary.fragment() {
        lines.push(format!("\"fragment\": {{\"offset\": {}, \"total\": {}}}", origin.offset, origin.total));
    }
    for block in header.blocks() {
        lines.push(format!(
            "\"block {}\": {{\"type\": {}, \"flags\": {}, \"crc_type\": {}, \"data\": \"{}\"}}",
            block.number,
            block.block_type,
            block.flags.0,
            block.crc_type.code(),
            hex(block.data())
        ));
    }
    lines.push(format!("\"payload_crc_type\": {}", header.payload_crc().code()));
    lines.push(format!("\"payload\": \"{}\"", hex(&bundle.payload)));
    format!("{{\n  {}\n}}\n", lines.join(",\n  "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
