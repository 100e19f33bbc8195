use std::path::PathBuf;

use super::*;

/// Everything that our configuration can say.
const WHOLE: &str = r#"
listen = "0.0.0.0:23012"
server_id = 3
name = "server-3"
token = "secret"
own_events = false
numbering = "stored"
max_results = 100

[store]
dir = "/var/lib/hat"
import_lmdb = "/var/lib/hat-event/event.db"
durability = "flush:250ms"
notify = "early"
cache = 1000000
max_types = 5

[[store.rules]]
types = ["a/b/*", ["event", "3", "eventer", "gateway/gw1"]]
max_entries = 1000
min_entries = 10
max_age = "30d"
age_by_source = true
max_bytes = 1000000
keep_latest = false

[[store.rules]]
types = ["*"]
max_age = "36h"

[store.rules.by_source]
max_entries = 100
min_entries = 5
max_age = "10d"
max_bytes = 1000

[[store.conditions]]
types = ["a/?"]

[store.conditions.test]
any = [{ json = { path = ["x", 1, ["y"]], type = "number", value = "1.5" } }, { all = [] }, { json = { value = "null" } }]

[monitor]
address = "10.0.0.9:23010"
group = "event"
lost = "exit"

[cluster]
servers = "nats://a,b,c"
replicas = 3
new = true
unfence = true
creds = "/etc/hat/nats.creds"
ca = "/etc/hat/nats-ca.pem"
cert = "/etc/hat/nats.pem"
key = "/etc/hat/nats-key.pem"

[[cluster.shards]]
server_id = 4
types = ["x/*"]

[adminer]
listen = "127.0.0.1:23015"

[web]
listen = "127.0.0.1:8080"
htpasswd = "/etc/hat/htpasswd"
origins = ["https://plant.example"]
read_only = true
trust_proxy = true
compression = false

[tls]
cert = "/etc/hat/cert.pem"
key = "/etc/hat/key.pem"
ca = "/etc/hat/ca.pem"

[log]
level = "info"

[log.targets]
hat_aio = "debug"
"#;

fn settings(text: &str) -> Settings {
    own(Path::new("hat.toml"), text, &Value::Null).expect("ours").settings
}

#[test]
fn what_is_printed_is_read_again() {
    for text in ["", "[store]\ndir = \"d\"", "[web]\nlisten = \"[::1]:80\"", WHOLE] {
        let whole = settings(text).with_defaults();
        let printed = print(&whole).expect("TOML");
        assert_eq!(settings(&printed), whole, "{printed}");
    }
    let printed = print(&settings(WHOLE)).expect("TOML");
    assert_eq!(toml::from_str::<Value>(&printed), toml::from_str::<Value>(WHOLE));
}

#[test]
fn what_is_laid_over_wins_field_by_field() {
    let over = r#"
        listen = "h:1"
        [store]
        durability = "commit"
        [log.targets]
        hat_core = "trace"
    "#;
    let mut all = settings(WHOLE);
    all.lay_over(settings(over));
    let mut expected = settings(WHOLE);
    expected.listen = Some("h:1".parse().expect("an address"));
    expected.store.durability = Some("commit".parse().expect("commit"));
    expected.log.targets.insert("hat_core".into(), "trace".into());
    assert_eq!(all, expected);
    // everything can be said over
    let mut nothing = Settings::default();
    nothing.lay_over(settings(WHOLE));
    assert_eq!(nothing, settings(WHOLE));
}

