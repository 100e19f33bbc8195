//! A monitor made of a bare Chatter connection, which says whatever a test wants.

use hat_core::buffer::RecvBuf;
use hat_core::chatter::{self, Data};
use hat_core::observer::{
    BlessingRequest, BlessingResponse, CLIENT, CLOSE, ClientMessage, Component, ComponentInfo,
    Config, Error, Incoming, SERVER, ServerMessage,
};
use hat_core::protocol::{Polled, Protocol};
use hat_core::sbs;
use hat_core::time::Instant;
use hat_tests::pair::Pair;

/// What the next poll gives, if it gives anything.
pub(crate) fn next(
    component: &mut Component,
    rx: &mut RecvBuf,
    now: Instant,
) -> Option<Result<Incoming, Error>> {
    component.poll(rx, now).map(Polled::incoming).transpose()
}

/// A component and its monitor.
pub(crate) struct Plant {
    pub(crate) pair: Pair<Component, chatter::Connection>,
    /// What the monitor knows of the component.
    pub(crate) shown: ComponentInfo,
}

impl Plant {
    pub(crate) fn new(grain: usize) -> Self {
        let component = Component::new(Config::default(), "c1", "g", "null", Instant::ORIGIN);
        let monitor = chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
        let shown = ComponentInfo { cid: 1, mid: 0, data: "null".into(), ..Default::default() };
        Self { pair: Pair::new(component.expect("it is small"), monitor, grain), shown }
    }

    /// What the component said, oldest first. The monitor notes it, but shows nothing yet.
    pub(crate) fn said(&mut self) -> Vec<BlessingResponse> {
        self.pair.drive();
        let said = self.pair.b.incoming.drain(..).map(|incoming| match incoming {
            chatter::Incoming::Message(message) => {
                assert_eq!(message.data.r#type, CLIENT);
                sbs::decode::<ClientMessage>(&message.data.data).expect("by the schema")
            }
            other => panic!("{other:?} is no message"),
        });
        let said: Vec<_> = said.collect();
        if let Some(last) = said.last() {
            self.shown.name = Some(last.name.clone());
            self.shown.group = Some(last.group.clone());
            self.shown.blessing_res = last.blessing_res;
        }
        said.into_iter().map(|message| message.blessing_res).collect()
    }

    /// Shows the component with `offered`, and gives what it tells its application besides the
    /// state.
    pub(crate) fn show(&mut self, offered: Option<i64>) -> Vec<Incoming> {
        self.shown.blessing_req = BlessingRequest { token: offered, timestamp: Some(1.5) };
        let other = ComponentInfo { cid: 2, ..self.shown.clone() };
        let components = vec![other, self.shown.clone()];
        let message = ServerMessage { cid: 1, mid: 0, components };
        self.send(SERVER, sbs::encode(&message));
        self.told()
    }

    pub(crate) fn send(&mut self, name: &'static str, data: bytes::Bytes) {
        let sent = self.pair.b.machine.send(Data::new(name, data), Default::default());
        sent.expect("the component takes it");
        self.pair.drive();
    }

    pub(crate) fn ask_to_close(&mut self) {
        self.send(CLOSE, bytes::Bytes::new());
    }

    /// What the component told its application, but for the state.
    pub(crate) fn told(&mut self) -> Vec<Incoming> {
        self.pair.drive();
        let told = self.pair.a.incoming.drain(..);
        told.filter(|told| !matches!(told, Incoming::State(_))).collect()
    }

    pub(crate) fn component(&mut self) -> &mut Component {
        &mut self.pair.a.machine
    }
}
