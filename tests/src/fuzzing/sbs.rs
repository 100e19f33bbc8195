use std::sync::LazyLock;

use arbitrary::Unstructured;
use bytes::Bytes;
use hat_core::eventer::message::{
    EventsNotify, InitReq, InitRes, QueryReq, QueryRes, RegisterReq, RegisterRes, StatusNotify,
};
use hat_core::sbs::{self, Decode, Encode, PreparedType, Reader, Repository};

use crate::vectors;

/// The schema of Eventer, prepared for the dynamic codec.
static EVENTER: LazyLock<[PreparedType; 8]> = LazyLock::new(|| {
    let vectors = vectors::load("eventer");
    let repository = Repository::parse(vectors::text(&vectors["schema"])).expect("a schema");
    [
        "MsgInitReq",
        "MsgInitRes",
        "MsgStatusNotify",
        "MsgEventsNotify",
        "MsgRegisterReq",
        "MsgRegisterRes",
        "MsgQueryReq",
        "MsgQueryRes",
    ]
    .map(|name| repository.prepare(&format!("HatEventer.{name}")).expect("a type of the schema"))
});

/// The typed codec against the dynamic one: `type │ bytes`.
pub(super) fn codec(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let kind = usize::from(kind) % EVENTER.len();
    let (prepared, bytes) = (&EVENTER[kind], Bytes::copy_from_slice(bytes));
    match kind {
        0 => agree::<InitReq>(prepared, &bytes),
        1 => agree::<InitRes>(prepared, &bytes),
        2 => agree::<StatusNotify>(prepared, &bytes),
        3 => agree::<EventsNotify>(prepared, &bytes),
        4 => agree::<RegisterReq>(prepared, &bytes),
        5 => agree::<RegisterRes>(prepared, &bytes),
        6 => agree::<QueryReq>(prepared, &bytes),
        _ => agree::<QueryRes>(prepared, &bytes),
    }
}

/// Whatever the typed codec reads, the dynamic one reads too, as far, and to the same; it may read
/// more: numbers of any size.
fn agree<T: Decode + Encode>(prepared: &PreparedType, bytes: &Bytes) {
    let (mut typed, mut dynamic) = (Reader::new(bytes), Reader::new(bytes));
    let (one, other) = (T::decode(&mut typed), prepared.decode_from(&mut dynamic));
    if let Ok(one) = &one {
        let other = other.as_ref().expect("the dynamic codec reads it too");
        assert_eq!(typed.position(), dynamic.position());
        let again = sbs::encode(one);
        assert_eq!(one.encoded_len(), again.len());
        // the typed one carries microseconds over a second into the seconds: it does so to the
        // other's value too
        let bytes = prepared.encode(other).expect("it was decoded");
        let carried = sbs::decode::<T>(&bytes).expect("the same value");
        assert_eq!(sbs::encode(&carried), again);
    }
    if let Ok(value) = other {
        let again = prepared.encode(&value).expect("it was decoded");
        assert!(again.len() <= dynamic.position(), "the shortest form is no longer than any");
        let once_more = prepared.decode(&again).expect("it was encoded");
        assert_eq!(prepared.encode(&once_more).expect("it was decoded"), again);
    }
}

/// The schema parser: what it reads, it reads again from JSON.
pub(super) fn schema(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let as_json = input.ratio(1_u8, 4).unwrap_or(false);
    let Ok(text) = std::str::from_utf8(input.take_rest()) else { return };
    let repository = if as_json {
        let Ok(json) = serde_json::from_str(text) else { return };
        let Ok(repository) = Repository::from_json(&json) else { return };
        repository
    } else {
        match Repository::parse(text) {
            Ok(repository) => repository,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    };
    let json = repository.to_json();
    let again = Repository::from_json(&json).expect("our own JSON");
    assert_eq!(again.to_json(), json);
    let sound = repository.check().is_ok();
    for module in repository.modules() {
        for (name, definition) in &module.types {
            let prepared = repository.prepare(&format!("{}.{name}", module.name));
            assert!(prepared.is_ok() || !sound || !definition.parameters.is_empty());
        }
    }
}
