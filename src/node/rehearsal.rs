//! A node without disk, links and workers, for tests of what stands around the loop: a real agent on a
//! store in memory, and an engine that says what the job's input tells it to say.
//!
//! The input is the answer, in pieces between `|`. `hold` is never answered, `fail` fails, `again` after a
//! first attempt `A|B` that breaks off begins anew.

#![cfg(test)]

use std::{collections::BTreeMap, sync::Arc};

use bundle_spec::{
    BlockRef, Cid, Codec,
    adu::{Failure, Job, JobInput, JobResult, Kind, Outcome, Output as Made, Statement, Timings, Usage},
    manifest::{AssetKind, Manifest},
    security::Policy,
    sign::SigningKey,
};
use tokio::sync::{mpsc, oneshot};

use super::{
    clock::Clock,
    mailbox::{Handle, Mail},
};
use crate::{
    agent::{
        Agent, Answer, CallId, Config, EngineState, Event, EventKind, Input, Output, Resources, Step,
        SubmitError, Task, TaskOutcome,
    },
    inference::Piece,
    route::Epidemic,
    store::{MemoryStore, Store},
    time::Time,
};

/// The model that is held.
pub(crate) const MODEL: &str = "parrot";
/// The key of the node.
const KEY: [u8; 32] = [3; 32];

/// A node on whose store `quota` bytes of blocks fit. It ends when its handles do.
pub(crate) async fn begin(quota: u64) -> Handle {
    let key = SigningKey::from_bytes(&KEY);
    let node = key.public().node_id();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(quota));
    let clock = Arc::new(Clock::resume(0, Time::ZERO));
    let config = Config {
        node: node.clone(),
        key,
        version: String::from("rehearsal"),
        bundles_max: 1000,
        status_reports: false,
        rules: Policy::default(),
    };
    let agent = Agent::restore(config, Box::new(Epidemic), [1; 32], Vec::new(), clock.now());
    let (handle, mailbox) = Handle::new(node, store, clock);
    tokio::spawn(run(agent, handle.clone(), mailbox));
    let engine = EngineState {
        name: String::from("llama"),
        fingerprint: String::from("parrot 1"),
        kinds: vec![Kind::Chat, Kind::Complete, Kind::Echo],
    };
    let resources = Resources { store_free: quota, engines: vec![engine], slots: 4 };
    handle.input(Input::Resources(resources)).await.unwrap();
    if quota > 0 {
        keep_model(&handle).await;
    }
    handle
}

async fn keep_model(handle: &Handle) {
    let file = handle.write_block((&b"weights"[..]).into()).await.unwrap();
    let list = bundle_spec::manifest::ChunkList { chunks: vec![file] };
    let list = handle.write_block(list.encode()).await.unwrap();
    let list = BlockRef { cid: list.cid.with_codec(Codec::DagCbor), ..list };
    let manifest = Manifest { kind: AssetKind::Gguf, file, chunk_lists: vec![list], hints: BTreeMap::new() };
    let adu = manifest.encode();
    let block = BlockRef { cid: manifest.cid(), ..handle.write_block(adu.clone()).await.unwrap() };
    handle.add_model(MODEL.to_owned(), block, adu, vec![block, list, file]).await.unwrap();
}

async fn run(mut agent: Agent, handle: Handle, mut mailbox: mpsc::Receiver<Mail>) {
    let mut calls: BTreeMap<CallId, oneshot::Sender<Result<Answer, SubmitError>>> = BTreeMap::new();
    let mut next_call = 0;
    loop {
        while let Some(output) = agent.poll() {
            match output {
                Output::Record(record) => handle.store().append(&[record]).unwrap(),
                Output::Answer { call, result } => drop(calls.remove(&call).unwrap().send(result)),
                Output::Event(event) => handle.tell(event),
                Output::Run(task) => drop(tokio::spawn(work(handle.clone(), task))),
                _ => {}
            }
        }
        let Some(mut mail) = mailbox.recv().await else { return };
        let now = handle.clock().now();
        if let Mail::Brought(brought) = mail {
            let Some(kept) = brought.keep(&agent, handle.store().as_ref(), now).unwrap() else { continue };
            mail = kept;
        }
        match mail {
            Mail::Input(input) => agent.handle(now, input),
            Mail::Call { input, answer } => {
                next_call += 1;
                calls.insert(CallId(next_call), answer);
                agent.handle(now, input(CallId(next_call)));
            }
            Mail::Ask(question) => question(&agent, now),
            Mail::Link { .. } | Mail::Brought(_) => {}
        }
    }
}

async fn work(handle: Handle, task: Task) {
    let adu = handle.read_block(*task.payload.cid.digest(), task.payload.len).await.unwrap().unwrap();
    let job = Job::decode(&adu).unwrap();
    let script = match &job.inputs[0] {
        JobInput::Inline { data, .. } => String::from_utf8_lossy(data).into_owned(),
        JobInput::Link { block, .. } => {
            let bytes = handle.read_block(*block.cid.digest(), block.len).await.unwrap().unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    let outcome = match script.as_str() {
        "hold" => return,
        "fail" => Outcome::Failed { failure: Failure::BadInput, detail: String::from("not a word") },
        script => {
            if let Some((first, _)) = script.split_once("again") {
                say(&handle, task.job, first);
                let step = Step::Started { engine: task.engine.clone() };
                let kind = EventKind::Job { job: task.job, step };
                handle.tell(Event { at: handle.clock().now(), wall: 0, kind });
            }
            let script = script.replace("again", "");
            say(&handle, task.job, &script);
            let data = script.replace('|', "").into();
            Outcome::Completed {
                outputs: vec![Made::Inline { media: String::from("text/plain"), data }],
                finish: String::from("stop"),
            }
        }
    };
    let statement = Statement {
        job: task.job,
        model: task.model.map(|model| model.manifest.cid),
        engine: task.engine,
        fingerprint: String::from("parrot 1"),
        parameters: job.parameters,
        outcome,
        usage: Usage { prompt_tokens: 2, completion_tokens: 3 },
        timings: Timings::default(),
        executor: handle.node_id().clone(),
    };
    let adu = JobResult::sign(statement, &SigningKey::from_bytes(&KEY)).encode();
    let payload = handle.write_block(adu.clone()).await.unwrap();
    let outcome = TaskOutcome::Answered { payload, adu, blocks: Vec::new(), retryable: false };
    handle.input(Input::TaskEnded { task: task.job, outcome }).await.unwrap();
}

fn say(handle: &Handle, job: Cid, script: &str) {
    for piece in script.split('|').filter(|piece| !piece.is_empty()) {
        handle.emit(job, Piece::Text(piece.to_owned()));
    }
}
