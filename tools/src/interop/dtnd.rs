//! `dtnd` of the crate `dtn7` as an agent of a run, driven over its REST interface.
//!
//! Its limits, which cells name as its faults: a REST body of 2 MiB at most, no reassembly of fragments, no
//! CRC on the primary block of what it makes.

use std::{cell::RefCell, path::Path, process::Command};

use bundle_spec::{
    Builder, Bundle, BundleFlags, CreationTimestamp, DtnTime, Lax, fragment,
    report::{AdministrativeRecord, Assertion},
};
use bytes::Bytes;

use super::{
    agent::{Agent, Road, Wish, folder_of},
    http::Http,
    process::{PATIENCE, Process, free_port, wait_for},
};
use crate::field::FieldError;

/// A running dtnd.
pub struct Dtnd {
    name: String,
    process: RefCell<Process>,
    http: Http,
    ports: [(Road, u16); 3],
}

const INBOX: &str = "incoming";
/// Milliseconds; long enough for any run.
const LIFETIME_MS: u64 = 3_600_000;

impl Dtnd {
    /// Starts one and waits until it answers.
    pub fn start(binaries: &Path, name: &str, folder: &Path, store: &str) -> Result<Self, FieldError> {
        let own = folder_of(folder, name)?;
        let web = free_port()?;
        let mut ports = [(Road::Tcpcl, 0), (Road::Mtcp, 0), (Road::Udp, 0)];
        let mut command = Command::new(binaries.join("dtnd"));
        command.args(["-4", "-i0", "--disable_nd", "-j2s", "-p", "1h", "-r", "epidemic", "-g"]);
        command.args(["-D", store, "-n", name, "-e", INBOX, "-w", &web.to_string()]).arg("-W").arg(&own);
        for (road, port) in &mut ports {
            *port = free_port()?;
            let cla = match road {
                Road::Tcpcl => "tcp",
                Road::Mtcp => "mtcp",
                Road::Udp => "udp",
            };
            command.arg("-C").arg(format!("{cla}:port={port}:bind=127.0.0.1"));
        }
        let process = RefCell::new(Process::start(name, command, folder)?);
        let http = Http::new(web);
        wait_for(&format!("the web port of {name}"), PATIENCE, || {
            process.borrow_mut().check()?;
            Ok(http.answers().then_some(()))
        })?;
        Ok(Self { name: name.to_owned(), process, http, ports })
    }

    /// Where its REST interface listens.
    pub fn port(&self) -> u16 {
        self.http.port()
    }

    /// How many bundles it has delivered since it started.
    pub fn delivered(&self) -> Result<u64, FieldError> {
        let text = self.http.get("/status/info")?.body;
        let info: serde_json::Value = serde_json::from_slice(&text).map_err(std::io::Error::from)?;
        Ok(info["delivered"].as_u64().unwrap_or(0))
    }

