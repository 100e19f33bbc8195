//! A client with a handle: its states are reported, and what the server notifies of is passed on as
//! calls, one after the other.

use std::future::pending;
use std::sync::Arc;

use hat_aio::juggler as library;
use serde_json::{Value, json};
use smol::future::{or, poll_once};
use smol::lock::Mutex;

use crate::calls::Calls;
use crate::objects::{Boxed, Object, Objects, Report};

pub(super) struct Client {
    pub(super) library: library::Client,
    report: Arc<Report>,
    /// Takes the states that are reported, one at a time.
    reported: Mutex<library::Client>,
}

impl Client {
    pub(super) fn new(objects: &Objects, library: library::Client) -> Arc<Self> {
        let reported = Mutex::new(library.clone());
        Arc::new(Self { library, report: objects.new_report(), reported })
    }

    /// Reports every state that was not reported.
    pub(super) async fn report_state(&self) {
        let reported = self.reported.lock().await;
        while let Some(Ok(state)) = poll_once(reported.next_change()).await {
            self.report.event("state", &json!({"data": Value::from(&state)}));
        }
    }

    /// Reports and calls until the connection ends. The handle must have been introduced. Like the
    /// deployed client, it makes no call once the client is closed, and closes the client where a
    /// call raises.
    pub(super) async fn pass_on(self: Arc<Self>, calls: Arc<Calls>) {
        let states = self.library.clone();
        loop {
            let changed = async {
                match states.changed().await {
                    Ok(_) => Ok(None),
                    // notifications that came before the end are told still
                    Err(_) => pending().await,
                }
            };
            let notified = async { self.library.notification().await.map(Some) };
            let told = or(changed, notified).await;
            // the state that came before a notification is told before it
            self.report_state().await;
            let Ok(told) = told else { break };
            if let Some(told) = told
                && !self.report.is_closed()
            {
                let params = json!({"name": &*told.name, "data": Value::from(&told.data)});
                if calls.call(&self.report, "notify", &params).await.is_err() {
                    self.report.closing();
                    self.library.close().await;
                }
            }
        }
        self.report.closing();
        self.library.closed().await;
        self.report.closed();
    }
}

impl Object for Client {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.close().await;
        })
    }
}
