use std::collections::BTreeSet;

use proptest::prelude::*;
use saddlebag_stores::config::TablesConfig;
use saddlebag_stores::schema::{
    Catalogue, CatalogueReference, CatalogueTarget, Column, ColumnEvidence, ForeignKey, NamedTable, Schema,
};
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
pub(super) fn table(
    name: &str,
    columns: &[&str],
    primary_key: &[&str],
    unique: &[&[&str]],
    references: &[(&str, &str)],
) -> Table {
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

pub(super) fn schema(tables: Vec<Table>) -> Schema {
    Schema { tables, has_triggers: false }
}

/// The proposal, once it was read as `setup` reads it.
fn checked(tables: Vec<Table>) -> Proposal {
    surveyed(&Survey { schema: schema(tables), ..Survey::default() }, &Answers::new())
}

/// As [`checked`], with a catalogue, values and answers.
fn surveyed(survey: &Survey, answers: &Answers) -> Proposal {
    let schema = &survey.schema;
    let proposal = propose(survey, answers);
    let file: File = toml::from_str(&proposal.text).unwrap_or_else(|error| panic!("{error}\n{}", proposal.text));
    if !proposal.tracked.is_empty() {
        Tracking::resolve(&file.tables, schema, &Numbering::default())
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
fn a_reference_of_several_columns_is_one_column_by_column() {
    let region = table("region", &["a INTEGER", "b TEXT"], &["a", "b"], &[], &[("a", "plain")]);
    let proposal = checked(vec![
        plain("plain"),
        table("may", &["id INTEGER", "a INT", "b TEXT"], &["id"], &[], &[("a,b", "region")]),
        table("must", &["id INTEGER", "a INT!", "b TEXT!"], &["id"], &[], &[("a,b", "region")]),
        region,
    ]);
    assert_eq!(proposal.left_out, []);
    for name in ["may", "must"] {
        let tracked = proposal.tracked.iter().find(|table| table.name == name).unwrap();
        assert_eq!(tracked.excluded, [], "{name}");
        let references: Vec<_> = tracked.references.iter().map(|r| (r.column.as_str(), r.table())).collect();
        assert_eq!(references, [("a", Some("plain"))], "the number of a plain row means another one elsewhere");
    }
}

#[test]
fn a_reference_of_several_columns_stays_at_home_as_a_whole() {
    let heap = Table { primary_key: Vec::new(), ..plain("heap") };
    let ends = [("a", "heap"), ("b", "plain")];
    let region = table("region", &["a INTEGER", "b INTEGER", "x TEXT"], &["a", "b"], &[], &ends);
    let tables = |may: &[&str]| {
        vec![heap.clone(), plain("plain"), region.clone(), table("child", may, &["id"], &[], &[("a,b", "region")])]
    };
    let proposal = checked(tables(&["id INTEGER", "a INT", "b INT"]));
    let left: Vec<_> = proposal.left_out.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(left, ["heap", "region"]);
    let child = proposal.tracked.iter().find(|table| table.name == "child").unwrap();
    let excluded: Vec<_> = child.excluded.iter().map(|exclusion| exclusion.column.as_str()).collect();
    assert_eq!(excluded, ["a", "b"]);
    let proposal = checked(tables(&["id INTEGER", "a INT", "b INT!"]));
    assert!(proposal.left_out.iter().any(|table| table.name == "child"));
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

fn evidence(values: u64, fitting: u64) -> ColumnEvidence {
    ColumnEvidence { values, fitting }
}

fn suspect(table: &str, column: &str, target: &str, values: u64, fitting: u64) -> Suspect {
    let (table, column, target) = (table.to_owned(), column.to_owned(), target.to_owned());
    Suspect { table, column, target, evidence: evidence(values, fitting) }
}

fn tracked<'a>(proposal: &'a Proposal, name: &str) -> &'a TrackedProposal {
    proposal.tracked.iter().find(|tracked| tracked.name == name).unwrap()
}

#[test]
fn a_reference_by_name_is_taken_only_if_every_value_is_a_key() {
    let columns = ["id INTEGER", "good_id INTEGER", "bad_id INTEGER", "empty_id INTEGER"];
    let tables = vec![plain("good"), plain("bad"), plain("empty"), table("visit", &columns, &["id"], &[], &[])];
    let suspects = vec![
        suspect("visit", "good_id", "good", 40, 40),
        suspect("visit", "bad_id", "bad", 40, 39),
        suspect("visit", "empty_id", "empty", 0, 0),
    ];
    let survey = Survey { schema: schema(tables), suspects, ..Survey::default() };
    let proposal = surveyed(&survey, &Answers::new());
    let visit = tracked(&proposal, "visit");
    let taken: Vec<_> = visit.references.iter().map(|r| (r.column.as_str(), r.source)).collect();
    assert_eq!(taken, [("good_id", Source::Values(40))]);
    let text = &proposal.text;
    assert!(text.contains("[tables.visit.references]\ngood_id = \"good\"  # by its name; all 40 values"), "{text}");
    let words = text.replace("\n# ", " ");
    assert!(words.contains("but 1 of its 40 values are no keys there. If it does: references = { bad_id = \"bad\" }"));
    assert!(words.contains("`empty_id` may refer to `empty` by its name, but there are no values yet"), "{text}");
    assert_eq!(proposal.notes.len(), 2);
}

fn tryton() -> Survey {
    let reference = |table: &str, column: &str, target: CatalogueTarget| CatalogueReference {
        table: table.into(),
        column: column.into(),
        target,
    };
    let to = |table: &str| CatalogueTarget::Table(table.into());
    let named = |table: &str, rows| NamedTable { table: table.into(), rows, query: format!("SELECT '{table}', 1") };
    let catalogue = Catalogue {
        of: "Tryton",
        references: vec![
            reference("health_patient", "action", to("ir_action")),
            reference("health_patient", "lang", to("ir_lang")),
            reference("health_patient", "party", to("party_party")),
            reference("health_patient", "origin", CatalogueTarget::ModelId(vec!["party_party".into()])),
            reference("party_party", "category", to("gone_table")),
            reference("ir_lang", "action", to("ir_action")),
        ],
        named: vec![named("ir_lang", 25), named("ir_ui_menu", 300), named("party_category", 1)],
    };
    let patient = ["id INTEGER", "party INTEGER", "lang INTEGER", "action INTEGER", "origin VARCHAR"];
    let tables = vec![
        table("health_patient", &patient, &["id"], &[], &[]),
        plain("ir_action"),
        table("ir_lang", &["id INTEGER", "action INTEGER"], &["id"], &[], &[]),
        plain("ir_ui_menu"),
        table("party_category", &["id INTEGER", "name TEXT"], &["id"], &[], &[]),
        table("party_party", &["id INTEGER", "category INTEGER"], &["id"], &[], &[]),
    ];
    Survey { schema: schema(tables), catalogue: Some(catalogue), ..Survey::default() }
}

#[test]
fn the_applications_own_catalogue_gives_references_and_names() {
    let proposal = surveyed(&tryton(), &Answers::new());
    let left: Vec<_> = proposal.left_out.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(left, ["ir_action", "ir_ui_menu"]);
    let lang = tracked(&proposal, "ir_lang");
    assert_eq!((lang.direction, lang.identity.to_string().as_str()), (Direction::Match, "named(SELECT 'ir_lang', 1)"));
    assert_eq!(identity(&proposal, "party_category"), "named(SELECT 'party_category', 1)");
    let patient = tracked(&proposal, "health_patient");
    let references: Vec<_> = patient.references.iter().map(|r| (r.column.as_str(), r.target.to_string())).collect();
    let expected = [("lang", "ir_lang"), ("party", "party_party"), ("origin", "model,id")];
    assert_eq!(references, expected.map(|(column, target)| (column, target.to_owned())));
    assert_eq!(patient.excluded[0].column, "action", "an id of a table that is left out means nothing elsewhere");
    assert_eq!(tracked(&proposal, "party_party").excluded[0].column, "category");
}

#[test]
fn what_only_a_framework_needs_is_left_out_and_a_person_can_put_it_in() {
    let proposal = checked(vec![
        plain("patient"),
        table("schema_migrations", &["version TEXT!"], &["version"], &[], &[]),
        table("user_session", &["id INTEGER", "patient_id INT!"], &["id"], &[], &[("patient_id", "patient")]),
    ]);
    let left: Vec<_> = proposal.left_out.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(left, ["schema_migrations", "user_session"]);
    assert!(
        proposal.text.contains("# To keep one of these in step all the same, add a section [tables.NAME] for it.\n")
    );
}

#[test]
fn numbers_that_each_place_counts_are_local() {
    let columns = ["id INTEGER", "code TEXT!", "number INTEGER", "email TEXT", "p_id INT"];
    let unique: [&[&str]; 3] = [&["code"], &["number"], &["email"]];
    let tables = vec![plain("p"), table("visit", &columns, &["id"], &unique, &[("p_id", "p")])];
    let counter = |column: &str, values, fitting| (("visit".to_owned(), column.to_owned()), evidence(values, fitting));
    let counters = [counter("code", 9, 9), counter("email", 9, 2), counter("number", 0, 0)].into();
    let survey = Survey { schema: schema(tables), counters, ..Survey::default() };
    let proposal = surveyed(&survey, &Answers::new());
    assert_eq!(tracked(&proposal, "visit").counters, ["code", "number"]);
    assert!(proposal.text.contains("local_unique = [\"code\", \"number\"]\n"), "{}", proposal.text);
    assert!(proposal.text.contains("# Unique as well: `email`."), "{}", proposal.text);
    assert_eq!(proposal.notes.len(), 3);
}

#[test]
fn a_text_key_that_counts_is_no_name() {
    let visit = table("visit", &["code TEXT!", "p_id INT"], &["code"], &[], &[("p_id", "p")]);
    let survey = Survey {
        schema: schema(vec![plain("p"), visit]),
        counters: [(("visit".to_owned(), "code".to_owned()), evidence(9, 9))].into(),
        ..Survey::default()
    };
    let proposal = surveyed(&survey, &Answers::new());
    assert_eq!(identity(&proposal, "visit"), "assigned");
    assert_eq!(tracked(&proposal, "visit").counters, Vec::<String>::new(), "others may refer to it by its key");
}

#[test]
fn a_person_is_asked_what_only_a_person_knows() {
    let code = ["id INTEGER", "code TEXT!"];
    let visit = ["id INTEGER", "ssn TEXT!", "village_id INT"];
    let tables = vec![
        table("village", &code, &["id"], &[&["code"]], &[]),
        table("patient", &visit, &["id"], &[&["ssn"]], &[("village_id", "village")]),
        table("by_uuid", &["id INTEGER", "uuid TEXT!"], &["id"], &[&["uuid"]], &[]),
        table("country", &["iso TEXT!"], &["iso"], &[], &[]),
    ];
    let survey = Survey { schema: schema(tables), ..Survey::default() };
    let asked: Vec<_> = questions(&survey).into_iter().map(|question| (question.table, question.default)).collect();
    assert_eq!(asked, [("village".to_owned(), true), ("patient".to_owned(), false)]);
    let with = |answers: &[(&str, bool)]| {
        let answers = answers.iter().map(|(table, answer)| ((*table).to_owned(), *answer)).collect();
        let proposal = surveyed(&survey, &answers);
        (["village", "patient"].map(|name| identity(&proposal, name)), proposal)
    };
    let (identities, proposal) = with(&[]);
    assert_eq!(identities, ["natural(code)", "assigned"]);
    assert!(proposal.notes.iter().any(|note| note.contains("`village.code` is taken to mean the same record")));
    assert!(proposal.text.contains("# Nobody was asked whether that is so.\n"));
    let (identities, proposal) = with(&[("village", false), ("patient", true)]);
    assert_eq!(identities, ["assigned", "natural(ssn)"]);
    assert!(!proposal.text.contains("Nobody was asked") && proposal.text.contains("so it was answered"));
    assert!(proposal.notes.iter().any(|note| note.contains("`village`: records of two places")));
}

#[test]
fn nobody_is_asked_more_than_a_handful() {
    let many = (0..40).map(|n| table(&format!("t{n:02}"), &["id INTEGER", "name TEXT!"], &["id"], &[&["name"]], &[]));
    let survey = Survey { schema: schema(many.collect()), ..Survey::default() };
    assert_eq!(questions(&survey).len(), 6);
    let proposal = surveyed(&survey, &Answers::new());
    assert_eq!(proposal.notes.len(), 1, "of many of a kind, some are named: {:?}", proposal.notes);
    assert!(proposal.notes[0].starts_with("in 40 tables") && proposal.notes[0].contains("and 35 more"));
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
        let suspects = vec![
            suspect("t", "a", "u", 3, 3), suspect("u", "b", "v", 3, 3), suspect("v", "id", "v", 3, 3),
            suspect("v", "code", "gone", 1, 1), suspect("t", "uuid", "v", 2, 1),
        ];
        let counters = ["t", "u", "v"].map(|table| ((table.to_owned(), "code".to_owned()), evidence(5, 5))).into();
        let survey = Survey { schema: schema(vec![a, b, c]), suspects, counters, ..Survey::default() };
        let plain = surveyed(&Survey { schema: survey.schema.clone(), ..Survey::default() }, &Answers::new());
        prop_assert!(plain.tracked.iter().all(|table| table.suspects.is_empty()));
        for answer in [true, false] {
            let answers = questions(&survey).into_iter().map(|question| (question.table, answer)).collect();
            surveyed(&survey, &answers);
        }
    }
}
