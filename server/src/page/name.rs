//! Event types as the page names them: segments joined by `/`, and each type by a name of its own.
//!
//! ```text
//! a, b, c     a/b/c
//! a/b, c      a%2Fb/c        a slash within a segment
//! %2F         %252F          what would be read as one of these
//! (none)
//! ""          %_             one segment without a character
//! ```

use hat_core::eventer::EventType;

/// The name of a type.
pub(super) fn name(event_type: &EventType) -> String {
    let segments: Vec<String> = event_type.segments().map(escaped).collect();
    match &segments[..] {
        [only] if only.is_empty() => "%_".to_owned(),
        segments => segments.join("/"),
    }
}

/// The type of a name.
pub(super) fn event_type(name: &str) -> EventType {
    let segments = match name {
        "" => Vec::new(),
        "%_" => vec![String::new()],
        name => name.split('/').map(|it| it.replace("%2F", "/").replace("%25", "%")).collect(),
    };
    EventType::from_segments(segments.iter().map(String::as_str))
}

fn escaped(segment: &str) -> String {
    let mut escaped = segment.replace("%25", "%2525").replace("%2F", "%252F");
    if segment == "%_" {
        escaped = "%25_".to_owned();
    }
    escaped.replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(segments: &[&str], expected: &str) {
        let original = EventType::from_segments(segments.iter().copied());
        assert_eq!(name(&original), expected);
        assert_eq!(event_type(expected), original);
    }

    #[test]
    fn every_type_has_a_name_of_its_own() {
        named(&[], "");
        named(&[""], "%_");
        named(&["", ""], "/");
        named(&["a", "b", "c"], "a/b/c");
        named(&["a/b", "c"], "a%2Fb/c");
        named(&["50 %", "5%x"], "50 %/5%x");
        named(&["%2F"], "%252F");
        named(&["%25"], "%2525");
        named(&["%_"], "%25_");
    }
}
