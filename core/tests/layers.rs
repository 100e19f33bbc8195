//! Which module of the crate may use which: nothing points up, and nothing sideways.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A module, and all that it may use beside the standard library and other crates.
const ALLOWED: [(&str, &[&str]); 21] = [
    ("ascending", &[]),
    ("time", &[]),
    ("trace", &[]),
    ("options", &[]),
    ("retry", &["options"]),
    ("json", &["options"]),
    ("buffer", &[]),
    ("send", &["buffer"]),
    ("keepalive", &["buffer", "time"]),
    ("message_time", &["time"]),
    ("protocol", &["buffer", "time"]),
    ("large", &["buffer", "protocol"]),
    ("driver", &["buffer", "protocol", "time"]),
    ("sbs", &["buffer"]),
    ("tcp", &["buffer", "options", "protocol", "send", "time"]),
    ("tpkt", &["buffer", "options", "protocol", "send", "time", "trace"]),
    (
        "cotp",
        &[
            "buffer",
            "large",
            "message_time",
            "options",
            "protocol",
            "send",
            "time",
            "tpkt",
            "trace",
        ],
    ),
    (
        "ws",
        &[
            "buffer",
            "keepalive",
            "large",
            "message_time",
            "options",
            "protocol",
            "send",
            "time",
            "trace",
        ],
    ),
    (
        "chatter",
        &[
            "ascending",
            "buffer",
            "keepalive",
            "large",
            "message_time",
            "options",
            "protocol",
            "sbs",
            "send",
            "time",
            "trace",
        ],
    ),
    (
        "juggler",
        &[
            "buffer",
            "json",
            "keepalive",
            "message_time",
            "options",
            "protocol",
            "send",
            "time",
            "trace",
            "ws",
        ],
    ),
    // eventer and observer
    (
        "",
        &[
            "ascending",
            "buffer",
            "chatter",
            "options",
            "protocol",
            "retry",
            "sbs",
            "send",
            "time",
            "trace",
        ],
    ),
];

#[test]
fn no_module_uses_one_that_is_not_under_it() {
    let mut used = BTreeMap::new();
    scan(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut used);
    assert!(used.contains_key("cotp") && used.contains_key("eventer"), "{used:?}");
    for (module, uses) in used {
        let known = ALLOWED.iter().find(|(name, _)| *name == module);
        let above = ALLOWED.last().filter(|_| ["eventer", "observer"].contains(&&*module));
        let (_, allowed) = known.or(above).unwrap_or_else(|| panic!("{module}: on which layer?"));
        for name in uses.into_iter().filter(|name| *name != module) {
            assert!(allowed.contains(&&*name), "{module} uses {name}, which is not under it");
        }
    }
}

fn scan(folder: &Path, module: Option<&str>, used: &mut BTreeMap<String, Vec<String>>) {
    for entry in fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_str().expect("ASCII").to_owned();
        let module = module.unwrap_or(&stem);
        if path.is_dir() {
            scan(&path, Some(module), used);
        } else if module != "lib" {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.flat_map(|line| [line, "\n"]).collect();
            used.entry(module.to_owned()).or_default().extend(uses(&code));
        }
    }
}

/// The modules that stand behind `crate::` in `code`.
fn uses(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            // a macro names what its user has
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split_once('}').expect("a list ends").0,
            None => {
                rest.split([';', ' ', '(', ')', ',', '<', '>', '\n']).next().unwrap_or_default()
            }
        };
        let first = |path: &str| path.trim().split("::").next().unwrap_or_default().to_owned();
        names.extend(list.split(',').map(first).filter(|name| {
            // macros of the crate stand at its root
            !name.is_empty() && !name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase())
        }));
    }
    names
}
