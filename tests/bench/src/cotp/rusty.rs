//! `rusty-cotp`.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::Context;
use rusty_cotp::{
    CotpConnection, CotpConnectionParameters, CotpProtocolInformation, CotpReader, CotpResponder,
    CotpWriter, RustyCotpConnection, RustyCotpResponder,
};
use rusty_tpkt::{TcpTpktConnection, TcpTpktReader, TcpTpktServer, TcpTpktWriter};

use super::Drive;
use crate::side;
use crate::side::load::Done;

type Responder = RustyCotpResponder<TcpTpktReader, TcpTpktWriter>;
type Connection = RustyCotpConnection<TcpTpktReader, TcpTpktWriter>;

fn parameters() -> CotpConnectionParameters {
    CotpConnectionParameters { max_reassembled_payload_size: 4 * 1024 * 1024 }
}

pub(super) async fn serve() -> anyhow::Result<()> {
    // its server does not tell its port
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let server = TcpTpktServer::listen(([127, 0, 0, 1], port).into()).await?;
    side::listening(port);
    let (responder, information) = Responder::new(server.accept().await?, parameters()).await?;
    let connection = responder.accept(information.responder()).await?;
    let (mut reader, mut writer) = connection.split().await?;
    while let Some(message) = reader.recv().await? {
        writer.send(&mut VecDeque::from([message])).await?;
    }
    Ok(())
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<Done> {
    let tpkt = TcpTpktConnection::connect(([127, 0, 0, 1], drive.port).into()).await?;
    let initiator = CotpProtocolInformation::initiator(None, None);
    let connection = Connection::initiate(tpkt, initiator, parameters()).await?;
    let (mut reader, mut writer) = connection.split().await?;
    side::ready();
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    loop {
        // both at once: messages in flight may be more than what the system holds
        let write = async {
            let open = start.elapsed() < drive.time();
            let more = if open { drive.window - (sent - received) } else { 0 };
            for _ in 0..more {
                writer.send(&mut VecDeque::from([vec![1; drive.size]])).await?;
            }
            anyhow::Ok(more)
        };
        let read = async {
            reader.recv().await?.context("the server ended")?;
            Ok(())
        };
        let (more, ()) = tokio::try_join!(write, read)?;
        sent += more;
        received += 1;
        if received == sent && start.elapsed() >= drive.time() {
            let seconds = start.elapsed().as_secs_f64();
            return Ok(Done { messages: received, size: drive.size, seconds });
        }
    }
}
