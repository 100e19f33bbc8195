//! Scenarios of layer `eventer`: what any two implementations do with each other.

mod clients;
mod ends;
pub(crate) mod link;
mod notifications;
mod requests;

use hat_tests::peers::Peer;

type Scenario = fn(&Peer, &Peer);

macro_rules! scenarios {
    ($($module:ident: $($name:ident)+;)+) => {
        pub(crate) const SCENARIOS: &[(&str, Scenario)] =
            &[$($((stringify!($name), $module::$name)),+),+];
    };
}

scenarios! {
    clients:
        a_server_learns_who_its_clients_are
        a_client_is_told_why_it_is_rejected
        subscriptions_that_make_no_sense_are_rejected
        clients_are_known_while_a_callback_waits;
    requests:
        queries_of_every_kind
        registrations_with_and_without_response
        without_callbacks_nothing_is_registered_or_found
        requests_keep_their_order
        requests_of_clients_do_not_wait_for_each_other
        payloads_of_every_kind
        numbers_of_64_bits;
    notifications:
        status_changes
        events_go_to_those_who_subscribed
        events_go_by_server_and_persistence
        an_ack_is_sent_after_the_reply
        an_ack_is_not_waited_for_when_the_client_goes
        large_notifications
        answers_come_between_notifications;
    ends:
        a_client_that_closes_fails_its_requests
        a_server_that_closes_fails_the_requests_of_clients
        a_callback_that_raises
        reset_drops_calls_and_forgets;
}
