//! The rules of a blessing, one by one, and under any monitor.

use std::time::Duration;

use bytes::Bytes;
use hat_core::chatter;
use hat_core::observer::{BlessingResponse, Error, Incoming, SendFault, ServerMessage};
use hat_core::protocol::Protocol;
use hat_core::sbs;
use hat_tests::pair::GRAINS;
use proptest::prelude::*;

use super::plant::Plant;

fn answer(token: Option<i64>, ready: bool) -> BlessingResponse {
    BlessingResponse { token, ready }
}

/// A component that is active under token 7.
fn active(grain: usize) -> Plant {
    let mut plant = Plant::new(grain);
    plant.component().set_ready(true);
    assert_eq!(plant.said(), [answer(None, false), answer(None, true)]);
    assert_eq!(plant.show(Some(7)), []);
    assert_eq!(plant.said(), [answer(Some(7), true)]);
    assert_eq!(plant.show(Some(7)), [Incoming::Activate]);
    plant
}

#[test]
fn who_is_not_ready_answers_no_offer() {
    let mut plant = Plant::new(usize::MAX);
    plant.said();
    assert_eq!(plant.show(Some(7)), []);
    assert_eq!(plant.said(), []);
    plant.component().set_ready(true);
    assert_eq!(plant.said(), [answer(None, true), answer(Some(7), true)]);
}

#[test]
fn an_offer_that_is_withdrawn_ends_the_work_before_the_token_goes() {
    for grain in GRAINS {
        let mut plant = active(grain);
        assert_eq!(plant.show(None), [Incoming::Deactivate]);
        assert_eq!(plant.said(), [], "the work has not ended");
        assert_eq!(plant.show(Some(8)), [], "nothing new before the old work has ended");
        plant.component().deactivated();
        assert_eq!(plant.said(), [answer(None, true), answer(Some(8), true)]);
        assert_eq!(plant.show(Some(8)), [Incoming::Activate]);
    }
}

#[test]
fn another_offer_than_the_one_that_was_answered_is_answered_anew() {
    let mut plant = active(usize::MAX);
    assert_eq!(plant.show(Some(8)), [Incoming::Deactivate]);
    plant.component().deactivated();
    assert_eq!(plant.said(), [answer(None, true), answer(Some(8), true)]);
    // the offer changes while the answer is on its way: seen once that is shown
    assert_eq!(plant.show(Some(9)), []);
    assert_eq!(plant.said(), [answer(None, true), answer(Some(9), true)]);
    assert_eq!(plant.show(Some(9)), [Incoming::Activate]);
}

#[test]
fn ready_no_more_before_the_answer_is_shown_takes_the_token_back_at_once() {
    let mut plant = Plant::new(usize::MAX);
    plant.component().set_ready(true);
    plant.said();
    plant.show(Some(7));
    plant.component().set_ready(false);
    assert_eq!(plant.said().last(), Some(&answer(None, false)));
    assert_eq!(plant.show(Some(7)), []);
}

#[test]
fn calls_out_of_turn_do_nothing() {
    let mut plant = active(usize::MAX);
    plant.component().deactivated();
    plant.component().set_ready(true);
    assert_eq!(plant.said(), []);
    assert!(plant.component().is_active());
}

#[test]
fn a_monitor_that_ends_the_component_is_heard() {
    let mut plant = active(usize::MAX);
    plant.ask_to_close();
    assert_eq!(plant.told(), [Incoming::CloseRequest]);
    plant.component().close();
    plant.pair.drive();
    assert!(plant.pair.a.machine.is_closed());
}

#[test]
fn what_no_monitor_sends_ends_the_connection() {
    let mut plant = Plant::new(usize::MAX);
    plant.send("HatObserver.MsgClient", Bytes::new());
    let unexpected = Error::Unexpected { message: "HatObserver.MsgClient".into() };
    assert_eq!(plant.pair.a.error, Some(unexpected));

    let mut plant = Plant::new(usize::MAX);
    plant.send("HatObserver.MsgServer", Bytes::from_static(b"\x81\x80\x85"));
    assert!(matches!(plant.pair.a.error, Some(Error::Malformed { .. })));
}

#[test]
fn a_monitor_that_is_silent_is_given_up() {
    let mut plant = Plant::new(usize::MAX);
    plant.pair.drive();
    plant.pair.b.stalled = true;
    plant.pair.wait(Duration::from_secs(41));
    assert_eq!(plant.pair.a.error, Some(Error::Chatter(chatter::Error::PingTimeout)));
}

#[test]
fn data_is_said_anew_and_refused_where_it_is_too_large() {
    let mut plant = active(usize::MAX);
    plant.component().set_data(r#"{"a": 1}"#).expect("it is small");
    assert_eq!(plant.said(), [answer(Some(7), true)]);
    let large = "1".repeat(2 * 1024 * 1024);
    let refused = plant.component().set_data(large);
    assert!(matches!(refused, Err(SendFault::TooLarge { .. })), "{refused:?}");
    plant.component().set_ready(false);
    assert_eq!(plant.said(), [answer(Some(7), false)], "what was said before still goes out");
}

#[derive(Clone, Debug)]
enum Step {
    Ready(bool),
    Show(Option<i64>),
    Deactivated,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<bool>().prop_map(Step::Ready),
        proptest::option::of(0..3_i64).prop_map(Step::Show),
        Just(Step::Deactivated),
    ]
}

proptest! {
    /// Whatever the monitor offers and the application wants: work begins only under a token that
    /// everybody saw, never twice, and while it goes on, or ends, that token is shown.
    #[test]
    fn work_is_only_done_under_the_token_that_is_shown(
        steps in proptest::collection::vec(step(), 0..40),
        grain in prop::sample::select(&GRAINS),
    ) {
        let mut plant = Plant::new(grain);
        let mut working = None;
        let mut ending = false;
        for step in steps {
            let told = match step {
                Step::Ready(ready) => {
                    plant.component().set_ready(ready);
                    plant.told()
                }
                Step::Show(token) => plant.show(token),
                Step::Deactivated => {
                    if ending {
                        (working, ending) = (None, false);
                    }
                    plant.component().deactivated();
                    plant.told()
                }
            };
            for told in told {
                match told {
                    Incoming::Activate => {
                        prop_assert_eq!(working, None);
                        working = plant.shown.active_token();
                        prop_assert!(working.is_some(), "not everybody has seen it");
                    }
                    Incoming::Deactivate => {
                        prop_assert!(working.is_some() && !ending);
                        ending = true;
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            plant.said();
            if working.is_some() {
                prop_assert_eq!(plant.shown.blessing_res.token, working);
            }
            prop_assert_eq!(plant.component().is_active(), working.is_some() && !ending);
        }
    }

    /// Any bytes of a monitor are a message or an error, and what is taken is within the limit.
    #[test]
    fn any_data_is_a_message_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut plant = Plant::new(usize::MAX);
        let by_schema = sbs::decode::<ServerMessage>(&Bytes::from(data.clone()));
        plant.send("HatObserver.MsgServer", data.into());
        // bytes behind the message are let pass, and `decode` does not
        if by_schema.is_ok() {
            prop_assert_eq!(plant.pair.a.error.as_ref(), None);
        }
    }
}
