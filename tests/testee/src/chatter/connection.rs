//! A connection with a handle: messages are taken from it as they come, so that timeouts and the
//! end, which come from the same queue, are reported without anyone asking for a message.

use std::sync::Arc;

use hat_aio::{Runtime, chatter as library};
use hat_core::chatter::{Conversation, Data, Incoming, Message, SendError};
use serde_json::json;
use smol::channel::{Receiver, Sender, bounded, unbounded};

use super::form;
use crate::answer::Failure;
use crate::objects::{Boxed, Object, Objects, Report};
use crate::server;
use crate::turn::Turns;

pub(super) struct Connection {
    library: library::Connection,
    report: Arc<Report>,
    /// What came and was not asked for yet; it closes with the connection.
    received: Receiver<Message>,
    /// For `start`: where what comes is put.
    queue: Sender<Message>,
    /// Messages are sent in the order of the requests, also where they wait for room.
    turns: Turns,
}

impl Connection {
    /// A connection of which at most `queue` received messages wait; zero is any number.
    pub(super) fn new(objects: &Objects, library: library::Connection, queue: usize) -> Arc<Self> {
        let report = objects.new_report();
        let (queue, received) = if queue == 0 { unbounded() } else { bounded(queue) };
        Arc::new(Self { library, report, received, queue, turns: Turns::default() })
    }

    /// Sends, after what was to be sent before, and waits for room.
    pub(super) async fn send(
        &self,
        data: Data,
        options: library::SendOptions,
    ) -> Result<Conversation, SendError> {
        let turn = self.turns.take();
        turn.wait().await;
        self.library.send(data, options).await
    }

    /// Sends without waiting.
    pub(super) fn send_at_once(
        &self,
        data: Data,
        options: library::SendOptions,
    ) -> Result<Conversation, SendError> {
        self.library.try_send(data, options)
    }

    /// The next message; what came before the end is given before the end is told.
    pub(super) async fn receive(&self) -> Result<Message, Failure> {
        let end = |_| match self.library.end_reason() {
            Some(end) => Failure::connection(end),
            None => Failure::connection("the connection is closing"),
        };
        self.received.recv().await.map_err(end)
    }

    /// Waits until all that was to be sent before is with the system.
    pub(super) async fn drain(&self) -> Result<(), Failure> {
        // to the library nothing is left that is not written
        if let Some(end) = self.library.end_reason() {
            return Err(Failure::connection(end));
        }
        self.turns.take().wait().await;
        self.library.drain().await.map_err(Failure::connection)
    }
}

impl server::Connection for Connection {
    fn start<R: Runtime>(&self) {
        R::spawn(read(self.library.clone(), self.report.clone(), self.queue.clone()));
        let (library, report) = (self.library.clone(), self.report.clone());
        R::spawn(async move {
            library.closed().await;
            report.closed();
        });
    }

    fn ended(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.closed().await;
            self.report.closed();
        })
    }
}

impl Object for Connection {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.close().await;
        })
    }
}

async fn read(library: library::Connection, report: Arc<Report>, queue: Sender<Message>) {
    loop {
        match library.next().await {
            // an error: the connection was forgotten, and with it who would receive
            Ok(Incoming::Message(message)) => drop(queue.send(message).await),
            Ok(Incoming::Timeout(conversation)) => {
                let conversation = form::conversation(conversation);
                report.event("conv_timeout", &json!({"conv": conversation}));
            }
            Err(_) => {
                report.closing();
                queue.close();
                return;
            }
        }
    }
}
