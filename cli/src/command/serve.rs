//! `hat serve`: an event server over a store on a disk or in memory, and its page.

mod logging;
mod place;
#[cfg_attr(not(unix), path = "serve/no_systemd.rs")]
pub(crate) mod systemd;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use hat_aio::web::ListenError;
use hat_aio::{Address, Runtime};
use serde_json::Value;

use crate::args::ServeArgs;
use crate::command::cluster;
use crate::conf::{self, Plan, Settings};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::listening;
use crate::log;
use crate::output;
use hat_server::adminer::Adminer;
use hat_server::page::{Live, Page};
use hat_server::redundancy::MirrorOnce;
use hat_server::{EventServer, Options, StartError};

pub(crate) async fn serve<R: Runtime>(args: ServeArgs) -> Result<()> {
    let Configuration { settings, log_conf, may_be_new } = settings(&args)?;
    if args.print_conf {
        return print(&settings);
    }
    let plan = Plan::new(&settings)?;
    log::configure(&settings.log).map_err(Failure::Input)?;
    let mirror_once = args.mirror_once.map(|from| (from, args.mirror_once_server));
    run::<R>(plan, mirror_once, log_conf, may_be_new).await
}

/// What the file and the arguments say.
#[derive(Default)]
struct Configuration {
    settings: Settings,
    /// The file's own configuration of the log.
    log_conf: Value,
    /// A deployed server's file names where its history is, whether it ever ran or not.
    may_be_new: bool,
}

/// What is not used of the file is told.
fn settings(args: &ServeArgs) -> Result<Configuration> {
    let mut configuration = Configuration::default();
    if let Some(path) = &args.conf {
        let read = conf::read(path)?;
        let file = path.display();
        for warning in &read.warnings {
            say(&format!("{file}: {warning}"));
        }
        let over = args.settings();
        let backend = read.backend.filter(|_| over.store.dir.is_none());
        if let Some(backend) = backend {
            say(&format!(
                "{file}: the backend {backend} is Python and cannot run here: without --store DIR, \
                 events are in memory only"
            ));
            python(args)?;
        }
        if !read.modules.is_empty() {
            let modules = read.modules.join(", ");
            say(&format!(
                "{file}: modules are Python and cannot run here, so the events that they register \
                 will be missing: {modules}"
            ));
            python(args)?;
        }
        let may_be_new = read.is_deployed && over.store.import_lmdb.is_none();
        configuration =
            Configuration { settings: read.settings, log_conf: read.log_conf, may_be_new };
        configuration.settings.lay_over(over);
    } else {
        configuration.settings.lay_over(args.settings());
    }
    Ok(configuration)
}

/// Whether to go on without what is in Python.
fn python(args: &ServeArgs) -> Result<(), Failure> {
    match args.without_modules || args.print_conf {
        true => Ok(()),
        false => Err(Failure::Input("use --without-modules to start without them".into())),
    }
}

fn print(settings: &Settings) -> Result<()> {
    // what could not be started is not printed as if it could
    Plan::new(settings)?;
    let text = conf::print(&settings.clone().with_defaults())?;
    output::print_text(&text)
}