#[test]
fn what_is_wrong_is_said() {
    let error = |text: &str| own(Path::new("hat.toml"), text, &Value::Null).expect_err("wrong");
    for (text, part) in [
        ("listne = 1", "unknown field `listne`"),
        ("listen = \"h\"", "no port in `h`"),
        ("[store]\ndurability = \"soon\"", "write commit, or flush:"),
        ("[[store.rules]]\ntypes = [\"*\"]\nmax_age = \"1 week\"", "is not a time: write 100ms"),
        ("[monitor]\nlost = \"cry\"", "unknown variant `cry`"),
    ] {
        let said = error(text);
        assert!(said.contains(part), "{said}");
    }
    for (text, part) in [
        ("[store]\ndurability = \"commit\"", "--durability (store.durability) needs --store DIR"),
        ("[web]\nread_only = true", "--web-read-only (web.read_only) needs --web ADDRESS"),
        ("[monitor]\ngroup = \"g\"", "--group (monitor.group) needs --monitor"),
        ("[tls]\nkey = \"k\"", "--tls-key (tls.key) needs --tls-cert"),
        (
            "[store]\ndir = \"d\"\n[[store.rules]]\ntypes = [\"*/a\"]",
            "store.rules, the 1. of them: query type 0 has a *",
        ),
        (
            "[store]\ndir = \"d\"\n[[store.rules]]\ntypes = []\nage_by_source = true\nby_source = {}",
            "store.rules, the 1. of them: age_by_source and by_source exclude each other",
        ),
    ] {
        let said = Plan::new(&settings(text)).err().expect("wrong").to_string();
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn the_format_is_that_of_the_name_or_of_the_text() {
    let toml = "name = \"n\"\nserver_id = 2";
    let yaml = "name: n\nserver_id: 2 # and a comment";
    let json = r#"{"name": "n", "server_id": 2}"#;
    for (name, text) in [
        ("a.toml", toml),
        ("a.yaml", yaml),
        ("a.yml", yaml),
        ("a.JSON", json),
        ("a.yaml", json),
        ("a", toml),
        ("a", yaml),
        ("-", json),
    ] {
        let value =
            parse(&PathBuf::from(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(value, serde_json::json!({"name": "n", "server_id": 2}), "{name}: {text}");
    }
    let booleans = "[y, n, yes, off, 'yes', {a: N, b: true}]";
    let expected = serde_json::json!(["y", "n", true, false, "yes", {"a": "N", "b": true}]);
    assert_eq!(parse(Path::new("a.yaml"), booleans), Ok(expected), "as PyYAML reads them");
    assert_eq!(parse(Path::new("a.yaml"), ""), Ok(Value::Object(Map::new())));
    for (name, text) in [("a.toml", yaml), ("a.json", yaml), ("a.yaml", "a: [1"), ("a", "a: [1")] {
        parse(Path::new(name), text).expect_err(text);
    }
}

/// What is behind the limit could be rules: it is not left out.
#[test]
fn a_file_that_is_too_long_is_refused() {
    let name = format!("hat-conf-{}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    let text = "#\n".repeat(8 << 20);
    std::fs::write(&path, &text).expect("a file");
    let read_whole = read(&path);
    std::fs::write(&path, text + "server_id = 1\n").expect("a file");
    let refused = read(&path);
    std::fs::remove_file(&path).expect("it is there");
    read_whole.expect("16 MiB can be read");
    let said = refused.expect_err("one more line").to_string();
    assert!(said.ends_with("it cannot be read: it is longer than 16 MiB"), "{said}");
}

/// The key of one certificate is none for another.
#[test]
fn a_certificate_of_the_arguments_has_its_own_key() {
    let file = || settings("[tls]\ncert = \"a.pem\"\nkey = \"a.key\"\nca = \"ca.pem\"\n");
    let mut all = file();
    all.lay_over(settings("[tls]\ncert = \"both.pem\"\n"));
    let path = |text: &str| Some(std::path::PathBuf::from(text));
    assert_eq!((all.tls.cert, all.tls.key, all.tls.ca), (path("both.pem"), None, path("ca.pem")));
    let mut all = file();
    all.lay_over(settings("[tls]\nkey = \"b.key\"\n"));
    assert_eq!((all.tls.cert, all.tls.key), (path("a.pem"), path("b.key")));
}
