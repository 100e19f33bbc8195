//! The commands, one file each.

mod chatter;
mod cluster;
mod cotp;
mod demo;
mod doctor;
mod input;
mod juggler;
mod load;
mod machine;
mod pipeline;
mod query;
mod register;
mod serve;
mod shell;
mod status;
mod store;
mod subscribe;
mod top;
mod transfer;

use anyhow::Result;

use crate::args::Command;
use crate::runtime::Run;

/// Runs `command` on `R`.
pub(crate) fn run<R: Run>(command: Command) -> Result<()> {
    match command {
        Command::Serve(args) => R::run(serve::serve::<R>(*args)),
        Command::Subscribe(args) => R::run(subscribe::subscribe::<R>(args)),
        Command::Register(args) => R::run(register::register::<R>(args)),
        Command::Query(args) => R::run(query::query::<R>(args)),
        Command::Status(args) => R::run(status::status::<R>(args)),
        Command::Export(args) => R::run(transfer::export::<R>(args)),
        Command::Import(args) => R::run(transfer::import::<R>(args)),
        Command::Replay(args) => R::run(transfer::replay::<R>(args)),
        Command::Load(args) => R::run(load::load::<R>(args)),
        Command::Top(args) => R::run(top::top::<R>(args)),
        Command::Doctor(args) => R::run(doctor::doctor::<R>(args)),
        Command::Juggler(command) => R::run(juggler::juggler::<R>(command)),
        Command::Chatter(command) => R::run(chatter::chatter::<R>(command)),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man(args) => shell::man(&args),
        Command::Cotp(command) => R::run(cotp::cotp::<R>(command)),
        Command::Store(command) => store::store(command),
        Command::Cluster(command) => R::run(cluster::cluster(command)),
        Command::Demo(args) => R::run(demo::demo::<R>(args)),
    }
}
