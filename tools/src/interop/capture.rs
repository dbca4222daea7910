//! What goes over the wire during a run, recorded and dissected by tshark: nothing may be malformed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    install::{Found, tshark},
    process::{PATIENCE, Process, wait_for},
    table::Outcome,
};
use crate::field::FieldError;

/// Link type "user 0", which the command line maps to bundles.
const LINK_TYPE: u32 = 147;
const MAPPING: &str = r#"uat:user_dlts:"User 0 (DLT=147)","bpv7","0","","0","""#;
/// What a dissector says of bytes that are not as they must be.
const COMPLAINTS: [&str; 3] = ["Malformed", "Expert Info (Error", "CRC Status: Bad"];

/// A recording under way.
pub struct Capture {
    file: PathBuf,
    process: Option<Process>,
    transport: &'static str,
    port: u16,
}

impl Capture {
    /// Records what goes to and from a port of this machine; `Err` with the reason if that is not possible
    /// here.
    pub fn start(folder: &Path, transport: &'static str, port: u16) -> Result<Self, String> {
        let tshark: Found = tshark();
        let file = folder.join(format!("{transport}-{port}.pcapng"));
        let mut command = Command::new(tshark?);
        command.args(["-q", "-i", "lo", "-f", &format!("{transport} port {port}"), "-w"]).arg(&file);
        let name = format!("tshark-{port}");
        let mut process = Process::start(&name, command, folder).map_err(|error| error.to_string())?;
        let begun = wait_for("the recording", PATIENCE, || {
            process.check()?;
            Ok(fs::metadata(&file).is_ok_and(|meta| meta.len() > 0).then_some(()))
        });
        begun.map_err(|error| format!("tshark does not record here: {error}"))?;
        Ok(Self { file, process: Some(process), transport, port })
    }

    /// Ends the recording and judges it.
    pub fn judge(mut self) -> Result<Outcome, FieldError> {
        self.process.take().expect("it records until it is judged").interrupt()?;
        match self.transport {
            "tcp" => self.judge_sessions(),
            _ => self.judge_datagrams(),
        }
    }

    fn judge_sessions(&self) -> Result<Outcome, FieldError> {
        let mapping = format!("tcp.port=={},tcpcl", self.port);
        // In one pass the segments of a transfer are judged before its last one is seen.
        let text = dissect(&self.file, &["-2", "-d", &mapping, "-V"])?;
        Ok(verdict(&text, "Bundle Protocol Version 7", "TCP Convergence Layer"))
    }

    /// The dissector of bundles does not look into UDP: the datagrams are cut out and given to it.
    fn judge_datagrams(&self) -> Result<Outcome, FieldError> {
        let hex = dissect(&self.file, &["-T", "fields", "-e", "udp.payload"])?;
        let bundles: Vec<Vec<u8>> = hex.split_whitespace().filter_map(unhex).collect();
        let file = self.file.with_extension("pcap");
        fs::write(&file, records(&bundles))?;
        let text = dissect(&file, &["-V", "-o", MAPPING])?;
        Ok(verdict(&text, "Bundle Protocol Version 7", "user_dlt:bpv7"))
    }
}

/// Whether a dissection shows bundles and no complaint.
fn verdict(text: &str, bundle: &str, layer: &str) -> Outcome {
    let count = |needle: &str| text.lines().filter(|line| line.contains(needle)).count();
    if let Some(line) = text.lines().find(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)))
    {
        return Outcome::Bad(line.trim().to_owned());
    }
    match (count(bundle), count(layer)) {
        (0, _) | (_, 0) => Outcome::Bad("tshark sees no bundle in it".to_owned()),
        _ => Outcome::Good("dissected without complaint".to_owned()),
    }
}

fn dissect(file: &Path, arguments: &[&str]) -> Result<String, FieldError> {
    let output = Command::new("tshark").arg("-r").arg(file).args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(FieldError::Broken(format!("tshark: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// A classic capture file with one record per bundle.
fn records(bundles: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, LINK_TYPE] {
        out.extend_from_slice(&u32::to_le_bytes(word));
    }
    for bundle in bundles {
        let len = u32::try_from(bundle.len()).expect("a datagram is short");
        for word in [0, 0, len, len] {
            out.extend_from_slice(&u32::to_le_bytes(word));
        }
        out.extend_from_slice(bundle);
    }
    out
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs =
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect()
}
