//! An address that says nothing, as that of a host that is switched off.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// A listening socket that has no room for one more connection: the system drops what asks for one.
/// On Linux; other systems refuse instead.
#[derive(Debug)]
pub struct Silent {
    listener: Socket,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    /// Takes a free port of this machine, and makes it silent.
    ///
    /// # Panics
    ///
    /// Where there is none.
    #[must_use]
    pub fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        listener.bind(&local.into()).expect("a free port");
        listener.listen(0).expect("listens");
        let address = address(&listener);
        // none of these is ever accepted: they are what the backlog holds
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let waiting = std::iter::from_fn(|| connect().ok()).take(16).collect::<Vec<_>>();
        assert!(waiting.len() < 16, "the backlog has an end");
        Self { listener, _waiting: waiting }
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        address(&self.listener)
    }
}

impl Default for Silent {
    fn default() -> Self {
        Self::new()
    }
}

fn address(listener: &Socket) -> SocketAddr {
    let address: io::Result<_> = listener.local_addr();
    address.expect("its address").as_socket().expect("an IP address")
}
