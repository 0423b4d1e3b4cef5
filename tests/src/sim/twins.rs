//! A machine that was copied: two go on under one name, until one of them begins a new history. What the other one has is
//! brought in at the end.

use saddlebag_formats::NodeId;

use super::mishaps::Trouble;
use super::plan::{Twin, randomness};
use super::world::World;
use crate::fleet::Backup;

/// The purpose of the randomness that says which of the two is at work.
const WHO_WORKS: u64 = 1 << 40;
/// Added to the count of looks at the journal, so that no edit of one goes into a change of the other.
const OTHERS_LOOKS: u64 = 1 << 40;

/// The machine that is not at work at present.
#[derive(Debug, Clone)]
pub struct Other {
    backup: Backup,
    absorbed: u64,
}

impl World {
    /// A machine is copied before the event with this number; later, either may be at work.
    pub(super) fn be_two(&mut self, number: usize) {
        let Some(Twin { node, made, patience }) = self.plan.twin else { return };
        if number == made {
            let backup = self.fleet.nodes[node].backup();
            self.absorbed[node] += 1;
            self.other = Some(Other { backup, absorbed: self.absorbed[node] + OTHERS_LOOKS });
            self.gone_back.push((node, self.now_ms));
            self.troubles[node] = Some(Trouble::unnoticed(patience));
            self.trace.say(format!("the machine of {} is copied", self.name(node)));
        } else if number > made && self.histories[node] == 0 {
            let mut random = randomness(self.plan.seed, WHO_WORKS + number as u64);
            if random.below(3) == 0 {
                self.swap(node);
            }
        }
    }

    /// What the other machine has is brought in at the end; says whether there is one.
    pub(super) fn bring_in_the_other(&mut self) -> bool {
        let Some(Twin { node, .. }) = self.plan.twin.filter(|_| self.other.is_some()) else { return false };
        self.swap(node);
        self.other = None;
        self.troubles[node] = Some(Trouble::unnoticed(0));
        true
    }

    /// Whether two machines wrote under the name of a node: of two values of theirs, nobody can tell whether one was seen.
    pub(super) fn is_of_twins(&self, id: NodeId) -> bool {
        self.plan.twin.is_some_and(|twin| self.fleet.nodes[twin.node].me.id == id)
    }

    fn swap(&mut self, node: usize) {
        let Some(other) = self.other.take() else { return };
        let backup = self.fleet.nodes[node].backup();
        self.other = Some(Other { backup, absorbed: self.absorbed[node] + 1 });
        self.fleet.nodes[node].put_back(&other.backup, true);
        self.wind_up(node);
        self.absorbed[node] = other.absorbed;
        self.lives[node] += 1;
        // What one has applied is new to the other.
        self.applied.retain(|(_, bundle)| bundle.to != node);
        self.trace.say(format!("the other machine of {} is at work", self.name(node)));
    }
}
