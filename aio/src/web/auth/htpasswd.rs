//! What is in an htpasswd file.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bcrypt::HashParts;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::apr1;

/// A bcrypt cost that is higher takes more than ten seconds a password. `htpasswd` has the same
/// limit.
const MAX_COST: u32 = 17;

/// Bytes of a password file, 1 MiB: ten thousand users.
pub(super) const MAX_FILE: u64 = 1024 * 1024;

/// Why a password file cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HtpasswdError {
    /// It cannot be read.
    #[error("cannot read the password file {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// A line is not `user:hash`, or its hash is cut short or otherwise wrong.
    #[error("{}, line {line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A hash of another kind.
    #[error(
        "{}, line {line}: hashes of the kind `{scheme}` are not supported: create the line again with `htpasswd -B`",
        path.display()
    )]
    Scheme {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the hash begins with.
        scheme: String,
    },
}

/// The users of a file, in its order.
#[derive(Debug)]
pub(in super::super) struct Users(Vec<(String, Hash)>);

impl Users {
    pub(in super::super) fn parse(path: &Path, text: &[u8]) -> Result<Self, HtpasswdError> {
        Self::parse_with::<&str>(path, text)
    }

    /// The same. Users are told apart as `Name`s, which a test counts.
    fn parse_with<'a, Name>(path: &Path, text: &'a [u8]) -> Result<Self, HtpasswdError>
    where
        Name: From<&'a str> + Eq + std::hash::Hash,
    {
        let mut users = Vec::<(String, Hash)>::new();
        // in no order, and only asked
        let mut known = HashSet::<Name>::new();
        // an editor of Windows may have put it before the first line
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let wrong = |what| HtpasswdError::Line { path: path.into(), line: index + 1, what };
            let line = std::str::from_utf8(line).map_err(|_| wrong("this is not UTF-8"))?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) =
                line.split_once(':').ok_or_else(|| wrong("there is no `:` after the user name"))?;
            if user.is_empty() {
                return Err(wrong("there is no user name before the `:`"));
            }
            if !known.insert(user.into()) {
                return Err(wrong("this user already has a line above"));
            }
            let hash = Hash::parse(hash).map_err(|error| match error {
                HashError::Wrong(what) => wrong(what),
                HashError::Scheme(scheme) => {
                    HtpasswdError::Scheme { path: path.into(), line: index + 1, scheme }
                }
            })?;
            users.push((user.to_owned(), hash));
        }
        Ok(Self(users))
    }

    /// The hash to hold a password of `user` against, and whether the user is one. For an unknown
    /// user it is the hash that costs most, so that the time of a refusal does not tell who is
    /// known. `None`: there are no users at all.
    pub(in super::super) fn find(&self, user: &[u8]) -> Option<(&Hash, bool)> {
        match self.0.iter().find(|(known, _)| known.as_bytes() == user) {
            Some((_, hash)) => Some((hash, true)),
            None => {
                Some((self.0.iter().map(|(_, hash)| hash).max_by_key(|hash| hash.cost())?, false))
            }
        }
    }
}

/// What a password is held against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Hash {
    Apr1 { salt: String, hash: [u8; 22] },
    Bcrypt { text: String, cost: u32 },
    Sha1([u8; 20]),
}

#[derive(Debug, PartialEq, Eq)]
enum HashError {
    Wrong(&'static str),
    Scheme(String),
}

impl Hash {
    fn parse(text: &str) -> Result<Self, HashError> {
        if let Some(rest) = text.strip_prefix("$apr1$") {
            let (salt, hash) = rest.split_once('$').unwrap_or((rest, ""));
            let hash = hash.as_bytes().try_into();
            return match hash {
                Ok(hash) if (1..=8).contains(&salt.len()) => {
                    Ok(Self::Apr1 { salt: salt.into(), hash })
                }
                _ => Err(HashError::Wrong(
                    "this is not a `$apr1$` hash: it is too short or too long",
                )),
            };
        }
        if ["$2y$", "$2b$", "$2a$"].iter().any(|prefix| text.starts_with(prefix)) {
            let cost = text.get(4..6).and_then(|cost| cost.parse().ok());
            return match cost.filter(|_| text.parse::<HashParts>().is_ok()) {
                Some(cost) if (4..=MAX_COST).contains(&cost) => {
                    Ok(Self::Bcrypt { text: text.into(), cost })
                }
                Some(_) => Err(HashError::Wrong("the cost of a bcrypt hash must be 4 to 17")),
                None => {
                    Err(HashError::Wrong("this is not a bcrypt hash: it is too short or too long"))
                }
            };
        }
        if let Some(hash) = text.strip_prefix("{SHA}") {
            let hash = BASE64.decode(hash).ok().and_then(|hash| hash.try_into().ok());
            return hash.map(Self::Sha1).ok_or(HashError::Wrong("this is not a `{SHA}` hash"));
        }
        Err(HashError::Scheme(scheme(text)))
    }

    /// Whether this is the hash of `password`, in a time that does not tell how much of it is
    /// right. Takes long: that is the point of it.
    pub(in super::super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Apr1 { salt, hash } => apr1::hash(password, salt.as_bytes()).ct_eq(hash).into(),
            // compares in constant time by itself; takes the first 72 bytes, as `htpasswd` does
            Self::Bcrypt { text, .. } => bcrypt::verify(password, text).unwrap_or(false),
            Self::Sha1(hash) => Sha1::digest(password).as_slice().ct_eq(hash).into(),
        }
    }

    /// Where it stands in the order of time.
    fn cost(&self) -> u32 {
        match self {
            Self::Sha1(_) => 0,
            Self::Apr1 { .. } => 1,
            Self::Bcrypt { cost, .. } => *cost,
        }
    }
}

