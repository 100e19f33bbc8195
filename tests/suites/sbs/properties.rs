//! What holds for any schema, any value and any bytes.

use hat_core::sbs::{Repository, schema};
use hat_tests::generated::{types, types_with_values};
use proptest::collection::vec;
use proptest::prelude::*;

use super::hostile::parts;
use super::{prepared, repository};

/// Words of the grammar, so that some of it is often right.
fn almost_schemas() -> impl Strategy<Value = String> {
    let words = [
        "module", " ", "\r\n", ",", "M", "T", "U", "=", "(", ")", "{", "}", ":", ".", "Array",
        "Record", "Choice", "Optional", "Maybe", "Tuple", "Union", "Integer", "None", "# c\n", "#",
        "é", "a: None", "T = ", "U(a) = a",
    ];
    vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| format!("module M {}", words.concat()))
}

proptest! {
    #[test]
    fn values_go_through_bytes_and_back((of, value) in types_with_values()) {
        let prepared = prepared(&format!("T = {}", of.text()));
        let bytes = prepared.encode(&value).expect("a value of the type");
        let again = prepared.decode(&bytes).expect("was encoded");
        // NaN is not equal to itself: as text, where it is
        prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
        prop_assert_eq!(prepared.encode(&again), Ok(bytes));
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_something(
        (of, value) in types_with_values(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let prepared = prepared(&format!("T = {}", of.text()));
        let mut bytes = prepared.encode(&value).expect("a value of the type").to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
        }
        if let Ok(value) = prepared.decode(&bytes.into()) {
            let bytes = prepared.encode(&value).expect("was decoded");
            let again = prepared.decode(&bytes).expect("was encoded");
            prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
    }

    #[test]
    fn any_bytes_make_a_bounded_value_or_none(of in types(), bytes in vec(any::<u8>(), 0..200)) {
        let most = (bytes.len() + 65_536 + bytes.len()) * 32 + 256;
        if let Ok(value) = prepared(&format!("T = {}", of.text())).decode(&bytes.into()) {
            prop_assert!(parts(&value) <= most, "{} parts", parts(&value));
        }
    }

    #[test]
    fn schemas_go_through_json_and_back(of in types()) {
        let here = repository(&format!("module M T = {}", of.text()));
        prop_assert_eq!(Repository::from_json(&here.to_json()), Ok(here));
    }

    #[test]
    fn any_text_is_a_schema_or_an_error(text in ".*") {
        let _ = schema::parse(&text);
    }

    #[test]
    fn almost_schemas_do_no_harm(text in almost_schemas()) {
        if let Ok(repository) = Repository::parse(&text) {
            let _ = repository.check();
            let _ = repository.prepare("M.T");
            prop_assert!(Repository::from_json(&repository.to_json()).is_ok());
        }
    }
}
