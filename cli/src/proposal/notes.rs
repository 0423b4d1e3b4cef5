//! What whoever runs `init` should think about, in few sentences: of many of a kind, some are named and the others
//! counted, as `saddlebag.toml` has all of them.

use saddlebag_stores::config::{Direction, Identity};

use super::text::unique_columns;
use super::{LeftOut, TrackedProposal};

/// So many of a kind are told one by one.
const EACH_MAX: usize = 5;

/// All notes, the more urgent last, where a terminal still shows them.
pub(super) fn notes(tracked: &[TrackedProposal], left_out: &[LeftOut]) -> Vec<String> {
    let mut notes = Vec::new();
    let names = |all: &[LeftOut]| all.iter().map(|table| table.name.clone()).collect::<Vec<_>>();
    let each = |table: &LeftOut| format!("`{}` is left out: {}", table.name, table.why);
    some(&mut notes, left_out, &each, |all| format!("{} tables are left out: {}", all.len(), listed(&names(all))));
    let matched: Vec<_> = tracked.iter().filter(|table| table.direction == Direction::Match).collect();
    let each = |table: &&TrackedProposal| {
        format!("`{}` is matched: its rows stay where they are, and others may refer to them", table.name)
    };
    some(&mut notes, &matched, &each, |all| {
        let names: Vec<_> = all.iter().map(|table| table.name.clone()).collect();
        format!("{} tables are matched: their rows stay, and others may refer to them: {}", all.len(), listed(&names))
    });
    exclusions(&mut notes, tracked);
    suspects(&mut notes, tracked);
    counters(&mut notes, tracked);
    collisions(&mut notes, tracked);
    let unasked: Vec<_> = tracked.iter().filter_map(|table| table.unasked.clone()).collect();
    some(&mut notes, &unasked, &String::clone, |all| {
        format!("{} tables are known by their codes, without anybody having been asked; see saddlebag.toml", all.len())
    });
    notes
}

/// Each of them, if they are few; else all in one note.
fn some<T>(notes: &mut Vec<String>, all: &[T], each: &dyn Fn(&T) -> String, together: impl Fn(&[T]) -> String) {
    if all.len() <= EACH_MAX {
        notes.extend(all.iter().map(each));
    } else {
        notes.push(together(all));
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(EACH_MAX).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(EACH_MAX);
    format!("{} and {more} more; saddlebag.toml says why", shown.join(", "))
}

fn exclusions(notes: &mut Vec<String>, tracked: &[TrackedProposal]) {
    let of = |table: &TrackedProposal| {
        let one = |exclusion: &super::Exclusion| (table.name.clone(), exclusion.column.clone(), exclusion.why.clone());
        table.excluded.iter().map(one).collect::<Vec<_>>()
    };
    let all: Vec<_> = tracked.iter().flat_map(of).collect();
    let each =
        |(table, column, why): &(String, String, String)| format!("`{column}` of `{table}` stays at home: it {why}");
    some(notes, &all, &each, |all| {
        let names: Vec<_> = all.iter().map(|(table, column, _)| format!("{table}.{column}")).collect();
        format!("{} columns stay at home: {}", all.len(), listed(&names))
    });
}

fn suspects(notes: &mut Vec<String>, tracked: &[TrackedProposal]) {
    let all: Vec<_> = tracked.iter().flat_map(|table| &table.suspects).collect();
    let each = |suspect: &&super::Suspect| {
        format!(
            "`{}.{}` may refer to `{}`, but {}: saddlebag.toml has the line for it",
            suspect.table,
            suspect.column,
            suspect.target,
            super::text::what_speaks_against(suspect)
        )
    };
    some(notes, &all, &each, |all| {
        let names: Vec<_> = all.iter().map(|suspect| format!("{}.{}", suspect.table, suspect.column)).collect();
        format!("{} columns may refer to other tables, but their values don't show it: {}", all.len(), listed(&names))
    });
}

fn counters(notes: &mut Vec<String>, tracked: &[TrackedProposal]) {
    let of = |table: &TrackedProposal| {
        table.counters.iter().map(|column| format!("{}.{column}", table.name)).collect::<Vec<_>>()
    };
    let all: Vec<_> = tracked.iter().flat_map(of).collect();
    let each = |name: &String| {
        format!("`{name}` looks like a counter of each place: where two collide, the newcomer's shows its origin")
    };
    some(notes, &all, &each, |all| format!("{} columns look like counters of each place: {}", all.len(), listed(all)));
}

fn collisions(notes: &mut Vec<String>, tracked: &[TrackedProposal]) {
    let is_open = |columns: &&Vec<String>, table: &TrackedProposal| !matches!(columns.as_slice(), [one] if table.counters.contains(one));
    let collides = |table: &&TrackedProposal| {
        matches!(table.identity, Identity::Assigned) && table.colliding.iter().any(|columns| is_open(&columns, table))
    };
    let all: Vec<_> = tracked.iter().filter(collides).collect();
    let each = |table: &&TrackedProposal| {
        format!("`{}`: records of two places that are equal in {} will collide", table.name, unique_columns(table))
    };
    some(notes, &all, &each, |all| {
        let names: Vec<_> = all.iter().map(|table| table.name.clone()).collect();
        format!("in {} tables, records of two places may collide in unique columns: {}", all.len(), listed(&names))
    });
}
