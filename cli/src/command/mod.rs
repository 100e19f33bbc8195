//! One file a command.

mod cotp;
mod demo;
mod input;
mod machine;
mod pipeline;
mod query;
mod register;
mod serve;
mod status;
mod store;
mod subscribe;

use anyhow::Result;

use crate::args::Command;
use crate::runtime::Run;

/// Runs `command` on `R`.
pub(crate) fn run<R: Run>(command: Command) -> Result<()> {
    match command {
        Command::Serve(args) => R::run(serve::serve::<R>(args)),
        Command::Subscribe(args) => R::run(subscribe::subscribe::<R>(args)),
        Command::Register(args) => R::run(register::register::<R>(args)),
        Command::Query(args) => R::run(query::query::<R>(args)),
        Command::Status(args) => R::run(status::status::<R>(args)),
        Command::Cotp(command) => R::run(cotp::cotp::<R>(command)),
        Command::Store(command) => store::store(command),
        Command::Demo(args) => R::run(demo::demo::<R>(args)),
    }
}
