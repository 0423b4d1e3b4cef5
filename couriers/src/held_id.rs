//! The short ids by which people name what is held.
//!
//! Invariant: an id says nothing but which record of which table is held over which link, so it stays as long as that
//! is held, whatever else is. A uid's first digits would not do: those of one absorb share all but the last.

use saddlebag_formats::{NodeId, Uid, Value, row_hash};

/// Digits that people are shown, unless more are needed to tell two apart.
const DIGITS_SHOWN: usize = 8;

/// The id of a change held over the link to `from`, all 16 digits; a row that stays at home came from nobody.
pub(crate) fn id(from: Option<NodeId>, table: &str, uid: Uid) -> String {
    let (table, from) = (Value::Text(table.to_owned()), from.map(|from| Value::Blob(from.0.to_vec())));
    let parts = [("table", Some(&table)), ("from", from.as_ref())];
    let hash = row_hash(uid, parts.into_iter().filter_map(|(name, value)| Some((name, value?))));
    format!("{hash:016x}")
}

/// How many digits tell these ids apart.
pub(crate) fn digits(ids: &[String]) -> usize {
    let mut sorted: Vec<&str> = ids.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let common = |pair: &[&str]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    sorted.windows(2).map(|pair| common(pair) + 1).max().unwrap_or(0).max(DIGITS_SHOWN)
}

/// What somebody typed, without what makes no difference.
pub(crate) fn normal(typed: &str) -> String {
    typed.trim().chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_table_and_link_all_count() {
        let (node, uid) = (NodeId([1; 16]), Uid([7; 16]));
        let known = id(Some(node), "patient", uid);
        assert_eq!(known, id(Some(node), "patient", uid));
        assert_eq!(known.len(), 16);
        for other in [
            id(Some(NodeId([2; 16])), "patient", uid),
            id(None, "patient", uid),
            id(Some(node), "visit", uid),
            id(Some(node), "patient", Uid([8; 16])),
        ] {
            assert_ne!(known, other);
        }
    }

    #[test]
    fn as_many_digits_are_shown_as_tell_them_apart() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(digits(&[]), 8);
        assert_eq!(digits(&ids(&["00000000aaaaaaaa", "10000000aaaaaaaa"])), 8);
        assert_eq!(digits(&ids(&["00000000aaaaaaaa", "f000000000000000", "00000000abaaaaaa"])), 10);
    }

    #[test]
    fn hyphens_and_case_make_no_difference() {
        assert_eq!(normal(" 00AB-cd "), "00abcd");
    }
}
