//! The words by which saddlebag's tables name kinds and outcomes, the same on every engine.

use saddlebag_formats::members::{Outcome, Receipt};

use crate::ledger::{ConflictKind, ConflictRule, DifferentHow, HeldKind, Taken};

pub(crate) fn held_name(kind: HeldKind) -> &'static str {
    match kind {
        HeldKind::Parked => "parked",
        HeldKind::Quarantined => "quarantined",
    }
}

pub(crate) fn held_named(name: &str) -> HeldKind {
    if name == "parked" { HeldKind::Parked } else { HeldKind::Quarantined }
}

pub(crate) fn conflict_name(kind: ConflictKind) -> &'static str {
    match kind {
        ConflictKind::Values => "values",
        ConflictKind::Deletion => "deletion",
    }
}

pub(crate) fn conflict_named(name: &str) -> ConflictKind {
    if name == "values" { ConflictKind::Values } else { ConflictKind::Deletion }
}

const RULES: [(ConflictRule, &str); 8] = [
    (ConflictRule::Newest, "newest"),
    (ConflictRule::Central, "central"),
    (ConflictRule::Satellite, "satellite"),
    (ConflictRule::Ask, "ask"),
    (ConflictRule::Keep, "keep"),
    (ConflictRule::Delete, "delete"),
    (ConflictRule::Replaced, "replaced"),
    (ConflictRule::SameAs, "same as"),
];

pub(crate) fn rule_name(rule: ConflictRule) -> &'static str {
    RULES.iter().find(|(known, _)| *known == rule).map_or("newest", |(_, name)| name)
}

pub(crate) fn rule_named(name: &str) -> ConflictRule {
    RULES.iter().find(|(_, known)| *known == name).map_or(ConflictRule::Newest, |(rule, _)| *rule)
}

pub(crate) fn how_name(how: DifferentHow) -> &'static str {
    match how {
        DifferentHow::OtherValues => "other values",
        DifferentHow::MissingHere => "missing here",
        DifferentHow::MissingThere => "missing there",
    }
}

pub(crate) fn how_named(name: &str) -> DifferentHow {
    match name {
        "missing here" => DifferentHow::MissingHere,
        "missing there" => DifferentHow::MissingThere,
        _ => DifferentHow::OtherValues,
    }
}

pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Parked => "parked",
        Outcome::Quarantined => "quarantined",
        Outcome::DeletionKept => "deletion kept",
        Outcome::Settled => "settled",
        // `Outcome` may grow: what an older program stores of it must not read as one of the above.
        _ => "conflict",
    }
}

pub(crate) fn outcome_named(name: &str) -> Outcome {
    match name {
        "parked" => Outcome::Parked,
        "quarantined" => Outcome::Quarantined,
        "deletion kept" => Outcome::DeletionKept,
        "settled" => Outcome::Settled,
        _ => Outcome::Conflict,
    }
}

/// The column that a receipt is about is part of its key, where null would be no key.
pub(crate) fn key_column(receipt: &Receipt) -> &str {
    receipt.column.as_deref().unwrap_or("")
}

pub(crate) fn taken_name(taken: Taken) -> &'static str {
    match taken {
        Taken::Stands => "stands",
        Taken::Other => "other",
        Taken::Value => "value",
    }
}

pub(crate) fn taken_named(name: &str) -> Taken {
    match name {
        "stands" => Taken::Stands,
        "other" => Taken::Other,
        _ => Taken::Value,
    }
}
