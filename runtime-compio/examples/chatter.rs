//! A Chatter server and its client, each on a thread of its own: a thread has a ring, and the
//! connections that it opened or accepted.
//!
//! ```sh
//! cargo run -p hat-compio --example compio_chatter
//! ```

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use compio::runtime::{Runtime, spawn};
    use hat_compio::chatter::{
        ConnectOptions, Data, ListenOptions, SendOptions, Server, connect, listen,
    };
    use std::sync::mpsc;
    use std::thread;

    /// Answers the questions of every connection.
    async fn serve(server: Server) {
        while let Some(connection) = server.accept().await {
            let answering = async move {
                while let Ok(question) = connection.receive().await {
                    let text = String::from_utf8_lossy(&question.data.data).to_uppercase();
                    let conversation = Some(question.conversation);
                    let options = SendOptions { conversation, ..SendOptions::default() };
                    // where it is over, the next question says so
                    let _ = connection.send(Data::new("Example.Answer", text), options).await;
                }
            };
            spawn(answering).detach();
        }
    }

    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let ring = Runtime::new().expect("Linux has io_uring, and allows it");
        ring.block_on(async {
            let server = listen("localhost:0", ListenOptions::default()).await.expect("a port");
            tell.send(server.addresses()[0]).expect("the client waits for it");
            serve(server).await;
        });
    });
    let address = told.recv()?;

    Runtime::new()?.block_on(async {
        let connection = connect(address, ConnectOptions::default()).await?;
        let question = connection.request(Data::new("Example.Question", "is it warm?"));
        let answer = question.await?;
        println!("{}: {}", answer.data.r#type, String::from_utf8_lossy(&answer.data.data));
        connection.close().await;
        Ok(())
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {}
