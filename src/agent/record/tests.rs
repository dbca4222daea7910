use bundle_spec::{CreationTimestamp, DtnTime, FragmentExtent, NodeId};

use super::*;
use crate::agent::Step;

#[test]
fn every_record_reads_back_as_it_was() {
    for record in samples() {
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
    }
}

#[test]
fn a_record_of_a_newer_version_is_named_as_such() {
    let mut bytes = Record::Sequence { time: 1, sequence: 2 }.encode();
    bytes[4] = 9;
    assert_eq!(Record::decode(&bytes), Err(RecordError::Newer(9)));
}

#[test]
fn a_record_that_was_cut_off_is_malformed() {
    for record in samples() {
        let bytes = record.encode();
        for len in 0..bytes.len() {
            assert!(matches!(Record::decode(&bytes[..len]), Err(RecordError::Malformed(_))), "{record:?}");
        }
    }
}

#[test]
fn what_ends_a_key_has_the_key_that_it_ends() {
    let (id, job) = ([7; 16], [8; 32]);
    let endpoint = bundle_spec::Eid::ipn(0, 7, 42);
    let key = registration::record_key(&endpoint);
    let pairs = [
        (Record::Registration { endpoint }, Record::RegistrationGone { key }),
        (Record::Taken { id }, Record::TakenGone { id }),
        (Record::Seen { id, until: Time(1) }, Record::SeenGone { id }),
        (Record::Receipt { job, adu: Bytes::new(), until: Time(1) }, Record::ReceiptGone { job }),
        (samples()[0].clone(), Record::BundleGone { id: bundle_id().digest() }),
        (samples()[1].clone(), Record::JobGone { job: *Cid::dag_cbor(b"job").digest() }),
        (samples()[2].clone(), Record::ModelGone { name: "field-report".to_owned() }),
    ];
    for (record, gone) in pairs {
        assert_eq!(record.key(), gone.key());
        assert_eq!(record.key().to_bytes(), gone.key().to_bytes());
        assert!(!record.is_gone());
        assert!(gone.is_gone());
    }
}

#[test]
fn no_bytes_make_reading_a_record_panic() {
    bolero::check!().with_iterations(2000).for_each(|bytes: &[u8]| {
        if let Ok(record) = Record::decode(bytes) {
            assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }
        let mut framed = b"PNR\0\x01".to_vec();
        framed.extend_from_slice(bytes);
        if let Ok(record) = Record::decode(&framed) {
            assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        }
    });
}

fn bundle_id() -> BundleId {
    BundleId {
        source: "dtn://village/answers".parse().unwrap(),
        timestamp: CreationTimestamp { time: DtnTime(800_000_000_000), sequence: 3 },
        fragment: Some(FragmentExtent { offset: 5, len: 6 }),
    }
}

fn journey(node: &NodeId) -> Vec<JourneyEntry> {
    let steps = [
        Step::Accepted,
        Step::Received { from: Some(node.clone()) },
        Step::Forwarded { to: Some(node.clone()), cla: "quic".to_owned() },
        Step::Received { from: None },
        Step::Forwarded { to: None, cla: "mtcp".to_owned() },
        Step::Waiting { why: "a contact".to_owned() },
        Step::Started { engine: "llama".to_owned() },
        Step::Answered { by: node.clone() },
        Step::Failed { by: node.clone(), why: "no memory".to_owned() },
        Step::Expired,
        Step::Cancelled,
        Step::Reported { by: Some(node.clone()), what: "delivered".to_owned() },
        Step::Reported { by: None, what: "deleted: lifetime expired".to_owned() },
    ];
    steps.into_iter().map(|step| JourneyEntry { at: Time(4), wall: 5, step }).collect()
}

fn samples() -> Vec<Record> {
    let node: NodeId = "dtn://clinic/".parse().unwrap();
    let block = BlockRef::raw(b"payload");
    let job = Cid::dag_cbor(b"job");
    let bundle = BundleRecord {
        id: bundle_id(),
        header: Bytes::from_static(b"header"),
        payload: block,
        received: Time(1),
        expires: Time(2),
        job: Some(job),
        retention: Retention::RunPending,
    };
    let known = JobRecord {
        job,
        payload: block,
        until: Time(9),
        received_at: 10,
        askers: vec![AskerRecord {
            reply_to: "ipn:7.1".parse().unwrap(),
            until: Time(8),
            local: true,
            answered: false,
            sequence: 7,
        }],
        state: JobState::Open,
        journey: journey(&node),
        work: Some(JobWork {
            kind: Some(Kind::Echo),
            model: ModelSelector::Cid(job),
            inputs: vec![block],
            seal: None,
        }),
        outputs: vec![block],
        missing: vec![[3; 32]],
    };
    let seal = Seal { level: SealLevel::To, commitment: [3; 32], is_open_here: true };
    let named = JobWork {
        kind: Some(Kind::Chat),
        model: ModelSelector::Named("m".to_owned()),
        inputs: Vec::new(),
        seal: Some(seal),
    };
    let answered = JobState::Answered { result: block, success: true };
    let model = ModelRecord {
        name: "field-report".to_owned(),
        manifest: block,
        adu: Bytes::from_static(b"adu"),
        blocks: vec![block, BlockRef::raw(b"chunk")],
    };
    let mut all = vec![
        Record::Bundle(Box::new(bundle.clone())),
        Record::Job(Box::new(known.clone())),
        Record::Model(Box::new(model)),
        Record::Bundle(Box::new(BundleRecord { job: None, ..bundle })),
        Record::Job(Box::new(JobRecord { work: Some(named), state: answered, ..known.clone() })),
        Record::BundleGone { id: [1; 16] },
        Record::Seen { id: [2; 16], until: Time(3) },
        Record::SeenGone { id: [2; 16] },
        Record::JobGone { job: [4; 32] },
        Record::ModelGone { name: "m".to_owned() },
        Record::Receipt { job: [5; 32], adu: Bytes::from_static(b"receipt"), until: Time(6) },
        Record::ReceiptGone { job: [5; 32] },
        Record::Sequence { time: 7, sequence: 8 },
        Record::Registration { endpoint: "dtn://global/~news".parse().unwrap() },
        Record::RegistrationGone { key: [6; 32] },
        Record::Taken { id: [9; 16] },
        Record::TakenGone { id: [9; 16] },
    ];
    for state in [JobState::Done, JobState::Expired, JobState::Cancelled] {
        all.push(Record::Job(Box::new(JobRecord { state, work: None, ..known.clone() })));
    }
    all
}
