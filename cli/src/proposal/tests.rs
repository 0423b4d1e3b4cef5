use std::collections::BTreeSet;

use proptest::prelude::*;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::schema::{Column, ForeignKey};
use saddlebag_stores::tracking::{Numbering, Tracking};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    tables: TablesConfig,
}

fn column(name: &str, declared_type: &str) -> Column {
    Column { name: name.into(), declared_type: declared_type.into(), not_null: false, default: None }
}

/// `columns` as `name TYPE`, with `!` at the end where null is refused.
fn table(name: &str, columns: &[&str], primary_key: &[&str], unique: &[&[&str]], references: &[(&str, &str)]) -> Table {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let key = |(from, to): &(&str, &str)| ForeignKey {
        columns: from.split(',').map(str::to_owned).collect(),
        table: (*to).into(),
        target_columns: if from.contains(',') { vec!["a".into(), "b".into()] } else { vec!["id".into()] },
    };
    let declared = |text: &&str| {
        let (name, declared_type) = text.split_once(' ').unwrap_or((text, ""));
        let not_null = declared_type.ends_with('!');
        Column { not_null, ..column(name, declared_type.trim_end_matches('!')) }
    };
    Table {
        name: name.into(),
        columns: columns.iter().map(declared).collect(),
        primary_key: owned(primary_key),
        foreign_keys: references.iter().map(key).collect(),
        unique: unique.iter().map(|names| owned(names)).collect(),
        key_is_given: primary_key == ["id"] && columns.contains(&"id INTEGER"),
        unsupported: None,
    }
}

fn schema(tables: Vec<Table>) -> Schema {
    Schema { tables, has_triggers: false }
}

/// The proposal, once it was read as `setup` reads it.
fn checked(tables: Vec<Table>) -> Proposal {
    let schema = schema(tables);
    let proposal = propose(&schema);
    let file: File = toml::from_str(&proposal.text).unwrap_or_else(|error| panic!("{error}\n{}", proposal.text));
    if !proposal.tracked.is_empty() {
        Tracking::resolve(&file.tables, &schema, &Numbering::default())
            .unwrap_or_else(|error| panic!("{error}\n{}", proposal.text));
    }
    let read: BTreeSet<_> = file.tables.into_keys().collect();
    assert_eq!(read, proposal.tracked.iter().map(|table| table.name.clone()).collect());
    proposal
}

fn identity(proposal: &Proposal, table: &str) -> String {
    proposal.tracked.iter().find(|tracked| tracked.name == table).unwrap().identity.to_string()
}

fn plain(name: &str) -> Table {
    table(name, &["id INTEGER", "x TEXT"], &["id"], &[], &[])
}

#[test]
fn a_unique_uuid_is_the_identity_and_one_that_is_not_unique_is_none() {
    let proposal = checked(vec![
        table("a", &["id INTEGER", "uuid TEXT!"], &["id"], &[&["uuid"]], &[]),
        table("b", &["id INTEGER", "uuid TEXT!"], &["id"], &[], &[]),
        table("c", &["GUID CHAR(38)", "x TEXT"], &["GUID"], &[], &[]),
        table("d", &["id INTEGER", "record_uuid TEXT", "x TEXT"], &["id"], &[&["record_uuid", "x"]], &[]),
    ]);
    let all = ["a", "b", "c", "d"].map(|name| identity(&proposal, name));
    assert_eq!(all, ["uuid(uuid)", "assigned", "uuid(GUID)", "assigned"]);
}

#[test]
fn a_link_table_is_known_by_its_ends() {
    let ends = [("a_id", "a"), ("b_id", "b")];
    let proposal = checked(vec![
        plain("a"),
        plain("b"),
        table("by_key", &["a_id INTEGER", "b_id INTEGER"], &["a_id", "b_id"], &[], &ends),
        table("by_unique", &["id INTEGER", "a_id INT!", "b_id INT!"], &["id"], &[&["a_id", "b_id"]], &ends),
        table("may_be_empty", &["id INTEGER", "a_id INT", "b_id INT!"], &["id"], &[&["a_id", "b_id"]], &ends),
        table("extension", &["a_id INTEGER", "x TEXT"], &["a_id"], &[], &ends[..1]),
    ]);
    let all = ["by_key", "by_unique", "may_be_empty", "extension"].map(|name| identity(&proposal, name));
    assert_eq!(all, ["natural(a_id, b_id)", "natural(a_id, b_id)", "assigned", "natural(a_id)"]);
}

