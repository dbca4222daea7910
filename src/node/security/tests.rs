use std::os::unix::fs::PermissionsExt;

use bundle_spec::{
    BlockRef, Builder, CrcType, CreationTimestamp, DtnTime, Forwarding, Header, NodeId,
    block::BLOCK_CONFIDENTIALITY, fragment,
};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::{
    agent::{AssemblyError, Input, LinkClass, LinkId, Part, Refusal, Resources, StatusView},
    node::assembly::Assembler,
    node::mailbox::{Clock, Handle, LinkCommand, LinkPort, Mail, Outgoing, Time},
    store::{MemoryStore, Store},
};

mod clear;

const KEYS: &str = r#"{"keys": [
    {"kty": "oct", "kid": "mesh", "alg": "HS256", "k": "GisaKxorGisaKxorGisaKw"},
    {"kty": "oct", "kid": "lab", "alg": "A128KW", "k": "YWJjZGVmZ2hpamtsbW5vcA"}
]}"#;
const NEW_KEYS: &str = r#"{"keys": [
    {"kty": "oct", "kid": "mesh", "alg": "HS256", "k": "AAAAAAAAAAAAAAAAAAAAAA"}
]}"#;
const SOURCE_RULES: [&str; 2] =
    ["sign payload,primary with mesh", "encrypt payload to dtn://hospital/** with lab"];
const PAYLOAD: &[u8] = b"the tap in the yard is brown since monday";

#[tokio::test]
async fn a_bundle_leaves_signed_and_encrypted_and_arrives_in_plain() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let mut hospital = Place::new("dtn://hospital/", &["accept payload,primary required"]);
    let outgoing = clinic.outgoing("dtn://hospital/lab");
    let plain = outgoing.header.clone();
    let secured = clinic.guard.secure(&clinic.handle, outgoing).unwrap();
    assert!(secured.header.blocks().iter().any(|block| block.block_type == BLOCK_CONFIDENTIALITY));
    let ciphertext = on_the_wire(&secured);
    assert_ne!(ciphertext, PAYLOAD);

    let (header, payload, adu) = hospital.receive(&secured.header, &ciphertext).await.unwrap();
    assert_eq!(header, plain);
    assert_eq!(payload, BlockRef { cid: bundle_spec::Cid::raw(PAYLOAD), len: payload.len });
    assert_eq!(adu, Some(Bytes::from_static(PAYLOAD)));
    // What came is no longer needed.
    assert!(matches!(hospital.next().await, Input::BlockGained { block } if block.len == payload.len));
}

#[tokio::test]
async fn a_long_payload_passes_in_pieces() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let mut hospital = Place::new("dtn://hospital/", &["accept payload,primary required"]);
    let payload: Vec<u8> = (0..=255).cycle().take(2 * CHUNK_BYTES + 17).collect();
    let block = put(&clinic.handle, &payload);
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence: 3 };
    let header = Builder::new(
        clinic.node.endpoint("desk", 1),
        "dtn://hospital/lab".parse().unwrap(),
        timestamp,
        60_000,
    )
    .header(block.len);
    let bundle = header.bundle_id();
    let outgoing =
        Outgoing { bundle, header, payload: block, start: 0, offset: 0, clear_only: false, sealed: None };
    let mut secured = clinic.guard.secure(&clinic.handle, outgoing).unwrap();
    let mut ciphertext = payload;
    secured.sealed.as_mut().unwrap().apply(0, &mut ciphertext);
    let (_, opened, adu) = hospital.receive(&secured.header, &ciphertext).await.unwrap();
    assert_eq!((opened, adu), (block, None));
}

#[tokio::test]
async fn a_relay_without_rules_carries_what_it_cannot_read_byte_for_byte() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let mut bus = Place::new("dtn://bus/", &[]);
    bus.guard.keys = None;
    let secured = clinic.guard.secure(&clinic.handle, clinic.outgoing("dtn://hospital/lab")).unwrap();
    let ciphertext = on_the_wire(&secured);
    let (header, payload, _) = bus.receive(&secured.header, &ciphertext).await.unwrap();
    assert_eq!(header.raw(), secured.header.raw());
    assert_eq!(payload.cid, bundle_spec::Cid::raw(&ciphertext));
}

