//! Our own node as an agent of a run: started as people start it, driven over its gateway.

use std::{cell::RefCell, collections::VecDeque, fs, io, path::Path, process::Command};

use bundle_spec::{
    Bundle, Lax,
    report::{AdministrativeRecord, Assertion},
};
use bytes::Bytes;
use serde_json::Value;

use super::{
    agent::{Agent, Road, Wish, folder_of},
    http::Http,
    process::{PATIENCE, Process, wait_for},
};
use crate::field::FieldError;

/// A running node of ours.
pub struct Pannier {
    name: String,
    node: String,
    process: RefCell<Process>,
    http: Http,
    /// Where each of its roads listens, by the name of the road.
    links: Vec<(String, String)>,
    /// Bundles that wait at the inbox, by id, oldest first.
    waiting: RefCell<VecDeque<String>>,
}

/// Settings of every node here: ports that nobody has, no encryption where the peers have none.
const SETTINGS: [&str; 11] = [
    "cla.udp.lax=dtn7",
    "node.status-reports=on",
    "gateway.listen=127.0.0.1:0",
    "cla.quic.listen=off",
    "cla.tcpclv4.listen=127.0.0.1:0",
    "cla.tcpclv4.tls=never",
    "cla.tcpclv4.lax=dtn7",
    "cla.mtcp.listen=127.0.0.1:0",
    "cla.mtcp.lax=dtn7",
    "cla.udp.listen=127.0.0.1:0",
    "inference.engines=[]",
];
/// The last parts of its endpoints: in the dtn scheme and in the ipn scheme.
const INBOX: (&str, &str) = ("incoming", "42");
const REPORTS: (&str, &str) = ("reports", "43");

impl Pannier {
    /// Makes a home and starts a node with the ID `node` there.
    pub fn start(binary: &Path, name: &str, folder: &Path, node: &str) -> Result<Self, FieldError> {
        Self::start_with(binary, name, folder, (node, &[]))
    }

    /// The same, with other settings beside the usual ones.
    pub fn start_with(
        binary: &Path,
        name: &str,
        folder: &Path,
        (node, settings): (&str, &[&str]),
    ) -> Result<Self, FieldError> {
        let home = folder_of(folder, name)?;
        let ready = home.join("ready.json");
        let made = Command::new(binary).args(["-q", "init"]).env("PANNIER_HOME", &home).output()?;
        if !made.status.success() {
            return Err(FieldError::Broken(String::from_utf8_lossy(&made.stderr).trim().to_owned()));
        }
        let mut command = Command::new(binary);
        command.arg("run").arg("--ready-file").arg(&ready).env("PANNIER_HOME", &home);
        let eid = format!("node.eid={node}");
        for setting in SETTINGS.iter().chain([&eid.as_str()]).chain(settings) {
            command.args(["--set", setting]);
        }
        let process = RefCell::new(Process::start(name, command, folder)?);
        wait_for(&format!("the readiness file of {name}"), PATIENCE, || {
            process.borrow_mut().check()?;
            Ok(ready.exists().then_some(()))
        })?;
        let (port, links) = read_ready(&ready)?;
        let pannier = Self {
            name: name.to_owned(),
            node: node.to_owned(),
            process,
            http: Http::new(port),
            links,
            waiting: RefCell::default(),
        };
        for endpoint in [INBOX, REPORTS] {
            pannier.call("PUT", &format!("/api/endpoints/{}", pannier.demux(endpoint)), &[])?;
        }
        Ok(pannier)
    }

    /// Where its gateway listens.
    pub fn port(&self) -> u16 {
        self.http.port()
    }

    /// The path to which a payload for `to` is posted.
    pub fn submission(&self, to: &str) -> String {
        format!("/api/bundles?to={}&lifetime=1h&from={}", escaped(to), self.demux(INBOX))
    }