#[test]
fn text_keys_name_their_records_and_numbered_ones_do_not() {
    let proposal = checked(vec![
        plain("a"),
        table("country", &["iso VARCHAR(2)", "x TEXT"], &["iso"], &[], &[]),
        table("line", &["a_id INTEGER", "number INTEGER"], &["a_id", "number"], &[], &[("a_id", "a")]),
        table("visit", &["a_id INTEGER", "day TEXT"], &["a_id", "day"], &[], &[("a_id", "a")]),
        table("odd", &["id", "x"], &["id"], &[], &[]),
    ]);
    let all = ["country", "line", "visit", "odd"].map(|name| identity(&proposal, name));
    assert_eq!(all, ["natural(iso)", "assigned", "natural(a_id, day)", "assigned"]);
    let colliding = |name: &str| proposal.tracked.iter().find(|t| t.name == name).unwrap().colliding.clone();
    assert_eq!(colliding("line"), [["a_id", "number"]]);
    assert_eq!(colliding("odd"), [["id"]]);
    assert_eq!(colliding("visit"), Vec::<Vec<String>>::new());
}

#[test]
fn a_code_is_an_identity_for_reference_data_only() {
    let code = ["id INTEGER", "code TEXT!"];
    let proposal = checked(vec![
        table("drug", &code, &["id"], &[&["code"]], &[]),
        table("lonely", &code, &["id"], &[&["code"]], &[]),
        table("nullable", &["id INTEGER", "code TEXT"], &["id"], &[&["code"]], &[]),
        table(
            "order",
            &["id INTEGER", "code TEXT!", "drug_id INT", "n_id INT"],
            &["id"],
            &[&["code"]],
            &[("drug_id", "drug"), ("n_id", "nullable")],
        ),
        table("tree", &["id INTEGER", "code TEXT!", "t_id INT"], &["id"], &[&["code"]], &[("t_id", "tree")]),
    ]);
    let all = ["drug", "lonely", "nullable", "order", "tree"].map(|name| identity(&proposal, name));
    assert_eq!(all, ["natural(code)", "assigned", "assigned", "assigned", "assigned"]);
    assert!(proposal.text.contains("# drug_id -> drug\n"));
    assert!(proposal.notes.iter().any(|note| note.contains("`order`") && note.contains("`code`")));
    assert!(!proposal.notes.iter().any(|note| note.contains("`drug`")));
    assert!(proposal.text.contains("\"natural(code)\" above"));
}

#[test]
fn what_cannot_be_kept_in_step_is_left_out_with_what_needs_it() {
    let heap = Table { primary_key: Vec::new(), ..plain("heap") };
    let view = Table { unsupported: Some("a view"), ..plain("report") };
    let must = ["id INTEGER", "h_id INT!"];
    let proposal = checked(vec![
        table("chain", &must, &["id"], &[], &[("h_id", "needs")]),
        heap,
        table("may", &["id INTEGER", "h_id INT"], &["id"], &[], &[("h_id", "heap")]),
        table("needs", &must, &["id"], &[], &[("h_id", "heap")]),
        table("nowhere", &["id INTEGER", "h_id INT"], &["id"], &[], &[("h_id", "absent")]),
        view,
    ]);
    let left: Vec<_> = proposal.left_out.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(left, ["chain", "heap", "needs", "report"]);
    assert!(proposal.text.contains("# Left out: `report`: it is a view.\n"));
    assert!(proposal.text.contains("# `h_id` refers to `heap`, which is left out: it stays at home.\n"));
    assert_eq!(proposal.text.matches("exclude = [\"h_id\"]").count(), 2);
    assert_eq!(proposal.notes.len(), 6);
}

#[test]
fn a_reference_of_several_columns_stays_at_home() {
    let region = table("region", &["a TEXT", "b TEXT"], &["a", "b"], &[], &[]);
    let single = ("a", "plain");
    let proposal = checked(vec![
        plain("plain"),
        table("both", &["id INTEGER", "a INT", "b TEXT"], &["id"], &[], &[single, ("a,b", "region")]),
        table("must", &["id INTEGER", "a TEXT!", "b TEXT!"], &["id"], &[], &[("a,b", "region")]),
        region,
    ]);
    let both = proposal.tracked.iter().find(|table| table.name == "both").unwrap();
    let excluded: Vec<_> = both.excluded.iter().map(|exclusion| exclusion.column.as_str()).collect();
    assert_eq!(excluded, ["b"]);
    assert_eq!(both.references.len(), 1);
    assert_eq!(proposal.left_out[0].name, "must");
}

