/// Checks text that comes in parts, and fails at the first byte that no continuation can make
/// valid.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The start of a character whose rest is to come.
    open: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Whether the text is still UTF-8 with `part`, as far as it goes.
    pub(super) fn push(&mut self, mut part: &[u8]) -> bool {
        while self.len > 0 {
            let Some((&byte, rest)) = part.split_first() else { return true };
            self.open[self.len] = byte;
            self.len += 1;
            part = rest;
            match core::str::from_utf8(&self.open[..self.len]) {
                Ok(_) => self.len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match core::str::from_utf8(part) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let open = &part[error.valid_up_to()..];
                self.open[..open.len()].copy_from_slice(open);
                self.len = open.len();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes are taken, one by one, before the first refusal.
    fn taken(bytes: &[u8]) -> usize {
        let mut utf8 = Utf8::default();
        bytes.iter().take_while(|&&byte| utf8.push(&[byte])).count()
    }

    #[test]
    fn valid_text_at_any_cut() {
        let text = "κόσμε \u{10ffff}\u{7ff}\u{800}\u{ffff}a".as_bytes();
        for cut in 0..=text.len() {
            let mut utf8 = Utf8::default();
            assert!(utf8.push(&text[..cut]) && utf8.push(&text[cut..]) && utf8.len == 0);
        }
    }

    #[test]
    fn refused_at_the_byte_that_is_wrong() {
        assert_eq!(taken(b"ab\x80"), 2);
        assert_eq!(taken(b"\xc0\xaf"), 0); // an overlong "/"
        assert_eq!(taken(b"\xed\xa0\x80"), 1); // a surrogate: known by its second byte
        assert_eq!(taken(b"\xf4\x90\x80\x80"), 1); // behind U+10FFFF
        assert_eq!(taken(b"\xf0\x9f\x98a"), 3);
        assert_eq!(taken(b"\xff"), 0);
    }

    #[test]
    fn an_open_character_is_seen() {
        let mut utf8 = Utf8::default();
        assert!(utf8.push(b"a\xce"));
        assert_eq!(utf8.len, 1);
    }
}
