//! What requests and responses have in common: where a head ends, its fields, and what may stand in
//! them.

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

/// A header field: its name, in any case, and its value.
pub type Field = (ByteString, ByteString);

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// The fields that the handshake writes itself.
const OWN: [&str; 10] = [
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
    "content-length",
    "transfer-encoding",
];

/// Where looking for the end of a head came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ws) enum Found {
    /// The head takes this many bytes.
    End(usize),
    /// It is not here; the next look starts at this byte.
    From(usize),
    /// More than the limit is here, without an end within it.
    TooLarge,
}

/// Looks for the end of a head of at most `limit` bytes, from `from` on, so that a head that comes
/// byte by byte is looked at once.
pub(in crate::ws) fn find_end(bytes: &[u8], from: usize, limit: usize) -> Found {
    let within = &bytes[..bytes.len().min(limit)];
    match within[from..].windows(END.len()).position(|window| window == END) {
        Some(at) => Found::End(from + at + END.len()),
        None if bytes.len() >= limit => Found::TooLarge,
        None => Found::From(bytes.len().saturating_sub(END.len() - 1).max(from)),
    }
}

/// A value as text: UTF-8, or what HTTP used before it, ISO 8859-1.
pub(super) fn text(value: &[u8]) -> ByteString {
    match core::str::from_utf8(value) {
        Ok(text) => text.into(),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
    }
}

/// The fields of a head, by name and value, however its reader keeps them.
pub(super) trait Fields<'a>: Iterator<Item = (&'a str, &'a [u8])> + Clone {}

impl<'a, I: Iterator<Item = (&'a str, &'a [u8])> + Clone> Fields<'a> for I {}

/// Those of a head that was read here.
pub(super) fn fields<'a>(fields: &'a [httparse::Header<'_>]) -> impl Fields<'a> {
    fields.iter().map(|field| (field.name, field.value))
}

/// All values of the fields called `name`, in order.
pub(super) fn values<'a>(
    fields: &impl Fields<'a>,
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    let named = move |(found, _): &(&str, _)| found.eq_ignore_ascii_case(name);
    fields.clone().filter(named).map(|(_, value)| value)
}

/// The value of a field that must be there once; without the blanks around it.
pub(super) fn only<'a>(fields: &impl Fields<'a>, name: &'static str) -> Option<&'a [u8]> {
    let mut all = values(fields, name);
    let first = all.next()?;
    all.next().is_none().then(|| first.trim_ascii())
}

/// The members of the comma-separated lists in the fields called `name`.
pub(super) fn members<'a>(
    fields: &impl Fields<'a>,
    name: &'static str,
) -> impl Iterator<Item = &'a [u8]> {
    values(fields, name)
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Whether a list has a member, whatever its case.
pub(super) fn lists<'a>(fields: &impl Fields<'a>, name: &'static str, member: &str) -> bool {
    members(fields, name).any(|found| found.eq_ignore_ascii_case(member.as_bytes()))
}

/// The fields that the handshake has no use for.
pub(super) fn others<'a>(fields: &impl Fields<'a>) -> Vec<Field> {
    let others = fields.clone().filter(|(name, _)| !is_own(name));
    others.map(|(name, value)| (name.into(), text(value))).collect()
}

/// The value of the first field called `name`, in any case.
pub(super) fn lookup<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
}

/// A field that cannot be sent, and whether that is because the handshake writes it.
pub(super) struct Unsendable {
    pub(super) name: ByteString,
    pub(super) reserved: bool,
}

/// Whether `fields` can be sent: nothing in them may end its line, or be one of the handshake's
/// own.
pub(super) fn check(fields: &[Field]) -> Result<(), Unsendable> {
    let allowed = |value: &str| value.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control());
    for (name, value) in fields {
        let reserved = is_own(name);
        if reserved || !is_token(name) || !allowed(value) {
            return Err(Unsendable { name: name.clone(), reserved });
        }
    }
    Ok(())
}

/// Writes `fields`, which [`check`] let pass, and the end of the head.
pub(super) fn write(fields: &[Field], out: &mut String) {
    for (name, value) in fields {
        out.extend([name, ": ", value, "\r\n"]);
    }
    out.push_str("\r\n");
}

/// An HTTP token (RFC 9110 section 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_own(name: &str) -> bool {
    OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_it_comes() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81";
        let mut from = 0;
        for have in 0..head.len() - 2 {
            let Found::From(next) = find_end(&head[..have], from, 100) else { panic!("at {have}") };
            assert!(next >= from && next + 3 >= have);
            from = next;
        }
        assert_eq!(find_end(head, from, 100), Found::End(head.len() - 1));
        assert_eq!(find_end(head, 0, 27), Found::End(27));
        assert_eq!(find_end(head, 0, 26), Found::TooLarge);
    }

    #[test]
    fn nothing_that_ends_a_line_is_sent() {
        for (name, value) in
            [("a\r\nb", ""), ("a", "b\r\nc"), ("a", "\0"), ("", "a"), ("a b", ""), ("Host", "a")]
        {
            assert!(check(&[(name.into(), value.into())]).is_err(), "{name:?}: {value:?}");
        }
        assert!(check(&[("Authorization".into(), "Basic dTpw\tä".into())]).is_ok());
    }
}
