//! `$apr1$`: the MD5 hash of Apache's `htpasswd`, 1 000 rounds. The description is in Apache's
//! `apr_md5_encode`.

use md5::{Digest, Md5};

/// Characters of six bits each.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which bytes of the hash stand together, the first in the highest bits.
const GROUPS: [[usize; 3]; 5] = [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]];

/// The 22 characters after `$apr1$salt$`.
pub(super) fn hash(password: &[u8], salt: &[u8]) -> [u8; 22] {
    let inner =
        Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    let mut outer = Md5::new().chain_update(password).chain_update("$apr1$").chain_update(salt);
    for part in password.chunks(inner.len()) {
        outer.update(&inner[..part.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        // an empty password has no bits
        outer.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    let mut last = outer.finalize();
    for round in 0..1000 {
        let odd = round % 2 == 1;
        let mut next = Md5::new();
        next.update(if odd { password } else { last.as_slice() });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if odd { last.as_slice() } else { password });
        last = next.finalize();
    }
    let mut text = [0; 22];
    let (groups, rest) = text.split_at_mut(20);
    for (into, [high, middle, low]) in groups.chunks_mut(4).zip(GROUPS) {
        write_digits(into, u32::from_be_bytes([0, last[high], last[middle], last[low]]));
    }
    write_digits(rest, last[11].into());
    text
}

/// The lowest six bits come first.
fn write_digits(into: &mut [u8], mut bits: u32) {
    for digit in into {
        *digit = DIGITS[(bits & 0x3f) as usize];
        bits >>= 6;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `openssl passwd -apr1 -salt SALT PASSWORD`.
    #[test]
    fn hashes_of_openssl() {
        let long = "žarulja and a long password that is longer than sixteen bytes";
        for (salt, password, expected) in [
            ("rqXexS6Z", "secret", "aHkKxtrJ39SjHzMujenay1"),
            ("rqXexS6Z", "", "CsgWV1wNhlJSIF4s1OIwb1"),
            ("rqXexS6Z", long, "XIUD7Rj4md6HvvxeaZOUz1"),
            ("ab", "x", "eIePjsejfBGR8ITtu2z0U1"),
        ] {
            let hash = hash(password.as_bytes(), salt.as_bytes());
            assert_eq!(String::from_utf8_lossy(&hash), expected, "{password}");
        }
    }
}
