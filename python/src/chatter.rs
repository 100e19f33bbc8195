//! Chatter, both dialects.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use bytestring::ByteString;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, Message, PingRule, SendFault,
    SendOptions,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple, PyType};

use crate::error;
use crate::link::{Link, NEVER, duration, instant, machine};
use crate::values::{NamedTuple, Truth};

/// The largest message, either way. The deployed modules have no limit, and send query results of
/// 100 MB and more.
pub(crate) const MAX_MESSAGE: usize = 1 << 30;
/// Names of types that are kept as Python strings: there are few, and they come with every message.
const MAX_NAMES: usize = 256;

/// The configuration of a connection under programs that were written for the deployed modules.
pub(crate) fn config(dialect: Dialect, ping: PingRule) -> Config {
    Config {
        ping,
        max_message: MAX_MESSAGE,
        message_timeout: NEVER,
        // the handle waits where more than its queue size waits: a refusal would be one that the
        // deployed modules do not know
        max_queued: usize::MAX / 2,
        out_of_turn: true,
        ..Config::new(dialect)
    }
}

pub(crate) fn when_idle(delay: Option<f64>, timeout: Option<f64>) -> PingRule {
    match delay {
        Some(delay) if delay > 0.0 => PingRule::WhenIdle {
            delay: duration(delay),
            timeout: duration(timeout.unwrap_or(f64::MAX)),
        },
        _ => PingRule::Off,
    }
}

/// The machine of a Chatter connection, dialect `HatChatter` or `Hat`.
///
/// In dialect `Hat`, what comes in are messages, as instances of the classes that it was given, and
/// bare conversations, whose timeout has passed. In the other, a None comes in for each message,
/// which waits here to be popped: of a read that brings thousands, each becomes Python's objects
/// when a program takes it, and is gone before the garbage collector has seen it.
#[pyclass(module = "hat_native._native")]
pub(crate) struct Chatter {
    link: Link<Connection>,
    dialect: Dialect,
    message: NamedTuple,
    data: NamedTuple,
    conversation: NamedTuple,
    names: HashMap<ByteString, Py<PyString>>,
    waiting: VecDeque<Message>,
}

machine!(Chatter {
    /// `classes` are Msg, Data and Conversation; `interval` is that of dialect `Hat`, None for the
    /// other.
    #[new]
    #[pyo3(signature = (classes, now, *, delay=None, timeout=None, hat=false))]
    fn new(
        classes: (Bound<'_, PyType>, Bound<'_, PyType>, Bound<'_, PyType>),
        now: f64,
        delay: Option<f64>,
        timeout: Option<f64>,
        hat: bool,
    ) -> PyResult<Self> {
        let (dialect, ping) = match (hat, timeout) {
            (false, timeout) => (Dialect::HatChatter, when_idle(delay, timeout)),
            (true, Some(interval)) if interval > 0.0 => {
                (Dialect::Hat, PingRule::Every { interval: duration(interval) })
            }
            (true, _) => (Dialect::Hat, PingRule::Off),
        };
        let (message, data, conversation) = classes;
        Ok(Self {
            link: Link::new(Connection::new(config(dialect, ping), instant(now))),
            dialect,
            message: NamedTuple::new(message)?,
            data: NamedTuple::new(data)?,
            conversation: NamedTuple::new(conversation)?,
            names: HashMap::new(),
            waiting: VecDeque::new(),
        })
    }

    /// The oldest message that waits, or None.
    fn pop<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(message) = self.waiting.pop_front() else { return Ok(None) };
        self.message(py, &message).map(Some)
    }

    /// How many messages wait.
    #[getter]
    fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Queues a message. Returns its conversation.
    #[pyo3(signature = (r#type, data, conv, last, token, *, module=None, timeout=None))]
    #[expect(clippy::too_many_arguments, reason = "one crossing")]
    fn send<'py>(
        &mut self,
        py: Python<'py>,
        r#type: &str,
        data: &Bound<'py, PyAny>,
        conv: Option<Bound<'py, PyAny>>,
        last: Truth,
        token: Truth,
        module: Option<&str>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let data = Data {
            module: module.map(ByteString::from),
            r#type: ByteString::from(r#type),
            data: self.link.payload(data)?,
        };
        let conversation = conv.as_ref().map(conversation).transpose()?;
        let options = SendOptions {
            conversation,
            last: last.0,
            token: token.0,
            timeout: timeout.map(instant),
        };
        let sent = self.link.machine.send(data, options).map_err(|refused| match refused.fault {
            SendFault::Closed => error::connection(refused),
            _ => error::value(refused),
        })?;
        match conv {
            Some(conv) => Ok(conv),
            None => self.conversation_of(py, sent),
        }
    }
});

impl Chatter {
    fn value<'py>(&mut self, py: Python<'py>, incoming: Incoming) -> PyResult<Bound<'py, PyAny>> {
        let message = match incoming {
            Incoming::Timeout(conversation) => return self.conversation_of(py, conversation),
            Incoming::Message(message) => message,
        };
        if self.dialect == Dialect::Hat {
            return self.message(py, &message);
        }
        self.waiting.push_back(message);
        Ok(py.None().into_bound(py))
    }

    fn message<'py>(&mut self, py: Python<'py>, message: &Message) -> PyResult<Bound<'py, PyAny>> {
        let bytes = PyBytes::new(py, &message.data.data);
        let name = self.name(py, &message.data.r#type);
        let data = match self.dialect {
            Dialect::HatChatter => PyTuple::new(py, [name.into_any(), bytes.into_any()])?,
            Dialect::Hat => {
                let module = message.data.module.as_deref();
                PyTuple::new(py, [module.into_pyobject(py)?, name.into_any(), bytes.into_any()])?
            }
        };
        let data = self.data.of(data)?;
        let conversation = self.conversation_of(py, message.conversation)?;
        let (first, last, token) = (message.first, message.last, message.token);
        self.message.of((data, conversation, first, last, token).into_pyobject(py)?)
    }

    fn conversation_of<'py>(
        &self,
        py: Python<'py>,
        conversation: Conversation,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.conversation.of((conversation.owner, conversation.first_id).into_pyobject(py)?)
    }

    fn name<'py>(&mut self, py: Python<'py>, name: &ByteString) -> Bound<'py, PyString> {
        if let Some(known) = self.names.get(name) {
            return known.bind(py).clone();
        }
        let made = PyString::new(py, name);
        if self.names.len() < MAX_NAMES && name.len() <= 256 {
            self.names.insert(ByteString::from(&**name), made.clone().unbind());
        }
        made
    }
}

fn conversation(conv: &Bound<'_, PyAny>) -> PyResult<Conversation> {
    let (owner, first_id) = match conv.cast::<PyTuple>() {
        Ok(tuple) if tuple.len() == 2 => (tuple.get_item(0)?, tuple.get_item(1)?),
        _ => (conv.getattr("owner")?, conv.getattr("first_id")?),
    };
    Ok(Conversation { owner: owner.is_truthy()?, first_id: first_id.extract()? })
}

/// A copy of anything that has bytes.
pub(crate) fn bytes(data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
    if let Ok(data) = data.cast::<PyBytes>() {
        return Ok(Bytes::copy_from_slice(data.as_bytes()));
    }
    let copy = data
        .py()
        .get_type::<PyBytes>()
        .call1((data.py().get_type::<pyo3::types::PyMemoryView>().call1((data,))?,))?;
    Ok(Bytes::copy_from_slice(copy.cast::<PyBytes>()?.as_bytes()))
}
