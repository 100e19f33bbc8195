use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use compio::driver::op::{Interest, PollOnce, SendFlags};
use compio::runtime::{Submit, submit};

use crate::socket::{Shared, Socket};

/// Parts that the system takes in one call.
const PARTS: usize = 1024;

/// The writing half of a connection. It writes at once, with a call of the system: a write that the
/// ring does is one as well, and besides takes a copy of the bytes, memory for itself, and another
/// turn of the task that waits for it. The ring waits until there is room.
#[derive(Default)]
pub(crate) struct Writing {
    waiting: Option<Submit<PollOnce<Shared>>>,
}

impl Writing {
    pub(crate) fn poll(
        &mut self,
        socket: &Socket,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                // whatever it says, the next write finds out
                let _ = ready!(Pin::new(waiting).poll(cx));
                self.waiting = None;
            }
            match write(socket, parts) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let room = PollOnce::new(socket.share(), Interest::Writable);
                    self.waiting = Some(submit(room));
                }
                written => return Poll::Ready(written),
            }
        }
    }
}

fn write(socket: &Socket, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = (SendFlags::DONTWAIT | SendFlags::NOSIGNAL).bits().cast_signed();
    match parts {
        [part] => socket.of_system().send_with_flags(part, flags),
        parts => {
            let parts = &parts[..parts.len().min(PARTS)];
            socket.of_system().send_vectored_with_flags(parts, flags)
        }
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").field("waiting", &self.waiting.is_some()).finish()
    }
}
