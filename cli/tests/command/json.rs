//! `--json`: every object has the fields that `docs/cli-json.md` names, and no others.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::places::Places;

const DOCUMENT: &str = include_str!("../../../docs/cli-json.md");

/// The fields that a section names, in full and without what is below lists and objects.
fn documented(section: &str) -> BTreeSet<String> {
    let begin = format!("\n## {section}\n");
    let from = DOCUMENT.find(&begin).unwrap_or_else(|| panic!("no section {section}")) + begin.len();
    let text = &DOCUMENT[from..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let field = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    text.lines().filter_map(field).collect()
}

fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                // What stands on line 2 of a bundle is documented with the bundle, and values are by themselves; the details of
                // an entry of the log differ by its kind.
                if name != "header" && name != "value" && name != "what" {
                    fields(value, &path, found);
                } else {
                    found.insert(path);
                }
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| fields(item, &format!("{path}[]"), found));
        }
        Value::Array(_) => {
            found.insert(format!("{path}[]"));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[track_caller]
pub(crate) fn check(section: &str, object: &Value) {
    let mut found = BTreeSet::new();
    fields(object, "", &mut found);
    let documented = documented(section);
    let unknown: Vec<_> = found.difference(&documented).collect();
    assert!(unknown.is_empty(), "{section} does not document {unknown:?}");
    // An object that is null, or a list that is empty, shows no fields of its own.
    let shown = |name: &&String| {
        let top = name.split(['.', '[']).next().unwrap_or_default();
        object.get(top).is_some_and(|value| value.is_null() || value.as_array().is_some_and(Vec::is_empty))
    };
    let has_parts = |name: &&String| found.iter().any(|field| field.starts_with(&format!("{name}.")));
    let is_in_empty = |name: &&String| found.iter().any(|leaf| name.starts_with(&format!("{leaf}.")));
    let is_lacking = |name: &&String| !shown(name) && !has_parts(name) && !is_in_empty(name);
    let lacking: Vec<_> = documented.difference(&found).filter(is_lacking).collect();
    assert!(lacking.is_empty(), "{section} documents {lacking:?}: {object}");
}

#[test]
fn every_object_is_as_documented() {
    let places = Places::new();
    let central = places.init("ministry", &["--central", "--json"]).ends(0).json();
    check("init", &central);
    assert_eq!(central["role"], "central");
    let made = places.init("clinic", &["--no-setup", "--json"]).ends(0).json();
    assert!(made["setup"].is_null() && made["deployment"].is_null());
    check("setup --dry-run", &places.at("clinic", &["setup", "--dry-run", "--json"]).ends(0).json());
    check("setup", &places.at("clinic", &["setup", "--json"]).ends(0).json());
    check("card", &places.at("ministry", &["card", "--json"]).ends(0).json());
    check("card", &places.at("clinic", &["card", "--json"]).ends(0).json());
    check("join and admit", &places.at("clinic", &["join", "ministry.card", "--yes", "--json"]).ends(0).json());
    check("join and admit", &places.at("ministry", &["admit", "clinic.card", "--yes", "--json"]).ends(0).json());

    places.execute("clinic", "INSERT INTO patient (uuid, name) VALUES ('u-1', 'Ada')");
    let section = "sync, export and import";
    let export = places.at("clinic", &["export", "stick", "--json"]).ends(0).json();
    check(section, &export);
    assert_eq!((&export["bundles"][0]["result"], &export["bundles"][0]["records"]), (&"written".into(), &1.into()));
    let [bundle] = places.bundles_for("ministry").try_into().unwrap();
    check("inspect", &places.at("ministry", &["inspect", &bundle, "--json"]).ends(0).json());
    check("verify", &places.at("ministry", &["verify", &bundle, "--json"]).ends(0).json());
    let import = places.at("ministry", &["import", &bundle, "--json"]).ends(0).json();
    check(section, &import);
    assert_eq!(import["bundles"][0]["result"], "applied");
    check(section, &places.at("ministry", &["sync", "stick", "--json"]).ends(0).json());
    check("status", &places.at("ministry", &["status", "--json"]).ends(0).json());
    check("remove", &places.at("clinic", &["remove", "--json"]).ends(0).json());
}

#[test]
fn a_refusal_is_an_object_too() {
    let places = Places::linked();
    places.put("garbage.sbag", b"hello\n");
    let refused = places.at("clinic", &["import", "garbage.sbag", "--json"]).ends(1);
    let object = refused.json();
    check("sync, export and import", &object);
    assert_eq!(object["bundles"][0]["result"], "refused");
    assert!(object["bundles"][0]["reason"].is_string() && object["bundles"][0]["hint"].is_string());

    places.at("ministry", &["sync", "stick"]).ends(0);
    let [bundle] = places.bundles_for("clinic").try_into().unwrap();
    let unknown = places.run(&["verify", &bundle, "--json"]).ends(1).json();
    check("verify", &unknown);
    assert_eq!((&unknown["signature"], &unknown["payload"]), (&"unchecked".into(), &"good".into()));
    places.damage(&bundle);
    let changed = places.at("clinic", &["verify", &bundle, "--json"]).ends(1).json();
    assert_eq!((&changed["signature"], &changed["payload"]), (&"good".into(), &"bad".into()));
    assert!(changed["reason"].as_str().unwrap().contains("SHA-256"));
}
