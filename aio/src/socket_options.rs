//! Options of sockets, for every protocol: how long a connection attempt may take, and how soon a
//! peer that vanished is noticed.
//!
//! ```text
//! silent line      ──idle──> probe ──interval──> probe ──interval──> given up      keepalive
//! unacknowledged   ──user_timeout──> given up                                      user timeout
//! nothing received ──idle_timeout──> given up                                      idle timeout
//! ```

use std::io;
use std::net::SocketAddr;
#[cfg(not(windows))]
pub(crate) use std::os::fd::AsFd as SystemSocket;
#[cfg(windows)]
pub(crate) use std::os::windows::io::AsSocket as SystemSocket;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// The options of a socket. The default notices a peer that vanished from a silent connection after
/// 9 s, and gives up connecting after 30 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// The time limit for connecting, 30 s, including resolving the name and trying every address.
    /// A host that is switched off does not answer, and systems wait for it for minutes. What
    /// follows (a TLS handshake, the handshake of the protocol) has its own limit. Servers do not
    /// use it.
    pub connect_timeout: Duration,
    /// The local address, to choose an interface or a source port; with port 0 the system chooses
    /// the port. Addresses of the peer of the other family are not tried. Default: the system
    /// chooses. Servers do not use it.
    pub local_address: Option<SocketAddr>,
    /// TCP keepalive (RFC 9293 section 3.8.4): how a peer that vanished (a cable that was pulled, a
    /// host without power) is noticed on a connection where nothing is under way. Default: on, with
    /// the times of [`Keepalive`]. `None` switches it off; such a peer is then never noticed by a
    /// side that only receives.
    pub keepalive: Option<Keepalive>,
    /// How long data that was sent may stay unacknowledged before the system gives up the
    /// connection (`TCP_USER_TIMEOUT`, RFC 5482), on Linux, Android and Fuchsia; elsewhere it is
    /// not used. Default: the system's limit, some 15 minutes on Linux.
    ///
    /// There is no other default because Linux counts a peer that is alive but does not read, so
    /// that its window is closed, like one that vanished: with this set, backpressure must not last
    /// longer. It also replaces the number of probes of `keepalive`. Protocols that ping (Chatter,
    /// Eventer, Juggler) notice such a peer by themselves; for TCP, TPKT and COTP connections that
    /// mostly send, set it to as long as a peer may be busy.
    pub user_timeout: Option<Duration>,
    /// A connection on which nothing is received for this long is over, with
    /// [`Error::Idle`](crate::Error::Idle), whatever the peer's system answers: for peers that
    /// should send something regularly. Bytes that wait because the application does not take them
    /// count as received. Default: none.
    pub idle_timeout: Option<Duration>,
    /// Bytes that the system takes beyond what it sends at once (`TCP_NOTSENT_LOWAT`), on Linux and
    /// Android; elsewhere it is not used. With little of it, what is slow to leave waits with us
    /// and not with the system, so that a peer which reads slowly is seen to read. Default: the
    /// system's, megabytes; servers of the web take 128 KiB where nothing is given.
    pub unsent: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            local_address: None,
            keepalive: Some(Keepalive::default()),
            user_timeout: None,
            idle_timeout: None,
            unsent: None,
        }
    }
}

/// The times of TCP keepalive. The default is that of libiec61850, which field devices run: 5 s,
/// then two probes 2 s apart; with systems' own, a peer that vanished is noticed after two hours.
///
/// Where tens of thousands of connections are idle between processes of one Linux machine, their
/// probes come together and are dropped where its queue is full (`net.core.netdev_max_backlog`,
/// 1 000 packets): live connections are cut then, with `ETIMEDOUT`. Raise that limit there, or
/// switch keepalive off for protocols that ping.
///
/// Times are whole seconds for the system: they are rounded up, and limited to 1 to 32 767 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe, 5 s.
    pub idle: Duration,
    /// From one probe to the next, and from the last one to the end, 2 s.
    pub interval: Duration,
    /// Probes that may stay without an answer, 2. Limited to 1 to 127.
    pub probes: u8,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self { idle: Duration::from_secs(5), interval: Duration::from_secs(2), probes: 2 }
    }
}

impl SocketOptions {
    /// Sets on a connected `socket` what the system does with it: `TCP_NODELAY`, for messages are
    /// gathered by the driver, keepalive, and the user timeout. For runtimes. A socket is what
    /// std knows as `AsFd`, or as `AsSocket` on Windows.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn apply(&self, socket: &impl SystemSocket) -> io::Result<()> {
        let socket = SockRef::from(socket);
        socket.set_tcp_nodelay(true)?;
        match self.keepalive {
            Some(keepalive) => socket.set_tcp_keepalive(&keepalive.of_system())?,
            // a socket that was accepted may have it from its listener
            None => socket.set_keepalive(false)?,
        }
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(bytes) = self.unsent {
            // a number with a sign
            socket.set_tcp_notsent_lowat(bytes.clamp(1, i32::MAX as u32))?;
        }
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        if self.user_timeout.is_some() {
            // milliseconds in 32 bits with a sign
            let most = Duration::from_millis(i32::MAX as u64);
            let time = self.user_timeout.map(|time| time.clamp(Duration::from_millis(1), most));
            socket.set_tcp_user_timeout(time)?;
        }
        Ok(())
    }
}

impl Keepalive {
    fn of_system(self) -> TcpKeepalive {
        let seconds = |time: Duration| {
            let whole = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
            // the limits of Linux
            Duration::from_secs(whole.clamp(1, 32_767))
        };
        let times = TcpKeepalive::new().with_time(seconds(self.idle));
        #[cfg(not(any(target_os = "openbsd", target_os = "redox", target_os = "solaris")))]
        let times = times.with_interval(seconds(self.interval));
        #[cfg(not(any(target_os = "openbsd", target_os = "redox", target_os = "solaris")))]
        let times = times.with_retries(u32::from(self.probes.clamp(1, 127)));
        times
    }
}
