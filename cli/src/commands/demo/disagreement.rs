//! What two clinics do to one record without having seen each other.

use saddlebag_samples::{Dice, Patient, phone_number};

use super::Demo;
use super::conflict::{self, Told};
use super::narrator::Detail;
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;

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
        self.places.hilltop.change_phone(&patient.uuid, &second)?;
        let before = before.map_or_else(|| "no telephone number".to_owned(), |phone| format!("the number `{phone}`"));
        self.narrator.tell(&format!(
            "{} has {before}. At {RIVERSIDE} it becomes `{first}`; at {HILLTOP}, where nobody has seen that, `{second}`. \
             From here on, only what is new at each visit is shown.",
            patient.name
        ))?;
        self.visit_all(&[RIVERSIDE, HILLTOP], Detail::News)?;
        let round = self.visit(MINISTRY, Exit::Part, Detail::News)?;
        self.visit_all(&[RIVERSIDE, HILLTOP], Detail::News)?;
        self.tell_of_the_conflict(round.conflicts(), &[&first, &second])?;
        self.tell_which_number_stands(&patient)?;
        let node = self.places.node(MINISTRY);
        self.narrator.command(&["--node", &node, "status"], Exit::Done, Detail::Whole)?;
        self.tell_whether_equal()
    }

    fn tell_of_the_conflict(&mut self, found: u64, phones: &[&str; 2]) -> Result<(), CommandError> {
        let kept = conflict::all(&mut self.places.ministry_node()?)?;
        let count = layout::count(found, "conflict", "conflicts");
        let [Told { what, winner, loser }] = &kept[..] else {
            let unkept = format!("the ministry found {count} and keeps {}, where there was one", kept.len());
            return self.narrator.broken(&unkept);
        };
        let mut sides = [winner, loser].map(|side| (side.value.as_str(), side.place.as_str()));
        sides.sort_by_key(|(_, place)| *place != RIVERSIDE);
        let stands = format!("The {MINISTRY} found {count}, in {what}: {winner} stands{}.", winner.against(loser));
        self.narrator.promise(
            found == 1 && sides == [(phones[0], RIVERSIDE), (phones[1], HILLTOP)],
            &format!("{stands} {loser} is not lost: it stands in the {MINISTRY}'s list of conflicts."),
            &format!("{stands} Beside it the list of conflicts holds {loser}, which is not what was changed"),
        )
    }

    fn tell_which_number_stands(&mut self, patient: &Patient) -> Result<(), CommandError> {
        let mut phones = Vec::new();
        for site in self.places.all() {
            phones.push(site.patient(&patient.uuid)?.and_then(|patient| patient.phone).unwrap_or_default());
        }
        let name = &patient.name;
        self.narrator.promise(
            phones.iter().all(|phone| *phone == phones[0]),
            &format!("At all {} places {name} now has the number `{}`.", phones.len(), phones[0]),
            &format!("at the three places {name} has the numbers {}", phones.join(", ")),
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_new_and_differ() {
        let mut dice = Dice::new(1);
        let phone = Some(phone_number(&mut Dice::new(1)));
        let patient = Patient { uuid: "u".to_owned(), name: "n".to_owned(), village: None, phone };
        let (first, second) = two_phones(&mut dice, &patient);
        assert!(first != second && patient.phone != Some(first) && patient.phone != Some(second));
    }
}
