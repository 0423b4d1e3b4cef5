//! What a central's card says of the deployment's tables: "Identity and references of each table belong to the
//! deployment: central's choice travels with its card".
//!
//! All of it is text here: what an identity or a direction means, the stores know. Invariant: on a card that was
//! parsed, tables and columns stand in the order of their names, each once, within the limits.

use std::collections::BTreeMap;

use saddlebag_formats::limits::{CARD_TEXT_BYTES_MAX, COLUMNS_PER_TABLE_MAX, TABLES_PER_MEMBER_MAX};
use serde::{Deserialize, Serialize};

use super::Card;
use crate::deployment::Role;

/// One table, as the deployment knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardTable {
    /// Its name.
    pub name: String,
    /// How its rows get their uid, as `saddlebag.toml` says it: `natural(ref)`.
    pub identity: String,
    /// Which way its changes travel: `both`, `up`, `down` or `match`.
    pub direction: String,
    /// The columns that refer to records, and what each refers to: a table, or `model,id`.
    pub references: BTreeMap<String, String>,
    /// Columns that are merged as one value.
    pub together: Vec<Vec<String>>,
}

/// What is wrong with the tables of a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// A satellite has nothing to say about the deployment's tables.
    #[error("only a central says how the deployment's tables are known")]
    NotACentral,
    /// More tables, or more references of one table, than a card may bring.
    #[error("it brings {count} {what}, and at most {count_max} are allowed")]
    TooMany {
        /// Of what: `tables`, `references`, `columns together`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        count_max: usize,
    },
    /// A text that is longer than a card's texts may be.
    #[error("it holds a text of {bytes} bytes, and at most {CARD_TEXT_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Two tables of one name, or a table before one whose name comes first.
    #[error("the table `{table}` stands there twice, or out of order")]
    Order {
        /// The table's name.
        table: String,
    },
}

pub(super) fn check(card: &Card) -> Result<(), TableProblem> {
    let tables = &card.tables;
    if !tables.is_empty() && card.role != Role::Central {
        return Err(TableProblem::NotACentral);
    }
    at_most("tables", tables.len(), TABLES_PER_MEMBER_MAX)?;
    if let Some(pair) = tables.windows(2).find(|pair| pair[0].name >= pair[1].name) {
        return Err(TableProblem::Order { table: pair[1].name.clone() });
    }
    for table in tables {
        at_most("references", table.references.len(), COLUMNS_PER_TABLE_MAX)?;
        let own = [&table.name, &table.identity, &table.direction];
        // A group of no column would get around the limit.
        let grouped = table.together.iter().map(|group| group.len().max(1)).sum();
        at_most("columns together", grouped, COLUMNS_PER_TABLE_MAX)?;
        let texts = own.into_iter().chain(table.references.keys()).chain(table.references.values());
        let texts = texts.chain(table.together.iter().flatten());
        if let Some(bytes) = texts.map(String::len).find(|bytes| *bytes > CARD_TEXT_BYTES_MAX) {
            return Err(TableProblem::TooLong { bytes });
        }
    }
    Ok(())
}

fn at_most(what: &'static str, count: usize, count_max: usize) -> Result<(), TableProblem> {
    if count > count_max { Err(TableProblem::TooMany { what, count, count_max }) } else { Ok(()) }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CardTableV1 {
    name: String,
    identity: String,
    direction: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    references: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    together: Vec<Vec<String>>,
}

impl From<&CardTable> for CardTableV1 {
    fn from(table: &CardTable) -> Self {
        let CardTable { name, identity, direction, references, together } = table.clone();
        Self { name, identity, direction, references, together }
    }
}

impl From<CardTableV1> for CardTable {
    fn from(wire: CardTableV1) -> Self {
        let CardTableV1 { name, identity, direction, references, together } = wire;
        Self { name, identity, direction, references, together }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::CardError;
    use crate::fixtures::{central_card, keys, satellite_card};

    fn table(name: &str) -> CardTable {
        let references = [("district".to_owned(), "district".to_owned()), ("origin".to_owned(), "model,id".to_owned())];
        CardTable {
            name: name.to_owned(),
            identity: "natural(code)".to_owned(),
            direction: "both".to_owned(),
            references: references.into(),
            together: Vec::new(),
        }
    }

    fn refused(tables: Vec<CardTable>) -> TableProblem {
        match (Card { tables, ..central_card() }).sign(&keys(1).signing).unwrap_err() {
            CardError::Tables { problem, .. } => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_centrals_choice_comes_back_in_order_and_as_documented() {
        let plain = CardTable { references: BTreeMap::new(), ..table("district") };
        let together = vec![vec!["x".to_owned(), "y".to_owned()]];
        let card = central_card().with_tables(vec![CardTable { together, ..table("village") }, plain]);
        let bytes = card.sign(&keys(1).signing).unwrap();
        assert_eq!(Card::parse(&bytes), Ok(card));
        let text = String::from_utf8(bytes).unwrap();
        let json = concat!(
            r#","tables":[{"name":"district","identity":"natural(code)","direction":"both"},"#,
            r#"{"name":"village","identity":"natural(code)","direction":"both","#,
            r#""references":{"district":"district","origin":"model,id"},"together":[["x","y"]]}]}"#
        );
        assert!(text.lines().nth(1).unwrap().ends_with(json), "{text}");
    }

    #[test]
    fn a_satellite_has_no_say() {
        let card = satellite_card().with_tables(vec![table("village")]);
        let error = card.sign(&keys(3).signing).unwrap_err();
        assert!(matches!(error, CardError::Tables { problem: TableProblem::NotACentral, .. }), "{error}");
    }

    #[test]
    fn what_stands_twice_or_out_of_order_is_refused() {
        for names in [["a", "a"], ["b", "a"]] {
            let problem = refused(names.map(table).into());
            assert_eq!(problem, TableProblem::Order { table: "a".to_owned() });
        }
    }

    #[test]
    fn one_past_each_limit_is_refused() {
        let many = |count: usize| (0..count).map(|number| table(&format!("t{number:05}"))).collect::<Vec<_>>();
        assert!(matches!(refused(many(TABLES_PER_MEMBER_MAX + 1)), TableProblem::TooMany { what: "tables", .. }));
        let columns = (0..=COLUMNS_PER_TABLE_MAX).map(|number| (format!("c{number}"), "t".to_owned()));
        let wide = CardTable { references: columns.collect(), ..table("t") };
        assert!(matches!(refused(vec![wide]), TableProblem::TooMany { what: "references", .. }));
        let groups = vec![Vec::new(); COLUMNS_PER_TABLE_MAX + 1];
        let wide = CardTable { together: groups, ..table("t") };
        assert!(matches!(refused(vec![wide]), TableProblem::TooMany { what: "columns together", .. }));
        let long = "x".repeat(CARD_TEXT_BYTES_MAX + 1);
        let too_long = TableProblem::TooLong { bytes: long.len() };
        assert_eq!(refused(vec![CardTable { identity: long.clone(), ..table("t") }]), too_long);
        assert_eq!(refused(vec![CardTable { references: [(long, String::new())].into(), ..table("t") }]), too_long);
        let fits = CardTable { identity: "x".repeat(CARD_TEXT_BYTES_MAX), ..table("t") };
        assert!(central_card().with_tables(vec![fits]).sign(&keys(1).signing).is_ok());
    }
}
