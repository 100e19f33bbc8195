//! gRPC by tonic. What its generator would write is written by hand, so that nobody needs `protoc`:
//!
//! ```text
//! service Echo {
//!     rpc Call(Payload) returns (Payload);
//!     rpc Count(stream Payload) returns (Total);
//! }
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{ClientStreamingService, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::call::{self, Call};
use crate::side;
use crate::side::load::{Load, Task};
use crate::side::pipe::{self, Flow};

#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Total {
    #[prost(uint64, tag = "1")]
    messages: u64,
}

const CALL: &str = "/bench.Echo/Call";
const COUNT: &str = "/bench.Echo/Count";

/// Messages may be of 1 MiB and a few bytes.
const MESSAGE: usize = 4 * 1024 * 1024;

#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(if request.uri().path() == COUNT {
                let codec = ProstCodec::<Total, Payload>::default();
                tonic::server::Grpc::new(codec).client_streaming(CountCall, request).await
            } else {
                let codec = ProstCodec::<Payload, Payload>::default();
                tonic::server::Grpc::new(codec).unary(EchoCall, request).await
            })
        })
    }
}

struct EchoCall;

impl UnaryService<Payload> for EchoCall {
    type Response = Payload;
    type Future = std::future::Ready<Result<Response<Payload>, Status>>;

    fn call(&mut self, request: Request<Payload>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

struct CountCall;

impl ClientStreamingService<Payload> for CountCall {
    type Response = Total;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Total>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Payload>>) -> Self::Future {
        Box::pin(async move {
            let (mut payloads, mut messages) = (request.into_inner(), 0);
            while let Some(payload) = payloads.next().await {
                payload?;
                messages += 1;
            }
            Ok(Response::new(Total { messages }))
        })
    }
}

/// More than are in flight: it would allow 200.
const IN_FLIGHT: u32 = 4096;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    side::listening(incoming.local_addr()?.port());
    let server = Server::builder().max_concurrent_streams(IN_FLIGHT).add_service(Echo);
    Ok(server.serve_with_incoming(incoming).await?)
}

async fn connect(load: &Load) -> anyhow::Result<tonic::client::Grpc<Channel>> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", load.port))?;
    let client = tonic::client::Grpc::new(endpoint.connect().await?);
    Ok(client.max_decoding_message_size(MESSAGE))
}

pub(crate) async fn drive(load: &Load) -> anyhow::Result<()> {
    match load.task {
        Task::OneWay => {
            pipe::one_way(&mut Stream::start(load).await?, load).await?.tell();
            Ok(())
        }
        _ => call::run::<Client>(load).await,
    }
}

#[derive(Clone)]
struct Client {
    grpc: tonic::client::Grpc<Channel>,
    data: Bytes,
}

impl Call for Client {
    async fn connect(load: &Load) -> anyhow::Result<Self> {
        Ok(Self { grpc: connect(load).await?, data: vec![1; load.size].into() })
    }

    async fn call(&mut self) -> anyhow::Result<()> {
        self.grpc.ready().await?;
        let request = Request::new(Payload { data: self.data.clone() });
        let codec = ProstCodec::<Payload, Payload>::default();
        let response = self.grpc.unary(request, PathAndQuery::from_static(CALL), codec).await?;
        let len = response.into_inner().data.len();
        ensure!(len == self.data.len(), "an answer of {len} bytes");
        Ok(())
    }
}

/// Bytes that wait to be sent, as with Chatter about.
const WAITING: usize = 8 * 1024 * 1024;

/// A stream of the client, which a task sends.
struct Stream {
    payloads: Option<mpsc::Sender<Payload>>,
    data: Bytes,
    counted: JoinHandle<Result<Response<Total>, Status>>,
}

impl Stream {
    async fn start(load: &Load) -> anyhow::Result<Self> {
        let mut grpc = connect(load).await?;
        grpc.ready().await?;
        let (payloads, stream) = mpsc::channel((WAITING / load.size).clamp(1, 1024));
        let counted = tokio::spawn(async move {
            let codec = ProstCodec::<Payload, Total>::default();
            let request = Request::new(ReceiverStream::new(stream));
            grpc.client_streaming(request, PathAndQuery::from_static(COUNT), codec).await
        });
        Ok(Self { payloads: Some(payloads), data: vec![1; load.size].into(), counted })
    }
}

impl Flow for Stream {
    async fn send(&mut self, count: usize) -> anyhow::Result<()> {
        let payloads = self.payloads.as_ref().context("the stream has ended")?;
        for _ in 0..count {
            payloads.send(Payload { data: self.data.clone() }).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<u64> {
        self.payloads = None;
        Ok((&mut self.counted).await??.into_inner().messages)
    }
}