    fn scheme(road: Road) -> &'static str {
        match road {
            Road::Tcpcl => "tcp",
            Road::Mtcp => "mtcp",
            Road::Udp => "udp",
        }
    }

    /// The next bundle at one of its endpoints.
    fn pop(&self, endpoint: &str) -> Result<Option<Bundle>, FieldError> {
        let answer = self.http.get(&format!("/endpoint?{endpoint}"))?;
        if answer.body == b"Nothing to receive" {
            return Ok(None);
        }
        let bundle = Bundle::parse(Bytes::from(answer.body), &Lax::all());
        let broken = |error| FieldError::Broken(format!("{} delivers no bundle: {error}", self.name));
        Ok(Some(bundle.map_err(broken)?))
    }

    /// A bundle of this node as we encode it.
    fn bundle(&self, to: &str, payload: &[u8], wish: Wish) -> Result<Bundle, FieldError> {
        let parse = |text: &str| text.parse().map_err(|error| FieldError::Broken(format!("{text}: {error}")));
        let stamp: [u64; 2] =
            serde_json::from_slice(&self.http.get("/cts")?.body).map_err(std::io::Error::from)?;
        let timestamp = CreationTimestamp { time: DtnTime(stamp[0]), sequence: stamp[1] };
        let mut flags = BundleFlags::NONE;
        if !wish.may_fragment {
            flags = flags | BundleFlags::MUST_NOT_FRAGMENT;
        }
        if wish.reports_delivery {
            flags = flags | BundleFlags::REPORT_DELIVERY;
        }
        let source = if wish.is_answerable { self.inbox() } else { self.node() };
        let builder = Builder::new(parse(&source)?, parse(to)?, timestamp, LIFETIME_MS);
        Ok(builder.flags(flags).bundle(Bytes::copy_from_slice(payload)))
    }

    /// Hands it a bundle in two fragments.
    pub fn send_cut(&self, to: &str, payload: &[u8]) -> Result<(), FieldError> {
        let bundle = self.bundle(to, payload, Wish { may_fragment: true, ..Wish::default() })?;
        let cut = bundle.header.payload_len() / 2;
        let parts = fragment::split(&bundle.header, &[cut])
            .map_err(|error| FieldError::Broken(format!("the bundle cannot be cut: {error}")))?;
        let mut rest = bundle.payload;
        for header in parts {
            let len = usize::try_from(header.payload_len()).expect("it is a part of what is in memory");
            let payload = rest.split_to(len);
            self.insert(&Bundle { header, payload }.encode())?;
        }
        Ok(())
    }

    /// Hands it a bundle as it is; its source must be this node.
    fn insert(&self, bundle: &[u8]) -> Result<(), FieldError> {
        let answer = self.http.post("/insert", bundle)?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(FieldError::Broken(format!("{} refused a bundle with status {}", self.name, answer.status)))
    }
}

impl Agent for Dtnd {
    fn name(&self) -> &str {
        &self.name
    }

    fn node(&self) -> String {
        format!("dtn://{}/", self.name)
    }

    fn inbox(&self) -> String {
        format!("dtn://{}/{INBOX}", self.name)
    }

    fn listens(&self, road: Road) -> Result<String, FieldError> {
        let port = self.ports.iter().find(|(known, _)| *known == road).expect("it listens on every road").1;
        Ok(format!("127.0.0.1:{port}"))
    }

    fn meet(&self, road: Road, other: &dyn Agent) -> Result<(), FieldError> {
        let node = other.node();
        let name = node.trim_start_matches("dtn://").trim_start_matches("ipn:").trim_end_matches('/');
        let (scheme, address) = (Self::scheme(road), other.listens(road)?);
        let answer = self.http.get(&format!("/peers/add?p={scheme}://{address}/{name}&p_t=STATIC"))?;
        if answer.status == 200 {
            return Ok(());
        }
        Err(FieldError::Broken(format!("{} does not take a peer: {}", self.name, answer.status)))
    }

    fn send(&self, to: &str, payload: &[u8], wish: Wish) -> Result<(), FieldError> {
        if wish == Wish::default() {
            let answer = self.http.post(&format!("/send?dst={to}"), payload)?;
            if answer.status != 200 {
                return Err(FieldError::Broken(format!("`/send` says {}", answer.status)));
            }
            return Ok(());
        }
        self.insert(&self.bundle(to, payload, wish)?.encode())
    }

    fn take(&self) -> Result<Option<Vec<u8>>, FieldError> {
        Ok(self.pop(INBOX)?.map(|bundle| bundle.payload.to_vec()))
    }

    fn has_delivery_report(&self) -> Result<bool, FieldError> {
        while let Some(bundle) = self.pop(&self.node())? {
            if let Ok(AdministrativeRecord::StatusReport(report)) =
                AdministrativeRecord::decode(&bundle.payload)
                && report.delivered != Assertion::No
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn memory_peak(&self) -> u64 {
        self.process.borrow().memory_peak()
    }
}