async fn run<R: Runtime>(
    plan: Plan,
    mirror_once: Option<(Address, Vec<i64>)>,
    log_conf: Value,
    may_be_new: bool,
) -> Result<()> {
    let live = plan.web.is_some().then(|| Live::new(plan.log.server_id, plan.shown_types));
    let (in_memory, opened) = (plan.place.is_memory(), place::open(plan.place, may_be_new)?);
    // not before: a history that is taken over may take minutes, and may be ended at any moment
    let interrupt = Interrupt::watch()?;
    if let Some((from, servers)) = mirror_once {
        let name = format!("event/{}", plan.name);
        let (token, own_server) = (plan.token.clone(), Some(plan.server_id));
        let options = MirrorOnce { name, token, servers, own_server, tls: None };
        let copying = place::mirror_once::<R>(&opened, from, options, &plan.files);
        match interrupt.or(copying).await {
            Some(copied) => copied?,
            None => return Ok(()),
        }
    }
    let options = Options {
        name: plan.name,
        token: plan.token,
        tls: plan.tls.clone(),
        notify: plan.notify,
        own_events: plan.own_events,
        monitor: plan.monitor,
        live: live.clone(),
        log: plan.log,
        ..Options::new(plan.listen, plan.server_id)
    };
    #[cfg(feature = "cluster")]
    let cluster = plan.cluster.map(|it| cluster::options(it, options.name.clone())).transpose()?;
    #[cfg(feature = "cluster")]
    let options = Options { cluster, ..options };
    #[cfg(not(feature = "cluster"))]
    if plan.cluster.is_some() {
        return Err(cluster::not_built().into());
    }
    let listen = options.listen.clone();
    let server = EventServer::start::<R>(options, opened.store()).await.map_err(start_failure)?;
    let kept = if in_memory { " (events are in memory only)" } else { "" };
    say(&format!("listening on {}{kept}", list("", &listen, server.addresses(), "")));
    let (web, tls, adminer) = (plan.web, plan.tls, plan.adminer);
    let parts = async {
        let page = match (web, live) {
            (Some((address, options)), Some(live)) => {
                let scheme = if tls.is_some() { "https://" } else { "http://" };
                let at = address.clone();
                let page = Page::open::<R>(address, options, tls, server.handle(), live);
                let page = page.await.map_err(failure)?;
                say(&format!("page on {}", list(scheme, &at, page.addresses(), "/")));
                Some(page)
            }
            _ => None,
        };
        let adminer = match adminer {
            Some(address) => {
                let levels = Arc::new(logging::Levels::new(log_conf));
                let at = address.clone();
                let adminer = Adminer::open::<R>(address, levels).await;
                let adminer = adminer.map_err(|it| Failure::CannotListen(it.to_string()))?;
                say(&format!("adminer on {}", list("", &at, adminer.addresses(), "")));
                Some(adminer)
            }
            None => None,
        };
        Ok::<_, anyhow::Error>((page, adminer))
    };
    let parts = parts.await;
    let control = opened.control();
    let ended = match &parts {
        Ok(_) => {
            systemd::ready();
            let ended = smol::future::or(server.ended(), async {
                systemd::follow::<R>(server.handle()).await;
                std::future::pending().await
            });
            interrupt.or(ended).await
        }
        Err(_) => None,
    };
    systemd::stopping();
    drop(control);
    let stopped = server.stop().await;
    if let Ok((page, adminer)) = &parts {
        if let Some(page) = page {
            page.close().await;
        }
        if let Some(adminer) = adminer {
            adminer.close().await;
        }
    }
    parts?;
    stopped?;
    ended.map_or(Ok(()), |why| Err(why.into()))
}

fn list(before: &str, at: &Address, addresses: &[SocketAddr], after: &str) -> String {
    let places = listening::places(at, addresses);
    let shown = places.iter().map(|place| match at.unix_path() {
        Some(_) => place.clone(),
        None => format!("{before}{place}{after}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn failure(error: ListenError) -> Failure {
    match error {
        ListenError::Listen(error) => Failure::CannotListen(error.to_string()),
        // a password file, in practice
        error => Failure::Input(error.to_string()),
    }
}

fn start_failure(error: StartError) -> anyhow::Error {
    match error {
        StartError::Listen(error) => Failure::CannotListen(error.to_string()).into(),
        // a disk may get better
        #[cfg(feature = "cluster")]
        StartError::Cluster(hat_server::cluster::ClusterError::Store(error)) => error.into(),
        #[cfg(feature = "cluster")]
        StartError::Cluster(error) => Failure::Input(error.to_string()).into(),
        error => error.into(),
    }
}
