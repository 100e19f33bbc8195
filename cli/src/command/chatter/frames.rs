//! What the bytes of one direction mean, frame by frame, as far as it can be read.
//!
//! Nothing here decides what goes through: a frame that cannot be read is told as octets, and the
//! rest of its direction too.

use std::collections::VecDeque;
use std::fmt::Debug;

use bytes::{Buf, Bytes, BytesMut};
use hat_core::cotp::tpdu::Tpdu;
use hat_core::eventer::message;
use hat_core::sbs::{self, ByteString};

use crate::args::Speaks;

/// The largest frame that is kept to be read; of larger ones the front is told.
const MOST: usize = 1024 * 1024;

/// Something that was said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) protocol: &'static str,
    pub(super) octets: usize,
    pub(super) text: String,
}

/// Takes one direction apart.
pub(super) struct Decoder {
    speaks: Speaks,
    of_client: bool,
    /// Octets of a message that are shown where they mean nothing here, and characters of one that
    /// is text.
    most: usize,
    input: BytesMut,
    ready: VecDeque<Frame>,
    /// Octets of a frame that are not looked at.
    skip: usize,
    /// HTTP: the head is over, and what follows are WebSocket frames.
    upgraded: bool,
    /// Parts of a message that is not over.
    message: Vec<u8>,
    /// That message is larger than is kept.
    cut: bool,
}

impl Decoder {
    pub(super) fn new(speaks: Speaks, of_client: bool, most: usize) -> Self {
        let (input, message) = (BytesMut::new(), Vec::new());
        let ready = VecDeque::new();
        let (upgraded, cut) = (false, false);
        Self { speaks, of_client, most, input, ready, skip: 0, upgraded, message, cut }
    }

