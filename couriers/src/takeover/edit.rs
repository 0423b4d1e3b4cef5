//! `saddlebag.toml` with what is taken over, and everything else in it as it was: comments, order, spaces.

use std::path::Path;

use saddlebag_stores::config::{ConflictPolicies, TableConfig};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::choice::Chosen;
use super::unreadable;
use crate::error::NodeError;

/// The new text.
pub(super) fn apply(text: &str, chosen: &Chosen, central: &str, path: &Path) -> Result<String, NodeError> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| unreadable(path, error.message().to_owned()))?;
    let no_table = || unreadable(path, "`tables` does not hold sections [tables.NAME]".to_owned());
    let tables = document.entry("tables").or_insert_with(|| Item::Table(implicit()));
    let tables = tables.as_table_like_mut().ok_or_else(no_table)?;
    for (name, config) in &chosen.tables {
        let section = tables.get_mut(name).and_then(Item::as_table_like_mut).ok_or_else(no_table)?;
        for change in chosen.changed.iter().filter(|change| change.table == *name) {
            take_over(
                section,
                change.setting,
                config,
                &format!("as {central} has it; it was {}", quoted(&change.from)),
            );
        }
    }
    for (name, config) in &chosen.added {
        let mut section = Table::new();
        section.decor_mut().set_prefix(format!("\n# As {central} keeps it in step.\n"));
        for setting in ["identity", "direction", "exclude", "together", "references"] {
            if let Some(value) = value(setting, config) {
                section.insert(setting, Item::Value(value));
            }
        }
        tables.insert(name, Item::Table(section));
    }
    Ok(document.to_string())
}

fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn quoted(text: &str) -> String {
    // A line's comment ends with the line.
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.is_empty() { "not there".to_owned() } else { format!("\"{line}\"") }
}

fn take_over(section: &mut dyn TableLike, setting: &str, config: &TableConfig, comment: &str) {
    let Some(mut new) = value(setting, config).or_else(|| empty(setting)) else {
        section.remove(setting);
        return;
    };
    match section.get_mut(setting) {
        // A section of its own stays one: [tables.NAME.references].
        Some(Item::Table(own)) => {
            own.clear();
            let inside = new.as_inline_table().into_iter().flat_map(InlineTable::iter);
            for (name, value) in inside {
                own.insert(name, Item::Value(value.clone()));
            }
        }
        Some(item) => {
            if let Some(before) = item.as_value().map(|value| value.decor().clone()) {
                *new.decor_mut() = before;
            }
            new.decor_mut().set_suffix(format!("  # {comment}"));
            *item = Item::Value(new);
        }
        None => {
            new.decor_mut().set_suffix(format!("  # {comment}"));
            section.insert(setting, Item::Value(new));
        }
    }
}

/// A setting as TOML; none where it is what is meant if nothing is said.
fn value(setting: &str, config: &TableConfig) -> Option<Value> {
    let list = |names: &[String]| (!names.is_empty()).then(|| Value::Array(names.iter().collect::<Array>()));
    match setting {
        "identity" => Some(config.identity.to_string().into()),
        "direction" if config.direction == Default::default() => None,
        "direction" => Some(config.direction.to_string().into()),
        "exclude" => list(&config.exclude),
        "local_unique" => list(&config.local_unique),
        "quiet" => list(&config.quiet),
        "together" if config.together.is_empty() => None,
        "together" => {
            let group = |names: &Vec<String>| Value::Array(names.iter().collect::<Array>());
            Some(Value::Array(config.together.iter().map(group).collect()))
        }
        "conflicts" => rules(&config.conflicts),
        _ if config.references.is_empty() => None,
        _ => {
            let mut rules = InlineTable::new();
            for (column, rule) in &config.references {
                rules.insert(column, rule.to_string().into());
            }
            Some(Value::InlineTable(rules))
        }
    }
}

/// The rules of a table; none where they are what is meant if nothing is said.
fn rules(policies: &ConflictPolicies) -> Option<Value> {
    if *policies == ConflictPolicies::default() {
        return None;
    }
    if policies.columns.is_empty() {
        return Some(policies.default.word().into());
    }
    let mut rules = InlineTable::new();
    for (column, policy) in &policies.columns {
        rules.insert(column, policy.word().into());
    }
    rules.insert("default", policies.default.word().into());
    Some(Value::InlineTable(rules))
}

