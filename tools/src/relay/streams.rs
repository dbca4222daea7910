//! The relay of connections: one thread that accepts, two for each connection, one a way. A cut resets both
//! sides of every connection, and those that are made while it lasts.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::net::sockopt;

use super::{LOOK, Pace, State, Way, wide};
use crate::field::pause;

/// What is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// What the system keeps for the relay, in bytes: little, so that what is lost in a cut is what the link has.
const SOCKET_BYTES: usize = 128 * 1024;

/// Starts the thread that accepts.
pub(super) fn start(target: SocketAddr, state: &Arc<State>) -> io::Result<(SocketAddr, Vec<JoinHandle<()>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    // What is accepted inherits it.
    sockopt::set_socket_recv_buffer_size(&listener, SOCKET_BYTES)?;
    let address = listener.local_addr()?;
    let state = Arc::clone(state);
    let thread = thread::spawn(move || accept(&listener, target, &state));
    Ok((address, vec![thread]))
}

fn accept(listener: &TcpListener, target: SocketAddr, state: &Arc<State>) {
    let mut pumps: Vec<JoinHandle<()>> = Vec::new();
    while !state.is_over() {
        let Ok((near, _)) = listener.accept() else {
            pause(LOOK);
            continue;
        };
        if state.is_cut() {
            reset(&near);
            continue;
        }
        match Connection::open(near, target, state) {
            Ok(connection) => {
                let connection = Arc::new(connection);
                for way in [Way::Out, Way::Back] {
                    let connection = Arc::clone(&connection);
                    pumps.push(thread::spawn(move || connection.pump(way)));
                }
            }
            Err(error) => eprintln!("the relay does not reach {target}: {error}"),
        }
        pumps.retain(|pump| !pump.is_finished());
    }
    for pump in pumps {
        // A thread that has panicked has said so.
        let _ = pump.join();
    }
}

/// One connection through the relay.
struct Connection {
    near: TcpStream,
    far: TcpStream,
    state: Arc<State>,
    /// Whether one way of it broke: then the other one ends, too.
    is_broken: AtomicBool,
}

impl Connection {
    fn open(near: TcpStream, target: SocketAddr, state: &Arc<State>) -> io::Result<Self> {
        let far = TcpStream::connect(target)?;
        for stream in [&near, &far] {
            sockopt::set_socket_send_buffer_size(stream, SOCKET_BYTES)?;
            stream.set_nonblocking(false)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK))?;
            stream.set_write_timeout(Some(LOOK))?;
        }
        Ok(Self { near, far, state: Arc::clone(state), is_broken: AtomicBool::new(false) })
    }

    /// Carries one way of the connection until it ends, or the link is cut.
    fn pump(&self, way: Way) {
        let (mut from, to) = match way {
            Way::Out => (&self.near, &self.far),
            Way::Back => (&self.far, &self.near),
        };
        let mut pace = Pace::new(self.state.rate);
        let mut buffer = vec![0; READ_BYTES];
        while !self.is_over() {
            match from.read(&mut buffer) {
                Ok(0) => {
                    // One side is done; the other may go on.
                    let _ = to.shutdown(Shutdown::Write);
                    return;
                }
                Ok(len) => {
                    self.state.count(way, wide(len));
                    pace.pass(len);
                    self.pass_on(to, &buffer[..len]);
                }
                Err(error) if is_silence(&error) => {}
                Err(_) => self.is_broken.store(true, Ordering::SeqCst),
            }
        }
        // What has come and was not read was sent, and is lost. To read it would make room for more.
        if let Ok(rest) = rustix::io::ioctl_fionread(from) {
            self.state.count(way, rest);
        }
        reset(from);
        reset(to);
    }

    fn pass_on(&self, mut to: &TcpStream, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_over() {
            match to.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) if is_silence(&error) => {}
                Err(_) => self.is_broken.store(true, Ordering::SeqCst),
            }
        }
    }

    fn is_over(&self) -> bool {
        let is_broken = self.is_broken.load(Ordering::SeqCst) || self.state.is_cut() || self.state.is_over();
        // Both ways end, even if the cut is over before one of them sees it.
        self.is_broken.fetch_or(is_broken, Ordering::SeqCst) || is_broken
    }
}

/// Ends a connection as if its path were gone: what waits in it is thrown away.
fn reset(stream: &TcpStream) {
    // A connection that is over already needs no end.
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
