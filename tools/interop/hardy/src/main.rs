//! A hardy node with a TCPCLv4 listener, the echo service 7 and an application 1, driven by lines on its
//! standard input:
//!
//!     connect HOST:PORT
//!     send EID LIFETIME_SECONDS FILE
//!
//! With `forward COUNT` as arguments it is no node: it says how many seconds forwarding in memory takes.
//!
//! Each is answered by a line `ok …` or `error …`. What arrives for the application becomes a file in the inbox,
//! named by a counter; a status report about what it sent becomes a line `report KIND`.

mod forward;

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hardy_bpa::{
    Bytes, async_trait,
    bpa::{Bpa, BpaRegistration},
    node_ids::NodeIds,
    services::{Application, ApplicationSink, SendOptions, StatusNotify},
};
use hardy_bpv7::{
    bundle::Id,
    eid::{Eid, NodeId, Service},
    status_report::ReasonCode,
};
use hardy_echo_service::EchoService;
use hardy_tcpclv4::{Cla, config::Config};
use tokio::io::{AsyncBufReadExt, BufReader};

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: interop-hardy NODE_ID HOST:PORT INBOX [TRANSFER_MRU] | forward COUNT";
const APPLICATION: u32 = 1;
const ECHO: u32 = 7;

/// The application: a folder of what arrived.
struct Inbox {
    folder: PathBuf,
    count: AtomicU64,
    sink: OnceLock<Box<dyn ApplicationSink>>,
}

#[async_trait]
impl Application for Inbox {
    async fn on_register(&self, _source: &Eid, sink: Box<dyn ApplicationSink>) {
        let _ = self.sink.set(sink);
    }

    async fn on_unregister(&self) {}

    async fn on_receive(
        &self,
        _source: Eid,
        _expiry: time::OffsetDateTime,
        _ack_requested: bool,
        payload: Bytes,
    ) -> hardy_bpa::services::Result<()> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{number:08}"));
        let part = path.with_extension("part");
        let written = fs::write(&part, &payload).and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| hardy_bpa::services::Error::Internal(error.into()))
    }

    async fn on_status_notify(
        &self,
        _bundle_id: &Id,
        _from: &Eid,
        kind: StatusNotify,
        _reason: ReasonCode,
        _timestamp: Option<time::OffsetDateTime>,
    ) {
        println!("report {kind:?}");
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, count] = arguments.as_slice()
        && word == "forward"
    {
        println!("{}", forward::run(count.parse()?).await?);
        return Ok(());
    }
    let ([node, listen, inbox], rest) = arguments.split_first_chunk().ok_or(USAGE)?;
    let node: NodeId = node.parse().map_err(|error| format!("{node}: {error}"))?;
    let ids = NodeIds::try_from([node].as_slice())?;
    let bpa = Bpa::builder().node_ids(ids).status_reports(true).build().await?;
    let mut config = Config { address: Some(listen.parse()?), ..Config::default() };
    if let Some(transfer_mru) = rest.first() {
        config.transfer_mru = transfer_mru.parse()?;
    }
    let cla = Arc::new(Cla::new(&config)?);
    bpa.register_cla("tcp".to_owned(), cla.clone(), None).await?;
    bpa.register_service(Service::Ipn(ECHO), Arc::new(EchoService::new())).await?;
    let inbox =
        Arc::new(Inbox { folder: PathBuf::from(inbox), count: AtomicU64::new(0), sink: OnceLock::new() });
    bpa.register_application(Service::Ipn(APPLICATION), inbox.clone()).await?;
    bpa.start(false);
    println!("ready");
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match obey(&line, &cla, &inbox).await {
            Ok(said) => println!("ok {said}"),
            Err(error) => println!("error {error}"),
        }
    }
    bpa.shutdown().await;
    Ok(())
}

async fn obey(line: &str, cla: &Cla, inbox: &Inbox) -> Result<String, Failure> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["connect", address] => {
            cla.connect(&address.parse()?).await?;
            Ok((*address).to_owned())
        }
        ["send", destination, lifetime, file] => {
            let sink = inbox.sink.get().ok_or("the application is not registered")?;
            let data = Bytes::from(fs::read(Path::new(file))?);
            let destination = destination.parse().map_err(|error| format!("{destination}: {error}"))?;
            let lifetime = Duration::from_secs(lifetime.parse()?);
            let options = SendOptions { notify_delivery: true, ..SendOptions::default() };
            let id = sink.send(destination, data, lifetime, Some(options)).await?;
            Ok(id.to_string())
        }
        _ => Err(format!("`{line}` is no command").into()),
    }
}
