//! What went over the wire between `hat.monitor.component` and `hat-monitor` 0.8.23, byte for byte.
//!
//! A component `c1` of group `g`, with data `{"server_id": 1}`, connects, becomes ready, is
//! blessed, and is ready no more.

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::observer::{Component, Config, Incoming, State};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;
use hat_tests::vectors::hex;

use super::plant::next;

const HELLO: &str = "01348181010101954861744f627365727665722e4d7367436c69656e74988263318167907b\
                     227365727665725f6964223a20317d8000";
const NOBODY: &str = "011f8181010101954861744f627365727665722e4d736753657276657283818080";
const NAMELESS: &str = "012d8282010101954861744f627365727665722e4d73675365727665729181808181808080\
                        846e756c6c8180808000";
const SHOWN: &str = "013e8484010101954861744f627365727665722e4d7367536572766572a28180818180818263\
                     31818167907b227365727665725f6964223a20317d8180808000";
const READY: &str = "01348282010101954861744f627365727665722e4d7367436c69656e74988263318167907b22\
                     7365727665725f6964223a20317d8001";
const OFFERED: &str = "01478686010101954861744f627365727665722e4d7367536572766572ab81808181808182\
                       6331818167907b227365727665725f6964223a20317d8181818141dac2c882e3d4e88001";
const ANSWER: &str = "01358383010101954861744f627365727665722e4d7367436c69656e74998263318167907b2\
                      27365727665725f6964223a20317d818101";
const BLESSED: &str = "01488888010101954861744f627365727665722e4d7367536572766572ac81808181808182\
                       6331818167907b227365727665725f6964223a20317d8181818141dac2c882e3d4e8818101";
const NOT_READY: &str = "01358484010101954861744f627365727665722e4d7367436c69656e74998263318167907b\
                         227365727665725f6964223a20317d818100";
const RELEASED: &str = "01348585010101954861744f627365727665722e4d7367436c69656e74988263318167907b2\
                        27365727665725f6964223a20317d8000";

struct Wire {
    component: Component,
    rx: RecvBuf,
    grain: usize,
}

impl Wire {
    fn sent(&mut self) -> Vec<u8> {
        let tx = self.component.tx();
        tx.copy_to_bytes(tx.remaining()).into()
    }

    /// Feeds a message of the monitor and gives all that came of it.
    fn feed(&mut self, text: &str) -> Vec<Incoming> {
        let mut came = Vec::new();
        for part in hex(&text.into()).chunks(self.grain) {
            self.rx.feed(part);
            while let Some(incoming) = next(&mut self.component, &mut self.rx, Instant::ORIGIN) {
                came.push(incoming.expect("the connection goes on"));
            }
        }
        came
    }
}

fn state(incoming: &Incoming) -> &State {
    match incoming {
        Incoming::State(state) => state,
        other => panic!("{other:?} is no state"),
    }
}

#[test]
fn a_component_is_blessed_and_gives_the_blessing_back() {
    for grain in GRAINS {
        let data = r#"{"server_id": 1}"#;
        let component = Component::new(Config::default(), "c1", "g", data, Instant::ORIGIN);
        let component = component.expect("it is small");
        let mut wire = Wire { component, rx: RecvBuf::new(), grain };
        assert_eq!(wire.sent(), hex(&HELLO.into()));

        assert_eq!(wire.feed(NOBODY), [], "as before: nobody");
        let came = wire.feed(NAMELESS);
        assert_eq!(state(&came[0]).own.as_ref().expect("it is shown").name, None);
        let came = wire.feed(SHOWN);
        let own = state(&came[0]).own.clone().expect("it is shown");
        assert_eq!((own.cid, own.mid, own.rank), (1, 0, 1));
        assert_eq!(own.name.as_deref(), Some("c1"));
        assert_eq!(own.group.as_deref(), Some("g"));
        assert_eq!(own.data, data);
        assert_eq!(wire.feed(SHOWN), [], "nothing has changed");
        assert!(wire.sent().is_empty());

        wire.component.set_ready(true);
        assert_eq!(wire.sent(), hex(&READY.into()));
        let came = wire.feed(OFFERED);
        let offer = state(&came[0]).own.as_ref().expect("it is shown").blessing_req;
        assert_eq!(offer.token, Some(1));
        assert!(offer.timestamp.is_some_and(|at| (1.7e9..2e9).contains(&at)), "{offer:?}");
        assert_eq!(wire.sent(), hex(&ANSWER.into()));
        assert!(!wire.component.is_active(), "nobody knows yet that it answered");

        let came = wire.feed(BLESSED);
        assert_eq!(state(&came[0]).own.as_ref().expect("it is shown").active_token(), Some(1));
        assert_eq!(came[1..], [Incoming::Activate]);
        assert!(wire.component.is_active());

        wire.component.set_ready(false);
        assert_eq!(wire.sent(), hex(&NOT_READY.into()), "the token stays while the work ends");
        assert_eq!(wire.feed(""), []);
        let told = next(&mut wire.component, &mut wire.rx, Instant::ORIGIN);
        assert_eq!(told.expect("something").expect("goes on"), Incoming::Deactivate);
        assert!(wire.sent().is_empty());
        wire.component.deactivated();
        assert_eq!(wire.sent(), hex(&RELEASED.into()));
    }
}
