//! The code of the guide, `docs/src/`, run as documentation tests. Longer programs of the guide are
//! examples of the runtime crates, which the guide includes.

/// The first chapter: positions that outlive a program.
#[doc = include_str!("../../docs/src/start.md")]
pub struct Start;

/// The chapter on limits: its table holds what the defaults are.
#[doc = include_str!("../../docs/src/limits.md")]
pub struct Limits;

/// The chapter on runtimes: a connection over a stream that there is already.
#[doc = include_str!("../../docs/src/runtimes.md")]
pub struct Runtimes;

/// The chapter on event loops: two machines and no socket.
#[doc = include_str!("../../docs/src/event-loop.md")]
pub struct EventLoop;

/// The chapter on messages: SBS in both ways.
#[doc = include_str!("../../docs/src/messages.md")]
pub struct Messages;

/// The chapter on Juggler: values and what they differ in.
#[doc = include_str!("../../docs/src/juggler.md")]
pub struct Juggler;

/// The chapter on COTP: selectors.
#[doc = include_str!("../../docs/src/cotp.md")]
pub struct Cotp;
