//! One example of every ADU.

use bundle_spec::{
    BlockRef, NodeId,
    adu::{
        Adu, Advert, Cancel, EngineAdvert, Failure, Have, Job, JobInput, JobResult, Kind, ModelSelector,
        Outcome, Output, Receipt, SealLevel, SealedJob, SealedResult, Statement, Timings, Usage, Value, Want,
    },
    manifest::{AssetKind, ChunkList, Manifest},
    sealing::{Entropy, SealingKey},
    sign::SigningKey,
};

/// By the names of their vectors: type, then what is special.
pub fn all() -> Vec<(&'static str, Adu)> {
    vec![
        ("job", Adu::Job(job())),
        ("job-smallest", Adu::Job(smallest())),
        ("result-completed", Adu::Result(completed())),
        ("result-failed", Adu::Result(failed())),
        ("sealed-job", Adu::SealedJob(sealed_job())),
        ("sealed-result", Adu::SealedResult(sealed_result())),
        ("manifest", Adu::Manifest(manifest())),
        ("manifest-data", Adu::Manifest(data())),
        ("chunks", Adu::ChunkList(chunks())),
        ("want", want()),
        ("have", have()),
        ("advert", advert()),
        ("receipt", Adu::Receipt(receipt())),
        ("cancel", Adu::Cancel(Cancel::sign(job().cid(), node(), 11, &key()))),
    ]
}

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn node() -> NodeId {
    key().public().node_id()
}

pub fn job() -> Job {
    let parameters = [
        ("temperature", Value::Float(0.5)),
        ("max_tokens", Value::Integer(32)),
        ("seed", Value::Integer(-7)),
        ("stop", Value::List(vec![Value::Text("\n".into()), Value::Text("Ende".into())])),
        ("echo", Value::Bool(false)),
    ];
    Job {
        kind: Kind::Chat,
        model: ModelSelector::Cid(manifest().cid()),
        inputs: vec![
            JobInput::Inline { media: "text/plain".into(), data: "Is the bridge open?".into() },
            JobInput::Link { media: "audio/wav".into(), block: BlockRef::raw(&[0x55; 300]) },
        ],
        parameters: parameters.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        nonce: Some(*b"0123456789abcdef"),
    }
}

fn smallest() -> Job {
    Job { kind: Kind::Echo, model: ModelSelector::None, inputs: vec![], parameters: [].into(), nonce: None }
}

/// The executors' key, and the asker's.
pub fn sealing_keys() -> [SealingKey; 2] {
    [[5; 32], [6; 32]].map(|secret| SealingKey::from_bytes(&secret))
}

pub fn sealed_job() -> SealedJob {
    let [executors, asker] = sealing_keys();
    let recipients = [executors.public(), SealingKey::from_bytes(&[8; 32]).public()];
    let entropy = Entropy([1; 32]);
    SealedJob::seal(&job().encode(), SealLevel::Group, &recipients, asker.public(), entropy)
        .expect("a short job is sealed")
}

pub fn sealed_result() -> SealedResult {
    let opened = sealed_job().open(&sealing_keys()).expect("the key opens it");
    let statement = Statement { job: sealed_job().cid(), ..completed().statement };
    let result = JobResult::sign(statement, &key()).encode();
    SealedResult::seal(sealed_job().cid(), &result, &opened, Entropy([2; 32]))
        .expect("a short result is sealed")
}

pub fn completed() -> JobResult {
    let outputs = vec![
        Output::Inline { media: "text/plain".into(), data: "No, since Monday.".into() },
        Output::Link { media: "audio/wav".into(), block: BlockRef::raw(b"no") },
    ];
    JobResult::sign(statement(Outcome::Completed { outputs, finish: "stop".into() }), &key())
}

fn failed() -> JobResult {
    let outcome = Outcome::Failed { failure: Failure::BadModel, detail: "no tensor `output.weight`".into() };
    JobResult::sign(Statement { model: None, ..statement(outcome) }, &key())
}

fn statement(outcome: Outcome) -> Statement {
    Statement {
        job: job().cid(),
        model: Some(manifest().cid()),
        engine: "llama".into(),
        fingerprint: "llama 0.1 x86_64 avx2 n_batch=512".into(),
        parameters: job().parameters,
        outcome,
        usage: Usage { prompt_tokens: 12, completion_tokens: 300 },
        timings: Timings { received_at: 0, started_at: 848_620_800_000, load_ms: 70, run_ms: 65_536 },
        executor: node(),
    }
}

pub fn manifest() -> Manifest {
    let hints = [
        ("architecture", Value::Text("llama".into())),
        ("context_length", Value::Integer(512)),
        ("chat_template", Value::Bool(true)),
    ];
    Manifest {
        kind: AssetKind::Gguf,
        file: BlockRef::raw(b"header, tensors"),
        chunk_lists: vec![chunks().block()],
        hints: hints.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// A file of no known structure, which people know by its SHA-256.
pub fn data() -> Manifest {
    let alias = "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2";
    Manifest {
        kind: AssetKind::Data,
        file: BlockRef::raw(b"test\n"),
        chunk_lists: vec![ChunkList { chunks: vec![BlockRef::raw(b"test\n")] }.block()],
        hints: [(Manifest::ALIAS_HINT.to_owned(), Value::Text(alias.to_owned()))].into(),
    }
}

fn chunks() -> ChunkList {
    ChunkList { chunks: vec![BlockRef::raw(b"header, "), BlockRef::raw(b"tensors")] }
}

fn want() -> Adu {
    let blocks = vec![manifest().file.cid, manifest().chunk_lists[0].cid];
    Adu::Want(Want { node: node(), blocks, names: vec!["stories".into()] })
}

fn have() -> Adu {
    let jobs = vec![*job().cid().digest()];
    Adu::Have(Have { node: node(), more: true, bundles: vec![[1; 16], [2; 16]], jobs })
}

pub fn advert() -> Adu {
    let engine = EngineAdvert {
        name: "echo".into(),
        fingerprint: "echo 1".into(),
        kinds: vec![Kind::Echo, Kind::Chat],
    };
    Adu::Advert(Advert {
        node: "dtn://clinic/".parse().expect("a node ID"),
        version: "0.1.0".into(),
        engines: vec![engine],
        models: vec![("stories".into(), manifest().cid())],
    })
}

pub fn receipt() -> Receipt {
    Receipt::sign(job().cid(), completed().cid(), node(), 848_620_900_000, 11, &key())
}
