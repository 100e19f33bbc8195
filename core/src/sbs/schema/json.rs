//! Modules as JSON, in the form that the deployed peer's `Repository.to_json` has:
//!
//! ```text
//! module      {"name": NAME, "type_defs": {NAME: definition, …}}
//! definition  {"name": NAME, "args": [NAME, …], "type": type}
//! type        {"module": NAME or null, "name": NAME, "args": [type, …],
//!              "entries": [{"name": NAME, "type": type}, …]}
//! ```
//!
//! The older spellings do not get out: the peer would take `Maybe` for a type that the module
//! forgot to define.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value as Json, json};

use super::{Entry, JsonError, MAX_NESTING, Module, Reference, Type, TypeDef};

pub(in crate::sbs) fn module_to_json(module: &Module) -> Json {
    let definitions = module.types.iter().map(|(name, definition)| {
        let body = type_to_json(module, definition, &definition.body);
        let json = json!({"name": name, "args": definition.parameters, "type": body});
        (name.clone(), json)
    });
    json!({"name": module.name, "type_defs": definitions.collect::<Map<_, _>>()})
}

fn type_to_json(module: &Module, definition: &TypeDef, of: &Type) -> Json {
    let inner = |of: &Type| type_to_json(module, definition, of);
    let compound = |name: &str, entries: &[Entry]| {
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| json!({"name": entry.name, "type": inner(&entry.of)}))
            .collect();
        json!({"module": null, "name": name, "entries": entries, "args": []})
    };
    match of {
        Type::Record(entries) => compound("Record", entries),
        Type::Choice(entries) => compound("Choice", entries),
        Type::Reference(reference) => match reference.as_maybe(module, &definition.parameters) {
            Some(value) => json!({"module": null, "name": "Choice", "args": [], "entries": [
                {"name": "Nothing", "type": {"module": null, "name": "None", "entries": [], "args": []}},
                {"name": "Just", "type": inner(value)},
            ]}),
            None => {
                let arguments: Vec<_> = reference.arguments.iter().map(inner).collect();
                json!({
                    "module": reference.module, "name": reference.name,
                    "entries": [], "args": arguments,
                })
            }
        },
    }
}

impl Reference {
    /// `T`, if this is the predefined `Maybe(T)`: a module may have a `Maybe` of its own.
    fn as_maybe(&self, module: &Module, parameters: &[String]) -> Option<&Type> {
        let predefined = self.module.is_none()
            && self.name == "Maybe"
            && !parameters.iter().any(|parameter| parameter == "Maybe")
            && !module.types.contains_key("Maybe");
        match &self.arguments[..] {
            [value] if predefined => Some(value),
            _ => None,
        }
    }
}

pub(in crate::sbs) fn module_from_json(json: &Json, at: &str) -> Result<Module, JsonError> {
    let name = text(json, at, "name")?;
    let definitions =
        json.get("type_defs").and_then(Json::as_object).ok_or_else(|| JsonError::Unexpected {
            at: format!("{at}/type_defs"),
            expected: "an object of definitions",
        })?;
    let mut types = BTreeMap::new();
    for (key, definition) in definitions {
        let at = format!("{at}/type_defs/{key}");
        let name = text(definition, &at, "name")?;
        if name != key {
            return Err(JsonError::NameDiffers { at, name: name.to_owned() });
        }
        types.insert(key.clone(), definition_from_json(definition, &at)?);
    }
    Ok(Module { name: name.to_owned(), types })
}

fn definition_from_json(json: &Json, at: &str) -> Result<TypeDef, JsonError> {
    let mut parameters = Vec::new();
    for (index, parameter) in list(json, at, "args")?.iter().enumerate() {
        let name = parameter.as_str().ok_or_else(|| JsonError::Unexpected {
            at: format!("{at}/args/{index}"),
            expected: "the name of a parameter",
        })?;
        parameters.push(name.to_owned());
    }
    Ok(TypeDef { parameters, body: type_from_json(&json["type"], &format!("{at}/type"), 1)? })
}

