//! HatEventAdminer: how the deployed tools read and change the log levels of a server.
//!
//! ```text
//! client                                                    server
//!   │ ── HatEventAdminer.MsgGetLogConfReq  None ──────────────> │
//!   │ <──────────────── MsgGetLogConfRes  success: JSON, error ─│  each request is a conversation,
//!   │ ── HatEventAdminer.MsgSetLogConfReq  JSON ──────────────> │  which the answer ends
//!   │ <──────────────── MsgSetLogConfRes  success, error ───────│
//! ```
//!
//! The JSON is a configuration of Python's `logging.config.dictConfig`. What can be done with one
//! is for who has the log: see [`LogControl`]. Anything else ends the connection, as with hat-event
//! 0.9.

use std::net::SocketAddr;
use std::sync::Arc;

use bytestring::ByteString;
use hat_aio::chatter::{Connection, ListenOptions, SendOptions, Server, listen};
use hat_aio::{Address, ListenError, Runtime};
use hat_core::chatter::{Config, Data, Message};
use hat_core::sbs;
use tracing::{info, warn};

const GET: &str = "HatEventAdminer.MsgGetLogConfReq";
const GOT: &str = "HatEventAdminer.MsgGetLogConfRes";
const SET: &str = "HatEventAdminer.MsgSetLogConfReq";
const WAS_SET: &str = "HatEventAdminer.MsgSetLogConfRes";

/// Bytes of a message, 1 MiB: configurations have some thousands.
const MAX_MESSAGE: usize = 1 << 20;

/// What is logged, in the hands of who logs.
pub trait LogControl: Send + Sync + 'static {
    /// The configuration that was taken last, as JSON; `null` where there is none.
    fn get(&self) -> String;

    /// Takes a configuration from now on.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with it; it is as before then.
    fn set(&self, conf: &str) -> Result<(), String>;
}

sbs::choice! {
    /// `MsgGetLogConfRes = Choice { success: String, error: String }`
    enum GetResponse { Success(ByteString), Error(ByteString) }
}

sbs::choice! {
    /// `MsgSetLogConfRes = Choice { success: None, error: String }`
    enum SetResponse { Success, Error(ByteString) }
}

/// A server of HatEventAdminer. Whoever reaches it may do all of it: there are no passwords in it.
#[derive(Debug)]
pub struct Adminer(Arc<Server>);

impl Adminer {
    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// [`ListenError`].
    pub async fn open<R: Runtime>(
        address: Address,
        control: Arc<dyn LogControl>,
    ) -> Result<Self, ListenError> {
        let config = Config { max_message: MAX_MESSAGE, ..Config::default() };
        let options = ListenOptions { config, ..ListenOptions::default() };
        let server = Arc::new(listen::<R>(address, options).await?);
        let accepting = server.clone();
        R::spawn(async move {
            while let Some(connection) = accepting.accept().await {
                let control = control.clone();
                R::spawn(async move { serve(&connection, &*control).await });
            }
        });
        Ok(Self(server))
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.0.addresses()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

/// Answers until the connection ends.
async fn serve(connection: &Connection, control: &dyn LogControl) {
    while let Ok(message) = connection.receive().await {
        let Some(answer) = answer(&message, control) else {
            warn!(
                kind = &*message.data.r#type,
                "an adminer sent a request that is not understood: its connection is closed"
            );
            return;
        };
        let conversation = Some(message.conversation);
        let options = SendOptions { conversation, ..SendOptions::default() };
        if let Err(error) = connection.send(answer, options).await {
            warn!(%error, "cannot answer an adminer");
            return;
        }
    }
}

/// The answer, if there is one.
fn answer(message: &Message, control: &dyn LogControl) -> Option<Data> {
    match &*message.data.r#type {
        GET => {
            sbs::decode::<()>(&message.data.data).ok()?;
            Some(Data::new(GOT, sbs::encode(&GetResponse::Success(control.get().into()))))
        }
        SET => {
            let conf: ByteString = sbs::decode(&message.data.data).ok()?;
            let answer = match control.set(&conf) {
                Ok(()) => {
                    info!(conf = &*conf, "an adminer has changed the log levels");
                    SetResponse::Success
                }
                Err(error) => SetResponse::Error(error.into()),
            };
            Some(Data::new(WAS_SET, sbs::encode(&answer)))
        }
        _ => None,
    }
}
