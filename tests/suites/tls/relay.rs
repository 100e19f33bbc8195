//! Somebody in between, who passes bytes on until told to cut the line.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// Passes one connection on to a server.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    connected: Receiver<(TcpStream, TcpStream)>,
    is_cut: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(crate::local()).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (sender, connected) = channel();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = is_cut.clone();
        thread::spawn(move || {
            let (client, _) = listener.accept().expect("a client");
            let server = TcpStream::connect(server).expect("the server listens");
            let clone = |stream: &TcpStream| stream.try_clone().expect("one more handle");
            sender.send((clone(&client), clone(&server))).expect("the test waits");
            let (from, to) = (clone(&client), clone(&server));
            let also_cut = cut.clone();
            thread::spawn(move || pass(from, to, &also_cut));
            pass(server, client, &cut);
        });
        Self { address, connected, is_cut }
    }

    /// Ends the streams of both directions where they are, at both ends. What the ends say to that
    /// gets nowhere.
    pub(crate) fn cut(self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let (client, server) = self.connected.recv().expect("connected");
        for stream in [client, server] {
            // where one end has noticed the other's cut, the thread between them may have been
            // faster
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes)
        && !is_cut.load(Ordering::SeqCst)
        && to.write_all(&bytes[..count]).is_ok()
    {}
    // the other direction, or the test, may have ended it
    let _ = to.shutdown(Shutdown::Write);
}
