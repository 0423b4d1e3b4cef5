//! Three places become nodes and get to know each other, by cards on the stick.

use super::Demo;
use super::narrator::{Detail, as_typed};
use super::places::{HILLTOP, MINISTRY, RIVERSIDE};
use crate::command_error::CommandError;
use crate::exit_code::Exit;
use crate::layout;

impl Demo<'_, '_> {
    pub(super) fn introduce(&mut self) -> Result<(), CommandError> {
        let folder = self.places.folder.display();
        self.narrator.tell(&format!(
            "Two clinics and a ministry have no network between them. Each has its own database, and somebody carries \
             a stick from one to the next. All of it happens now, in `{folder}`: what follows a `$` is a command as \
             you would type it, what stands below it is what it printed, and the rest is computed from what happened."
        ))
    }

    pub(super) fn found_the_places(&mut self) -> Result<(), CommandError> {
        self.narrator.chapter("Three places get to know each other")?;
        let databases = self.places.all().map(|site| format!("`{}`", site.database.display()));
        self.narrator.tell(&format!(
            "The databases {}, {} and {} belong to an application that knows nothing of saddlebag. `init` makes a node \
             of each.",
            databases[0], databases[1], databases[2]
        ))?;
        self.init(MINISTRY, Detail::Whole)?;
        self.init(RIVERSIDE, Detail::FirstSentence)?;
        self.init(HILLTOP, Detail::FirstSentence)?;
        self.narrator.tell(
            "They exchange cards. A person compares the twelve words, by telephone for example; here `--yes` takes \
             them unseen.",
        )?;
        self.card(MINISTRY, Detail::Whole)?;
        for clinic in [RIVERSIDE, HILLTOP] {
            self.take_card("join", clinic, MINISTRY)?;
            self.card(clinic, Detail::FirstSentence)?;
            self.take_card("admit", MINISTRY, clinic)?;
        }
        self.tell_who_is_linked()
    }

    fn init(&mut self, name: &str, detail: Detail) -> Result<(), CommandError> {
        let node = self.places.node(name);
        let database = format!("sqlite:{}", as_typed(self.places.folder.join(format!("{name}.db"))));
        let central: &[&str] = if name == MINISTRY { &["--central"] } else { &[] };
        let args = [&["--node", &node, "init", name], central, &["--database", &database]].concat();
        self.narrator.command(&args, Exit::Done, detail)?;
        Ok(())
    }

    fn card(&mut self, name: &str, detail: Detail) -> Result<(), CommandError> {
        let (node, stick) = (self.places.node(name), as_typed(self.places.stick()));
        self.narrator.command(&["--node", &node, "card", "--out", &stick], Exit::Done, detail)?;
        Ok(())
    }

    fn take_card(&mut self, verb: &str, at: &str, of: &str) -> Result<(), CommandError> {
        let (node, card) = (self.places.node(at), as_typed(self.places.stick().join(format!("{of}.card"))));
        self.narrator.command(&["--node", &node, verb, &card, "--yes"], Exit::Done, Detail::FirstSentence)?;
        Ok(())
    }

    fn tell_who_is_linked(&mut self) -> Result<(), CommandError> {
        let linked = self.places.ministry_node()?.links()?;
        let names: Vec<_> = linked.iter().map(|link| link.name.as_str()).collect();
        let said = format!(
            "{} linked to the ministry: {}",
            layout::count(linked.len() as u64, "clinic is", "clinics are"),
            names.join(", ")
        );
        self.narrator.promise(linked.len() == 2, &format!("{said}."), &said)
    }
}
