//! Every message of the deployed peers' vectors, sent and received.

use bytes::Bytes;
use hat_core::chatter;
use hat_core::eventer::client::Incoming as ToClient;
use hat_core::eventer::message::{self, EventsNotify, InitReq, InitRes, RegisterReq, RegisterRes};
use hat_core::eventer::server::{ClientInfo, Incoming as ToServer, NotifyOutcome};
use hat_core::eventer::{Error, QueryParams, QueryResult, Status, Subscription};
use hat_core::sbs::{self, Decode};
use hat_tests::pair::GRAINS;
use hat_tests::vectors::{hex, list, load, text};

use super::{
    client_config, encoded, frame, initialized, pair, pair_of, ready, server_config, to_client,
    to_server,
};

/// `grain` and every message of type `name` in the vectors, decoded and as bytes.
fn cases<T: Decode>(name: &str, mut test: impl FnMut(usize, T, &Bytes)) {
    let vectors = load("eventer");
    let mut count = 0;
    for case in list(&vectors["cases"]).iter().filter(|case| text(&case["type"]) == name) {
        let bytes = hex(&case["hex"]);
        for grain in GRAINS {
            test(grain, sbs::decode(&bytes).expect("the vectors are right"), &bytes);
        }
        count += 1;
    }
    assert!(count > 0, "no vectors of {name}");
}

#[test]
fn init_requests() {
    cases(message::INIT_REQ, |grain, request: InitReq, bytes| {
        let mut pair = pair_of(client_config(), server_config(), &request, grain);
        let wire = frame(1, 1, true, false, message::INIT_REQ, bytes);
        assert_eq!(pair.a.take_tx(), wire);
        to_server(&mut pair, &wire, grain);
        let subscription = Subscription::new(&request.subscriptions).expect("query types");
        let InitReq { client_name, client_token, server_id, persisted, .. } = request;
        let info = ClientInfo { client_name, client_token, subscription, server_id, persisted };
        assert_eq!(initialized(&mut pair), info);
    });
}

#[test]
fn init_responses() {
    cases(message::INIT_RES, |grain, response, bytes| {
        let mut pair = pair(grain);
        pair.drive();
        let wire = frame(1, 1, false, true, message::INIT_RES, bytes);
        match response {
            InitRes::Success(status) => {
                pair.b.machine.accept(status).expect("a client waits for it");
                assert_eq!(pair.b.take_tx(), wire);
                to_client(&mut pair, &wire, grain);
                assert_eq!(pair.a.take(), ToClient::Ready(status));
            }
            InitRes::Error(text) => {
                pair.b.machine.reject(text.clone()).expect("a client waits for it");
                assert_eq!(pair.b.take_tx(), wire);
                to_client(&mut pair, &wire, grain);
                assert_eq!(pair.a.error, Some(Error::Rejected(text)));
            }
        }
    });
}

#[test]
fn status_notifications() {
    cases(message::STATUS_NOTIFY, |grain, status: Status, bytes| {
        let mut pair = pair(grain);
        pair.drive();
        let other = if status == Status::Standby { Status::Starting } else { Status::Standby };
        pair.b.machine.accept(other).expect("a client waits for it");
        pair.drive();
        pair.a.take();
        pair.b.machine.set_status(status).expect("ready");
        let wire = frame(2, 2, true, true, message::STATUS_NOTIFY, bytes);
        assert_eq!(pair.b.take_tx(), wire);
        to_client(&mut pair, &wire, grain);
        assert_eq!(pair.a.take(), ToClient::Status(status));
    });
}

#[test]
fn events_notifications() {
    cases(message::EVENTS_NOTIFY, |grain, sent: EventsNotify, bytes| {
        for with_ack in [false, true] {
            let mut pair = ready(grain);
            let wire = frame(2, 2, true, !with_ack, message::EVENTS_NOTIFY, bytes);
            let notified = pair.b.machine.notify(&encoded(&sent), false, with_ack);
            if sent.is_empty() {
                assert_eq!(notified, Ok(NotifyOutcome::Nothing));
            } else {
                assert_eq!(pair.b.take_tx(), wire);
            }
            to_client(&mut pair, &wire, grain);
            match pair.a.take() {
                ToClient::Events { events, ack, size } => {
                    assert_eq!((&events, ack.is_some(), size), (&sent, with_ack, bytes.len()));
                }
                other => panic!("not events: {other:?}"),
            }
        }
    });
}