    /// How many bundles it has delivered since it started.
    pub fn delivered(&self) -> Result<u64, FieldError> {
        let text = self.call("GET", "/metrics", &[])?;
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find_map(|line| line.strip_prefix("pannier_bundles_delivered_total "));
        Ok(line.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
    }

    /// The endpoint that sends back what it gets.
    pub fn echo(&self) -> String {
        self.endpoint(("echo", "7"))
    }

    /// How long an echo from `endpoint` takes, in milliseconds; the median of `count`.
    pub fn ping(&self, endpoint: &str, count: usize) -> Result<f64, FieldError> {
        let mut took = Vec::with_capacity(count);
        for _ in 0..count {
            let start = crate::field::now();
            self.call("POST", &format!("/api/ping?to={}", escaped(endpoint)), &[])?;
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        Ok(took[took.len() / 2])
    }

    fn demux(&self, (word, number): (&'static str, &'static str)) -> &'static str {
        if self.node.starts_with("dtn:") { word } else { number }
    }

    fn endpoint(&self, names: (&'static str, &'static str)) -> String {
        let demux = self.demux(names);
        match self.node.strip_suffix(".0") {
            Some(ipn) => format!("{ipn}.{demux}"),
            None => format!("{}{demux}", self.node),
        }
    }

    /// Asks the gateway; what it refuses is an error in its words.
    fn call(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, FieldError> {
        let answer = self.http.ask(method, path, body)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        Err(FieldError::Command {
            node: self.name.clone(),
            command: format!("{method} {path}"),
            output: format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        })
    }

    /// The ids of what waits at an endpoint, oldest first.
    fn waits(&self, demux: &str) -> Result<Vec<String>, FieldError> {
        let text = self.call("GET", &format!("/api/endpoints/{demux}/bundles?max=1000"), &[])?;
        let bundles: Vec<Value> = serde_json::from_slice(&text).map_err(io::Error::from)?;
        Ok(bundles.iter().filter_map(|bundle| bundle["id"].as_str().map(str::to_owned)).collect())
    }

    /// Takes a bundle: reads this part of it, then deletes it.
    fn read(&self, id: &str, part: &str) -> Result<Vec<u8>, FieldError> {
        let path = format!("/api/bundles/{}", escaped(id));
        let bytes = self.call("GET", &format!("{path}/{part}"), &[])?;
        self.call("DELETE", &path, &[])?;
        Ok(bytes)
    }
}

impl Agent for Pannier {
    fn name(&self) -> &str {
        &self.name
    }

    fn node(&self) -> String {
        self.node.clone()
    }

    fn inbox(&self) -> String {
        self.endpoint(INBOX)
    }

    fn listens(&self, road: Road) -> Result<String, FieldError> {
        let name = road.to_string();
        let found = self.links.iter().find(|(cla, _)| *cla == name).map(|(_, address)| address.clone());
        found.ok_or_else(|| FieldError::Broken(format!("{} does not listen on {name}", self.name)))
    }

    fn meet(&self, road: Road, other: &dyn Agent) -> Result<(), FieldError> {
        // Nodes of the dtn scheme are ours or dtnd; the latter needs its switches.
        let options = match (road, other.node().starts_with("dtn:")) {
            (Road::Tcpcl, true) => "&tls=never&lax=dtn7",
            (Road::Tcpcl, false) => "&tls=never",
            (Road::Mtcp | Road::Udp, _) => "",
        };
        self.dial(road, other, options)
    }

    fn send(&self, to: &str, payload: &[u8], wish: Wish) -> Result<(), FieldError> {
        let mut path = self.submission(to);
        if !wish.may_fragment {
            path.push_str("&no_fragment=true");
        }
        if wish.reports_delivery {
            path.push_str(&format!("&reports=delivered&report_to={}", escaped(&self.endpoint(REPORTS))));
        }
        self.call("POST", &path, payload)?;
        Ok(())
    }

    fn take(&self) -> Result<Option<Vec<u8>>, FieldError> {
        if self.waiting.borrow().is_empty() {
            self.waiting.borrow_mut().extend(self.waits(self.demux(INBOX))?);
        }
        let next = self.waiting.borrow_mut().pop_front();
        next.map(|id| self.read(&id, "payload")).transpose()
    }

    fn has_delivery_report(&self) -> Result<bool, FieldError> {
        for id in self.waits(self.demux(REPORTS))? {
            let bundle = Bundle::parse(Bytes::from(self.read(&id, "raw")?), &Lax::all());
            let bundle =
                bundle.map_err(|error| FieldError::Broken(format!("a report is no bundle: {error}")))?;
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

impl Pannier {
    /// Dials `other` and takes what it announces at its word.
    pub fn meet_strictly(&self, road: Road, other: &dyn Agent) -> Result<(), FieldError> {
        self.dial(road, other, "&tls=never")
    }

    fn dial(&self, road: Road, other: &dyn Agent, options: &str) -> Result<(), FieldError> {
        let address = format!("{road}://{}?eid={}{options}", other.listens(road)?, other.node());
        self.call_json("/api/peers", &serde_json::json!({ "address": address }))
    }

    fn call_json(&self, path: &str, body: &Value) -> Result<(), FieldError> {
        let answer = self.http.ask_json("POST", path, body.to_string().as_bytes())?;
        match answer.status {
            200..300 => Ok(()),
            status => {
                Err(FieldError::Broken(format!("{path}: {status} {}", String::from_utf8_lossy(&answer.body))))
            }
        }
    }
}

/// The gateway's port and where the roads listen.
fn read_ready(file: &Path) -> Result<(u16, Vec<(String, String)>), FieldError> {
    let ready: Value = serde_json::from_str(&fs::read_to_string(file)?).map_err(io::Error::from)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let links = ready["links"].as_array().cloned().unwrap_or_default();
    let links = links.iter().map(|link| (text(&link["cla"]), text(&link["addr"]))).collect();
    let port = text(&ready["api_addr"]).rsplit(':').next().and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| FieldError::Broken("the gateway does not listen".to_owned()))?;
    Ok((port, links))
}

/// A text as one part of a path or query.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