#[tokio::test]
async fn a_bundle_that_was_changed_or_is_not_signed_is_refused_and_counted() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let mut school = Place::new("dtn://school/", &["verify payload from dtn://clinic/** with mesh required"]);
    let plain = clinic.outgoing("dtn://school/desk");
    let secured = clinic.guard.secure(&clinic.handle, plain.clone()).unwrap();
    assert!(school.receive(&secured.header, PAYLOAD).await.is_ok());
    let mut forged = PAYLOAD.to_vec();
    forged[4] ^= 1;
    assert_eq!(school.receive(&secured.header, &forged).await.unwrap_err(), Refusal::Malformed);
    assert_eq!(school.receive(&plain.header, PAYLOAD).await.unwrap_err(), Refusal::Malformed);
    let text = school.metrics();
    for line in ["why=\"failed\"} 1", "why=\"missing\"} 1"] {
        assert!(text.contains(&format!("pannier_security_failures_total{{{line}")), "{text}");
    }
}

#[tokio::test]
async fn a_transfer_that_was_cut_off_goes_on_with_the_same_ciphertext() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let made = clinic.outgoing("dtn://hospital/lab");
    let at_age = |age_ms| {
        let edits = Forwarding {
            previous_node: Some("dtn://clinic/".parse().unwrap()),
            age_ms: Some(age_ms),
            count_hop: true,
        };
        let header = made.header.forwarded(&edits).unwrap();
        clinic.guard.secure(&clinic.handle, Outgoing { header, ..made.clone() }).unwrap()
    };
    assert_eq!(on_the_wire(&at_age(5)), on_the_wire(&at_age(90_000)));
    // Another bundle with the same payload has another key and vector.
    let mut other = clinic.outgoing("dtn://hospital/lab");
    other.header = header(&clinic.node, "dtn://hospital/lab", 2);
    let other = clinic.guard.secure(&clinic.handle, other).unwrap();
    assert_ne!(on_the_wire(&other), on_the_wire(&at_age(5)));
}

#[tokio::test]
async fn what_cannot_be_secured_does_not_leave() {
    let mut clinic = Place::new("dtn://clinic/", &["sign payload with nobody"]);
    let (departing, departures) = mpsc::unbounded_channel();
    let (commands, mut taken) = mpsc::channel(4);
    let whole = clinic.outgoing("dtn://school/desk");
    let part = fragment::split(&whole.header, &[5]).unwrap().swap_remove(1);
    let part = Outgoing { bundle: part.bundle_id(), header: part, start: 5, ..whole.clone() };
    for outgoing in [whole, part.clone()] {
        assert!(clinic.guard.secures(&clinic.node, &outgoing.header));
        departing.send(Departing { link: LinkId(7), commands: commands.clone(), outgoing }).unwrap();
    }
    drop(departing);
    depart(clinic.guard.clone(), clinic.handle.clone(), departures).await;
    for _ in 0..2 {
        assert!(matches!(clinic.next().await, Input::Refused { link: LinkId(7), .. }));
    }
    assert!(taken.try_recv().is_err());
    let signs = Place::new("dtn://clinic/", &SOURCE_RULES);
    let stop = signs.guard.secure(&clinic.handle, part).unwrap_err();
    assert!(matches!(stop, Stop::Security(SecurityError::Fragment)));
}

