//! Both ends of a Chatter connection over TLS.
//!
//! ```sh
//! cargo run -p hat-smol --example smol_tls --features tls -- server.pem plant-ca.pem
//! ```

use hat_smol::chatter::{ConnectOptions, Data, ListenOptions, SendOptions, connect, listen};
use hat_smol::tls;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    smol::block_on(async {
        let mut files = std::env::args().skip(1);
        let server_pem =
            files.next().ok_or("give the server's certificate and key, in one PEM file")?;
        let roots_pem =
            files.next().ok_or("give a PEM file of those who may issue certificates")?;

        let acceptor =
            tls::AcceptorOptions::new(tls::Identity::new(Path::new(&server_pem))).build()?;
        let options = ListenOptions { tls: Some(acceptor), ..ListenOptions::default() };
        let server = listen("localhost:0", options).await?;

        let roots = tls::Roots::Pem(Path::new(&roots_pem).into());
        let connector =
            tls::ConnectorOptions { roots, ..tls::ConnectorOptions::default() }.build()?;
        let options = ConnectOptions { tls: Some(connector), ..ConnectOptions::default() };
        let port = server.addresses()[0].port();
        let client = connect(("localhost", port), options).await?;

        client.send(Data::new("Example.Hello", "hello"), SendOptions::default()).await?;
        let connection = server.accept().await.ok_or("the server is closed")?;
        let message = connection.receive().await?;
        println!("over TLS came {}", String::from_utf8_lossy(&message.data.data));
        client.close().await;
        server.close().await;
        Ok(())
    })
}
