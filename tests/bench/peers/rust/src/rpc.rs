//! tarpc: calls between Rust programs, here with bincode over TCP.

use anyhow::ensure;
use futures_util::StreamExt;
use tarpc::server::Channel;
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context, serde_transport, server};

use crate::call::Call;
use crate::side;
use crate::side::load::Load;

#[tarpc::service]
trait Echo {
    async fn echo(data: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct Echoes;

impl Echo for Echoes {
    async fn echo(self, _: context::Context, data: Vec<u8>) -> Vec<u8> {
        data
    }
}

/// More than are in flight: it would queue them.
const IN_FLIGHT: usize = 4096;

pub(crate) async fn serve() -> anyhow::Result<()> {
    let mut incoming = serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await?;
    side::listening(incoming.local_addr().port());
    while let Some(transport) = incoming.next().await {
        let transport = transport?;
        transport.get_ref().set_nodelay(true)?;
        let config = server::Config { pending_response_buffer: IN_FLIGHT };
        let calls = server::BaseChannel::new(config, transport).execute(Echoes.serve());
        tokio::spawn(calls.for_each(|call| async {
            tokio::spawn(call);
        }));
    }
    Ok(())
}

#[derive(Clone)]
pub(crate) struct Client {
    client: EchoClient,
    data: Vec<u8>,
}

impl Call for Client {
    async fn connect(load: &Load) -> anyhow::Result<Self> {
        let address = ("127.0.0.1", load.port);
        let transport = serde_transport::tcp::connect(address, Bincode::default).await?;
        transport.get_ref().set_nodelay(true)?;
        let mut config = client::Config::default();
        config.max_in_flight_requests = IN_FLIGHT;
        config.pending_request_buffer = IN_FLIGHT;
        let client = EchoClient::new(config, transport).spawn();
        Ok(Self { client, data: vec![1; load.size] })
    }

    async fn call(&mut self) -> anyhow::Result<()> {
        let data = self.client.echo(context::current(), self.data.clone()).await?;
        ensure!(data.len() == self.data.len(), "an answer of {} bytes", data.len());
        Ok(())
    }
}
