//! Machines of two types in one network.

use std::time::Duration;

use hat_core::buffer::{RecvBuf, SendQueue};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

/// One of two: of machines, of what they give, of how they end.
#[derive(Clone, Debug)]
pub enum Either<A, B> {
    /// Of the connecting side.
    Client(A),
    /// Of the accepting side.
    Server(B),
}

impl<A, B> Either<A, B> {
    /// The connecting side's.
    ///
    /// # Panics
    ///
    /// If it is the other one's.
    #[track_caller]
    pub fn client(&mut self) -> &mut A {
        match self {
            Self::Client(it) => it,
            Self::Server(_) => panic!("a server's"),
        }
    }

    /// The accepting side's.
    ///
    /// # Panics
    ///
    /// If it is the other one's.
    #[track_caller]
    pub fn server(&mut self) -> &mut B {
        match self {
            Self::Server(it) => it,
            Self::Client(_) => panic!("a client's"),
        }
    }
}

/// Does the same with either.
macro_rules! both {
    ($either:expr, $it:ident => $do:expr) => {
        match $either {
            Either::Client($it) => $do,
            Either::Server($it) => $do,
        }
    };
}

/// Why one of two machines is over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EitherError<A, B> {
    /// The connecting side's.
    #[error(transparent)]
    Client(A),
    /// The accepting side's.
    #[error(transparent)]
    Server(B),
}

impl<A, B> Protocol for Either<A, B>
where
    A: Protocol<Error: 'static>,
    B: Protocol<Error: 'static>,
{
    type Incoming = Either<A::Incoming, B::Incoming>;
    type Error = EitherError<A::Error, B::Error>;

    fn poll(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Self::Incoming>, Self::Error> {
        match self {
            Self::Client(it) => match it.poll(rx, now) {
                Ok(incoming) => Ok(incoming.map(Either::Client)),
                Err(error) => Err(EitherError::Client(error)),
            },
            Self::Server(it) => match it.poll(rx, now) {
                Ok(incoming) => Ok(incoming.map(Either::Server)),
                Err(error) => Err(EitherError::Server(error)),
            },
        }
    }

    fn deadline(&self) -> Option<Instant> {
        both!(self, it => it.deadline())
    }

    fn stood_still(&mut self, time: Duration) {
        both!(self, it => it.stood_still(time));
    }

    fn tx(&mut self) -> &mut SendQueue {
        both!(self, it => it.tx())
    }

    fn sends_no_more(&self) -> bool {
        both!(self, it => it.sends_no_more())
    }

    fn close(&mut self) {
        both!(self, it => it.close());
    }

    fn is_closed(&self) -> bool {
        both!(self, it => it.is_closed())
    }
}
