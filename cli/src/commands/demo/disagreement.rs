//! What two places do to one record without having seen each other, and what one of them deletes.

use saddlebag_couriers::Node;
use saddlebag_formats::row_state_bytes::decode_values;
use saddlebag_formats::{NodeId, Value};
use saddlebag_samples::{Dice, Patient, phone_number};
use saddlebag_stores::Access;
use saddlebag_stores::ledger::{Conflict, ConflictSide};

use super::Demo;
use super::narrator::Detail;
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;

/// A conflict as a person would tell of it.
#[derive(Debug)]
struct Told {
    what: String,
    winner: Side,
    loser: Side,
}

#[derive(Debug)]
struct Side {
    value: String,
    place: String,
    time_ms: i64,
}

impl Demo<'_, '_> {
    pub(super) fn disagree(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("Two clinics disagree")?;
        let mut dice = Dice::for_site("two telephones", self.seed);
        let all = self.places.riverside.patients()?;
        if all.is_empty() {
            return self.narrator.broken("no patient is known at both clinics");
        }
        let patient = dice.pick(&all).clone();
        let (first, second) = two_phones(&mut dice, &patient);
        let before = self.places.riverside.change_phone(&patient.uuid, &first)?;
        let before = before.map_or_else(|| "no telephone number".to_owned(), |phone| format!("the number {phone}"));
        self.places.hilltop.change_phone(&patient.uuid, &second)?;
        self.narrator.tell(&format!(
            "{} has {before}. {RIVERSIDE} changes that to {first}, and {HILLTOP}, which has not seen it, to {second}. \
             (From here on, of each visit only the news are shown.)",
            patient.name
        ))?;
        self.visit_all(&[RIVERSIDE, HILLTOP], Detail::News)?;
        let round = self.visit(MINISTRY, Exit::Part, Detail::News)?;
        self.visit_all(&[RIVERSIDE, HILLTOP], Detail::News)?;
        self.tell_of_the_conflict(&patient, round.conflicts())?;
        self.tell_whether_equal()
    }

    fn tell_of_the_conflict(&mut self, patient: &Patient, found: u64) -> Result<(), CommandError> {
        let conflicts = self.conflicts_at_the_ministry()?;
        let count = layout::count(found, "conflict", "conflicts");
        let (found, told) = match &conflicts[..] {
            [told] if found == 1 => (count, told),
            _ => {
                let kept = conflicts.len();
                let unkept = format!("the ministry found {count} and keeps {kept}, where there was one");
                return self.narrator.broken(&unkept);
            }
        };
        let Told { what, winner, loser } = told;
        self.narrator.tell(&format!(
            "The {MINISTRY} found {found}, in {what}. {} of {} stands{}. {} of {} is not lost: it is kept in the \
             {MINISTRY}'s list of conflicts, for a person to decide.",
            winner.value,
            winner.place,
            because(winner, loser),
            loser.value,
            loser.place
        ))?;
        let mut phones = Vec::new();
        for site in self.places.all() {
            phones.push(site.patient(&patient.uuid)?.and_then(|patient| patient.phone).unwrap_or_default());
        }
        let (name, phone) = (&patient.name, &winner.value);
        self.narrator.promise(
            phones.iter().all(|known| known == phone),
            &format!("At all {} places {name} now has the number {phone}.", phones.len()),
            &format!("{name} has the numbers {}", phones.join(", ")),
        )
    }

    /// The ministry's node.
    pub(super) fn ministry(&self) -> Result<Node, CommandError> {
        Ok(Node::open(&self.places.folder.join(MINISTRY))?)
    }

    fn conflicts_at_the_ministry(&self) -> Result<Vec<Told>, CommandError> {
        let mut node = self.ministry()?;
        let links = node.links()?;
        node.store.begin(Access::Read)?;
        let conflicts = node.store.conflicts()?;
        node.store.commit()?;
        let name = |id: NodeId| links.iter().find(|link| link.peer == id).map(|link| link.name.clone());
        let name = |id: NodeId| name(id).unwrap_or_else(|| MINISTRY.to_owned());
        Ok(conflicts.iter().map(|conflict| told(conflict, &name)).collect())
    }

    pub(super) fn delete_an_entry(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A mistaken entry is deleted")?;
        let Some(entry) = self.places.riverside.delete_mistaken_entry(self.day(1))? else {
            return self.narrator.broken("there was no entry to delete");
        };
        let count = |demo: &Self| -> Result<Vec<usize>, CommandError> {
            demo.places.all().iter().map(|site| Ok(site.entries_like(&entry)?)).collect()
        };
        let before = count(self)?;
        let (name, value, patient) = (&entry.name, &entry.value, &entry.patient);
        self.narrator.tell(&format!("{RIVERSIDE} deletes `{name}: {value}`, entered for {patient} by mistake."))?;
        self.visit_all(&[RIVERSIDE, MINISTRY, HILLTOP], Detail::News)?;
        let after = count(self)?;
        let is_gone = before == [after[0], after[0] + 1, after[0] + 1] && after.iter().all(|count| *count == after[0]);
        let counted = |counts: &[usize]| counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let (before, after) = (counted(&before), counted(&after));
        self.narrator.promise(
            is_gone,
            &format!(
                "Such entries at {RIVERSIDE}, {HILLTOP} and {MINISTRY}: {before} before the stick came, {after} after."
            ),
            &format!("of such entries there were {before} before the stick came, and {after} after"),
        )?;
        self.tell_whether_equal()
    }
}

/// Two numbers, neither of them the patient's.
fn two_phones(dice: &mut Dice, patient: &Patient) -> (String, String) {
    let mut other_than = |known: &[&str]| {
        let mut phone = phone_number(dice);
        while known.contains(&phone.as_str()) {
            phone = phone_number(dice);
        }
        phone
    };
    let before = patient.phone.as_deref().unwrap_or_default();
    let first = other_than(&[before]);
    let second = other_than(&[before, &first]);
    (first, second)
}

fn told(conflict: &Conflict, name: &dyn Fn(NodeId) -> String) -> Told {
    let side = |side: &ConflictSide| Side {
        value: shown(side),
        place: name(side.version.writer.node),
        time_ms: side.version.time.0,
    };
    let what = match &conflict.column {
        Some(column) => format!("`{column}` of a {}", conflict.table),
        None => format!("whether a {} is deleted", conflict.table),
    };
    Told { what, winner: side(&conflict.winner), loser: side(&conflict.loser) }
}

fn shown(side: &ConflictSide) -> String {
    let values = side.value.as_deref().map(decode_values);
    match values {
        None => "nothing".to_owned(),
        Some(Ok(values)) => match values.first() {
            Some((_, Value::Text(text))) => text.clone(),
            Some((_, value)) => format!("{value:?}"),
            None => "nothing".to_owned(),
        },
        Some(Err(_)) => "something unreadable".to_owned(),
    }
}

fn because(winner: &Side, loser: &Side) -> String {
    match winner.time_ms - loser.time_ms {
        later @ 1.. => {
            format!(", which is newer by {}", layout::count(later.unsigned_abs(), "millisecond", "milliseconds"))
        }
        0 => ", which was written in the same millisecond: the higher node id decides".to_owned(),
        _ => ", although it is older".to_owned(),
    }
}
