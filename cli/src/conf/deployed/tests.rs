use serde_json::{Value, json};

use super::*;

/// The least that the deployed server takes.
fn least() -> Value {
    json!({
        "name": "s1", "server_id": 0, "modules": [],
        "backend": {"module": "hat.event.backends.dummy"},
        "eventer_server": {"host": "127.0.0.1", "port": 23012},
    })
}

fn lmdb() -> Value {
    let mut conf = least();
    conf["backend"] = json!({
        "module": LMDB, "db_path": "/var/lib/hat/event.db", "identifier": null, "flush_period": 1,
        "cleanup_period": 5, "conditions": [], "latest": {"subscriptions": [["*"]]},
        "timeseries": [{"order_by": "TIMESTAMP", "subscriptions": [["*"]]}],
    });
    conf
}

fn of(conf: &Value) -> Result<Read, String> {
    let root = conf.as_object().expect("an object");
    assert!(is_deployed(root));
    read(root)
}

#[test]
fn the_least_is_taken() {
    let read = of(&least()).expect("it is right");
    let settings = read.settings;
    assert_eq!((settings.name.as_deref(), settings.server_id), (Some("s1"), Some(0)));
    assert_eq!(settings.listen, Some(Address::new("127.0.0.1", 23012)));
    assert_eq!((settings.token, settings.store), (None, StoreSettings::default()));
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(read.warnings[0].starts_with("backend.module is not used: the dummy backend"));
}

#[test]
fn a_store_is_beside_the_file_whose_history_it_takes_over() {
    let read = of(&lmdb()).expect("it is right");
    let store = read.settings.store;
    assert_eq!(store.dir, Some("/var/lib/hat/event.db.hat".into()));
    assert_eq!(store.import_lmdb, Some("/var/lib/hat/event.db".into()));
    assert!(store.rules.is_empty(), "everything is kept");
    let named: Vec<_> = read.warnings.iter().map(|line| line.split(' ').next()).collect();
    assert_eq!(named, [Some("backend.flush_period"), Some("backend.cleanup_period")]);
}

#[test]
fn limits_become_rules() {
    let mut conf = lmdb();
    conf["backend"]["timeseries"] = json!([
        {"order_by": "SOURCE_TIMESTAMP", "subscriptions": [["a", "x/y", "*"]],
         "limit": {"duration": 86_400.5, "min_entries": 10, "size": 1e6, "max_entries": 5.7}},
    ]);
    let rules = of(&conf).expect("it is right").settings.store.rules;
    assert_eq!(rules.len(), 2);
    let types = vec![QueryType(EventType::from_segments(["a", "x/y", "*"]))];
    let limits = super::super::retention::SourceSettings {
        max_entries: Some(5),
        min_entries: Some(10),
        max_age: Some(std::time::Duration::from_millis(86_400_500)),
        max_bytes: Some(1_000_000),
    };
    let expected = super::super::retention::RuleSettings {
        types,
        max_entries: limits.max_entries,
        min_entries: limits.min_entries,
        max_age: limits.max_age,
        age_by_source: None,
        max_bytes: limits.max_bytes,
        keep_latest: None,
        by_source: Some(limits),
    };
    assert_eq!(rules[0], expected);
    assert_eq!((rules[1].max_entries, rules[1].keep_latest), (Some(0), None), "the latest only");
}

#[test]
fn conditions_are_taken_as_they_are() {
    let mut conf = lmdb();
    conf["backend"]["conditions"] = json!([{"subscriptions": [["a"]], "condition": {
    "type": "any", "conditions": [
        {"type": "json"},
        {"type": "json", "data_path": ["b", -1, ["c"]], "data_type": "null", "data_value": null},
        {"type": "json", "data_path": 3, "data_value": {"d": 1.5}},
    ]}}]);
    let conditions = of(&conf).expect("it is right").settings.store.conditions;
    let json = |path: Vec<_>, data_type, value| {
        TestSettings::Json(JsonSettings { path, data_type, value })
    };
    let key = |key: &str| StepSettings::Key(key.into());
    let path = vec![key("b"), StepSettings::Index(-1), StepSettings::Path(vec![key("c")])];
    let expected = TestSettings::Any(vec![
        json(vec![], None, None),
        json(vec![StepSettings::Path(path)], Some(TypeSettings::Null), Some(Value::Null)),
        json(vec![StepSettings::Index(3)], None, Some(json!({"d": 1.5}))),
    ]);
    assert_eq!(conditions[0].test, expected);
}

#[test]
fn what_does_not_run_here_is_named() {
    let mut conf = least();
    conf["modules"] = json!([{"module": "plant.sums", "factor": 2}, {"module": "plant.states"}]);
    conf["backend"] = json!({"module": "plant.backend", "url": "x"});
    conf["mariner_server"] = json!({});
    conf["monitor_component"] = json!({"host": "h", "port": 1, "group": "g", "rank": 1});
    let read = of(&conf).expect("it is right");
    assert_eq!(read.modules, ["plant.sums", "plant.states"]);
    assert_eq!(read.backend.as_deref(), Some("plant.backend"));
    let named: Vec<_> = read.warnings.iter().map(|line| line.split(' ').next()).collect();
    assert_eq!(named, ["monitor_component.rank", "backend.url", "mariner_server"].map(Some));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let with = |path: &[&str], value: Value| {
        let mut conf = lmdb();
        let place = path.iter().fold(&mut conf, |conf, key| match key.parse::<usize>() {
            Ok(at) => &mut conf[at],
            Err(_) => &mut conf[*key],
        });
        *place = value;
        of(&conf).expect_err("it is wrong")
    };
    for (path, value, error) in [
        (&["name"][..], json!(1), "name: it must be a text"),
        (
            &["type"],
            json!("gateway"),
            "type: \"gateway\" is not the configuration of an event server",
        ),
        (&["server_id"], json!(-1), "server_id: it must be a number of at least 0"),
        (&["eventer_server"], json!([]), "eventer_server: it must be an object"),
        (
            &["eventer_server", "port"],
            json!(70_000),
            "eventer_server.port: it must be a number up to",
        ),
        (&["modules"], json!({}), "modules: it must be a list"),
        (&["backend"], json!({"module": LMDB}), "backend.db_path is missing: it must be a text"),
        (&["backend", "flush_period"], json!("1"), "backend.flush_period: it must be a number"),
        (
            &["backend", "timeseries", "0", "order_by"],
            json!("ID"),
            "backend.timeseries.0.order_by: ",
        ),
        (&["backend", "latest", "subscriptions"], json!(["a"]), "backend.latest.subscriptions: "),
        (
            &["backend", "timeseries", "0", "subscriptions"],
            json!([["*", "a"]]),
            "backend.timeseries: query type 0 has a *",
        ),
        (&["log"], json!({"version": 2}), "log: Unsupported version: 2"),
    ] {
        let said = with(path, value);
        assert!(said.starts_with(error), "{said}");
    }
}
