//! What is sent, and whether the driver has to have a turn for it.

use std::sync::Arc;
use std::time::Duration;

use hat_core::chatter::{Data, SendOptions};

use super::*;
use crate::Error;
use crate::by_hand::{End, Woken, message};

impl End {
    /// So many messages come, and the driver has its turn.
    fn receive(&mut self, messages: usize) {
        self.wire.receive(&message().repeat(messages));
        self.turn();
    }

    fn send(&self) {
        self.send_with(SendOptions::default());
    }

    fn send_with(&self, options: SendOptions) {
        let mut state = self.shared.lock();
        state.session.machine.send(Data::new("x", "y"), options).expect("room");
        self.shared.queued(state);
    }

    /// Messages that were written.
    fn written(&self) -> usize {
        self.wire.written() / message().len()
    }
}

#[test]
fn the_answer_to_one_message_is_written_without_a_turn_of_the_driver() {
    let mut end = End::new();
    for answered in 1..4 {
        end.receive(1);
        end.send();
        assert_eq!((end.written(), end.is_woken()), (answered, false));
    }
}

#[test]
fn what_is_sent_besides_waits_for_the_driver() {
    let mut end = End::new();
    end.turn();
    end.send();
    assert_eq!((end.written(), end.is_woken()), (0, true), "nothing came");
    end.receive(1);
    end.send();
    end.send();
    assert_eq!((end.written(), end.is_woken()), (2, true), "one answer, and another message");
    end.turn();
    assert_eq!(end.written(), 3);
    end.receive(2);
    end.send();
    end.send();
    assert_eq!((end.written(), end.is_woken()), (3, true), "they go together");
    end.turn();
    assert_eq!(end.written(), 5);
}

#[test]
fn what_the_system_does_not_take_waits_for_the_driver() {
    let mut end = End::new();
    end.receive(1);
    end.wire.fill(true);
    end.send();
    assert_eq!((end.written(), end.is_woken()), (0, true));
    end.receive(1);
    end.wire.fill(false);
    end.send();
    assert_eq!((end.written(), end.is_woken()), (0, true), "what waits is written by the driver");
    end.turn();
    assert_eq!(end.written(), 2);
}

#[test]
fn what_was_refused_is_no_write() {
    let mut end = End::new();
    end.receive(1);
    end.shared.queued(end.shared.lock());
    assert_eq!((end.written(), end.is_woken()), (0, true));
}

/// The reason of the end, with an error of the stream by its kind.
fn ended(end: &End) -> Option<Result<io::ErrorKind, Error<hat_core::chatter::Error>>> {
    match end.shared.lock().ended.clone()? {
        Error::Io(error) => Some(Ok(error.kind())),
        error => Some(Err(error)),
    }
}

#[test]
fn a_write_that_fails_is_the_end_as_one_of_the_driver_is() {
    let mut end = End::new();
    end.receive(1);
    end.wire.fail(io::ErrorKind::BrokenPipe);
    end.send();
    assert!(end.is_woken());
    end.wire.reset();
    assert!(ended(&end).is_none());
    end.turn();
    assert_eq!(ended(&end).expect("over").ok(), Some(io::ErrorKind::BrokenPipe));
}

#[test]
fn what_came_before_a_write_failed_is_told_first() {
    let mut end = End::new();
    end.receive(1);
    end.wire.fail(io::ErrorKind::BrokenPipe);
    end.send();
    // eight bytes of length
    end.wire.receive(&[&[8][..], &[0xff; 8]].concat());
    end.turn();
    let error = ended(&end).expect("over").expect_err("what the peer has sent is no message");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
}

#[test]
fn after_a_write_that_failed_nothing_is_written_directly() {
    let mut end = End::new();
    end.turn();
    end.wire.fail(io::ErrorKind::OutOfMemory);
    end.send();
    end.turn();
    end.wire.recover();
    end.receive(1);
    end.send();
    assert_eq!((end.written(), end.is_woken()), (0, true), "it would come behind a gap");
}

#[test]
fn a_timeout_sooner_than_the_driver_s_timer_is_for_the_driver_to_keep() {
    let mut end = End::new();
    end.receive(1);
    let timeout = Some(Instant::ORIGIN + Duration::from_secs(3600));
    end.send_with(SendOptions { timeout, last: false, ..SendOptions::default() });
    assert_eq!((end.written(), end.is_woken()), (1, false), "its timer is sooner");
    end.receive(1);
    let timeout = Some(Instant::ORIGIN + Duration::from_secs(1));
    end.send_with(SendOptions { timeout, last: false, ..SendOptions::default() });
    assert_eq!((end.written(), end.is_woken()), (2, true));
}

#[test]
fn a_stream_of_another_thread_is_left_to_its_driver() {
    let mut end = End::new();
    end.wire.move_elsewhere();
    end.receive(1);
    end.send();
    assert_eq!((end.written(), end.is_woken()), (0, true));
}

#[test]
fn who_waits_until_something_is_written_is_woken() {
    let mut end = End::new();
    end.receive(1);
    let waiting = Arc::new(Woken::default());
    let waker = Waker::from(waiting.clone());
    end.shared.lock().outgoing.add_task(&Context::from_waker(&waker));
    end.send();
    assert!(waiting.take());
}