#[tokio::test]
async fn what_came_in_parts_is_checked_when_it_is_whole() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let mut hospital = Place::new("dtn://hospital/", &["accept payload,primary required"]);
    let outgoing = clinic.outgoing("dtn://hospital/lab");
    let plain = outgoing.header.clone();
    let secured = clinic.guard.secure(&clinic.handle, outgoing).unwrap();
    let ciphertext = on_the_wire(&secured);
    let mut forged = ciphertext.clone();
    forged[20] ^= 1;
    let mut assembler = Assembler::new(hospital.handle.clone().guarded(hospital.guard.clone()));
    let parts = |bytes: &[u8]| {
        [&bytes[..12], &bytes[12..]].map(|part| {
            let block = put(&hospital.handle, part);
            Part { block, start: 0, len: block.len }
        })
    };
    let (whole, wrong) = (parts(&ciphertext), parts(&forged));
    let (bundle, len) = (plain.bundle_id(), plain.payload_len());
    assembler.start(bundle.clone(), secured.header.clone(), len, whole.to_vec());
    let Input::Assembled { result: Ok(opened), .. } = hospital.next().await else { panic!("a whole") };
    assert_eq!((opened.header, opened.payload.cid), (Some(plain.clone()), bundle_spec::Cid::raw(PAYLOAD)));
    assert!(matches!(hospital.next().await, Input::BlockGained { .. }), "the ciphertext may go");
    for (header, parts) in [(secured.header, &wrong), (plain, &whole)] {
        assembler.start(bundle.clone(), header, len, parts.to_vec());
        assert!(matches!(hospital.next().await, Input::BlockGained { .. }), "nobody needs it");
        let Input::Assembled { result, .. } = hospital.next().await else { panic!("an outcome") };
        assert_eq!(result.unwrap_err(), AssemblyError::Distrusted);
    }
}

#[tokio::test]
async fn what_is_secured_goes_to_its_link() {
    let clinic = Place::new("dtn://clinic/", &SOURCE_RULES);
    let (departing, departures) = mpsc::unbounded_channel();
    let (commands, mut taken) = mpsc::channel(4);
    let outgoing = clinic.outgoing("dtn://hospital/lab");
    departing.send(Departing { link: LinkId(7), commands, outgoing }).unwrap();
    drop(departing);
    depart(clinic.guard.clone(), clinic.handle.clone(), departures).await;
    let Some(LinkCommand::Transmit(secured)) = taken.recv().await else { panic!("a transmission") };
    assert!(secured.sealed.is_some());
    // What others made is theirs to secure.
    assert!(!clinic.guard.secures(&"dtn://other/".parse().unwrap(), &secured.header));
}

#[tokio::test]
async fn a_key_file_that_changed_is_in_force_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let rules = settings(&["sign payload with mesh"], None);
    let write = |text: &str, mode| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    write(KEYS, 0o600);
    let (sender, receiver) = watch::channel(Arc::new(read_keys(&path).unwrap()));
    let guard = Guard::new(&settings(&[], None), Some(receiver), Arc::new(Metrics::new()));
    write(NEW_KEYS, 0o600);
    renew(&path, &rules, &sender).await;
    assert_eq!(guard.keys().keys().len(), 1);
    for (text, mode, words) in [
        ("{", 0o600, "not JSON"),
        (r#"{"keys": []}"#, 0o600, "no key `mesh`, which a rule to `sign` names"),
        (KEYS, 0o604, "can be read by every user"),
    ] {
        write(text, mode);
        renew(&path, &rules, &sender).await;
        assert_eq!(guard.keys().keys().len(), 1, "{text}");
        let error = load_keys(&path, &rules).unwrap_err().to_string();
        assert!(error.contains("keys.json") && error.contains(words), "{error}");
    }
}

#[test]
fn the_key_of_links_without_encryption_must_be_one_that_signs_and_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, KEYS).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(load_keys(&path, &settings(&[], Some("mesh"))).is_ok());
    for name in ["lab", "radio"] {
        let error = load_keys(&path, &settings(&[], Some(name))).unwrap_err().to_string();
        assert!(error.contains(&format!("no HMAC key `{name}`")), "{error}");
    }
}

/// Settings of bundle security with these rules.
fn settings(rules: &[&str], link_key: Option<&str>) -> SecuritySettings {
    let rules = Policy::parse(rules.iter().copied()).unwrap();
    SecuritySettings { keys: None, link_key: link_key.map(str::to_owned), rules }
}