/// What says the same as nothing, with room for a comment.
fn empty(setting: &str) -> Option<Value> {
    (setting == "direction").then(|| "both".into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use saddlebag_keys::CardTable;
    use saddlebag_stores::config::TablesConfig;
    use saddlebag_stores::schema::{Column, ForeignKey, Schema, Table as SchemaTable};
    use saddlebag_stores::tracking::Numbering;

    use super::*;
    use crate::config::NodeConfig;
    use crate::takeover::choice::choose;

    fn table(name: &str, columns: &[&str], foreign: &[(&str, &str)]) -> SchemaTable {
        let column = |text: &&str| Column {
            name: text.trim_end_matches('!').to_owned(),
            declared_type: if text.ends_with("id") || text.ends_with("id!") { "INTEGER" } else { "TEXT" }.to_owned(),
            not_null: text.ends_with('!'),
            default: None,
        };
        let key = |(from, to): &(&str, &str)| ForeignKey {
            columns: vec![(*from).to_owned()],
            table: (*to).to_owned(),
            target_columns: vec!["id".to_owned()],
        };
        SchemaTable {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            primary_key: vec!["id".to_owned()],
            foreign_keys: foreign.iter().map(key).collect(),
            unique: Vec::new(),
            key_is_given: true,
            unsupported: None,
        }
    }

    fn card(name: &str, identity: &str, direction: &str, references: &[(&str, &str)]) -> CardTable {
        let references = references.iter().map(|(column, target)| ((*column).to_owned(), (*target).to_owned()));
        CardTable {
            name: name.into(),
            identity: identity.into(),
            direction: direction.into(),
            references: references.collect(),
            together: Vec::new(),
        }
    }

    fn schema() -> Schema {
        let tables = vec![
            table("patient", &["id", "ref", "village_id"], &[]),
            table(
                "visit's",
                &["id", "patient_id!", "clerk_id", "origin"],
                &[("patient_id", "patient"), ("clerk_id", "clerk")],
            ),
            table("village", &["id", "code"], &[]),
            table("clerk", &["id", "name"], &[]),
            table("mine", &["id", "x"], &[]),
        ];
        Schema { tables, has_triggers: false }
    }

    const TEXT: &str = "# who\n[node]\nname = \"c\"\ndatabase = \"sqlite:/c.db\"\n
# a patient
[tables.patient]
# why so
identity = \"assigned\" # mine
local_unique = [\"ref\"]

[tables.mine]   # only here
identity = \"assigned\"

# Left out: `log`.\n";

    fn taken(text: &str, cards: &[CardTable]) -> (Chosen, String) {
        let path = Path::new("saddlebag.toml");
        let own = NodeConfig::parse(text, path).unwrap().tables;
        let chosen = choose(&own, cards, &schema(), &Numbering::default()).unwrap();
        let text = apply(text, &chosen, "ministry", path).unwrap();
        (chosen, text)
    }

    fn tables(text: &str) -> TablesConfig {
        NodeConfig::parse(text, Path::new("saddlebag.toml")).unwrap_or_else(|error| panic!("{error}\n{text}")).tables
    }

    #[test]
    fn the_centrals_choice_is_written_and_comments_stay() {
        let cards = [
            card("gone", "assigned", "both", &[]),
            card("patient", "natural(ref)", "up", &[("village_id", "village")]),
            card("village", "natural(code)", "match", &[]),
            card(
                "visit's",
                "assigned",
                "both",
                &[("origin", "model,id"), ("patient_id", "patient"), ("absent", "village")],
            ),
        ];
        let (chosen, text) = taken(TEXT, &cards);
        assert!(text.contains("# who\n") && text.contains("# a patient\n") && text.contains("# why so\n"), "{text}");
        assert!(text.ends_with("\n# Left out: `log`.\n"), "{text}");
        assert!(text.contains("identity = \"natural(ref)\"  # as ministry has it; it was \"assigned\"\n"), "{text}");
        assert!(text.contains("[tables.mine]   # only here\nidentity = \"assigned\"\n"), "{text}");
        assert!(text.contains("# As ministry keeps it in step.\n[tables.\"visit's\"]"), "{text}");
        assert_eq!((chosen.lacking, chosen.only_here), (vec!["gone".to_owned()], vec!["mine".to_owned()]));
        assert!(chosen.refused.is_empty(), "{:?}", chosen.refused);
        let read = tables(&text);
        assert_eq!(read["patient"].identity.to_string(), "natural(ref)");
        assert_eq!(read["patient"].direction.to_string(), "up");
        assert_eq!(read["patient"].references["village_id"].to_string(), "village");
        assert!(read["patient"].local_unique.is_empty(), "what names the record is no counter of each place");
        assert_eq!(read["village"].direction.to_string(), "match");
        let visit = &read["visit's"];
        assert_eq!(visit.exclude, ["clerk_id"], "it refers to a table that nobody keeps in step");
        let rules: BTreeMap<_, _> =
            visit.references.iter().map(|(name, rule)| (name.as_str(), rule.to_string())).collect();
        assert_eq!(rules, [("origin", "model,id".to_owned())].into(), "what is declared need not be written");
    }

    #[test]
    fn what_is_one_value_at_the_central_is_one_here_as_far_as_it_is_here() {
        let text = TEXT.replace("local_unique = [\"ref\"]", "conflicts = { village_id = \"ask\" }\nquiet = [\"ref\"]");
        let together = |groups: &[&[&str]]| {
            let groups = groups.iter().map(|group| group.iter().map(|name| (*name).to_owned()).collect());
            CardTable {
                together: groups.collect(),
                ..card("patient", "assigned", "both", &[("village_id", "village")])
            }
        };
        let village = card("village", "assigned", "both", &[]);
        let (_, unlike) = taken(&text, &[together(&[&["ref", "gone"]]), village.clone()]);
        assert!(tables(&unlike)["patient"].together.is_empty(), "{unlike}");
        let (chosen, text) = taken(&text, &[together(&[&["ref", "village_id", "gone"]]), village.clone()]);
        let patient = &tables(&text)["patient"];
        assert_eq!(patient.together, [["ref", "village_id"]], "{text}");
        assert!(patient.quiet.is_empty() && patient.conflicts.columns.is_empty(), "{text}");
        let settings: Vec<_> = chosen.changed.iter().map(|change| change.setting).collect();
        assert_eq!(settings, ["references", "together", "quiet", "conflicts"]);
        assert!(text.contains("as ministry has it; it was"), "{text}");
        let (again, same) = taken(&text, &[together(&[&["ref", "village_id"]]), village]);
        assert!(again.changed.is_empty() && same == text);
    }

    #[test]
    fn what_was_taken_over_is_not_taken_over_again() {
        let cards = [card("patient", "natural(ref)", "both", &[]), card("village", "natural(code)", "both", &[])];
        let (_, text) = taken(TEXT, &cards);
        let (again, same) = taken(&text, &cards);
        assert!(again.changed.is_empty() && again.added.is_empty());
        assert_eq!(same, text);
    }

    #[test]
    fn a_choice_that_does_not_fit_is_refused_and_the_table_stays() {
        let cards = [
            card("patient", "natural(national_id)", "both", &[]),
            card("village", "serial(id)", "both", &[]),
            card("clerk", "assigned", "match", &[]),
        ];
        let (chosen, text) = taken(TEXT, &cards);
        assert_eq!(text, TEXT);
        let refused: Vec<_> =
            chosen.refused.iter().map(|refused| (refused.table.as_str(), refused.reason.as_str())).collect();
        assert_eq!(refused[0].0, "village");
        assert!(refused[0].1.starts_with("this version cannot read it: `serial(id)`"), "{refused:?}");
        assert!(refused.iter().any(|(table, why)| *table == "patient" && why.contains("national_id")), "{refused:?}");
        assert!(refused.iter().any(|(table, why)| *table == "clerk" && why.contains("matched")), "{refused:?}");
    }

    #[test]
    fn references_in_a_section_of_their_own_stay_there() {
        let text = format!("{TEXT}\n[tables.patient.references]\nref = \"mine\" # old\n");
        let text = text.replace("local_unique = [\"ref\"]\n", "");
        let (_, text) = taken(
            &text,
            &[
                card("patient", "assigned", "both", &[("village_id", "village")]),
                card("village", "assigned", "both", &[]),
            ],
        );
        assert!(text.contains("[tables.patient.references]\nvillage_id = \"village\"\n"), "{text}");
        assert!(!tables(&text)["patient"].references.contains_key("ref"));
    }

    #[test]
    fn a_configuration_without_tables_gets_them() {
        let head = TEXT.split("\n# a patient").next().unwrap();
        let (_, text) = taken(head, &[card("village", "natural(code)", "down", &[])]);
        assert_eq!(tables(&text)["village"].direction.to_string(), "down");
    }

    #[test]
    fn a_hostile_identity_cannot_write_other_settings() {
        let bad = "named(SELECT 1)\n[tables.clerk]\nidentity = \"assigned";
        let (chosen, text) = taken(TEXT, &[card("patient", &format!("{bad})"), "both", &[])]);
        assert!(chosen.refused.is_empty() && tables(&text).keys().eq(["mine", "patient"]), "{text}");
        let (_, text) = taken(&text, &[card("patient", "assigned", "both", &[])]);
        assert!(tables(&text).keys().eq(["mine", "patient"]), "what it was stands in one line: {text}");
    }
}
