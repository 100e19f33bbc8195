//! A monitor of the test's own, for event servers of this process: it shows components that connect
//! and others that there are none of, and blesses whom the test names.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hat_aio::chatter::{Connection, ListenOptions, SendOptions, Server, listen};
use hat_core::chatter::Data;
use hat_core::observer::{
    BlessingRequest, CLIENT, ClientMessage, ComponentInfo, SERVER, ServerMessage,
};
use hat_core::sbs;
use serde_json::json;

use crate::runtimes::TestRuntime;

/// It is there until the process ends.
pub struct Monitor {
    server: Arc<Server>,
    shared: Arc<Mutex<Shown>>,
}

#[derive(Default)]
struct Shown {
    components: BTreeMap<i64, (ComponentInfo, Option<Connection>)>,
    /// The name of who is blessed.
    blessed: Option<String>,
    /// One that is ready is blessed, whoever it is, and stays so until it is not.
    blesses_one: bool,
}

impl Monitor {
    /// One that blesses nobody yet.
    pub async fn start<R: TestRuntime>() -> Self {
        let at: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let server = listen::<R>(at, ListenOptions::default()).await.expect("a free port");
        let server = Arc::new(server);
        let (accepting, shared) = (server.clone(), Arc::<Mutex<Shown>>::default());
        let to = shared.clone();
        R::spawn(async move {
            let mut cid = 100;
            while let Some(connection) = accepting.accept().await {
                cid += 1;
                R::spawn(follow(cid, connection, to.clone()));
            }
        });
        Self { server, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// Shows an event server that is not connected here, in the group `event`.
    pub fn show(&self, cid: i64, server_id: i64, at: SocketAddr) {
        let server = json!({"host": at.ip().to_string(), "port": at.port()});
        let data = json!({"server_id": server_id, "eventer_server": server, "server_token": null});
        let info = ComponentInfo {
            cid,
            name: Some(format!("shown-{cid}").into()),
            group: Some("event".into()),
            data: data.to_string().into(),
            ..ComponentInfo::default()
        };
        let mut shown = lock(&self.shared);
        shown.components.insert(cid, (info, None));
        shown.tell();
    }

    /// Blesses one of the components that are ready from now on, as a deployed monitor does by
    /// `BLESS_ONE`.
    pub fn bless_one(&self) {
        lock(&self.shared).blesses_one = true;
    }

    /// Blesses the component of this name from now on, also where it comes later.
    pub fn bless(&self, name: &str) {
        let mut shown = lock(&self.shared);
        shown.blessed = Some(name.to_owned());
        shown.tell();
    }
}

impl Shown {
    /// Nobody is blessed before who was has ended its work.
    fn choose(&mut self) {
        let mut infos = self.components.values().map(|(info, _)| info);
        let works = |info: &&ComponentInfo| info.blessing_res.token.is_some();
        let is_ready = |info: &&ComponentInfo| info.blessing_res.ready;
        let name = |info: &ComponentInfo| info.name.as_ref().map(ToString::to_string);
        self.blessed = match infos.clone().find(works) {
            Some(info) => name(info).filter(|_| info.blessing_res.ready),
            None => infos.find(is_ready).and_then(name),
        };
    }

    fn tell(&mut self) {
        if self.blesses_one {
            self.choose();
        }
        for (cid, (info, _)) in &mut self.components {
            let is_blessed = self.blessed.as_deref() == info.name.as_deref();
            let token = (is_blessed && info.blessing_res.ready).then_some(*cid);
            info.blessing_req = BlessingRequest { token, timestamp: Some(1.0) };
        }
        let components: Vec<_> = self.components.values().map(|(info, _)| info.clone()).collect();
        for (cid, (_, connection)) in &self.components {
            let message = ServerMessage { cid: *cid, mid: 0, components: components.clone() };
            let data = Data::new(SERVER, sbs::encode(&message));
            if let Some(connection) = connection {
                // one that is over is taken away by who follows it
                let _ = connection.try_send(data, SendOptions::default());
            }
        }
    }
}

async fn follow(cid: i64, connection: Connection, shared: Arc<Mutex<Shown>>) {
    while let Ok(message) = connection.receive().await {
        assert_eq!(message.data.r#type, CLIENT);
        let said = sbs::decode::<ClientMessage>(&message.data.data).expect("by the schema");
        let info = ComponentInfo {
            cid,
            name: Some(said.name),
            group: Some(said.group),
            data: said.data,
            blessing_res: said.blessing_res,
            ..ComponentInfo::default()
        };
        let mut shown = lock(&shared);
        shown.components.insert(cid, (info, Some(connection.clone())));
        shown.tell();
    }
    let mut shown = lock(&shared);
    shown.components.remove(&cid);
    shown.tell();
}

fn lock(shared: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
