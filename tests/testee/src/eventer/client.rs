//! A client with a handle: what the server tells is passed on as calls, one after the other.

use std::sync::Arc;

use hat_aio::Runtime;
use hat_aio::eventer::{self as library, Notification};
use serde_json::json;

use super::form;
use crate::calls::Calls;
use crate::objects::{Boxed, Object, Objects, Report};

pub(super) struct Client {
    pub(super) library: library::Client,
    report: Arc<Report>,
}

impl Client {
    pub(super) fn new(objects: &Objects, library: library::Client) -> Arc<Self> {
        Arc::new(Self { library, report: objects.new_report() })
    }

    pub(super) fn handle(&self) -> u64 {
        self.report.handle
    }

    /// Begins to report and to call. The handle must have been introduced.
    pub(super) fn start<R: Runtime>(&self, calls: Arc<Calls>) {
        R::spawn(pass_on(self.library.clone(), self.report.clone(), calls));
        let (library, report) = (self.library.clone(), self.report.clone());
        R::spawn(async move {
            library.closed().await;
            report.closed();
        });
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

/// Passes on what the server tells until the connection ends. Like the deployed client, it makes no
/// call once the client is closed, and closes the client where a call raises.
async fn pass_on(library: library::Client, report: Arc<Report>, calls: Arc<Calls>) {
    while let Ok(told) = library.next().await
        && !report.is_closed()
    {
        let (name, params) = match &told {
            Notification::Status(status) => ("status", json!({"status": status.as_str()})),
            Notification::Events(events) => ("events", json!({"events": form::events(events)})),
        };
        if calls.call(&report, name, &params).await.is_err() {
            report.closing();
            library.close().await;
        }
        // the ack, where the server waits for it: not before the reply
        drop(told);
    }
    report.closing();
}