    /// More of it came.
    pub(super) fn push(&mut self, part: &Bytes) {
        let skipped = self.skip.min(part.len());
        self.skip -= skipped;
        let part = &part[skipped..];
        if self.speaks == Speaks::Raw {
            if !part.is_empty() {
                self.tell("octets", part.len(), start(part, self.most));
            }
            return;
        }
        self.input.extend_from_slice(part);
        while self.step() {}
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// A frame that did not come to its end.
    pub(super) fn left(&self) -> Option<Frame> {
        let octets = self.input.len() + self.skip;
        (octets > 0).then(|| {
            let have = self.input.len();
            let text =
                format!("the connection ended inside a frame, of which {have} octets had arrived");
            Frame { protocol: "octets", octets, text }
        })
    }

    fn tell(&mut self, protocol: &'static str, octets: usize, text: String) {
        self.ready.push_back(Frame { protocol, octets, text });
    }

    /// Takes a frame off the input, where there is one.
    fn step(&mut self) -> bool {
        if self.input.is_empty() || self.skip > 0 {
            return false;
        }
        match self.speaks {
            Speaks::Raw => false,
            Speaks::Chatter | Speaks::Hat => self.chatter(),
            Speaks::Cotp => self.tpkt(),
            Speaks::Juggler if self.upgraded => self.websocket(),
            Speaks::Juggler => self.http(),
        }
    }

    /// What cannot be read; nothing behind it can.
    fn lost(&mut self, protocol: &'static str, why: &str) -> bool {
        let input = self.input.split().freeze();
        let start = start(&input, self.most);
        self.tell(protocol, input.len(), format!("{why}; what follows is only counted: {start}"));
        self.speaks = Speaks::Raw;
        false
    }

    /// A frame of `head` and `body` octets, whole; `None` while it is not there. One that is too
    /// large is skipped.
    fn take(&mut self, protocol: &'static str, head: usize, body: usize) -> Option<Bytes> {
        let whole = head + body;
        if self.input.len() >= whole {
            let mut frame = self.input.split_to(whole).freeze();
            frame.advance(head);
            return Some(frame);
        }
        if whole > MOST {
            self.tell(protocol, whole, "a frame that is too large to be shown".into());
            self.skip = whole - self.input.len();
            self.input.clear();
        }
        None
    }

    fn chatter(&mut self) -> bool {
        let length_len = usize::from(self.input[0]);
        if length_len == 0 || length_len > 8 {
            return self.lost("Chatter", "no block begins like this");
        }
        let Some(length) = self.input.get(1..=length_len) else { return false };
        let body = length.iter().fold(0_u64, |length, &octet| length << 8 | u64::from(octet));
        let Ok(body) = usize::try_from(body) else {
            return self.lost("Chatter", "no block has this length");
        };
        if body > u32::MAX as usize {
            return self.lost("Chatter", "no block has this length");
        }
        let head = 1 + length_len;
        let Some(block) = self.take("Chatter", head, body) else { return false };
        let frame = match self.speaks {
            Speaks::Hat => sbs::decode::<HatMsg>(&block).map(Msg::from),
            _ => sbs::decode::<Msg>(&block),
        };
        match frame {
            Ok(msg) => {
                let (protocol, text) = msg.text(self.most);
                self.tell(protocol, head + body, text);
            }
            Err(error) => {
                self.tell("Chatter", head + body, format!("invalid message: {error}"));
            }
        }
        true
    }

    fn tpkt(&mut self) -> bool {
        let &[version, _, high, low, ..] = &self.input[..] else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if version != 3 || length < 7 {
            return self.lost("TPKT", "no packet begins like this");
        }
        let Some(tpdu) = self.take("TPKT", 4, length - 4) else { return false };
        let text = match Tpdu::parse(tpdu.clone()) {
            Ok(tpdu) => tpdu_text(&tpdu, self.most),
            Err(error) => {
                format!("TPKT of {length} octets: {error}: {}", start(&tpdu, self.most))
            }
        };
        self.tell("COTP", length, text);
        true
    }

    fn http(&mut self) -> bool {
        let Some(end) = find(&self.input, b"\r\n\r\n") else {
            if self.input.len() > MOST {
                return self.lost("HTTP", "an incomplete HTTP header");
            }
            return false;
        };
        let head = self.input.split_to(end + 4);
        let head = String::from_utf8_lossy(&head).into_owned();
        let first = head.lines().next().unwrap_or_default().to_owned();
        let field = |name: &str| {
            head.lines().skip(1).find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let upgrade = field("upgrade").is_some_and(|it| it.eq_ignore_ascii_case("websocket"));
        self.upgraded = upgrade && (self.of_client || first.contains(" 101 "));
        let length = field("content-length").and_then(|length| length.parse().ok());
        let chunked = field("transfer-encoding").is_some();
        self.tell("HTTP", head.len(), front(first, self.most));
        if !self.upgraded {
            if chunked {
                return self.lost("HTTP", "a chunked body");
            }
            // bodies are not looked at
            let body: usize = length.unwrap_or(0);
            let here = body.min(self.input.len());
            self.input.advance(here);
            self.skip = body - here;
        }
        true
    }

    fn websocket(&mut self) -> bool {
        let &[first, second, ..] = &self.input[..] else { return false };
        let (extended, body) = match second & 0x7f {
            126 => {
                let Some(&[high, low]) = self.input.get(2..4) else { return false };
                (2, u64::from(u16::from_be_bytes([high, low])))
            }
            127 => {
                let Some(length) = self.input.get(2..10) else { return false };
                (8, length.iter().fold(0, |length, &octet| length << 8 | u64::from(octet)))
            }
            length => (0, u64::from(length)),
        };
        let masked = second & 0x80 != 0;
        let head = 2 + extended + if masked { 4 } else { 0 };
        if self.input.len() < head {
            return false;
        }
        let Ok(body) = usize::try_from(body) else {
            return self.lost("WebSocket", "no frame has this length");
        };
        if body > u32::MAX as usize {
            return self.lost("WebSocket", "no frame has this length");
        }
        let mask = self.input[if masked { head - 4 } else { head }..head].to_vec();
        let Some(data) = self.take("WebSocket", head, body) else { return false };
        let mut data = data.to_vec();
        if masked {
            data.iter_mut().zip(mask.iter().cycle()).for_each(|(octet, mask)| *octet ^= mask);
        }
        let (end, compressed, octets) = (first & 0x80 != 0, first & 0x40 != 0, head + body);
        match first & 0x0f {
            _ if compressed => self.tell("WebSocket", octets, "compressed".into()),
            0..=2 => {
                self.cut |= self.message.len() + data.len() > MOST;
                if !self.cut {
                    self.message.extend(data);
                }
                if !end {
                    self.tell("WebSocket", octets, "a part of a message".into());
                    return true;
                }
                let message = std::mem::take(&mut self.message);
                if std::mem::take(&mut self.cut) {
                    let text = "the end of a message that is too large to be shown";
                    self.tell("WebSocket", octets, text.into());
                    return true;
                }
                match String::from_utf8(message) {
                    Ok(text) => self.tell("Juggler", octets, front(text, self.most)),
                    Err(error) => {
                        self.tell("WebSocket", octets, start(error.as_bytes(), self.most));
                    }
                }
            }
            8 => {
                let code = data.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                let reason = String::from_utf8_lossy(data.get(2..).unwrap_or_default());
                let text = match code {
                    Some(code) => format!("close {code} {reason}"),
                    None => "close".to_owned(),
                };
                self.tell("WebSocket", octets, text.trim_end().to_owned());
            }
            9 => self.tell("WebSocket", octets, "ping".into()),
            10 => self.tell("WebSocket", octets, "pong".into()),
            code => self.tell("WebSocket", octets, format!("frame of unknown kind {code}")),
        }
        true
    }
}

sbs::record! {
    /// `HatChatter.Msg`.
    #[derive(Clone, Debug)]
    struct Msg { id: i64, first: i64, owner: bool, token: bool, last: bool, data: MsgData }
}

sbs::record! {
    /// Its data.
    #[derive(Clone, Debug)]
    struct MsgData { r#type: ByteString, data: Bytes }
}

sbs::record! {
    /// `Hat.Msg` of hat-chatter 0.5.
    #[derive(Clone, Debug)]
    struct HatMsg { id: i64, first: i64, owner: bool, token: bool, last: bool, data: HatMsgData }
}

sbs::record! {
    /// Its data.
    #[derive(Clone, Debug)]
    struct HatMsgData { module: Option<ByteString>, r#type: ByteString, data: Bytes }
}

impl From<HatMsg> for Msg {
    fn from(msg: HatMsg) -> Self {
        let HatMsg { id, first, owner, token, last, data } = msg;
        let r#type = match data.module {
            Some(module) => format!("{module}.{}", data.r#type).into(),
            None => data.r#type,
        };
        let data = MsgData { r#type, data: data.data };
        Self { id, first, owner, token, last, data }
    }
}

impl Msg {
    /// What it says, and in which protocol.
    fn text(&self, most: usize) -> (&'static str, String) {
        let Self { id, first, owner, token, last, data } = self;
        let mut text = format!("{} id {id}", front(data.r#type.to_string(), most));
        if first != id || !owner {
            let whose = if *owner { "its own" } else { "the other side's" };
            text += &format!(", in {whose} conversation {first}");
        }
        for (is, name) in [(last, "last"), (token, "token")] {
            if *is {
                text += &format!(", {name}");
            }
        }
        if let Some(value) = eventer(&data.r#type, &data.data) {
            return ("Eventer", format!("{text}: {}", front(value, most)));
        }
        if !data.data.is_empty() {
            text += &format!(": {}", start(&data.data, most));
        }
        ("Chatter", text)
    }
}

/// The value of a message of Eventer, for people; `None` where it is not a message of Eventer.
pub(super) fn eventer(name: &str, data: &Bytes) -> Option<String> {
    fn value<T: sbs::Decode + Debug>(data: &Bytes) -> String {
        match sbs::decode::<T>(data) {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("not decoded: {error}"),
        }
    }
    Some(match name {
        // its token is a secret
        message::INIT_REQ => match sbs::decode::<message::InitReq>(data) {
            Ok(mut request) => {
                request.client_token = request.client_token.map(|_| "(a token)".into());
                format!("{request:?}")
            }
            Err(error) => format!("not decoded: {error}"),
        },
        message::INIT_RES => value::<message::InitRes>(data),
        message::STATUS_NOTIFY => value::<message::StatusNotify>(data),
        message::EVENTS_NOTIFY => value::<message::EventsNotify>(data),
        message::EVENTS_ACK => "()".into(),
        message::REGISTER_REQ => value::<message::RegisterReq>(data),
        message::REGISTER_RES => value::<message::RegisterRes>(data),
        message::QUERY_REQ => value::<message::QueryReq>(data),
        message::QUERY_RES => value::<message::QueryRes>(data),
        _ => return None,
    })
}

fn tpdu_text(tpdu: &Tpdu, most: usize) -> String {
    match tpdu {
        Tpdu::Data(segment) => {
            let end = if segment.end { "the end of a message" } else { "more follows" };
            let start = start(&segment.data, most);
            format!("DT {} octets of data, {end}: {start}", segment.data.len())
        }
        Tpdu::ConnectRequest(connect) => connect_text("CR", connect),
        Tpdu::ConnectConfirm(connect) => connect_text("CC", connect),
        Tpdu::DisconnectRequest(request) => format!("DR {}", request.reason),
        Tpdu::Error(reject) => format!("ER {:?}", reject.cause),
        other => format!("{other:?}"),
    }
}

fn connect_text(name: &str, connect: &hat_core::cotp::tpdu::Connect) -> String {
    format!(
        "{name} from reference {} to {}, class {}, parameters {}",
        connect.source_reference,
        connect.destination_reference,
        connect.class,
        hex(&connect.variable)
    )
}

fn find(input: &[u8], what: &[u8]) -> Option<usize> {
    input.windows(what.len()).position(|window| window == what)
}

/// The first of `octets`, at most so many, as pairs of hexadecimal digits, and a mark where there
/// are more.
fn start(octets: &[u8], most: usize) -> String {
    let mut start = hex(&octets[..octets.len().min(most)]);
    if octets.len() > most {
        start.push('…');
    }
    start
}

/// The first characters of `text`, at most so many, and a mark where there are more.
fn front(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Pairs of hexadecimal digits.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of these octets, which come in pieces of every size.
    #[track_caller]
    fn frames(
        speaks: Speaks,
        of_client: bool,
        octets: &[u8],
    ) -> Vec<(&'static str, usize, String)> {
        let mut all = Vec::new();
        for size in [1, 2, 3, 7, octets.len().max(1)] {
            let mut decoder = Decoder::new(speaks, of_client, 256);
            let mut frames = Vec::new();
            for part in octets.chunks(size) {
                decoder.push(&Bytes::copy_from_slice(part));
                while let Some(Frame { protocol, octets, text }) = decoder.next() {
                    frames.push((protocol, octets, text));
                }
            }
            all.push(frames);
        }
        assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:?}");
        all.remove(0)
    }

    #[test]
    fn chatter_and_eventer() {
        let ping = b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80";
        assert_eq!(
            frames(Speaks::Chatter, true, ping),
            [("Chatter", 24, "HatChatter.Ping id 1, token".to_owned())]
        );
        let mut status =
            b"\x01\x22\x82\x82\x01\x00\x01\x9aHatEventer.MsgStatusNotify\x81\x82".to_vec();
        status[1] = (status.len() - 2) as u8;
        let told = frames(Speaks::Chatter, false, &status);
        assert_eq!(told[0].0, "Eventer");
        assert!(told[0].2.ends_with("id 2, last: Operational"), "{told:?}");
    }

    #[test]
    fn cotp_in_tpkt() {
        let request = b"\x03\x00\x00\x0e\x09\xe0\x00\x00\x44\x31\x00\xc1\x01\x01\x03\x00\x00\x08\x02\xf0\x80\x41";
        let told = frames(Speaks::Cotp, true, request);
        assert_eq!(
            told[0],
            ("COTP", 14, "CR from reference 17457 to 0, class 0, parameters c10101".into())
        );
        assert_eq!(told[1], ("COTP", 8, "DT 1 octets of data, the end of a message: 41".into()));
    }

    #[test]
    fn http_and_juggler() {
        let mut client = b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".to_vec();
        client.extend(b"\x81\x84\x00\x00\x00\x00{\"x\"\x89\x80\x00\x00\x00\x00\x88\x82\x00\x00\x00\x00\x03\xe8");
        let told = frames(Speaks::Juggler, true, &client);
        let texts: Vec<_> = told.iter().map(|(protocol, _, text)| (*protocol, &**text)).collect();
        let expected = [
            ("HTTP", "GET /ws HTTP/1.1"),
            ("Juggler", "{\"x\""),
            ("WebSocket", "ping"),
            ("WebSocket", "close 1000"),
        ];
        assert_eq!(texts, expected);
        let page = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 304 Not\r\n\r\n";
        let told = frames(Speaks::Juggler, false, page);
        assert_eq!(told.len(), 2, "{told:?}");
    }

    /// Whatever comes, in whatever pieces: nothing panics, and nothing is kept without end.
    #[test]
    fn anything_may_come() {
        // xorshift: the same octets every time
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |most: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % most
        };
        let starts: [&[u8]; 6] = [
            b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80",
            b"\x03\x00\x00\x0e\x09\xe0\x00\x00\x44\x31\x00\xc1\x01\x01",
            b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nContent-Length: 7\r\n\r\n\x81\x84\x00\x00\x00\x00ab",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04",
            b"\x04\x7f\xff\xff\xff\x00",
        ];
        let speak = [Speaks::Chatter, Speaks::Hat, Speaks::Juggler, Speaks::Cotp, Speaks::Raw];
        for round in 0..3_000 {
            let mut octets = Vec::new();
            for _ in 0..draw(4) {
                octets.extend_from_slice(starts[draw(6) as usize]);
                octets.extend((0..draw(8)).map(|_| draw(256) as u8));
            }
            if !octets.is_empty() && round % 2 == 0 {
                let at = draw(octets.len() as u64) as usize;
                octets[at] = draw(256) as u8;
            }
            let mut decoder = Decoder::new(speak[round % 5], draw(2) == 0, 48);
            for part in octets.chunks(1 + draw(9) as usize) {
                decoder.push(&Bytes::copy_from_slice(part));
                while decoder.next().is_some() {}
                assert!(decoder.input.len() <= octets.len());
            }
            let _ = decoder.left();
        }
    }
}
