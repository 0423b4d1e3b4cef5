//! What a satellite is told of a conflict: which rule decided, and whose value stands.

use std::collections::HashMap;

use saddlebag_formats::members::Outcome;
use saddlebag_formats::{NodeId, Version};
use saddlebag_stores::ledger::{Conflict, ConflictKind, ConflictRule};

/// The receipt's outcome and its words.
pub(crate) fn of(conflict: &Conflict, names: &HashMap<NodeId, String>) -> (Outcome, String) {
    let stands = who(conflict.winner.version, names);
    let other = who(conflict.loser.version, names);
    match (conflict.kind, conflict.rule) {
        (ConflictKind::Deletion, ConflictRule::Delete) => (
            Outcome::Conflict,
            format!(
                "deleted by {stands} while {other} edited it: by the rule `delete` the deletion stands, and what was \
                 edited is kept in the conflicts"
            ),
        ),
        (ConflictKind::Deletion, _) => (
            Outcome::DeletionKept,
            format!(
                "one place deleted this record while another edited it or referred to it: deleted by {other}, kept \
                 because of {stands}"
            ),
        ),
        (ConflictKind::Values, rule) => {
            let why = match rule {
                ConflictRule::Newest => {
                    format!("by the rule `newest` the value of {stands} stands, not that of {other}")
                }
                ConflictRule::Central => {
                    format!("by the rule `central` the value of {stands} stands, not that of {other}")
                }
                ConflictRule::Satellite => {
                    format!("by the rule `satellite` the value of {stands} stands, not that of {other}")
                }
                ConflictRule::Ask => format!(
                    "by the rule `ask` the value of {stands} stands until a person decides between it and that of {other}"
                ),
                ConflictRule::Delete | ConflictRule::Keep => {
                    format!(
                        "by the rule `delete` the deletion by {stands} stands, and the value of {other} is kept here"
                    )
                }
                ConflictRule::Replaced => {
                    format!("the value of {stands} stands; that of {other} was held, and was replaced by its sender")
                }
                ConflictRule::SameAs => {
                    format!("two records were made one: the value of {stands} stands, not that of {other}")
                }
            };
            (Outcome::Conflict, format!("another place wrote this column without having seen this value: {why}"))
        }
    }
}

fn who(version: Version, names: &HashMap<NodeId, String>) -> String {
    if version.is_found() {
        return "what setup found".to_owned();
    }
    names.get(&version.writer.node).cloned().unwrap_or_else(|| format!("node {}", version.writer.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use saddlebag_formats::{Epoch, LinkId, TimeMs, Uid, Writer};
    use saddlebag_stores::ledger::ConflictSide;

    fn told(kind: ConflictKind, rule: ConflictRule) -> (Outcome, String) {
        let version =
            |time, node| Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } };
        let conflict = Conflict {
            link: LinkId(1),
            table: "patient".to_owned(),
            uid: Uid([1; 16]),
            column: None,
            kind,
            rule,
            winner: ConflictSide::of(None, version(5, 1)),
            loser: ConflictSide::of(None, version(4, 2)),
            found: TimeMs(9),
            clock_doubted: false,
        };
        let names = [(NodeId([1; 16]), "ministry".to_owned()), (NodeId([2; 16]), "clinic-07".to_owned())];
        of(&conflict, &names.into())
    }

    #[test]
    fn the_rule_and_whose_value_stands_are_told() {
        for (rule, word) in [
            (ConflictRule::Newest, "`newest`"),
            (ConflictRule::Central, "`central`"),
            (ConflictRule::Satellite, "`satellite`"),
            (ConflictRule::Ask, "`ask`"),
            (ConflictRule::Delete, "`delete`"),
            (ConflictRule::Replaced, "replaced"),
            (ConflictRule::SameAs, "one"),
        ] {
            let (outcome, words) = told(ConflictKind::Values, rule);
            assert_eq!(outcome, Outcome::Conflict);
            assert!(words.contains(word), "{words}");
            let (stands, other) = (words.find("ministry").unwrap(), words.find("clinic-07").unwrap());
            assert!(stands < other, "who has the value that stands comes first: {words}");
        }
    }

    #[test]
    fn a_deletion_is_kept_or_stands() {
        assert_eq!(told(ConflictKind::Deletion, ConflictRule::Keep).0, Outcome::DeletionKept);
        let (outcome, words) = told(ConflictKind::Deletion, ConflictRule::Delete);
        assert!(outcome == Outcome::Conflict && words.starts_with("deleted by ministry"), "{words}");
    }
}