#[test]
fn events_acks() {
    cases(message::EVENTS_ACK, |grain, (), bytes| {
        let mut pair = ready(grain);
        let events = encoded(&[super::event(1, 1, "a")]);
        let Ok(NotifyOutcome::AwaitsAck(id)) = pair.b.machine.notify(&events, false, true) else {
            panic!("not sent")
        };
        pair.drive();
        let ToClient::Events { ack: Some(ack), .. } = pair.a.take() else { panic!("no events") };
        pair.a.machine.ack(ack).expect("waited for");
        let wire = frame(2, 2, false, true, message::EVENTS_ACK, bytes);
        assert_eq!(pair.a.take_tx(), wire);
        to_server(&mut pair, &wire, grain);
        assert_eq!(pair.b.take(), ToServer::Acked(id));
    });
}

#[test]
fn register_requests() {
    cases(message::REGISTER_REQ, |grain, sent: RegisterReq, bytes| {
        let mut pair = ready(grain);
        pair.a.machine.register(&sent).expect("ready");
        pair.a.machine.register_with_response(&sent).expect("ready");
        let wire = [(2, true), (3, false)]
            .map(|(id, last)| frame(id, id, true, last, message::REGISTER_REQ, bytes))
            .concat();
        assert_eq!(pair.a.take_tx(), wire);
        to_server(&mut pair, &wire, grain);
        for with_response in [false, true] {
            match pair.b.take() {
                ToServer::Register { events, request, size } => {
                    assert_eq!((&events, size), (&sent, bytes.len()));
                    assert_eq!(request.is_some(), with_response);
                }
                other => panic!("not a registration: {other:?}"),
            }
        }
    });
}

#[test]
fn register_responses() {
    cases(message::REGISTER_RES, |grain, response, bytes| {
        let mut pair = ready(grain);
        let asked = pair.a.machine.register_with_response(&[]).expect("ready");
        pair.drive();
        let ToServer::Register { request: Some(request), .. } = pair.b.take() else {
            panic!("not a registration")
        };
        let events = match response {
            RegisterRes::Events(events) => Some(events),
            RegisterRes::Failure => None,
        };
        pair.b.machine.register_response(request, events.as_deref()).expect("open");
        let wire = frame(2, 2, false, true, message::REGISTER_RES, bytes);
        assert_eq!(pair.b.take_tx(), wire);
        to_client(&mut pair, &wire, grain);
        assert_eq!(pair.a.take(), ToClient::Registered { request: asked, events });
    });
}

#[test]
fn query_requests() {
    cases(message::QUERY_REQ, |grain, query: QueryParams, bytes| {
        let mut pair = ready(grain);
        pair.a.machine.query(&query).expect("ready");
        let wire = frame(2, 2, true, false, message::QUERY_REQ, bytes);
        assert_eq!(pair.a.take_tx(), wire);
        to_server(&mut pair, &wire, grain);
        match pair.b.take() {
            ToServer::Query { params, .. } => assert_eq!(params, query),
            other => panic!("not a query: {other:?}"),
        }
    });
}

#[test]
fn query_responses() {
    cases(message::QUERY_RES, |grain, result: QueryResult, bytes| {
        let mut pair = ready(grain);
        let asked = pair.a.machine.query(&QueryParams::Server(Default::default())).expect("ready");
        pair.drive();
        let ToServer::Query { request, .. } = pair.b.take() else { panic!("not a query") };
        pair.b.machine.query_response(request, &result).expect("open");
        let wire = frame(2, 2, false, true, message::QUERY_RES, bytes);
        assert_eq!(pair.b.take_tx(), wire);
        to_client(&mut pair, &wire, grain);
        assert_eq!(pair.a.take(), ToClient::Queried { request: asked, result });
    });
}

/// The names are checked here only: the messages above are written with the library's constants.
#[test]
fn the_names() {
    let names = [
        (message::INIT_REQ, "HatEventer.MsgInitReq"),
        (message::INIT_RES, "HatEventer.MsgInitRes"),
        (message::STATUS_NOTIFY, "HatEventer.MsgStatusNotify"),
        (message::EVENTS_NOTIFY, "HatEventer.MsgEventsNotify"),
        (message::EVENTS_ACK, "HatEventer.MsgEventsAck"),
        (message::REGISTER_REQ, "HatEventer.MsgRegisterReq"),
        (message::REGISTER_RES, "HatEventer.MsgRegisterRes"),
        (message::QUERY_REQ, "HatEventer.MsgQueryReq"),
        (message::QUERY_RES, "HatEventer.MsgQueryRes"),
    ];
    for (name, expected) in names {
        assert_eq!(name, expected);
    }
    assert_eq!(client_config().chatter.dialect, chatter::Dialect::HatChatter);
}
