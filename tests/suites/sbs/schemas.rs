//! Names, parameters, recursion, spellings, JSON: what schemas mean, and what is wrong with some.

use hat_core::sbs::schema::JsonError;
use hat_core::sbs::{Repository, TypeError, Value};
use serde_json::json;

use super::{hex, prepared, repository};

#[track_caller]
fn refused(text: &str) -> TypeError {
    let here = repository(text);
    let error = here.prepare("M.T").expect_err(text);
    assert!(here.check().is_err(), "{text}");
    error
}

#[test]
fn every_refusal_is_its_own() {
    use TypeError as E;
    let none = Repository::new();
    assert!(matches!(none.prepare("Optional"), Err(E::NoBuiltin { .. })));
    assert!(matches!(none.prepare("M.T"), Err(E::UnknownModule { .. })));
    assert!(matches!(repository("module M").prepare("M.T"), Err(E::UnknownType { .. })));
    assert!(matches!(repository("module M T(a) = a").prepare("M.T"), Err(E::Parametric { .. })));

    assert!(matches!(refused("module M T = U"), E::UnknownType { .. }));
    assert!(matches!(refused("module M T = X.U"), E::UnknownModule { .. }));
    assert!(matches!(refused("module M T = M.Integer"), E::UnknownType { .. }));
    assert!(matches!(
        refused("module M T = Array"),
        E::ArgumentCount { expected: 1, found: 0, .. }
    ));
    assert!(matches!(
        refused("module M T = Optional()"),
        E::ArgumentCount { expected: 1, found: 0, .. }
    ));
    assert!(matches!(
        refused("module M T = Maybe(None, None)"),
        E::ArgumentCount { expected: 1, found: 2, .. }
    ));
    assert!(matches!(
        refused("module M T = U(None) U = None"),
        E::ArgumentCount { expected: 0, found: 1, .. }
    ));
    assert!(matches!(
        refused("module M T = U U(a) = None"),
        E::ArgumentCount { expected: 1, found: 0, .. }
    ));
    assert!(matches!(
        refused("module M T = U(None) U(a) = a(None)"),
        E::ArgumentsForParameter { .. }
    ));
    assert!(matches!(refused("module M T = Record"), E::NoEntries { .. }));
    assert!(matches!(refused("module M T = Choice(None)"), E::NoEntries { .. }));
    assert!(matches!(refused("module M T = T"), E::Infinite { .. }));
    assert!(matches!(refused("module M T = B B = T"), E::Infinite { .. }));
    assert!(matches!(refused("module M T = Id(T) Id(a) = a"), E::Infinite { .. }));
    assert!(matches!(refused("module M T = Record { next: T }"), E::Infinite { .. }));
    assert!(matches!(
        refused("module M T = Choice { a: T, b: U } U = Record { t: T }"),
        E::Infinite { .. }
    ));
    assert!(matches!(
        refused("module M T = U(None) U(a) = Optional(U(Array(a)))"),
        E::Endless { .. }
    ));
}

#[test]
fn a_fault_matters_only_to_the_types_that_reach_it() {
    let here = repository("module M Good = Integer, Bad = Unknown, Loop = Loop, User = Array(Bad)");
    assert!(here.prepare("M.Good").is_ok());
    for name in ["M.Bad", "M.Loop", "M.User"] {
        assert!(here.prepare(name).is_err(), "{name}");
    }
}

#[test]
fn check_reports_every_reference_that_leads_nowhere() {
    let here = repository(
        "module M T = Record { a: X, b: Array(Y.Z), c: Optional } U(a) = Array(a(None))",
    );
    let faults: Vec<_> =
        here.check().expect_err("four faults").iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "`M.T`: there is no type `X` in module `M`",
            "`M.T`: there is no module `Y`: add its schema to the repository",
            "`M.T`: `Optional` was given 0 arguments instead of 1",
            "`M.U`: `a` is a parameter and takes no arguments",
        ]
    );
}

