//! What becomes of values that disagree: the rules of a table and of its columns.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// The word that names the table's own rule among those of its columns.
const DEFAULT: &str = "default";

/// Which of two values stands, where two places wrote one column without having seen each other's value. It counts at
/// the node that decides: the central of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictPolicy {
    /// The later one, by effective time, then by version.
    #[default]
    Newest,
    /// What stands at the central.
    Central,
    /// What comes from a satellite, against what was written at the central itself or came to it from its own central;
    /// between two satellites, the newest.
    Satellite,
    /// What stands at the central, until a person decides.
    Ask,
}

impl ConflictPolicy {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Central => "central",
            Self::Satellite => "satellite",
            Self::Ask => "ask",
        }
    }
}

/// The rules of a table: `conflicts = "newest"`, or `conflicts = { phone = "satellite", default = "newest" }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConflictPolicies {
    /// The rule of every column that is not named.
    pub default: ConflictPolicy,
    /// The rules of single columns.
    pub columns: BTreeMap<String, ConflictPolicy>,
}

impl ConflictPolicies {
    /// The rule of a column.
    #[must_use]
    pub fn of(&self, column: &str) -> ConflictPolicy {
        self.columns.get(column).copied().unwrap_or(self.default)
    }
}

impl<'de> Deserialize<'de> for ConflictPolicies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PoliciesVisitor)
    }
}

struct PoliciesVisitor;

impl<'de> serde::de::Visitor<'de> for PoliciesVisitor {
    type Value = ConflictPolicies;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "`newest`, `central`, `satellite` or `ask`, or one of them for each column: { phone = \"central\" }",
        )
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ConflictPolicies, E> {
        let default = ConflictPolicy::deserialize(serde::de::value::StrDeserializer::new(text))?;
        Ok(ConflictPolicies { default, columns: BTreeMap::new() })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<ConflictPolicies, A::Error> {
        let mut columns: BTreeMap<String, ConflictPolicy> =
            BTreeMap::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        let default = columns.remove(DEFAULT).unwrap_or_default();
        Ok(ConflictPolicies { default, columns })
    }
}

/// What becomes of a record that was deleted in one place and edited in another. It counts at the node that decides: the
/// central of the link. A record that others refer to is kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeletePolicy {
    /// It is kept, and returns to where it was deleted.
    #[default]
    Keep,
    /// It goes; what the deletion had not seen stands in `conflicts`.
    Delete,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TablesConfig;

    fn read(line: &str) -> Result<ConflictPolicies, String> {
        let tables: TablesConfig = toml::from_str(&format!("[t]\nidentity = 'assigned'\n{line}"))
            .map_err(|error: toml::de::Error| error.to_string())?;
        Ok(tables["t"].conflicts.clone())
    }

    #[test]
    fn one_rule_for_all_or_one_for_each_column() {
        assert_eq!(read(""), Ok(ConflictPolicies::default()));
        for (word, policy) in [
            ("newest", ConflictPolicy::Newest),
            ("central", ConflictPolicy::Central),
            ("satellite", ConflictPolicy::Satellite),
            ("ask", ConflictPolicy::Ask),
        ] {
            assert_eq!(read(&format!("conflicts = '{word}'")).unwrap().of("any"), policy);
        }
        let mixed = read("conflicts = { phone = 'satellite', default = 'ask' }").unwrap();
        assert_eq!((mixed.of("phone"), mixed.of("name")), (ConflictPolicy::Satellite, ConflictPolicy::Ask));
        assert_eq!(read("[t.conflicts]\nphone = 'central'").unwrap().of("name"), ConflictPolicy::Newest);
    }

    #[test]
    fn an_unknown_word_is_named_with_those_that_there_are() {
        for line in ["conflicts = 'latest'", "conflicts = { phone = 'latest' }", "conflicts = { default = 'latest' }"] {
            let error = read(line).unwrap_err();
            assert!(error.contains("latest") && error.contains("`newest`, `central`, `satellite`, `ask`"), "{error}");
        }
        let error = read("conflicts = 3").unwrap_err();
        assert!(error.contains("expected `newest`, `central`, `satellite` or `ask`"), "{error}");
        let error = read("delete = 'cascade'").unwrap_err();
        assert!(error.contains("cascade") && error.contains("`keep` or `delete`"), "{error}");
    }
}
