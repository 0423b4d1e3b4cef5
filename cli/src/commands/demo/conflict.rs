//! A conflict as a person would tell of it, from the node's own list.

use std::fmt;

use saddlebag_couriers::Node;
use saddlebag_formats::row_state_bytes::decode_value;
use saddlebag_formats::{NodeId, Value};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictSide};

use crate::command_error::CommandError;
use crate::layout;

/// A conflict.
#[derive(Debug)]
pub(super) struct Told {
    /// What disagreed.
    pub(super) what: String,
    /// What stands.
    pub(super) winner: Side,
    /// What is kept beside it.
    pub(super) loser: Side,
}

/// One side of a conflict.
#[derive(Debug)]
pub(super) struct Side {
    /// The value.
    pub(super) value: String,
    /// The name of the node that wrote it.
    pub(super) place: String,
    time_ms: i64,
}

/// All conflicts that a node has found.
pub(super) fn all(node: &mut Node) -> Result<Vec<Told>, CommandError> {
    let links = node.links()?;
    node.store.begin(Access::Read)?;
    let conflicts = node.store.conflicts()?;
    node.store.commit()?;
    let peer = |id: NodeId| links.iter().find(|link| link.peer == id).map(|link| link.name.clone());
    let name = |id: NodeId| peer(id).unwrap_or_else(|| node.config.node.name.to_string());
    Ok(conflicts.iter().map(|conflict| told(conflict, &name)).collect())
}

fn told(conflict: &Conflict, name: &dyn Fn(NodeId) -> String) -> Told {
    let side = |side: &ConflictSide| Side {
        value: shown(side.value.as_deref()),
        place: name(side.version.writer.node),
        time_ms: side.version.time.0,
    };
    let what = match &conflict.column {
        Some(column) => format!("`{}.{column}`", conflict.table),
        None => format!("the deletion of a record of `{}`", conflict.table),
    };
    Told { what, winner: side(&conflict.winner), loser: side(&conflict.loser) }
}

fn shown(value: Option<&[u8]>) -> String {
    match value.map(decode_value) {
        None => "nothing".to_owned(),
        Some(Err(error)) => format!("what cannot be read ({error})"),
        Some(Ok(Value::Text(text))) => text,
        Some(Ok(value)) => format!("{value:?}"),
    }
}

impl Side {
    /// How its time compares with that of the other.
    pub(super) fn against(&self, other: &Self) -> String {
        match self.time_ms - other.time_ms {
            later @ 1.. => format!(", newer by {}", layout::count(later.unsigned_abs(), "millisecond", "milliseconds")),
            0 => ", written in the same millisecond".to_owned(),
            _ => ", although it is older".to_owned(),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {}", self.value, self.place)
    }
}

#[cfg(test)]
mod tests {
    use saddlebag_formats::row_state_bytes::encode_value;

    use super::*;

    #[test]
    fn values_are_shown_as_people_wrote_them() {
        let encoded = |value| encode_value(&value);
        assert_eq!(shown(Some(&encoded(Value::Text("0555 1".to_owned())))), "0555 1");
        assert_eq!(shown(Some(&encoded(Value::Null))), "Null");
        assert_eq!(shown(None), "nothing");
        assert!(shown(Some(b"x")).starts_with("what cannot be read"));
    }

    #[test]
    fn times_are_compared() {
        let side = |time_ms| Side { value: "v".to_owned(), place: "p".to_owned(), time_ms };
        assert_eq!(side(5).against(&side(4)), ", newer by 1 millisecond");
        assert_eq!(side(4).against(&side(4)), ", written in the same millisecond");
        assert_eq!(side(3).against(&side(4)), ", although it is older");
    }
}
