//! A process behind the line protocol, and what a test asks it to do.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use serde_json::{Value, json};

use super::{
    Environment, Handle,
    inbox::{Inbox, Message, PeerError, State},
};

const PROTOCOL: &str = "hat-testee/1";

/// A process that is driven through the line protocol; it is killed on drop.
///
/// The methods block, and panic where the peer ends, answers nothing within [`super::TIME_LIMIT`],
/// or breaks the protocol: that is no result of a test. They take `&self`, so that one thread can
/// serve calls while another waits for a response.
#[derive(Debug)]
pub struct Peer {
    name: String,
    features: Vec<String>,
    child: Child,
    lines: mpsc::Sender<String>,
    inbox: Arc<Inbox>,
    next_id: AtomicU64,
}

impl Peer {
    /// Starts today's deployed software: layers `chatter`, `eventer`, `juggler`, `sbs`, `tpkt`,
    /// `cotp` and `mms`.
    #[track_caller]
    pub fn today() -> Self {
        Self::in_environment(Environment::today())
    }

    /// Starts hat-chatter 0.5: layer `chatter05`.
    #[track_caller]
    pub fn chatter05() -> Self {
        Self::in_environment(Environment::chatter05())
    }

    /// Starts hat-juggler 0.5: layer `juggler05`.
    #[track_caller]
    pub fn juggler05() -> Self {
        Self::in_environment(Environment::juggler05())
    }

    /// Starts python-snap7: layer `s7`.
    #[track_caller]
    pub fn s7() -> Self {
        Self::in_environment(Environment::s7())
    }

    #[track_caller]
    fn in_environment(environment: Result<Environment, super::SetupError>) -> Self {
        match environment {
            Ok(environment) => Self::command(environment.command()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts any program that speaks the line protocol, such as this library's own testee.
    #[track_caller]
    pub fn command(mut command: Command) -> Self {
        let name = format!("{command:?}");
        let started =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));

        let inbox = Arc::new(Inbox::default());
        let lines = write_lines(child.stdin.take().expect("standard input is a pipe"));
        let stderr =
            read_stderr(child.stderr.take().expect("standard error is a pipe"), inbox.clone());
        read_lines(child.stdout.take().expect("standard output is a pipe"), stderr, inbox.clone());

        let mut peer =
            Self { name, features: Vec::new(), child, lines, inbox, next_id: AtomicU64::new(1) };
        let hello = peer.expect("hello", json!({"protocol": PROTOCOL}));
        assert_eq!(hello["protocol"], PROTOCOL, "{} speaks another protocol", peer.name);
        let features = hello["features"].as_array().into_iter().flatten();
        peer.features = features.filter_map(Value::as_str).map(str::to_owned).collect();
        peer
    }

    /// The layers that the peer has.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// Makes a request and waits for its response.
    #[track_caller]
    pub fn request(&self, method: &str, params: Value) -> Result<Value, PeerError> {
        self.start(method, params).wait()
    }

    /// Makes a request that must succeed.
    #[track_caller]
    pub fn expect(&self, method: &str, params: Value) -> Value {
        self.start(method, params).expect()
    }

    /// Makes a request that must succeed with a new object, and returns its handle.
    #[track_caller]
    pub fn open(&self, method: &str, params: Value) -> Handle {
        super::handle(&self.expect(method, params)["obj"])
    }

    /// Makes a request whose response is waited for later.
    ///
    /// The peer starts requests in the order in which they were made.
    pub fn start(&self, method: &str, params: Value) -> PendingCall<'_> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.write(json!({"t": "req", "id": id, "m": method, "p": params}));
        PendingCall { peer: self, id, method: method.to_owned() }
    }

    /// Waits for the object's next event of that name, and returns its parameters.
    #[track_caller]
    pub fn event(&self, name: &str, object: Handle) -> Value {
        let waiting_for = || format!("event {name} of object {object}");
        self.wait(waiting_for, |state| take(&mut state.events, |event| event.is(name, object)))
            .params
    }

    /// The same for an event that has come already, without waiting.
    ///
    /// All events up to a response are there when the response is.
    pub fn try_event(&self, name: &str, object: Handle) -> Option<Value> {
        self.inbox
            .look(|state| take(&mut state.events, |event| event.is(name, object)))
            .map(|event| event.params)
    }

