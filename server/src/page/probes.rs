//! What programs ask of the page's address: `/metrics` for Prometheus, `/healthz` for supervisors.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hat_aio::web::Routes;
use hat_aio::web::http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hat_aio::web::http::{Method, Request, Response, StatusCode};

use crate::engine_handle::{EngineHandle, Report};
use crate::metrics;
use crate::store::Health;

const JSON: &str = "application/json";

/// The answers. They ask for the page's password, where that does.
pub(super) fn routes(handle: EngineHandle) -> Routes {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Routes::new(move |request: Request<Bytes>| {
        let handle = handle.clone();
        async move {
            let path = request.uri().path();
            if !matches!(path, "/metrics" | "/healthz") {
                return None;
            }
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                let mut refusal = answer(StatusCode::METHOD_NOT_ALLOWED, JSON, String::new());
                refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                return Some(refusal);
            }
            let report = handle.report().await;
            Some(match path {
                "/metrics" => metrics(&report, started),
                _ => health(&report),
            })
        }
    })
}

fn metrics(report: &Report, started: f64) -> Response<Bytes> {
    match metrics::text(report, started) {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, JSON, error.to_string()),
    }
}

/// 200 where what is registered becomes durable, whatever the status: a standby is well. Else 503.
fn health(report: &Report) -> Response<Bytes> {
    let (code, store) = match &report.health {
        Health::Good => (StatusCode::OK, "good".to_owned()),
        Health::Failing(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Health::Closed => (StatusCode::SERVICE_UNAVAILABLE, "closed".to_owned()),
    };
    let body = serde_json::json!({"status": report.status.to_string(), "store": store});
    answer(code, JSON, body.to_string())
}

fn answer(code: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
