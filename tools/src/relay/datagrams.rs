//! The relay of datagrams: two sockets, and two threads for each way, one that reads and one that lets go at
//! the link's rate.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::Instant,
};

use rustix::net::sockopt;

use super::{LOOK, Pace, State, Way, until, wide};

/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// What is asked of the system for datagrams that wait to be read; it gives what it allows.
const RECEIVE_BYTES: usize = 8 * 1024 * 1024;

/// A datagram and when it leaves.
type Leaving = (Instant, Vec<u8>);

/// Starts the threads.
pub(super) fn start(target: SocketAddr, state: &Arc<State>) -> io::Result<(SocketAddr, Vec<JoinHandle<()>>)> {
    let near = Arc::new(socket()?);
    let far = Arc::new(socket()?);
    far.connect(target)?;
    let address = near.local_addr()?;
    let dialler = Arc::new(Mutex::new(None));
    let mut threads = Vec::new();
    for way in [Way::Out, Way::Back] {
        let (from, to) = match way {
            Way::Out => (Arc::clone(&near), Arc::clone(&far)),
            Way::Back => (Arc::clone(&far), Arc::clone(&near)),
        };
        let (queue, waiting) = mpsc::channel();
        let (state, learns, tells) = (Arc::clone(state), Arc::clone(&dialler), Arc::clone(&dialler));
        threads.push(thread::spawn(move || read(way, &from, &state, &learns, &queue)));
        threads.push(thread::spawn(move || write(way, &to, &tells, &waiting)));
    }
    Ok((address, threads))
}

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(LOOK))?;
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BYTES)?;
    Ok(socket)
}

/// Counts what comes and puts it into the queue, if the link is whole and the queue has room.
fn read(
    way: Way,
    from: &UdpSocket,
    state: &State,
    dialler: &Mutex<Option<SocketAddr>>,
    queue: &mpsc::Sender<Leaving>,
) {
    let mut pace = Pace::new(state.rate);
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut datagrams = 0;
    while !state.is_over() {
        // An error is silence, or word of a peer that is not there.
        let Ok((len, sender)) = from.recv_from(&mut buffer) else { continue };
        datagrams += 1;
        state.count(way, wide(len));
        if way == Way::Out {
            *dialler.lock().expect("nobody panics with the address") = Some(sender);
        }
        if !state.is_cut()
            && let Some(moment) = pace.queue(len)
            && queue.send((moment, buffer[..len].to_vec())).is_err()
        {
            return;
        }
    }
    // What the system dropped before it could be read was sent, too.
    if let (Some(lost), Some(mean)) =
        (dropped(from).filter(|lost| *lost > 0), state.counted(way).checked_div(datagrams))
    {
        state.count(way, lost * mean);
    }
}

/// How many datagrams the system dropped at a socket.
fn dropped(socket: &UdpSocket) -> Option<u64> {
    let port = format!(":{:04X}", socket.local_addr().ok()?.port());
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let line =
        table.lines().find(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&port)))?;
    line.split_whitespace().last()?.parse().ok()
}

fn write(way: Way, to: &UdpSocket, dialler: &Mutex<Option<SocketAddr>>, waiting: &mpsc::Receiver<Leaving>) {
    for (moment, datagram) in waiting {
        until(moment);
        // What cannot be sent is lost, as on any link.
        let _ = match way {
            Way::Out => to.send(&datagram),
            Way::Back => match *dialler.lock().expect("nobody panics with the address") {
                Some(address) => to.send_to(&datagram, address),
                None => Ok(0),
            },
        };
    }
}