fn type_from_json(json: &Json, at: &str, level: usize) -> Result<Type, JsonError> {
    if level > MAX_NESTING {
        return Err(JsonError::TooDeep { at: at.into(), limit: MAX_NESTING });
    }
    let name = text(json, at, "name")?;
    let module = match json.get("module") {
        Some(Json::Null) => None,
        Some(Json::String(module)) => Some(module.clone()),
        _ => {
            let at = format!("{at}/module");
            return Err(JsonError::Unexpected { at, expected: "the name of a module, or null" });
        }
    };
    let mut entries = Vec::new();
    for (index, entry) in list(json, at, "entries")?.iter().enumerate() {
        let at = format!("{at}/entries/{index}");
        let name = text(entry, &at, "name")?.to_owned();
        let of = type_from_json(&entry["type"], &format!("{at}/type"), level + 1)?;
        entries.push(Entry { name, of });
    }
    let mut arguments = Vec::new();
    for (index, argument) in list(json, at, "args")?.iter().enumerate() {
        arguments.push(type_from_json(argument, &format!("{at}/args/{index}"), level + 1)?);
    }
    match (&module, name) {
        (None, "Record") if !entries.is_empty() => Ok(Type::Record(entries)),
        (None, "Choice") if !entries.is_empty() => Ok(Type::Choice(entries)),
        _ if !entries.is_empty() => {
            Err(JsonError::EntriesInReference { at: at.into(), name: name.to_owned() })
        }
        _ => Ok(Type::Reference(Reference { module, name: name.to_owned(), arguments })),
    }
}

fn text<'a>(json: &'a Json, at: &str, key: &str) -> Result<&'a str, JsonError> {
    json.get(key)
        .and_then(Json::as_str)
        .ok_or_else(|| JsonError::Unexpected { at: format!("{at}/{key}"), expected: "a name" })
}

fn list<'a>(json: &'a Json, at: &str, key: &str) -> Result<&'a [Json], JsonError> {
    json.get(key)
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| JsonError::Unexpected { at: format!("{at}/{key}"), expected: "a list" })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[track_caller]
    fn refused(json: Json) -> JsonError {
        module_from_json(&json, "/0").expect_err("not in the form")
    }

    fn module_of(of: Json) -> Json {
        json!({"name": "M", "type_defs": {"T": {"name": "T", "args": [], "type": of}}})
    }

    #[test]
    fn older_spellings_leave_as_today_s() {
        let older = parse("module M T = Tuple { a: Union { b: Maybe(None) } }")
            .expect("a schema of the tests");
        let today = "module M T = Record { a: Choice { b: Choice { Nothing: None, Just: None } } }";
        assert_eq!(
            module_to_json(&older),
            module_to_json(&parse(today).expect("a schema of the tests"))
        );

        let own = parse("module M Maybe(a) = a, T = Maybe(None)").expect("a schema of the tests");
        assert_eq!(module_from_json(&module_to_json(&own), ""), Ok(own));
    }

    #[test]
    fn every_refusal() {
        let none = json!({"module": null, "name": "None", "entries": [], "args": []});
        assert!(
            matches!(refused(json!(null)), JsonError::Unexpected { at, .. } if at == "/0/name")
        );
        assert!(matches!(
            refused(module_of(json!({"name": "None", "entries": [], "args": []}))),
            JsonError::Unexpected { at, .. } if at == "/0/type_defs/T/type/module"
        ));
        assert!(matches!(
            refused(
                json!({"name": "M", "type_defs": {"T": {"name": "U", "args": [], "type": none}}})
            ),
            JsonError::NameDiffers { .. }
        ));
        let entries = json!([{"name": "a", "type": none}]);
        assert!(matches!(
            refused(module_of(
                json!({"module": null, "name": "X", "entries": entries, "args": []})
            )),
            JsonError::EntriesInReference { .. }
        ));
        let mut deep = none;
        for _ in 0..MAX_NESTING {
            deep = json!({"module": null, "name": "Array", "entries": [], "args": [deep]});
        }
        assert!(matches!(refused(module_of(deep)), JsonError::TooDeep { .. }));
    }
}
