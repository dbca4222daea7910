//! A link between two nodes that can be cut: a relay on this machine that carries one road at a stated rate,
//! counts the bytes both ways and, while it is cut, carries nothing. Runs with real processes own it.
//!
//! It knows nothing of bundles. What a node sent is counted when it is read, also while the link is cut and
//! what finds no room in the queue; so the count says what was sent, not what arrived.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::field::{FieldError, now, pause};

mod datagrams;
mod streams;

/// How long what waits in the relay may take at its rate; a router at the edge of a fast link keeps as much.
const QUEUE: Duration = Duration::from_millis(20);
/// How often a thread that waits for data looks whether the relay is cut or over.
const LOOK: Duration = Duration::from_millis(10);

/// What a relay carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Road {
    /// Datagrams of QUIC. A cut loses them.
    Quic,
    /// Connections of TCPCLv4. A cut resets them, and no new one is made before its end.
    Tcpclv4,
}

impl Road {
    /// How a convergence layer calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcpclv4 => "tcpclv4",
        }
    }
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From who dials to who is dialled.
    Out,
    /// From who is dialled to who dials.
    Back,
}

/// A running relay; dropping it ends it.
pub struct Relay {
    road: Road,
    address: SocketAddr,
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads of a relay share.
struct State {
    is_cut: AtomicBool,
    is_over: AtomicBool,
    /// Bytes a second, each way.
    rate: u64,
    out: AtomicU64,
    back: AtomicU64,
}

impl Relay {
    /// Carries `road` to `target`, `rate` bytes a second each way.
    pub fn start(road: Road, target: SocketAddr, rate: u64) -> Result<Self, FieldError> {
        let state = Arc::new(State {
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            rate,
            out: AtomicU64::new(0),
            back: AtomicU64::new(0),
        });
        let (address, threads) = match road {
            Road::Quic => datagrams::start(target, &state)?,
            Road::Tcpclv4 => streams::start(target, &state)?,
        };
        Ok(Self { road, address, state, threads })
    }

    /// Where it is dialled.
    pub fn address(&self) -> String {
        format!("{}://{}", self.road.name(), self.address)
    }

    /// Cuts the link, or mends it.
    pub fn set_cut(&self, is_cut: bool) {
        self.state.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// Whether the link is cut.
    pub fn is_cut(&self) -> bool {
        self.state.is_cut()
    }

    /// Ends it; how many bytes who dials has sent, and how many came back: payloads of datagrams or of TCP.
    pub fn finish(mut self) -> (u64, u64) {
        self.end();
        (self.state.counted(Way::Out), self.state.counted(Way::Back))
    }

    fn end(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A thread that has panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn count(&self, way: Way, bytes: u64) {
        let counter = match way {
            Way::Out => &self.out,
            Way::Back => &self.back,
        };
        counter.fetch_add(bytes, Ordering::SeqCst);
    }

    fn counted(&self, way: Way) -> u64 {
        match way {
            Way::Out => self.out.load(Ordering::SeqCst),
            Way::Back => self.back.load(Ordering::SeqCst),
        }
    }
}

/// When bytes leave a link of a certain rate.
struct Pace {
    rate: u64,
    /// When everything so far has left.
    free: Instant,
}

impl Pace {
    fn new(rate: u64) -> Self {
        Self { rate, free: now() }
    }

    /// When `bytes` more have left, or nothing if the queue is too long already.
    fn queue(&mut self, bytes: usize) -> Option<Instant> {
        let here = now();
        let begin = self.free.max(here);
        if begin - here > QUEUE {
            return None;
        }
        self.free = begin + self.took(bytes);
        Some(self.free)
    }

    /// Waits until `bytes` more have left.
    fn pass(&mut self, bytes: usize) {
        self.free = self.free.max(now()) + self.took(bytes);
        until(self.free);
    }

    fn took(&self, bytes: usize) -> Duration {
        let nanos = u128::from(wide(bytes)) * 1_000_000_000 / u128::from(self.rate.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Waits for a moment.
fn until(moment: Instant) {
    let left = moment.saturating_duration_since(now());
    // Shorter waits are longer than asked for; what follows makes up for it.
    if left >= Duration::from_micros(200) {
        pause(left);
    }
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits 64 bits")
}
