use arbitrary::{Result, Unstructured};
use hat_core::json::{Limits, Object, Operation, Patch, Pointer, Value, check, diff};
use hat_core::juggler::State;

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits::new(20, 20_000);

/// Names and texts, some of them awkward.
const WORDS: [&str; 12] = [
    "a",
    "b",
    "c",
    "",
    "/",
    "~",
    "~1",
    "0",
    "-",
    "čšž🚀",
    "\u{10ffff}\u{10f03d}",
    "\u{10ffff}\u{10ffff}",
];

/// A text: what is read is written and read again; and nothing over a limit is read, nor anything
/// that `serde_json` does not read, but for halves of surrogate pairs.
pub(super) fn text(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(value) = Value::parse(text, &LIMITS) else { return };
    assert!(value.depth() <= LIMITS.depth && value.size() <= LIMITS.size);
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(other) => {
            assert_eq!(serde_json::Value::from(&value), other);
            assert_eq!(Value::from(other), value);
        }
        // it has halves of surrogate pairs in Rust's strings nowhere
        Err(error) => assert!(error.to_string().contains("hex escape"), "{error}"),
    }
    assert_eq!(check(text, LIMITS.depth), Ok(()));
    assert_eq!(Value::parse(&value.to_string(), &LIMITS).as_ref(), Ok(&value));
    if let Ok(patch) = Patch::from_value(&value, &LIMITS) {
        let again: Patch = patch.to_string().parse().expect("our own text");
        assert_eq!(again, patch);
        let mut target = Value::from(vec![value.clone(), Value::Null]);
        all_or_nothing(&patch, &mut target);
    }
}

/// Two values and a patch: the difference leads from one to the other, and a patch does all that it
/// says or nothing.
pub(super) fn patch(input: &[u8]) {
    // the input ends where it ends
    let _ = values_and_patch(&mut Unstructured::new(input));
}

fn values_and_patch(input: &mut Unstructured<'_>) -> Result<()> {
    let (from, to) = (value(input, 4)?, value(input, 4)?);
    let patch = diff(&from, &to);
    let mut changed = from.clone();
    patch.apply(&mut changed, &Limits::default()).expect("our own difference");
    assert_eq!(changed, to);
    assert!(!patch.0.iter().any(|it| matches!(it, Operation::Test { .. })));
    assert_eq!(patch.is_empty(), from == to);

    let operations = (0..input.int_in_range(0..=12)?).map(|_| operation(input));
    let patch = Patch(operations.collect::<Result<_>>()?);
    all_or_nothing(&patch, &mut changed);
    Ok(())
}

fn all_or_nothing(patch: &Patch, target: &mut Value) {
    let before = target.clone();
    match patch.apply(target, &LIMITS) {
        // what was over a limit before may stay so
        Ok(()) => assert!(
            target.depth() <= LIMITS.depth.max(before.depth())
                && target.size() <= LIMITS.size.max(before.size())
        ),
        Err(_) => assert_eq!(*target, before),
    }
    // what it counts is what it is
    let again = Value::parse(&target.to_string(), &Limits::default()).expect("our own text");
    assert_eq!((again.size(), &again), (target.size(), &*target));
}

/// A state that is changed, flushed and followed: who takes every patch, and who comes later, has
/// what was flushed.
pub(super) fn state(input: &[u8]) {
    // the input ends where it ends
    let _ = follow(&mut Unstructured::new(input));
}

fn follow(input: &mut Unstructured<'_>) -> Result<()> {
    let (mut state, mut follower, mut at) = (State::new(LIMITS), Value::Null, 0);
    let take = |follower: &mut Value, patch: &str| {
        let patch: Patch = patch.parse().expect("a patch");
        patch.apply(follower, &Limits::default()).expect("it fits");
    };
    while !input.is_empty() {
        let before = state.value().clone();
        // what is over a limit is refused, and changes nothing
        let refused = match input.int_in_range(0..=7)? {
            0..=2 => state.set(&pointer(input)?, value(input, 3)?).is_err(),
            3 => state.remove(&pointer(input)?).is_none(),
            4 => state.replace(value(input, 4)?).is_err(),
            5 => {
                let mut other = before.clone();
                let _ = other.set(&pointer(input)?, value(input, 2)?, &LIMITS);
                state.replace(other).is_err()
            }
            _ => {
                let flushed = state.flush();
                assert!(!state.is_changed());
                if let Some(flushed) = flushed {
                    assert_eq!(flushed.from, at);
                    take(&mut follower, &flushed.patch);
                    at = flushed.to;
                }
                assert_eq!((&follower, at), (state.value(), state.version()));
                let (version, whole) = state.whole();
                let mut newcomer = Value::Null;
                take(&mut newcomer, &whole);
                assert_eq!((newcomer, version), (follower.clone(), at));
                false
            }
        };
        assert!(!refused || *state.value() == before);
        assert!(state.value().size() <= LIMITS.size);
    }
    Ok(())
}

fn value(input: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    let most = if depth == 0 { 5 } else { 8 };
    Ok(match input.int_in_range(0..=most)? {
        0 => Value::Null,
        1 => input.arbitrary::<bool>()?.into(),
        2 => i64::from(input.arbitrary::<i8>()?).into(),
        3 => f64::from(input.arbitrary::<i8>()?).into(),
        4 => input.arbitrary::<u64>()?.into(),
        5 => word(input)?.into(),
        6 | 7 => {
            let count = input.int_in_range(0..=6)?;
            let items = (0..count).map(|_| value(input, depth - 1));
            items.collect::<Result<Vec<_>>>()?.into()
        }
        _ => {
            let mut members = Object::default();
            for _ in 0..input.int_in_range(0..=5)? {
                members.insert(word(input)?, value(input, depth - 1)?);
            }
            members.into()
        }
    })
}

fn word(input: &mut Unstructured<'_>) -> Result<&'static str> {
    input.choose(&WORDS).copied()
}

fn pointer(input: &mut Unstructured<'_>) -> Result<Pointer> {
    let mut pointer = Pointer::root();
    for _ in 0..input.int_in_range(0..=4)? {
        pointer = match input.arbitrary::<bool>()? {
            true => pointer.child(word(input)?),
            false => pointer.child(usize::from(input.arbitrary::<u8>()?) % 8),
        };
    }
    Ok(pointer)
}

fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    let path = pointer(input)?;
    Ok(match input.int_in_range(0..=5)? {
        0 => Operation::Add { path, value: value(input, 2)? },
        1 => Operation::Remove { path },
        2 => Operation::Replace { path, value: value(input, 2)? },
        3 => Operation::Move { from: pointer(input)?, path },
        4 => Operation::Copy { from: pointer(input)?, path },
        _ => Operation::Test { path, value: value(input, 1)? },
    })
}
