//! HatEventAdminer: the deployed client changes what `hat serve` logs.

use std::process::Command;

use hat_tests::peers::{self, Environment};

use crate::on_every_runtime;
use crate::process::Server;

/// What the deployed client gets, sets, and is refused.
const SCRIPT: &str = r#"
import asyncio, sys
from hat.drivers import net
from hat.event import adminer

async def main():
    client = await adminer.connect(net.TcpAddress('127.0.0.1', int(sys.argv[1])))
    assert await client.get_log_conf() is None
    conf = {'version': 1, 'root': {'level': 'INFO'}}
    await client.set_log_conf(conf)
    assert await client.get_log_conf() == conf
    for wrong, part in [({'version': 7}, 'Unsupported version: 7'), ([], 'object'), ({'version': 1, 'root': {'level': 'LOUD'}}, 'LOUD')]:
        try:
            await client.set_log_conf(wrong)
        except adminer.AdminerError as e:
            assert part in str(e), str(e)
        else:
            raise Exception(f'{wrong} was taken')
    assert await client.get_log_conf() == conf
    assert client.is_open
    await client.async_close()

asyncio.run(main())
"#;

on_every_runtime! {
    fn the_deployed_client_sets_levels(runtime) {
        if peers::skipped("the_deployed_client_sets_levels") {
            return;
        }
        let server = Server::start_of(runtime, "--adminer 127.0.0.1:0");
        let line = server.hat.error_line();
        let port = line.rsplit_once(':').expect("a port").1.to_owned();
        assert!(line.starts_with("adminer on 127.0.0.1:"), "{line}");
        let environment = Environment::today().unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(environment.command().get_program());
        let output = command.args(["-c", SCRIPT, &port]).output().expect("Python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // what was silent before is told now
        assert!(server.hat.error_line().contains("an adminer has changed the log levels"));
        server.hat.signal("TERM");
        let ended = server.hat.end();
        assert_eq!(ended.code, Some(0));
        assert!(ended.stderr.iter().any(|line| line.contains("stopping")), "{ended:?}");
    }
}
