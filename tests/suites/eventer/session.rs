//! A session written out, byte by byte.

use hat_core::eventer::client::Incoming as ToClient;
use hat_core::eventer::message::InitReq;
use hat_core::eventer::server::{Incoming as ToServer, NotifyOutcome};
use hat_core::eventer::{Event, EventId, LatestParams, QueryResult, Status, Timestamp};
use hat_tests::pair::GRAINS;

use super::{
    client_config, encoded, init, initialized, pair_of, server_config, to_client, to_server,
};

mod wire {
    pub(super) const INIT_REQ: &[u8] =
        b"\x01(\x81\x81\x01\x01\x00\x95HatEventer.MsgInitReq\x8c\x84name\x80\x81\x81\x81*\x80\x00";
    pub(super) const INIT_RES: &[u8] =
        b"\x01\x1e\x81\x81\x00\x01\x01\x95HatEventer.MsgInitRes\x82\x80\x82";
    pub(super) const STATUS: &[u8] =
        b"\x01\x22\x82\x82\x01\x01\x01\x9aHatEventer.MsgStatusNotify\x81\x83";
    pub(super) const REGISTER: &[u8] =
        b"\x01&\x82\x82\x01\x01\x01\x99HatEventer.MsgRegisterReq\x86\x81\x81\x81a\x80\x80";
    pub(super) const QUERY_REQ: &[u8] =
        b"\x01\x1f\x83\x83\x01\x01\x00\x96HatEventer.MsgQueryReq\x82\x80\x80";
    pub(super) const QUERY_RES: &[u8] =
        b"\x01\x1f\x83\x83\x00\x01\x01\x96HatEventer.MsgQueryRes\x82\x80\x01";
    pub(super) const REGISTER_REQ: &[u8] =
        b"\x01!\x84\x84\x01\x01\x00\x99HatEventer.MsgRegisterReq\x81\x80";
    pub(super) const REGISTER_RES: &[u8] =
        b"\x01!\x84\x84\x00\x01\x01\x99HatEventer.MsgRegisterRes\x81\x81";
    pub(super) const NOTIFY: &[u8] =
        b"\x01,\x85\x85\x01\x01\x00\x9aHatEventer.MsgEventsNotify\x8b\x81\x81\x82\x83\x81\x81a\x85\x80\x80\x80";
    pub(super) const ACK: &[u8] = b"\x01\x1e\x85\x85\x00\x01\x01\x97HatEventer.MsgEventsAck\x80";
}

#[test]
fn a_session() {
    for grain in GRAINS {
        let request = InitReq { client_name: "name".into(), ..init(&["*"]) };
        let mut pair = pair_of(client_config(), server_config(), &request, grain);
        assert_eq!(pair.a.take_tx(), wire::INIT_REQ);
        to_server(&mut pair, wire::INIT_REQ, grain);
        assert_eq!(&*initialized(&mut pair).client_name, "name");
        pair.b.machine.accept(Status::Operational).expect("a client waits for it");
        assert_eq!(pair.b.take_tx(), wire::INIT_RES);
        to_client(&mut pair, wire::INIT_RES, grain);
        assert_eq!(pair.a.take(), ToClient::Ready(Status::Operational));

        pair.b.machine.set_status(Status::Stopping).expect("ready");
        assert_eq!(pair.b.take_tx(), wire::STATUS);
        to_client(&mut pair, wire::STATUS, grain);
        assert_eq!(pair.a.take(), ToClient::Status(Status::Stopping));

        pair.a.machine.register(&[super::to_register("a")]).expect("ready");
        assert_eq!(pair.a.take_tx(), wire::REGISTER);
        to_server(&mut pair, wire::REGISTER, grain);
        assert!(matches!(pair.b.take(), ToServer::Register { request: None, .. }));

        let latest = LatestParams::default().into();
        let asked = pair.a.machine.query(&latest).expect("ready");
        assert_eq!(pair.a.take_tx(), wire::QUERY_REQ);
        to_server(&mut pair, wire::QUERY_REQ, grain);
        let ToServer::Query { params, request } = pair.b.take() else { panic!("not a query") };
        assert_eq!(params, latest);
        let result = QueryResult { events: Vec::new(), more_follows: true };
        pair.b.machine.query_response(request, &result).expect("open");
        assert_eq!(pair.b.take_tx(), wire::QUERY_RES);
        to_client(&mut pair, wire::QUERY_RES, grain);
        assert_eq!(pair.a.take(), ToClient::Queried { request: asked, result });

        let asked = pair.a.machine.register_with_response(&[]).expect("ready");
        assert_eq!(pair.a.take_tx(), wire::REGISTER_REQ);
        to_server(&mut pair, wire::REGISTER_REQ, grain);
        let ToServer::Register { request: Some(request), .. } = pair.b.take() else {
            panic!("not a registration")
        };
        pair.b.machine.register_response(request, None).expect("open");
        assert_eq!(pair.b.take_tx(), wire::REGISTER_RES);
        to_client(&mut pair, wire::REGISTER_RES, grain);
        assert_eq!(pair.a.take(), ToClient::Registered { request: asked, events: None });

        let event = Event {
            id: EventId::new(1, 2, 3),
            timestamp: Timestamp::from_secs(5),
            payload: None,
            ..super::event(1, 1, "a")
        };
        let notified = pair.b.machine.notify(&encoded(&[event]), false, true);
        assert_eq!(pair.b.take_tx(), wire::NOTIFY);
        to_client(&mut pair, wire::NOTIFY, grain);
        let ToClient::Events { ack: Some(ack), .. } = pair.a.take() else { panic!("no events") };
        pair.a.machine.ack(ack).expect("the server waits for it");
        assert_eq!(pair.a.take_tx(), wire::ACK);
        to_server(&mut pair, wire::ACK, grain);
        let ToServer::Acked(id) = pair.b.take() else { panic!("no ack") };
        assert_eq!(notified, Ok(NotifyOutcome::AwaitsAck(id)));
        super::nothing_is_open(&pair);
    }
}
