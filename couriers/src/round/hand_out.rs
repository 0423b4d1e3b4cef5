//! The second half of a round: every neighbour that lacks something gets a bundle.
//!
//! Invariant: own bundles are taken off the place only after all that should lie there was written, unless
//! there is no room for both.

use saddlebag_bundler::{ExportResult, Exported, OutboxBundle};
use saddlebag_formats::{BundleId, NodeName};
use saddlebag_stores::StoreError;
use saddlebag_stores::ledger::Link;

use super::RoundEvent;
use super::report::{BundleReport, BundleResult, RoundReport};
use crate::error::NodeError;
use crate::node::Node;
use crate::place::{FolderPlace, PlaceError, Published};

/// The links over which something may be left.
pub(super) fn receivers(node: &mut Node, to: Option<&NodeName>) -> Result<Vec<Link>, NodeError> {
    let links = node.links()?;
    let Some(name) = to else { return Ok(links) };
    let known = links.iter().map(|link| link.name.clone()).collect();
    match links.into_iter().find(|link| link.name == name.as_str()) {
        Some(link) => Ok(vec![link]),
        None => Err(NodeError::UnknownPeer { name: name.clone(), known }),
    }
}

/// Leaves at `place` what one neighbour lacks.
pub(super) fn to(
    node: &mut Node,
    place: &FolderPlace,
    link: &Link,
    report: &mut RoundReport,
    progress: &mut dyn FnMut(RoundEvent),
) -> Result<(), NodeError> {
    let receiver = name_of(link)?;
    progress(RoundEvent::Exporting { to: link.name.clone() });
    let from = node.this_node()?.name.to_string();
    let between = |bundle: BundleReport| bundle.between(from.clone(), link.name.clone());
    let exported = match node.exporter()?.export(link.id, report.dry_run) {
        Ok(exported) => exported,
        Err(error) => {
            let refused = BundleReport::new("".as_ref(), BundleResult::Refused);
            let refused = between(refused).because(error.to_string(), error.hint());
            progress(RoundEvent::Done(Box::new(refused.clone())));
            report.bundles.push(refused);
            return Ok(());
        }
    };
    if exported.bundles.is_empty() {
        report.nothing_for.push(link.name.clone());
    }
    let mut hand_out = HandOut { node, place, receiver, exported: &exported, report, progress };
    hand_out.run(&between)
}

struct HandOut<'a> {
    node: &'a Node,
    place: &'a FolderPlace,
    receiver: NodeName,
    exported: &'a Exported,
    report: &'a mut RoundReport,
    progress: &'a mut dyn FnMut(RoundEvent),
}

impl HandOut<'_> {
    fn run(&mut self, between: &dyn Fn(BundleReport) -> BundleReport) -> Result<(), NodeError> {
        let exported = self.exported;
        let mut is_complete = true;
        for bundle in &exported.bundles {
            let report = match self.put(bundle) {
                Ok((file, result)) => BundleReport::new(&file, result),
                Err(error) => {
                    is_complete = false;
                    let refused = BundleReport::new(&bundle.path, BundleResult::Refused);
                    refused.because(error.to_string(), error.hint())
                }
            };
            let (records, bytes) = (bundle.records, bundle.bytes);
            let report = BundleReport { records, bytes, ..between(report.with_header(&bundle.header)) };
            (self.progress)(RoundEvent::Done(Box::new(report.clone())));
            self.report.bundles.push(report);
        }
        if is_complete && !self.report.dry_run {
            self.clear_or_report(between)?;
        }
        Ok(())
    }

    /// Puts one bundle at the place, or finds out whether it would be.
    fn put(&mut self, bundle: &OutboxBundle) -> Result<(std::path::PathBuf, BundleResult), PlaceError> {
        let is_new = self.exported.result == ExportResult::Written;
        if self.report.dry_run {
            let stays = !is_new && self.place.has(&self.receiver, &bundle.path)?;
            let result = if stays { BundleResult::Unchanged } else { BundleResult::Written };
            return Ok((bundle.path.clone(), result));
        }
        let file = bundle.path.display().to_string();
        (self.progress)(RoundEvent::Copying { file, bytes: bundle.bytes });
        let published = match self.place.publish(&self.receiver, &bundle.path) {
            // The older ones say nothing that these do not say.
            Err(PlaceError::NoRoom { .. }) if self.clear()? > 0 => self.place.publish(&self.receiver, &bundle.path),
            other => other,
        };
        let Published { path, was_there } = published?;
        Ok((path, if is_new || !was_there { BundleResult::Written } else { BundleResult::Unchanged }))
    }

    /// Takes own bundles off the place that are superseded or acknowledged, and says how many.
    fn clear(&mut self) -> Result<usize, PlaceError> {
        // A node that exports has a deployment.
        let Ok(me) = self.node.this_node() else { return Ok(0) };
        let keep: Vec<BundleId> = self.exported.bundles.iter().map(|bundle| bundle.header.id).collect();
        let key = self.node.keys.signing.public();
        let removed = self.place.remove_superseded(&me, &key, &self.receiver, &keep)?;
        self.report.removed.extend(removed.iter().map(|path| path.display().to_string()));
        Ok(removed.len())
    }

    fn clear_or_report(&mut self, between: &dyn Fn(BundleReport) -> BundleReport) -> Result<(), NodeError> {
        if let Err(error) = self.clear() {
            let folder = self.place.folder_of(&self.receiver);
            let refused = between(BundleReport::new(&folder, BundleResult::Refused));
            self.report.bundles.push(refused.because(error.to_string(), error.hint()));
        }
        Ok(())
    }
}

fn name_of(link: &Link) -> Result<NodeName, NodeError> {
    let damaged = |error: saddlebag_formats::node_name::NodeNameError| StoreError::Damaged {
        what: "a link".to_owned(),
        reason: error.to_string(),
    };
    Ok(link.name.parse().map_err(damaged)?)
}