#[test]
fn identities_that_need_each_other_are_broken_up() {
    let proposal = checked(vec![
        table("a", &["id INTEGER"], &["id"], &[], &[("id", "b")]),
        table("b", &["id INTEGER"], &["id"], &[], &[("id", "a")]),
        table("c", &["id INTEGER"], &["id"], &[], &[("id", "c")]),
        table("d", &["id INTEGER"], &["id"], &[], &[("id", "a")]),
    ]);
    let all = ["a", "b", "c", "d"].map(|name| identity(&proposal, name));
    assert_eq!(all, ["assigned", "natural(id)", "assigned", "natural(id)"]);
}

#[test]
fn names_of_all_kinds_are_read_back() {
    for name in
        ["order", "patient-visit", "say \"hi\"", "it's", "患者", "a.b", "", " ", "line\nend", "back\\slash", "#"]
    {
        let text = format!("{name} TEXT!");
        let proposal = checked(vec![
            table(name, &["id INTEGER", &text], &["id"], &[&[name]], &[]),
            table("child", &["id INTEGER", "r INT"], &["id"], &[], &[("r", name)]),
        ]);
        assert_eq!(proposal.tracked.len(), 2, "{name:?}");
    }
    let comma = table("t", &["a,b TEXT"], &["a,b"], &[], &[]);
    assert_eq!(identity(&checked(vec![comma]), "t"), "assigned");
}

#[test]
fn an_empty_database_gives_an_empty_proposal() {
    let proposal = checked(Vec::new());
    assert_eq!((proposal.text.as_str(), proposal.tracked.len(), proposal.notes.len()), ("", 0, 0));
}

fn any_table(name: &'static str) -> impl Strategy<Value = Table> {
    let types = prop::sample::select(vec!["INTEGER", "TEXT", "VARCHAR(3)", "", "BLOB", "DATE"]);
    let columns = prop::collection::vec((types, any::<bool>()), 7);
    let names = ["id", "uuid", "code", "a", "b", "c d", "é"];
    let some = || prop::collection::btree_set(prop::sample::select(names.to_vec()), 0..3);
    let key = (some(), prop::sample::select(vec!["t", "u", "v", "gone"]), any::<bool>());
    (columns, some(), prop::collection::vec(some(), 0..3), prop::collection::vec(key, 0..4)).prop_map(
        move |(columns, primary_key, unique, keys)| {
            let owned = |names: &BTreeSet<&str>| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let declared = names.iter().zip(columns);
            let columns = declared.map(|(name, (kind, not_null))| Column { not_null, ..column(name, kind) }).collect();
            let foreign = keys.iter().filter(|(from, ..)| !from.is_empty()).map(|(from, to, to_key)| ForeignKey {
                columns: owned(from),
                table: (*to).to_owned(),
                target_columns: if *to_key { vec!["id".into()] } else { vec!["code".into()] },
            });
            Table {
                name: name.to_owned(),
                columns,
                primary_key: owned(&primary_key),
                foreign_keys: foreign.collect(),
                unique: unique.iter().filter(|names| !names.is_empty()).map(owned).collect(),
                key_is_given: false,
                unsupported: None,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_schema_gets_a_proposal_that_can_be_set_up(
        mut a in any_table("t"), mut b in any_table("u"), mut c in any_table("v"), to_key in any::<bool>(),
    ) {
        // Half of the cases refer to the whole key of their target, as most schemas do.
        if to_key {
            let keys = [a.primary_key.clone(), b.primary_key.clone(), c.primary_key.clone()];
            for table in [&mut a, &mut b, &mut c] {
                for key in &mut table.foreign_keys {
                    if let Some(at) = ["t", "u", "v"].iter().position(|name| *name == key.table) {
                        key.target_columns.clone_from(&keys[at]);
                    }
                }
            }
        }
        checked(vec![a, b, c]);
    }
}
