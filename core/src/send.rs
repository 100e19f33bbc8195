//! What all calls that send have in common: how they are refused.

use core::error::Error;

/// Why a machine refused to send something. Nothing of it is on its way.
///
/// Each protocol has an enum of its own, which says more.
pub trait Fault: Error + Copy {
    /// The connection is closed.
    const CLOSED: Self;

    /// The connection is closed or closing: nothing will ever be sent.
    fn is_closed(&self) -> bool;

    /// The queue is full: the call may be tried again once some of it is written.
    fn is_queue_full(&self) -> bool;
}

/// A refused call, with the data that it was to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct SendError<F, D> {
    /// Why.
    #[source]
    pub fault: F,
    /// What was to be sent.
    pub data: D,
}

/// Which of the variants of an enum is which, as methods and as [`Fault`].
macro_rules! fault {
    ($fault:ty, closed: $closed:expr, $is_closed:pat, queue_full: $full:pat) => {
        impl $fault {
            /// The connection is closed or closing: nothing will ever be sent.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                matches!(self, $is_closed)
            }

            /// The queue is full: the call may be tried again once some of it is written.
            #[must_use]
            pub fn is_queue_full(&self) -> bool {
                matches!(self, $full)
            }
        }

        impl $crate::send::Fault for $fault {
            const CLOSED: Self = $closed;

            fn is_closed(&self) -> bool {
                self.is_closed()
            }

            fn is_queue_full(&self) -> bool {
                self.is_queue_full()
            }
        }
    };
}
pub(crate) use fault;
