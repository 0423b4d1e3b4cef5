//! The first half of a round: every bundle for this node is taken in, in the order of its sender's stream.
//!
//! Invariant: a file of others is only read. What came too early is kept in the inbox and tried again at every
//! import.

use saddlebag_formats::header::{BundleHeader, KeyId};
use saddlebag_formats::log_entry::BY_ITSELF;
use saddlebag_formats::{Head, LogEntry, LogKind, NodeId};
use saddlebag_importer::{Applied, ImportError, ImportResult, OtherHistory};
use saddlebag_keys::files::{self, FileError};
use saddlebag_keys::this_node::ThisNode;
use saddlebag_keys::trust::Peer;
use saddlebag_keys::{Card, HeadRefusal, verify_head};
use saddlebag_stores::ledger::Link;
use saddlebag_stores::{Access, StoreError};

use super::RoundEvent;
use super::report::{BundleReport, BundleResult, RoundReport};
use crate::admission;
use crate::after_import::AfterImport;
use crate::error::NodeError;
use crate::inbox::Inbox;
use crate::node::Node;
use crate::place::{Candidate, Look};
use crate::transaction::transaction;

pub(super) struct TakeIn<'a> {
    node: &'a mut Node,
    me: ThisNode,
    links: Vec<Link>,
    inbox: Inbox,
    after: &'a mut AfterImport,
    report: &'a mut RoundReport,
    progress: &'a mut dyn FnMut(RoundEvent),
}

impl<'a> TakeIn<'a> {
    pub(super) fn new(
        node: &'a mut Node,
        after: &'a mut AfterImport,
        report: &'a mut RoundReport,
        progress: &'a mut dyn FnMut(RoundEvent),
    ) -> Result<Self, NodeError> {
        let (me, links, inbox) = (node.this_node()?, node.links()?, Inbox::of(&node.folder));
        Ok(Self { node, me, links, inbox, after, report, progress })
    }

    /// Takes in `candidates` and what waits in the inbox.
    pub(super) fn run(mut self, mut candidates: Vec<Candidate>) -> Result<(), NodeError> {
        candidates.extend(self.inbox.list()?);
        candidates.sort_by_cached_key(Candidate::order);
        let of = candidates.len();
        let mut early = Vec::new();
        for (index, candidate) in candidates.into_iter().enumerate() {
            let file = candidate.path.display().to_string();
            (self.progress)(RoundEvent::Importing { file, at: index + 1, of });
            match self.take_in(&candidate)? {
                Some(report) if report.result == BundleResult::Waiting => early.push((candidate, report)),
                Some(report) => self.done(report),
                None => self.report.foreign += 1,
            }
        }
        self.try_again(early)?;
        if !self.report.dry_run {
            self.retry_held()?;
            self.node.reload_deployment()?;
            self.report.entries = admission::after_import(self.node)?;
        }
        Ok(())
    }

    /// Tries what came too early once more: a later bundle may have said all that it says. What it lacks itself
    /// would have come before it, in the order of the stream.
    fn try_again(&mut self, early: Vec<(Candidate, BundleReport)>) -> Result<(), NodeError> {
        for (candidate, before) in early {
            let again = if self.report.dry_run { None } else { self.take_in(&candidate)? };
            self.done(again.unwrap_or(before));
        }
        Ok(())
    }

    /// What is held may have waited for something that was entered here since, though no bundle came.
    fn retry_held(&mut self) -> Result<(), NodeError> {
        self.after.begin();
        if let Some(tally) = self.node.importer()?.retry_held_after_changes()? {
            self.after.changed(&tally.tables);
            self.report.settled_later = tally.settled;
        }
        Ok(())
    }

    fn done(&mut self, report: BundleReport) {
        (self.progress)(RoundEvent::Done(Box::new(report.clone())));
        self.report.bundles.push(report);
    }

    /// Takes in one file; none if it is for others.
    fn take_in(&mut self, candidate: &Candidate) -> Result<Option<BundleReport>, NodeError> {
        let header = candidate.head().map(|head| head.header.clone());
        if header.as_ref().is_some_and(|header| header.to != self.me.id || header.deployment != self.me.deployment) {
            return Ok(None);
        }
        let header = header.as_ref();
        let (reason, hint) = match &candidate.look {
            Look::Whole(head) => return self.import(candidate, head),
            Look::Incomplete(_) => (
                "the file is incomplete: it may still be on its way, and will be tried again".to_owned(),
                Some("wait until copying has ended; if this stays so, let the sender copy it again"),
            ),
            Look::Overlong(_) => (
                "the file is longer than its header says: something was added to it".to_owned(),
                Some("copy it again from the sender"),
            ),
            Look::Unreadable(error) => (error.to_string(), Some(error.hint())),
            Look::Failed(error) => (error.to_string(), error.hint()),
        };
        if matches!(candidate.look, Look::Overlong(_) | Look::Unreadable(_)) {
            self.log_refusal(candidate, header, &reason)?;
        }
        Ok(Some(self.begin(candidate, header, BundleResult::Refused).because(reason, hint)))
    }