/// What a hash begins with, without anything that is secret.
fn scheme(text: &str) -> String {
    let named = match text.as_bytes().first() {
        Some(b'$') => text[1..].split_once('$').map(|(name, _)| format!("${name}$")),
        Some(b'{') => text.split_once('}').map(|(name, _)| format!("{name}}}")),
        _ => None,
    };
    named.filter(|name| name.len() <= 16).unwrap_or_else(|| "crypt or plain text".into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn parse(text: &str) -> Result<Users, String> {
        Users::parse(Path::new("users"), text.as_bytes()).map_err(|error| error.to_string())
    }

    /// Whether `user` has `password`.
    fn has(users: &Users, user: &str, password: &str) -> bool {
        let (hash, known) = users.find(user.as_bytes()).expect("users");
        hash.verify(password.as_bytes()) && known
    }

    /// Lines of `htpasswd -nb`, with `-m`, `-B -C 4` and `-s`.
    #[test]
    fn hashes_of_htpasswd() {
        let users = parse(
            "# operators\n\
             apr1:$apr1$DM4zBRQb$ZR0gVBEfO.mgpAoC3YNW10\n\
             bcrypt:$2y$04$SlY8GFd.TaD5rNOAgs.FGO/uEPW0bRh9hQb041V8guKhNFUXRmir6\r\n\
             \n\
             long:$2y$04$.AFN55vJjRSj0GZk8YTRJeLpp2L8hOhHPhsdmSzsEkIYpz5gb8rjO\n\
             sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        )
        .expect("a file");
        let long = "žarulja and a long password that is longer than seventy-two bytes: it is, it is, it is, it is";
        for user in ["apr1", "bcrypt", "sha"] {
            assert!(has(&users, user, "secret"), "{user}");
            assert!(!has(&users, user, "Secret"), "{user}");
            assert!(!has(&users, user, ""), "{user}");
        }
        assert!(has(&users, "long", long));
        assert!(!has(&users, "nobody", "secret"));
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_the_costliest() {
        let users = parse(
            "sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
             bcrypt:$2y$04$SlY8GFd.TaD5rNOAgs.FGO/uEPW0bRh9hQb041V8guKhNFUXRmir6\n\
             apr1:$apr1$DM4zBRQb$ZR0gVBEfO.mgpAoC3YNW10",
        )
        .expect("a file");
        let (hash, known) = users.find(b"nobody").expect("a hash");
        assert!(matches!(hash, Hash::Bcrypt { cost: 4, .. }) && !known);
        assert!(parse("").expect("a file").find(b"nobody").is_none());
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_name() {
        let users = parse("\u{feff}sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=").expect("a file");
        assert!(has(&users, "sha", "secret"));
    }

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    /// A name that counts how often it is looked at.
    struct CountingText<'a>(&'a str);

    fn step() {
        STEPS.set(STEPS.get() + 1);
    }

    impl<'a> From<&'a str> for CountingText<'a> {
        fn from(name: &'a str) -> Self {
            Self(name)
        }
    }

    impl PartialEq for CountingText<'_> {
        fn eq(&self, other: &Self) -> bool {
            step();
            self.0 == other.0
        }
    }

    impl Eq for CountingText<'_> {}

    impl std::hash::Hash for CountingText<'_> {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            step();
            self.0.hash(state);
        }
    }

    /// Each user was once held against all above it: 50 million steps for ten thousand.
    #[test]
    fn twice_the_lines_are_twice_the_work() {
        let steps = |lines: usize| {
            let line = |user| format!("user{user}:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
            let text: String = (0..lines).map(line).collect();
            STEPS.set(0);
            let users = Users::parse_with::<CountingText<'_>>(Path::new("users"), text.as_bytes());
            assert_eq!(users.expect("a file").0.len(), lines);
            STEPS.get()
        };
        // a table that grows looks at each name again, less than twice in all
        let (half, whole) = (steps(10_000), steps(20_000));
        assert!(half >= 10_000 && whole <= 5 * 20_000, "{half}, {whole}");
        assert!(2 * whole <= 5 * half, "{whole} steps for 20 000 lines, {half} for half as many");
    }

    #[test]
    fn refusals() {
        let good = "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";
        for (text, expected) in [
            ("ana", "users, line 1: there is no `:` after the user name"),
            (":{SHA}x", "users, line 1: there is no user name before the `:`"),
            ("\n#\nana:{SHA}x", "users, line 3: this is not a `{SHA}` hash"),
            (
                "ana:$apr1$abc",
                "users, line 1: this is not a `$apr1$` hash: it is too short or too long",
            ),
            (
                "ana:$2y$04$abc",
                "users, line 1: this is not a bcrypt hash: it is too short or too long",
            ),
            (
                "ana:$2y$31$SlY8GFd.TaD5rNOAgs.FGO/uEPW0bRh9hQb041V8guKhNFUXRmir6",
                "users, line 1: the cost of a bcrypt hash must be 4 to 17",
            ),
            (
                "ana:$6$abc$def",
                "users, line 1: hashes of the kind `$6$` are not supported: create the line again with `htpasswd -B`",
            ),
            (
                "ana:{SSHA}abc",
                "users, line 1: hashes of the kind `{SSHA}` are not supported: create the line again with `htpasswd -B`",
            ),
            (
                "ana:secret",
                "users, line 1: hashes of the kind `crypt or plain text` are not supported: create the line again with `htpasswd -B`",
            ),
            (&format!("{good}\n{good}"), "users, line 2: this user already has a line above"),
        ] {
            assert_eq!(parse(text).expect_err(text), expected);
        }
        let latin = Users::parse(Path::new("users"), b"ana:\xe9").expect_err("no UTF-8");
        assert_eq!(latin.to_string(), "users, line 1: this is not UTF-8");
    }
}
