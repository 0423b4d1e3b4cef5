//! A day's work at two clinics that know nothing of each other, and the first round of the stick.

use saddlebag_samples::shared_keys;

use super::Demo;
use super::narrator::Detail;
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use super::rounds::WHOLE_ROUND;
use crate::command_error::CommandError;

/// How many patients the first day brings to each clinic.
const PATIENTS: (usize, usize) = (14, 11);

impl Demo<'_, '_> {
    pub(super) fn work_the_first_day(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("A day's work at both clinics")?;
        let seed = self.day(0);
        for (clinic, patients) in [(&self.places.riverside, PATIENTS.0), (&self.places.hilltop, PATIENTS.1)] {
            let day = clinic.work_day(seed, patients)?;
            self.narrator.tell(&format!("At {}: {day}.", clinic.name))?;
        }
        self.tell_of_colliding_keys()
    }

    fn tell_of_colliding_keys(&mut self) -> Result<(), CommandError> {
        let keys = shared_keys(&self.places.riverside, &self.places.hilltop)?;
        let told: Vec<_> =
            keys.iter().map(|keys| format!("{} of {} in `{}`", keys.different, keys.shared, keys.table)).collect();
        let different: usize = keys.iter().map(|keys| keys.different).sum();
        self.narrator.promise(
            different > 0,
            &format!(
                "Both databases number their rows from 1. Of the integer keys that both have given, these stand for \
                 different records: {}.{}",
                told.join(", "),
                self.colliding_patient()?
            ),
            "no integer key stands for different records at the two clinics",
        )
    }

    /// Two people with one key, if there are such.
    fn colliding_patient(&self) -> Result<String, CommandError> {
        let (riverside, hilltop) = (&self.places.riverside, &self.places.hilltop);
        let others = hilltop.patients()?;
        for ours in riverside.patients()? {
            let Some(key) = riverside.patient_key(&ours.uuid)? else { continue };
            for theirs in &others {
                if theirs.uuid != ours.uuid && hilltop.patient_key(&theirs.uuid)? == Some(key) {
                    let (one, other) = (&ours.name, &theirs.name);
                    return Ok(format!(" Patient {key} is {one} at {RIVERSIDE} and {other} at {HILLTOP}."));
                }
            }
        }
        Ok(String::new())
    }

    pub(super) fn take_the_stick_round(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("The stick goes round")?;
        self.narrator
            .tell("The same command at every place: it takes in what is there for it, and leaves what others lack.")?;
        self.visit_all(&WHOLE_ROUND, Detail::Whole)?;
        self.tell_whether_equal()?;
        self.tell_of_translated_keys()
    }

    fn tell_of_translated_keys(&mut self) -> Result<(), CommandError> {
        for patient in self.places.riverside.patients()? {
            let mut keys = Vec::new();
            for site in self.places.all() {
                keys.push(site.patient_key(&patient.uuid)?);
            }
            if let [Some(riverside), Some(hilltop), Some(ministry)] = keys[..]
                && riverside != hilltop
            {
                let name = &patient.name;
                return self.narrator.tell(&format!(
                    "Each database gave its own keys: {name} is patient {riverside} at {RIVERSIDE}, {hilltop} at \
                     {HILLTOP} and {ministry} at the {MINISTRY}, and all that refers to this patient does so there too."
                ));
            }
        }
        self.narrator.broken("no patient has another key at the other clinic")
    }
}