    fn import(&mut self, candidate: &Candidate, head: &Head) -> Result<Option<BundleReport>, NodeError> {
        let header = &head.header;
        // Before more than three lines are read of what anybody may have put there (THREATS.md, A27). The importer
        // checks the very bytes that it applies once more.
        if let Err(refusal) = self.check_head(head) {
            return self.refused(candidate, header, &refusal.into());
        }
        let bytes = match files::read_bounded(&candidate.path, candidate.bytes) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Some(self.unread(candidate, header, &error))),
        };
        let dry_run = self.report.dry_run;
        if !dry_run {
            self.after.begin();
        }
        match self.node.importer()?.import(&bytes, dry_run) {
            Ok(applied) => self.applied(candidate, &applied, &bytes).map(Some),
            // Every other bundle would have to wait as long.
            Err(ImportError::Store(error @ StoreError::Busy { .. })) => Err(error.into()),
            Err(error) => self.refused(candidate, header, &error),
        }
    }

    fn check_head(&self, head: &Head) -> Result<(), HeadRefusal> {
        let peer = |id: NodeId, _: KeyId| {
            let link = self.links.iter().find(|link| link.peer == id)?;
            Card::parse(&link.card).ok().map(|card| Peer::from(&card))
        };
        verify_head(head.clone(), self.me.deployment, Some(self.me.id), peer).map(|_| ())
    }

    fn applied(&mut self, candidate: &Candidate, applied: &Applied, bytes: &[u8]) -> Result<BundleReport, NodeError> {
        let header = &applied.header;
        let (result, reason) = match &applied.result {
            ImportResult::Applied => {
                (BundleResult::Applied, applied.history.map(|history| history_words(history).to_owned()))
            }
            ImportResult::Already => (BundleResult::Already, None),
            ImportResult::Waiting { missing_after, applied: so_far } => {
                let reason = format!(
                    "it follows change {missing_after} of {}, and here only those up to {so_far} have come",
                    applied.from
                );
                (BundleResult::Waiting, Some(reason))
            }
        };
        match result {
            _ if self.report.dry_run => {}
            BundleResult::Applied => {
                self.after.changed(&applied.tally.tables);
                self.inbox.remove(header.id)?;
            }
            BundleResult::Waiting => self.inbox.keep(header.id, bytes)?,
            _ => self.inbox.remove(header.id)?,
        }
        let (tally, report) = (&applied.tally, self.begin(candidate, Some(header), result));
        let report = BundleReport {
            from: applied.from.to_string(),
            records: tally.records,
            conflicts: tally.conflicts,
            parked: tally.parked,
            quarantined: tally.quarantined,
            settled: tally.settled,
            ..report.with_clocks(header.created, self.node.clock.now())
        };
        let hint = "bring the bundle before it too; the sender sends again what was not acknowledged";
        let hint = Some(hint).filter(|_| result == BundleResult::Waiting);
        Ok(match reason {
            Some(reason) => report.because(reason, hint),
            None => report,
        })
    }

    fn refused(
        &mut self,
        candidate: &Candidate,
        header: &BundleHeader,
        error: &ImportError,
    ) -> Result<Option<BundleReport>, NodeError> {
        if error.is_foreign() {
            return Ok(None);
        }
        // It would be refused at every import from now on; its sender has it as long as it is not acknowledged.
        if self.inbox.holds(&candidate.path) && !self.report.dry_run && !matches!(error, ImportError::Store(_)) {
            self.inbox.remove(header.id)?;
        }
        // What the database could not do says nothing of the bundle, which will be tried again.
        if !matches!(error, ImportError::Store(_)) {
            self.log_refusal(candidate, Some(header), &error.to_string())?;
        }
        let report = self.begin(candidate, Some(header), BundleResult::Refused);
        Ok(Some(report.because(error.to_string(), error.hint())))
    }

    /// Enters a refusal in the log; the same file is not entered again at each round for the same reason.
    fn log_refusal(
        &mut self,
        candidate: &Candidate,
        header: Option<&BundleHeader>,
        reason: &str,
    ) -> Result<(), NodeError> {
        if self.report.dry_run {
            return Ok(());
        }
        let file = candidate.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let entry = LogEntry::by_itself(LogKind::REFUSED, self.node.clock.now()).because(reason);
        let entry = entry.with("file", file.unwrap_or_default());
        let entry = match header {
            // Who it says it is from: its signature may be what was refused.
            Some(header) => entry
                .about_peer(&self.name_of(header.from))
                .with("number", header.number.0)
                .with("id", header.id.to_string()),
            None => entry,
        };
        let entry = entry.bounded(BY_ITSELF);
        transaction(&mut *self.node.store, Access::Write, |store| match store.is_refusal_logged(&entry)? {
            true => Ok(()),
            false => Ok(store.log(&[entry])?),
        })
    }

    fn unread(&self, candidate: &Candidate, header: &BundleHeader, error: &FileError) -> BundleReport {
        let report = self.begin(candidate, Some(header), BundleResult::Refused);
        report.because(error.to_string(), error.hint())
    }

    fn begin(&self, candidate: &Candidate, header: Option<&BundleHeader>, result: BundleResult) -> BundleReport {
        let report = BundleReport { bytes: candidate.bytes, ..BundleReport::new(&candidate.path, result) };
        match header {
            Some(header) => {
                let (from, to) = (self.name_of(header.from), self.me.name.to_string());
                report.with_header(header).between(from, to)
            }
            None => report,
        }
    }

    fn name_of(&self, id: NodeId) -> String {
        let listed = self.node.deployment.as_ref().and_then(|(_, nodes)| nodes.list().node(id));
        let linked = self.links.iter().find(|link| link.peer == id).map(|link| link.name.clone());
        linked.or_else(|| listed.map(|node| node.name.to_string())).unwrap_or_else(|| id.to_string())
    }
}

/// What people are told of a bundle that did not simply follow the one before it.
fn history_words(history: OtherHistory) -> &'static str {
    match history {
        OtherHistory::Anew => {
            "its sender has begun a new history: its database was restored, copied or replaced; both ends tell each other \
             what the other one lacks"
        }
        OtherHistory::Late => "it is of a history that its sender has left; what it brings was taken all the same",
    }
}
