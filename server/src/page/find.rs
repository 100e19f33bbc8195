//! What a search of the page finds among the names of types: the same as `search.js` finds in the
//! browser.
//!
//! ```text
//! words     each occurs in the name, in any case; numbers are whole: `bay 1` is not in `bay 10`
//! patterns  segments of the name: `?` for one, `*` for any number of them, also none, anywhere
//!           within a segment either stands for any text
//! ```

use hat_core::json::Value;

use super::fields;

/// Ways to read what somebody typed, any of which may match.
const MAX_WAYS: usize = 8;

/// Words, and patterns, of one way.
const MAX_TERMS: usize = 32;

/// Bytes of a word or a pattern: names of types in use are shorter.
const MAX_TERM: usize = 1024;

/// A search.
#[derive(Debug)]
pub(super) struct Search(Vec<Alternative>);

#[derive(Debug)]
struct Alternative {
    words: Vec<String>,
    patterns: Vec<Vec<String>>,
}

impl Search {
    /// Of what a page sends as `any`. An error is for its user.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let ways = value.as_array().filter(|ways| (1..=MAX_WAYS).contains(&ways.len()));
        let ways =
            ways.ok_or_else(|| format!("`any`: write a list of 1 to {MAX_WAYS} searches"))?;
        Ok(Self(ways.iter().map(Alternative::read).collect::<Result<_, _>>()?))
    }

    /// Whether it finds the type of this name.
    pub(super) fn finds(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let segments: Vec<&str> = name.split('/').collect();
        self.0.iter().any(|way| {
            way.words.iter().all(|word| has_word(&name, word))
                && way.patterns.iter().all(|pattern| matches(pattern, &segments))
        })
    }
}

impl Alternative {
    fn read(value: &Value) -> Result<Self, String> {
        let object = fields::object(value, "a search", &["words", "patterns"])?;
        let terms = |name| -> Result<Vec<String>, String> {
            let terms = fields::texts(object, name, MAX_TERMS)?;
            match terms.iter().find(|term| term.is_empty() || term.len() > MAX_TERM) {
                Some(_) => Err(format!("`{name}`: each term has 1 to {MAX_TERM} bytes")),
                None => Ok(terms.into_iter().map(str::to_lowercase).collect()),
            }
        };
        let patterns = terms("patterns")?;
        let patterns = patterns.iter().map(|it| it.split('/').map(str::to_owned).collect());
        Ok(Self { words: terms("words")?, patterns: patterns.collect() })
    }
}

/// Whether `word` occurs, and not within a longer number.
fn has_word(text: &str, word: &str) -> bool {
    let digit = |char: Option<char>| char.is_some_and(|char| char.is_ascii_digit());
    let (starts, ends) = (digit(word.chars().next()), digit(word.chars().next_back()));
    let mut from = 0;
    while let Some(found) = text[from..].find(word) {
        let at = from + found;
        let before = starts && digit(text[..at].chars().next_back());
        let after = ends && digit(text[at + word.len()..].chars().next());
        if !before && !after {
            return true;
        }
        // the next one may begin within this one
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

fn matches(pattern: &[String], segments: &[&str]) -> bool {
    wild(pattern, segments, |it| it == "*", |part, segment| part == "?" || like(part, segment))
}

/// Within a segment.
fn like(part: &str, segment: &str) -> bool {
    let (part, segment): (Vec<_>, Vec<_>) = (part.chars().collect(), segment.chars().collect());
    wild(&part, &segment, |it| matches!(it, '*' | '?'), |a, b| a == b)
}

/// Whether `pattern` is all of `text`, where what `any` says stands for any number. It goes back to
/// the last of those only, which is enough, so that it takes at most the product of both lengths.
fn wild<P, T>(
    pattern: &[P],
    text: &[T],
    any: impl Fn(&P) -> bool,
    same: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut back = None;
    while t < text.len() {
        if pattern.get(p).is_some_and(&any) {
            back = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|it| same(it, &text[t])) {
            p += 1;
            t += 1;
        } else if let Some((at, until)) = back {
            back = Some((at, until + 1));
            p = at + 1;
            t = until + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn search(words: &[&str], patterns: &[&str]) -> Search {
        let value = json!([{"words": words, "patterns": patterns}]);
        Search::read(&value.into()).expect("a search")
    }

    #[test]
    fn numbers_in_words_are_whole() {
        let bay = search(&["Bay 1"], &[]);
        assert!(bay.finds("plant/bay 1/breaker"));
        assert!(bay.finds("plant/bay 11/BAY 1"));
        assert!(!bay.finds("plant/bay 10/breaker"));
        assert!(!search(&["1 1"], &[]).finds("11 11"));
        assert!(search(&["1 1"], &[]).finds("11 1 1"));
        assert!(search(&["0/x"], &[]).finds("a0/x"));
    }

    #[test]
    fn patterns_have_their_signs_anywhere() {
        let finds = |pattern: &str, name: &str| search(&[], &[pattern]).finds(name);
        assert!(finds("*/position", "plant/bay 1/position"));
        assert!(finds("plant/*/position", "plant/position"));
        assert!(finds("plant/?/position", "plant/x/position"));
        assert!(!finds("plant/?/position", "plant/x/y/position"));
        assert!(finds("plant/bay*/?os?", "plant/bay 7/pos"));
        assert!(finds("*/a/*/b", "a/a/c/b"));
        assert!(!finds("*/a/*/b", "a/a/c/b/c"));
        assert!(finds("*", "") && finds("?", ""));
        assert!(!finds("plant", "plant/x"));
    }

    #[test]
    fn all_of_one_way_or_of_another() {
        let value = json!([{"words": ["a"], "patterns": ["x/*"]}, {"patterns": ["a x/*"]}]);
        let both = Search::read(&value.into()).expect("a search");
        assert!(both.finds("x/a") && both.finds("a x/b"));
        assert!(!both.finds("x/b"));
    }

    #[test]
    fn what_is_no_search_is_refused_in_words() {
        let refused = |value: serde_json::Value| Search::read(&value.into()).expect_err("refused");
        assert_eq!(refused(json!([])), "`any`: write a list of 1 to 8 searches");
        assert_eq!(refused(json!([{"words": [""]}])), "`words`: each term has 1 to 1024 bytes");
        assert_eq!(refused(json!([{"words": 1}])), "`words`: write a list of at most 32 strings");
        assert_eq!(refused(json!([{"x": 1}])), "a search has no field `x`: write words, patterns");
    }

    /// Twenty signs against a long name: a search that tries all ways would not end.
    #[test]
    fn many_signs_take_no_longer() {
        let pattern = "*a".repeat(20) + "b";
        assert!(!search(&[], &[&pattern]).finds(&"a".repeat(1000)));
    }
}
