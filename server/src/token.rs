//! The server's token.

use subtle::ConstantTimeEq;

/// Whether `given` is the token, in a time that does not tell how much of it is right. Without a
/// token none is.
pub(crate) fn is(token: Option<&str>, given: &str) -> bool {
    token.is_some_and(|token| token.as_bytes().ct_eq(given.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::is;

    #[test]
    fn the_whole_token_is_right() {
        assert!(is(Some("secret"), "secret"));
        for wrong in ["", "secre", "secret2", "Secret"] {
            assert!(!is(Some("secret"), wrong), "{wrong}");
        }
        assert!(!is(None, ""));
    }
}