/// A node's keys, rules, store and mailbox.
struct Place {
    node: NodeId,
    guard: Guard,
    handle: Handle,
    mailbox: mpsc::Receiver<Mail>,
    counts: Arc<Metrics>,
    _keys: watch::Sender<Arc<KeySet>>,
}

impl Place {
    fn new(node: &str, rules: &[&str]) -> Self {
        let node: NodeId = node.parse().unwrap();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(4 << 20));
        let clock = Arc::new(Clock::resume(0, Time::ZERO));
        let (handle, mailbox) = Handle::new(node.clone(), store, clock);
        let (sender, keys) = watch::channel(Arc::new(KeySet::parse(KEYS).unwrap()));
        let counts = Arc::new(Metrics::new());
        let guard = Guard::new(&settings(rules, Some("mesh")), Some(keys), Arc::clone(&counts));
        Self { node, guard, handle, mailbox, counts, _keys: sender }
    }

    fn outgoing(&self, destination: &str) -> Outgoing {
        let header = header(&self.node, destination, 1);
        let payload = put(&self.handle, PAYLOAD);
        Outgoing {
            bundle: header.bundle_id(),
            header,
            payload,
            start: 0,
            offset: 0,
            clear_only: false,
            sealed: None,
        }
    }

    /// A bundle comes over a link: what the agent hears of it.
    async fn receive(
        &mut self,
        header: &Header,
        payload: &[u8],
    ) -> Result<(Header, BlockRef, Option<Bytes>), Refusal> {
        self.receive_over(LinkClass::plain("test"), header, payload).await
    }

    async fn receive_over(
        &mut self,
        class: LinkClass,
        header: &Header,
        payload: &[u8],
    ) -> Result<(Header, BlockRef, Option<Bytes>), Refusal> {
        let handle = self.handle.clone().guarded(self.guard.clone());
        let LinkPort { reporter, commands: _commands, .. } = handle.open_link(None, class).await.unwrap();
        let block = put(&handle, payload);
        reporter.received(header.clone(), block, Some(Bytes::copy_from_slice(payload))).await.unwrap();
        loop {
            match self.next().await {
                Input::Received { header, payload, adu, .. } => return Ok((header, payload, adu)),
                Input::Distrusted { header: doubted, payload, reason, .. } => {
                    assert_eq!((doubted.bundle_id(), payload), (header.bundle_id(), block));
                    return Err(reason);
                }
                _ => {}
            }
        }
    }

    async fn next(&mut self) -> Input {
        loop {
            if let Mail::Input(input) = self.mailbox.recv().await.unwrap() {
                return input;
            }
        }
    }

    fn metrics(&self) -> String {
        let resources = Resources { store_free: 0, engines: Vec::new(), slots: 0 };
        let status = StatusView {
            node: self.node.clone(),
            bundles: 0,
            bytes: 0,
            jobs_open: 0,
            jobs_running: 0,
            jobs: 0,
            resources,
            links: Vec::new(),
            tasks: Vec::new(),
        };
        self.counts.encode(&status, &self.handle.store().usage())
    }
}

fn header(node: &NodeId, destination: &str, sequence: u64) -> Header {
    let timestamp = CreationTimestamp { time: DtnTime(820_000_000_000), sequence };
    let len = u64::try_from(PAYLOAD.len()).unwrap();
    Builder::new(node.endpoint("desk", 1), destination.parse().unwrap(), timestamp, 60_000)
        .age_ms(0)
        .hop_limit(9)
        .crc(CrcType::Castagnoli)
        .header(len)
}

fn put(handle: &Handle, bytes: &[u8]) -> BlockRef {
    let mut writer = handle.store().create(u64::try_from(bytes.len()).unwrap()).unwrap();
    writer.write(bytes).unwrap();
    writer.finish(None).unwrap()
}

/// The payload as the link sends it.
fn on_the_wire(outgoing: &Outgoing) -> Vec<u8> {
    let mut payload = PAYLOAD.to_vec();
    if let Some(mut stream) = outgoing.sealed.clone() {
        stream.apply(0, &mut payload);
    }
    payload
}