    /// Waits for the next callback, of any object.
    #[track_caller]
    pub fn call(&self) -> Call<'_> {
        let call = self.wait(|| "a call".to_owned(), |state| state.calls.pop_front());
        Call::new(self, call)
    }

    /// Waits for the object's next callback of that name.
    #[track_caller]
    pub fn call_of(&self, name: &str, object: Handle) -> Call<'_> {
        let waiting_for = || format!("call {name} of object {object}");
        let call =
            self.wait(waiting_for, |state| take(&mut state.calls, |call| call.is(name, object)));
        Call::new(self, call)
    }

    /// A callback that has come already, without waiting.
    pub fn try_call(&self) -> Option<Call<'_>> {
        self.inbox.look(|state| state.calls.pop_front()).map(|call| Call::new(self, call))
    }

    #[track_caller]
    fn wait<T>(
        &self,
        waiting_for: impl Fn() -> String,
        take: impl FnMut(&mut State) -> Option<T>,
    ) -> T {
        match self.inbox.wait(take) {
            Ok(found) => found,
            Err(reason) => panic!("waiting for {} from {}: {reason}", waiting_for(), self.name),
        }
    }

    fn write(&self, line: Value) {
        // the writer is gone only where the process is, and whoever waits for it learns that from
        // the inbox
        let _ = self.lines.send(line.to_string());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that was made.
#[derive(Debug)]
#[must_use = "a request whose response nobody reads may fail unseen"]
pub struct PendingCall<'a> {
    peer: &'a Peer,
    id: u64,
    method: String,
}

impl PendingCall<'_> {
    /// Waits for the response.
    #[track_caller]
    pub fn wait(self) -> Result<Value, PeerError> {
        let waiting_for = || format!("the response to {}", self.method);
        self.peer.wait(waiting_for, |state| state.responses.remove(&self.id))
    }

    /// Waits for the response, which must be a success.
    #[track_caller]
    pub fn expect(self) -> Value {
        let (peer, method) = (self.peer, self.method.clone());
        match self.wait() {
            Ok(value) => value,
            Err(error) => panic!("{method} of {}: {error}", peer.name),
        }
    }

    /// Whether the response has come.
    pub fn is_ready(&self) -> bool {
        self.peer.inbox.look(|state| state.responses.contains_key(&self.id).then_some(())).is_some()
    }
}

/// A callback that waits for its reply; the peer waits for as long as there is none.
#[derive(Debug)]
#[must_use = "the peer waits for a reply"]
pub struct Call<'a> {
    peer: &'a Peer,
    id: u64,
    /// The callback's name.
    pub method: String,
    /// The object that calls.
    pub object: Handle,
    /// The arguments.
    pub params: Value,
}

impl<'a> Call<'a> {
    fn new(peer: &'a Peer, call: Message) -> Self {
        Self { peer, id: call.id, method: call.method, object: call.object, params: call.params }
    }

    /// Returns a result to the peer, or the text of an exception.
    pub fn reply(self, result: Result<Value, &str>) {
        self.peer.write(match result {
            Ok(value) => json!({"t": "rep", "id": self.id, "ok": value}),
            Err(text) => json!({"t": "rep", "id": self.id, "err": {"kind": "other", "msg": text, "data": null}}),
        });
    }
}

impl Message {
    fn is(&self, name: &str, object: Handle) -> bool {
        self.method == name && self.object == object
    }
}

fn take(messages: &mut VecDeque<Message>, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
    let index = messages.iter().position(wanted)?;
    messages.remove(index)
}

/// Writes in a thread, so that a peer that has stopped reading cannot hold up a test for ever.
fn write_lines(mut stdin: impl Write + Send + 'static) -> mpsc::Sender<String> {
    let (sender, lines) = mpsc::channel::<String>();
    thread::spawn(move || {
        for mut line in lines {
            line.push('\n');
            if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    });
    sender
}

fn read_lines(stdout: impl Read + Send + 'static, stderr: JoinHandle<()>, inbox: Arc<Inbox>) {
    thread::spawn(move || {
        let mut reason = "it has ended".to_owned();
        for line in BufReader::new(stdout).lines() {
            match line {
                Ok(line) => inbox.put_line(&line),
                Err(error) => {
                    reason = format!("its standard output failed: {error}");
                    break;
                }
            }
        }
        // why it has ended mostly stands there, and comes at the same time
        let _ = stderr.join();
        inbox.end(reason);
    });
}

fn read_stderr(stderr: impl Read + Send + 'static, inbox: Arc<Inbox>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            inbox.put_stderr(line);
        }
    })
}
