//! Forwarding in memory: bundles as they come from a wire, through a hardy agent with its store in memory, to
//! bundles as they go onto the next wire. No disk, no socket. As many are under way at a time as the agent
//! takes; says how many seconds all of them took.

use std::{
    borrow::Cow,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use hardy_bpa::{
    Bytes, async_trait,
    bpa::{Bpa, BpaRegistration},
    cla::{self, ClaAddress, ForwardBundleResult, Sink},
    node_ids::NodeIds,
};
use hardy_bpv7::{
    builder::Builder,
    creation_timestamp::CreationTimestamp,
    eid::{Eid, NodeId},
};
use tokio::sync::Notify;

use super::Failure;

/// Bytes of each payload.
const PAYLOAD_BYTES: usize = 1024;

/// The wire on both sides.
struct Wire {
    sink: OnceLock<Box<dyn Sink>>,
    /// How many bundles are to leave before it is said.
    wanted: AtomicUsize,
    sent: AtomicUsize,
    done: Notify,
}

#[async_trait]
impl cla::Cla for Wire {
    async fn on_register(&self, sink: Box<dyn Sink>, _node_ids: &[NodeId]) {
        let _ = self.sink.set(sink);
    }

    async fn on_unregister(&self) {}

    async fn forward(
        &self,
        _queue: Option<u32>,
        _address: &ClaAddress,
        bundle: Bytes,
    ) -> cla::Result<ForwardBundleResult> {
        std::hint::black_box(bundle);
        if self.sent.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted.load(Ordering::Relaxed) {
            self.done.notify_one();
        }
        Ok(ForwardBundleResult::Sent)
    }
}

/// Forwards `count` bundles and as many before that do not count; how long the ones that count took.
pub async fn run(count: usize) -> Result<f64, Failure> {
    let node: NodeId = "ipn:1.0".parse()?;
    let bpa = Bpa::builder().node_ids(NodeIds::try_from([node].as_slice())?).build().await?;
    bpa.start(false);
    let wire = Arc::new(Wire {
        sink: OnceLock::new(),
        wanted: AtomicUsize::new(0),
        sent: AtomicUsize::new(0),
        done: Notify::new(),
    });
    bpa.register_cla("wire".to_owned(), wire.clone(), None).await?;
    let sink = wire.sink.get().ok_or("the wire is not registered")?;
    let peer: NodeId = "ipn:2.0".parse()?;
    sink.add_peer(ClaAddress::Private("peer".as_bytes().into()), &[peer]).await?;
    let mut seconds = 0.0;
    for _ in 0..2 {
        let bundles = made(count)?;
        wire.sent.store(0, Ordering::Relaxed);
        wire.wanted.store(count, Ordering::Relaxed);
        let began = Instant::now();
        for bundle in bundles {
            sink.dispatch(bundle, None, None).await?;
        }
        wire.done.notified().await;
        seconds = began.elapsed().as_secs_f64();
    }
    bpa.shutdown().await;
    Ok(seconds)
}

/// Bundles as they come.
fn made(count: usize) -> Result<Vec<Bytes>, Failure> {
    let (source, destination): (Eid, Eid) = ("ipn:3.1".parse()?, "ipn:2.99".parse()?);
    let payload = [42_u8; PAYLOAD_BYTES];
    (0..count)
        .map(|_| {
            let builder = Builder::new(source.clone(), destination.clone());
            let built = builder.with_payload(Cow::Borrowed(&payload)).build(CreationTimestamp::now())?;
            Ok(Bytes::from(built.1))
        })
        .collect()
}