#[test]
fn hostile_schemas_stop_at_limits() {
    let chain: String = (0..5000).map(|n| format!("T{n} = Record {{ a: T{} }}\n", n + 1)).collect();
    let chain = format!("module M\n{chain}T5000 = None T = T0");
    assert!(matches!(refused(&chain), TypeError::TooDeep { .. }));

    let wide: String = (0..20_000).map(|n| format!("a{n}: None\n")).collect();
    assert!(matches!(
        refused(&format!("module M T = Record {{ {wide} }}")),
        TypeError::TooLarge { .. }
    ));

    // each instance makes two more
    let breadth =
        "module M T = U(None) U(a) = Record { l: Array(U(Array(a))), r: Array(U(Optional(a))) }";
    assert!(matches!(refused(breadth), TypeError::Endless { .. }));
}

#[test]
fn names_mean_what_they_mean_to_the_deployed_peer() {
    // the builtin before the definition, unless the module is said
    let own = "module M Optional(a) = Array(a), None = Integer, T = Optional(None), U = M.Optional(M.None)";
    let here = repository(own);
    assert_eq!(here.decode("M.T", &hex("80")), Ok(Value::optional(None::<Value>)));
    assert_eq!(here.decode("M.U", &hex("8181")), Ok(vec![Value::from(1)].into()));
    // the parameter before the builtin, and the later of two
    assert_eq!(
        prepared("U(Integer) = Integer, T = U(Boolean)").decode(&hex("01")),
        Ok(true.into())
    );
    assert_eq!(prepared("U(a a) = a, T = U(Integer, Boolean)").decode(&hex("01")), Ok(true.into()));
    // the later of two definitions
    assert_eq!(prepared("T = Integer T = Boolean").decode(&hex("01")), Ok(true.into()));
    // empty parentheses
    assert_eq!(prepared("U() = Boolean T = U()").decode(&hex("01")), Ok(true.into()));
}

#[test]
fn older_spellings() {
    let older = repository("module M T = Tuple { a: Union { x: None }, b: Maybe(Integer) }");
    let value = Value::record([("a", Value::choice("x", ())), ("b", Value::choice("Just", 5))]);
    let today = repository("module M T = Record { a: Choice { x: None }, b: Optional(Integer) }");
    let bytes = older.encode("M.T", &value).expect("a value of the type");
    assert_eq!(bytes, hex("808185"));
    assert!(today.decode("M.T", &bytes).is_ok());

    // words of today's schemas that are older keywords
    assert_eq!(
        prepared("Maybe(a) = Array(a), T = Maybe(Boolean)").decode(&hex("80")),
        Ok(vec![].into())
    );
    assert_eq!(
        prepared("Tuple = Integer, Union(a) = a, T = Union(Tuple)").decode(&hex("81")),
        Ok(1.into())
    );
}

#[test]
fn recursion_through_parameters_and_modules() {
    let mut here = repository(
        "module M T = List(Other.Item)  List(a) = Record { head: a, tail: Optional(List(a)) }",
    );
    here.merge(repository("module Other Item = Choice { leaf: Integer, list: M.T }"));
    assert_eq!(here.check(), Ok(()));
    let leaf = |value: i32| Value::choice("leaf", value);
    let list = |head, tail: Option<Value>| {
        Value::record([("head", head), ("tail", Value::optional(tail))])
    };
    let value = list(leaf(1), Some(list(Value::choice("list", list(leaf(2), None)), None)));
    let bytes = here.encode("M.T", &value).expect("a value of the type");
    // leaf 1, more: list (leaf 2, no more), no more
    assert_eq!(bytes, hex("8081818180828080"));
    assert_eq!(here.decode("M.T", &bytes), Ok(value));
}

#[test]
fn to_json_and_back_keeps_everything() {
    let mut here = repository("module A T(a b) = Record { x: Array(b), y: B.U(a) } # note");
    here.merge(repository("module B U(x) = Choice { n: None, v: x }"));
    let text = here.to_json().to_string();
    let json = serde_json::from_str(&text).expect("was written as JSON");
    assert_eq!(Repository::from_json(&json), Ok(here));

    assert_eq!(
        Repository::from_json(&json!({})),
        Err(JsonError::Unexpected { at: String::new(), expected: "a list of modules" })
    );
}

#[test]
fn later_modules_replace_earlier_ones() {
    let mut here = repository("module M T = Integer, U = None");
    here.merge(repository("module M T = Boolean"));
    assert_eq!(here.decode("M.T", &hex("01")), Ok(true.into()));
    assert!(here.prepare("M.U").is_err());
}
