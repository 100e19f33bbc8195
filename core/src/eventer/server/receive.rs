//! Handles what the client sends.

use alloc::format;
use alloc::string::{String, ToString};

use bytestring::ByteString;

use super::{ClientInfo, Connection, Incoming, NotifyId, Phase, RequestId};
use crate::chatter::Message;
use crate::eventer::channel::{is_question, unexpected};
use crate::eventer::message::{self, InitReq, InitRes};
use crate::eventer::{Error, EventType, Subscription};

/// Where a question stands that nobody could answer: not the first of its conversation, or one that
/// keeps the token.
const UNANSWERABLE: &str = "in a conversation where it cannot be answered";

impl Connection {
    /// What a message comes to; `None` if the application need not know.
    #[inline(never)] // within the loop of a poll, all its addresses would be made in advance
    pub(super) fn take(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        match self.phase {
            Phase::AwaitingInit => self.take_init(message),
            Phase::Ready(..) => self.take_request(message),
            // what a rejected client still says does not matter
            Phase::Rejected | Phase::Deciding(..) => Ok(None),
        }
    }

    fn take_init(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        if message.data.r#type != message::INIT_REQ {
            return Err(unexpected(message, "instead of the initialization"));
        }
        if !is_question(message) {
            return Err(unexpected(message, UNANSWERABLE));
        }
        let size = message.data.data.len();
        if size > self.max_init {
            let limit = self.max_init;
            self.refuse_init(message, format!("the initialization takes {size} bytes; the limit is {limit}: subscribe to fewer types, or end them earlier with *"));
            return Ok(None);
        }
        let init: InitReq = self.channel.decode(message)?;
        self.channel.deadline = None;
        let segments: usize = init.subscriptions.iter().map(EventType::len).sum();
        if segments > self.max_segments {
            let limit = self.max_segments;
            self.refuse_init(message, format!("the query types have {segments} segments; the limit is {limit}: subscribe to fewer types"));
            return Ok(None);
        }
        match Subscription::new(&init.subscriptions) {
            Ok(subscription) => {
                let info = ClientInfo {
                    // without the frame that they came in, however large the client made it
                    client_name: ByteString::from(&*init.client_name),
                    client_token: init.client_token.as_deref().map(ByteString::from),
                    subscription,
                    server_id: init.server_id,
                    persisted: init.persisted,
                };
                self.phase = Phase::Deciding(info.clone(), message.conversation);
                Ok(Some(Incoming::Init(info)))
            }
            Err(error) => {
                self.refuse_init(message, error.to_string());
                Ok(None)
            }
        }
    }

    fn refuse_init(&mut self, message: &Message, reason: String) {
        self.channel.deadline = None;
        let answer = InitRes::Error(reason.into());
        // a client that cannot be told is closed all the same
        let _ = self.channel.answer(message.conversation, message::INIT_RES, &answer);
        self.phase = Phase::Rejected;
    }

    fn take_request(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        match &message.data.r#type[..] {
            message::REGISTER_REQ => {
                let events = self.channel.decode(message)?;
                let request = self.asked(message)?;
                let size = message.data.data.len();
                Ok(Some(Incoming::Register { events, request, size }))
            }
            message::QUERY_REQ => {
                let params = self.channel.decode(message)?;
                let request = self.asked(message)?;
                // a question in a conversation that is over has no answer
                Ok(request.map(|request| Incoming::Query { params, request }))
            }
            message::EVENTS_ACK => {
                let () = self.channel.decode(message)?;
                let id = NotifyId(message.conversation.first_id);
                let known = message.conversation.owner && self.acks.remove(id.0).is_some();
                Ok(known.then_some(Incoming::Acked(id)))
            }
            _ => Err(unexpected(message, "from a client")),
        }
    }

    /// Notes that `message` waits for an answer; `None` if it does not want any.
    fn asked(&mut self, message: &Message) -> Result<Option<RequestId>, Error> {
        if message.last {
            return Ok(None);
        }
        let mut is_new = || self.requests.insert(message.conversation.first_id, ()).is_none();
        // one that is open already would count once and be answered twice
        if !is_question(message) || !is_new() {
            return Err(unexpected(message, UNANSWERABLE));
        }
        Ok(Some(RequestId(message.conversation)))
    }
}
