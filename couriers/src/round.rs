//! `sync`, `export`, `import`: everything for this node is taken in, and everybody who lacks something gets it.
//!
//! Invariant: one bundle that is refused, or one neighbour that cannot be written to, stops only itself; what
//! became of each stands in the report.

mod hand_out;
mod report;
mod take_in;

use std::path::{Path, PathBuf};

use saddlebag_formats::NodeName;

use crate::after_import::AfterImport;
use crate::error::NodeError;
use crate::health::clock_doubt;
use crate::node::Node;
use crate::place::{self, FolderPlace};
use take_in::TakeIn;

pub use report::{BundleReport, BundleResult, RoundReport};

/// Which parts of a round are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundOptions {
    /// Only to find out what would be done.
    pub dry_run: bool,
    /// Whether bundles are taken in.
    pub import: bool,
    /// Whether bundles are left for others.
    pub export: bool,
    /// The only neighbour to leave something for; all if none.
    pub to: Option<NodeName>,
}

impl Default for RoundOptions {
    /// A whole round.
    fn default() -> Self {
        Self { dry_run: false, import: true, export: true, to: None }
    }
}

/// How far a round is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoundEvent {
    /// A bundle is taken in.
    Importing {
        /// Its file.
        file: String,
        /// Which one it is, from 1.
        at: usize,
        /// Of how many.
        of: usize,
    },
    /// Bundles for a neighbour are made.
    Exporting {
        /// Its name.
        to: String,
    },
    /// A bundle is copied to the place and read back.
    Copying {
        /// Its file.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// It is known what became of a bundle.
    Done(Box<BundleReport>),
}

/// A round over a folder or a stick: first everything is taken in, then everybody gets what he lacks.
///
/// # Errors
/// [`NodeError::Place`] if the place cannot be used, [`NodeError::NoDeployment`], [`NodeError::UnknownPeer`],
/// [`NodeError::Store`] if the database is in use. What was done before stays done.
pub fn sync(
    node: &mut Node,
    place: &Path,
    options: &RoundOptions,
    progress: &mut dyn FnMut(RoundEvent),
) -> Result<RoundReport, NodeError> {
    let place = FolderPlace::open(place)?;
    let me = node.this_node()?;
    let receivers = hand_out::receivers(node, options.to.as_ref())?;
    let mut report = RoundReport::new(options.dry_run);
    let doubt_before = clock_doubt(node)?;
    let mut after = AfterImport::of(node);
    let mut both_halves = || {
        if options.import {
            let scan = place.scan(&me.name)?;
            report.foreign += scan.foreign;
            report.is_truncated |= scan.is_truncated;
            let taken_in = TakeIn::new(node, &mut after, &mut report, progress)?.run(scan.candidates);
            after.note(node.clock.now());
            taken_in?;
        }
        if options.export {
            for link in &receivers {
                hand_out::to(node, &place, link, &mut report, progress)?;
            }
        }
        Ok(())
    };
    let done = both_halves();
    report.clock = Some(node.clock.now());
    report.clock_doubt = doubt_before.or(clock_doubt(node)?);
    // Last, and whatever became of the rest: who waits with a stick has it by now.
    if options.import && !options.dry_run {
        report.hooks = after.tell(&*node.clock);
    }
    done.map(|()| report)
}

/// Takes in single files, wherever they lie, and what waits in the inbox.
///
/// # Errors
/// As [`sync`].
pub fn import_files(node: &mut Node, files: &[PathBuf], dry_run: bool) -> Result<RoundReport, NodeError> {
    let mut report = RoundReport::new(dry_run);
    let candidates = files.iter().map(|file| place::look(file)).collect();
    let doubt_before = clock_doubt(node)?;
    let mut after = AfterImport::of(node);
    let done = TakeIn::new(node, &mut after, &mut report, &mut |_| ())?.run(candidates);
    report.clock = Some(node.clock.now());
    report.clock_doubt = doubt_before.or(clock_doubt(node)?);
    if !dry_run {
        report.hooks = after.tell(&*node.clock);
    }
    done.map(|()| report)
}
