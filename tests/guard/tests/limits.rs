//! What a message of a peer makes us allocate at the most: nothing of note where it is over a
//! limit, and what the limit says where it is not.

use allocation_counter::measure;
use hat_core::chatter::{self, Data, SendOptions};
use hat_core::eventer::message::{self, InitReq};
use hat_core::eventer::{EventType, LatestParams, QueryParams, Status, TimeseriesParams, server};
use hat_core::protocol::{Polled, Protocol};
use hat_core::sbs;
use hat_guard::cases::{NOW, Side};

const MIB: u64 = 1 << 20;

/// A client that sends what it likes, and the server's end of its connection.
struct Raw {
    client: Side<chatter::Connection>,
    server: Side<server::Connection>,
}

/// What became of a message, and what memory it took: at the most, and still.
struct MessageCost {
    polled: Result<Option<server::Incoming>, hat_core::eventer::Error>,
    most: u64,
    still: i64,
}

impl Raw {
    fn new() -> Self {
        // as ours, but for what it sends
        let client = chatter::Config {
            max_message: 256 << 20,
            max_queued: 256 << 20,
            ..chatter::Config::default()
        };
        let client = Side::new(chatter::Connection::new(client, NOW));
        let server = server::Connection::new(server::Config::default(), NOW);
        Self { client, server: Side::new(server) }
    }

    /// One that the server has taken.
    fn ready() -> Self {
        let mut raw = Self::new();
        let init = sbs::encode(&InitReq::default());
        assert!(matches!(raw.send(message::INIT_REQ, init.into()).polled, Ok(Some(_))));
        raw.server.machine.accept(Status::Operational).expect("it waits for it");
        raw.server.written();
        raw
    }

    fn send(&mut self, name: &'static str, data: Vec<u8>) -> MessageCost {
        let options = SendOptions { last: false, token: true, ..SendOptions::default() };
        self.client.machine.send(Data::new(name, data), options).expect("room");
        self.client.carry(&mut self.server);
        let (server, mut polled) = (&mut self.server, Ok(None));
        let info = measure(|| {
            polled = server.machine.poll(&mut server.rx, NOW).map(Polled::incoming);
        });
        MessageCost { polled, most: info.bytes_max, still: info.bytes_current }
    }
}

/// `front`, then `count` times `element` as a list, then `end`.
fn list(front: &[u8], count: usize, element: &[u8], end: &[u8]) -> Vec<u8> {
    let mut data = front.to_vec();
    data.extend(sbs::encode(&(count as i64)));
    (0..count).for_each(|_| data.extend_from_slice(element));
    data.extend_from_slice(end);
    data
}

/// Without type, source timestamp and payload: the smallest there is.
const TINY: &[u8] = b"\x80\x80\x80";

/// 6 MB of them were 1.6 GB.
#[test]
fn a_registration_of_tiny_events() {
    for megabytes in [1.5, 3.0, 6.0, 60.0] {
        let count = (megabytes * 1e6) as usize / TINY.len();
        let taken = Raw::ready().send(message::REGISTER_REQ, list(b"", count, TINY, b""));
        assert!(taken.polled.is_err(), "{megabytes} MB are taken");
        assert!(taken.most < MIB / 16, "{} bytes of {megabytes} MB that are refused", taken.most);
    }
    let taken = Raw::ready().send(message::REGISTER_REQ, list(b"", 200_000, TINY, b""));
    let Ok(Some(server::Incoming::Register { events, .. })) = &taken.polled else {
        panic!("refused: {:?}", taken.polled.err())
    };
    assert_eq!(events.len(), 200_000);
    // the limit, and half of it while the list moves to where it has room
    assert!(taken.most < 49 * MIB, "{} bytes of what is taken", taken.most);
}

/// 16 MB of empty segments were 1 GB.
#[test]
fn an_initialization_by_a_stranger() {
    // 60 empty segments each
    let empty = [&[0x80 | 60][..], &[0x80; 60]].concat();
    for megabytes in [4, 8, 16] {
        let data = list(b"\x80\x80", megabytes * 1_000_000 / empty.len(), &empty, b"\x80\x00");
        let taken = Raw::new().send(message::INIT_REQ, data);
        assert!(matches!(taken.polled, Ok(None)));
        assert!(taken.most < MIB / 16, "{} bytes of {megabytes} MB that are refused", taken.most);
    }
    // as many segments, and as many bytes, as are taken
    let taken = Raw::new().send(message::INIT_REQ, list(b"\x80\x80", 2_184, &empty, b"\x80\x00"));
    assert!(matches!(taken.polled, Ok(Some(server::Incoming::Init(_)))));
    assert!(taken.most < 64 * MIB, "{} bytes of what is taken", taken.most);
    let data: Vec<u8> = (0..60_000_u32)
        .flat_map(|n| {
            [&[0x82, 0x84][..], &n.to_be_bytes().map(|byte| byte % 26 + b'a'), b"\x85value"]
                .concat()
        })
        .collect();
    let data = [b"\x80\x80", &sbs::encode(&60_000_i64)[..], &data, b"\x80\x00"].concat();
    let taken = Raw::new().send(message::INIT_REQ, data);
    assert!(matches!(taken.polled, Ok(Some(server::Incoming::Init(_)))), "{:?}", taken.polled);
    assert!(taken.most < 64 * MIB, "{} bytes of what is taken", taken.most);
}

/// What a query weighs in an inbox is what it takes: 32 MB of them were 1.25 GB in an inbox of 4
/// MiB.
#[test]
fn queries_weigh_what_they_take() {
    for (count, one) in [
        (150_000, EventType::default()),
        (20_000, EventType::from_segments(["a", "b", "some longer text"])),
    ] {
        let event_types = Some(vec![one; count]);
        let latest = LatestParams { event_types: event_types.clone() };
        let timeseries = TimeseriesParams { event_types, ..TimeseriesParams::default() };
        for params in [QueryParams::from(latest), timeseries.into()] {
            let data = sbs::encode(&params);
            // it holds the frame too
            let frame = data.len() as i64;
            let taken = Raw::ready().send(message::QUERY_REQ, data.into());
            let Ok(Some(server::Incoming::Query { params, .. })) = &taken.polled else {
                panic!("refused")
            };
            let (weight, takes) = (params.weight() as i64, taken.still.max(0) + frame);
            assert!(weight >= takes * 9 / 10, "weighs {weight} and takes {takes} bytes");
            assert!(taken.most < 49 * MIB);
        }
    }
    // and more is refused
    let data = list(b"\x80\x81", 4_000_000, b"\x80", b"");
    let taken = Raw::ready().send(message::QUERY_REQ, data);
    assert!(taken.polled.is_err() && taken.most < MIB / 16, "{} bytes", taken.most);
}
