//! Scenarios of layers `juggler` and `juggler05`: what any two implementations do with each other.

pub(crate) mod link;
mod peers05;
mod requests;
mod states;

use hat_tests::peers::Peer;

pub(crate) type Scenario = fn(&Peer, &Peer);

macro_rules! scenarios {
    ($list:ident: $($module:ident: $($name:ident)+;)+) => {
        pub(crate) const $list: &[(&str, Scenario)] =
            &[$($((stringify!($name), $module::$name)),+),+];
    };
}

scenarios! {
    SCENARIOS:
    states:
        a_state_for_each_connection
        a_state_for_all
        a_flush_only_when_asked
        every_change_at_once
        large_states;
    requests:
        requests_and_their_failures
        requests_one_after_the_other
        requests_in_parallel
        notifications_in_order
        large_messages
        pings_both_ways
        passwords
        ends_from_either_side;
}

scenarios! {
    SCENARIOS05:
    peers05:
        data_both_ways
        messages_both_ways
        calls_both_ways
        calls_at_once
        a_flush_of_data
        ends_of_peers;
}
