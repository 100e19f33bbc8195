//! What both ends agree on (RFC 7692 sections 5 and 7.1).

use alloc::string::String;

use super::Deflate;

const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

/// The window of every DEFLATE stream that we write: 2^15 octets.
const WINDOW_BITS: u8 = 15;

/// What an end of a connection does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreement {
    pub(super) deflate: Deflate,
    /// What we send before helps with what follows.
    pub(super) sends_with_context: bool,
    /// What the peer sent before has to be kept.
    pub(super) receives_with_context: bool,
    /// Server: the client's offer has the size of our window, so the answer has it too.
    pub(super) names_window: bool,
}

/// The parameters of an offer or of an answer, each at most once.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_no_context: bool,
    client_no_context: bool,
    /// `Some(None)` without a value.
    server_window: Option<Option<u8>>,
    client_window: Option<Option<u8>>,
}

impl DeflateAgreement {
    /// A server's answer to `offers`, the members of the client's `Sec-WebSocket-Extensions` in
    /// their order: what it does from then on, and the value of its own such header field. The
    /// first offer is taken that it can keep to; where there is none, messages are not compressed.
    ///
    /// Our window has 2^15 octets, so an offer with a smaller `server_max_window_bits` is passed
    /// over.
    #[must_use]
    pub fn answer<'a>(
        deflate: Deflate,
        offers: impl IntoIterator<Item = &'a str>,
    ) -> Option<(Self, String)> {
        let mut offers = offers.into_iter().filter_map(parse);
        let offer = offers.find(|offer| match offer.server_window {
            None => true,
            Some(bits) => bits == Some(WINDOW_BITS),
        })?;
        let sends_with_context = deflate.context_takeover && !offer.server_no_context;
        let receives_with_context = deflate.context_takeover && !offer.client_no_context;
        let names_window = offer.server_window.is_some();
        let agreed = Self { deflate, sends_with_context, receives_with_context, names_window };
        Some((agreed, agreed.header()))
    }

    /// A server's `Sec-WebSocket-Extensions`.
    pub(in crate::ws) fn header(self) -> String {
        let mut answer = String::from(NAME);
        if !self.sends_with_context {
            answer.extend(["; ", SERVER_NO_CONTEXT]);
        }
        if !self.receives_with_context {
            answer.extend(["; ", CLIENT_NO_CONTEXT]);
        }
        if self.names_window {
            answer.extend(["; ", SERVER_WINDOW, "=15"]);
        }
        answer
    }
}

/// What a client offers.
pub(in crate::ws) fn offer(deflate: Deflate) -> String {
    let mut offer = String::from(NAME);
    if !deflate.context_takeover {
        offer.extend(["; ", SERVER_NO_CONTEXT, "; ", CLIENT_NO_CONTEXT]);
    }
    offer
}

/// What a client does after the server's answer, one member of `Sec-WebSocket-Extensions`. `None`
/// where it is not an answer to our offer.
///
/// A server that keeps its context, though it was asked not to, is taken: it only costs memory.
pub(in crate::ws) fn accepted(deflate: Deflate, answer: &str) -> Option<DeflateAgreement> {
    let answer = parse(answer)?;
    // it was not offered; and a window has a size in an answer
    if answer.client_window.is_some() || answer.server_window == Some(None) {
        return None;
    }
    Some(DeflateAgreement {
        deflate,
        sends_with_context: deflate.context_takeover && !answer.client_no_context,
        receives_with_context: !answer.server_no_context,
        names_window: false,
    })
}

/// One extension with its parameters. `None` where it is another one, or says what the RFC does not
/// know: then it must be declined.
fn parse(member: &str) -> Option<Parameters> {
    let mut parts = member.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let mut parameters = Parameters::default();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            None => (part, None),
            Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start())?)),
        };
        match name {
            SERVER_NO_CONTEXT => flag(&mut parameters.server_no_context, value)?,
            CLIENT_NO_CONTEXT => flag(&mut parameters.client_no_context, value)?,
            SERVER_WINDOW => window(&mut parameters.server_window, value)?,
            CLIENT_WINDOW => window(&mut parameters.client_window, value)?,
            _ => return None,
        }
    }
    Some(parameters)
}

/// A value is a token, or one in quotes.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        None => Some(value),
        Some(rest) => rest.strip_suffix('"'),
    }
}

fn flag(flag: &mut bool, value: Option<&str>) -> Option<()> {
    (!core::mem::replace(flag, true) && value.is_none()).then_some(())
}

/// From 8 to 15, without a leading zero.
fn window(window: &mut Option<Option<u8>>, value: Option<&str>) -> Option<()> {
    let bits = match value {
        None => None,
        Some("8" | "9" | "10" | "11" | "12" | "13" | "14" | "15") => value?.parse().ok(),
        Some(_) => return None,
    };
    window.replace(bits).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEOVER: Deflate = Deflate { level: 6, min_size: 0, context_takeover: true };

    /// Whether we send and receive with a context, and what is answered.
    fn answer(deflate: Deflate, offers: &str) -> Option<(bool, bool, String)> {
        let offers = offers.split(',').map(str::trim);
        let (agreed, answer) = DeflateAgreement::answer(deflate, offers)?;
        Some((agreed.sends_with_context, agreed.receives_with_context, answer))
    }

    fn some(sends: bool, receives: bool, text: &str) -> Option<(bool, bool, String)> {
        Some((sends, receives, text.into()))
    }

    #[test]
    fn a_server_takes_the_first_offer_that_it_can_keep_to() {
        let plain = "permessage-deflate";
        assert_eq!(answer(TAKEOVER, plain), some(true, true, plain));
        // what Chromium and Firefox offer
        let browser = "permessage-deflate; client_max_window_bits";
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(answer(TAKEOVER, browser), some(true, true, plain));
        assert_eq!(answer(Deflate::default(), browser), some(false, false, both));
        let no_context = "permessage-deflate; server_no_context_takeover";
        assert_eq!(answer(TAKEOVER, no_context), some(false, true, no_context));
        // RFC 7692 section 7.1.3: the first with a window that we do not have
        let two = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                   permessage-deflate; client_max_window_bits";
        assert_eq!(answer(TAKEOVER, two), some(true, true, plain));
        let quoted = "permessage-deflate; server_max_window_bits=\"15\"";
        let full = "permessage-deflate; server_max_window_bits=15";
        assert_eq!(answer(TAKEOVER, quoted), some(true, true, full));
    }

    #[test]
    fn what_the_rfc_does_not_know_is_declined() {
        for offer in [
            "x-webkit-deflate-frame",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=\"15",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(TAKEOVER, offer), None, "{offer}");
        }
    }

    #[test]
    fn a_client_takes_what_answers_its_offer() {
        let context = |answer: &str| {
            accepted(TAKEOVER, answer).map(|it| (it.sends_with_context, it.receives_with_context))
        };
        assert_eq!(offer(TAKEOVER), "permessage-deflate");
        assert_eq!(context("permessage-deflate"), Some((true, true)));
        assert_eq!(context("permessage-deflate; server_max_window_bits=9"), Some((true, true)));
        let both = offer(Deflate::default());
        assert_eq!(context(&both), Some((false, false)));
        let agreed = accepted(Deflate::default(), "permessage-deflate").expect("taken");
        assert_eq!((agreed.sends_with_context, agreed.receives_with_context), (false, true));
        for answer in [
            "permessage-bzip2",
            "permessage-deflate; client_max_window_bits=15",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; unknown",
        ] {
            assert_eq!(context(answer), None, "{answer}");
        }
    }
}
