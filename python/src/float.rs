//! Numbers as text.

use std::io::{Cursor, Write};

/// Appends a finite number as Python's `repr` has it: the fewest digits that mean it, with an
/// exponent below 1e-4 and from 1e16 on.
///
/// Returns false, and appends nothing, where that takes 16 digits or more: there may be two of
/// equal length and equally near, of which Python takes the even one.
pub(crate) fn write(number: f64, out: &mut String) -> bool {
    // the longest is `-1.2345678901234567e-308`
    let mut place = Cursor::new([0; 32]);
    let _ = write!(place, "{number:e}");
    let len = place.position() as usize;
    let text = std::str::from_utf8(&place.get_ref()[..len]).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (first, more) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // 15 digits are further apart than two numbers, unless these are subnormal
    if first.len() + more.len() > 15 || exponent < -300 {
        return false;
    }
    out.push_str(sign);
    if !(-4..16).contains(&exponent) {
        let point = if more.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        let exponent = exponent.unsigned_abs();
        out.push_str(&format!("{first}{point}{more}e{sign}{exponent:02}"));
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend((1..-exponent).map(|_| '0'));
        out.push_str(first);
        out.push_str(more);
    } else {
        let whole = exponent.unsigned_abs() as usize;
        out.push_str(first);
        out.push_str(&more[..whole.min(more.len())]);
        out.extend((more.len()..whole).map(|_| '0'));
        out.push('.');
        out.push_str(more.get(whole..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
    }
    true
}
