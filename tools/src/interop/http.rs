//! As much of HTTP/1.1 as it takes to drive a peer on this machine: one connection, kept open, answers with a
//! length.

use std::{
    cell::RefCell,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use crate::field::FieldError;

/// How long an answer may take.
const SILENCE: Duration = Duration::from_secs(60);

/// Up to this length a body goes out with its head, in bytes.
const ONE_PACKET_BYTES_MAX: usize = 16 * 1024;

/// A client of one port.
pub struct Http {
    port: u16,
    stream: RefCell<Option<BufReader<TcpStream>>>,
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Http {
    /// A client that connects when it is first used.
    pub fn new(port: u16) -> Self {
        Self { port, stream: RefCell::new(None) }
    }

    /// Where it asks.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether anybody listens.
    pub fn answers(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// Asks for a path.
    pub fn get(&self, path: &str) -> Result<Answer, FieldError> {
        self.ask("GET", path, &[])
    }

    /// Sends a body to a path.
    pub fn post(&self, path: &str, body: &[u8]) -> Result<Answer, FieldError> {
        self.ask("POST", path, body)
    }

    /// Any method with bytes as body.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, FieldError> {
        self.exchange(method, path, "application/octet-stream", body)
    }

    /// Any method with JSON as body.
    pub fn ask_json(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, FieldError> {
        self.exchange(method, path, "application/json", body)
    }

    fn exchange(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer, FieldError> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        // A short request is one packet, as any application sends it.
        let mut first = head.into_bytes();
        let body = if body.len() <= ONE_PACKET_BYTES_MAX {
            first.extend_from_slice(body);
            &[]
        } else {
            body
        };
        let mut kept = self.stream.borrow_mut();
        if let Some(mut stream) = kept.take() {
            // One that nobody used may have been ended at the other side, where nothing was heard of this.
            if stream.get_mut().write_all(&first).is_ok()
                && stream.get_mut().write_all(body).is_ok()
                && !stream.fill_buf()?.is_empty()
            {
                let (answer, is_kept) = read(&mut stream)?;
                *kept = is_kept.then_some(stream);
                return Ok(answer);
            }
        }
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut stream = BufReader::new(stream);
        stream.get_mut().write_all(&first)?;
        stream.get_mut().write_all(body)?;
        let (answer, is_kept) = read(&mut stream)?;
        *kept = is_kept.then_some(stream);
        Ok(answer)
    }
}

/// Reads an answer; and whether the connection stays open.
fn read(stream: &mut BufReader<TcpStream>) -> Result<(Answer, bool), FieldError> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::new(ErrorKind::InvalidData, "no answer in HTTP"))?;
    let (mut len, mut is_kept) = (0_usize, true);
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.trim().parse().map_err(|_| std::io::Error::from(ErrorKind::InvalidData))?;
        }
        is_kept &= !(name.eq_ignore_ascii_case("connection") && value.trim().eq_ignore_ascii_case("close"));
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok((Answer { status, body }, is_kept))
}
