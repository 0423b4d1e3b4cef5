//! What happens: people work, couriers ride, links come up, programs end, clocks jump.
//!
//! Each event draws from a randomness of its own, so that the others stay what they are when one is left out.

use super::plan::randomness;
use super::work::Work;
use super::world::{Bundle, World};
use crate::fleet::TestEntropy;
use crate::sim::look::Look;

impl World {
    /// The event with a number.
    ///
    /// # Errors
    /// What was wrong, in words.
    pub fn event(&mut self, number: usize) -> Result<(), String> {
        self.befall(number)?;
        let mut random = randomness(self.plan.seed, number as u64);
        let step_ms = 1 + i64::try_from(random.below(600_000)).unwrap_or(0);
        self.pass(step_ms);
        match random.below(100) {
            0..=54 => self.work_somewhere(number, &mut random),
            55..=69 => self.direct(&mut random)?,
            70..=84 => self.trip(&mut random)?,
            85..=87 => self.replay(&mut random)?,
            88..=90 => self.damage(&mut random)?,
            91..=95 => self.interrupt(&mut random)?,
            96 => self.unpublished(&mut random)?,
            97 => self.jump(&mut random),
            _ => {}
        }
        Ok(())
    }

    fn some_node(&self, random: &mut TestEntropy) -> usize {
        random.below(self.plan.names.len())
    }

    /// Some link, from one end or the other.
    fn some_link(&self, random: &mut TestEntropy) -> (usize, usize) {
        let node = 1 + random.below(self.plan.names.len() - 1);
        let central = self.plan.centrals[node];
        if random.below(2) == 0 { (node, central) } else { (central, node) }
    }

    fn work_somewhere(&mut self, number: usize, random: &mut TestEntropy) {
        let node = self.some_node(random);
        let look = Look::at(&self.fleet.nodes[node].app);
        let work = Work::new(&look, random, self.plan.seed, number, self.plan.is_wild);
        let (what, statements) = work.transaction();
        self.work(node, what, &statements);
    }

    /// A link is up for a while: one end speaks, perhaps the other answers.
    fn direct(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        let (from, to) = self.some_link(random);
        let turns = [(from, to), (to, from)];
        for (from, to) in turns.into_iter().take(1 + random.below(2)) {
            for bundle in self.export(from, to)?.0 {
                self.import(&bundle)?;
            }
        }
        Ok(())
    }

    /// A courier rides from one place up and down to another, and syncs at each.
    fn trip(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        let stick = random.below(self.sticks.len());
        let (from, to) = (self.some_node(random), self.some_node(random));
        let mut route = self.plan.way_up(from);
        let mut down = self.plan.way_up(to);
        down.reverse();
        route.extend(down);
        route.dedup();
        let stops = 1 + random.below(route.len());
        for node in route.into_iter().take(stops) {
            self.sync(node, stick, random)?;
        }
        if random.below(12) == 0 {
            self.sticks[stick].clear();
            self.trace.say(format!("stick {stick} is lost"));
        }
        Ok(())
    }

    fn sync(&mut self, node: usize, stick: usize, random: &mut TestEntropy) -> Result<(), String> {
        let is_disordered = random.below(3) == 0;
        let (mut arriving, carried): (Vec<Bundle>, Vec<Bundle>) =
            std::mem::take(&mut self.sticks[stick]).into_iter().partition(|bundle| bundle.to == node);
        self.sticks[stick] = carried;
        if is_disordered {
            for at in (1..arriving.len()).rev() {
                arriving.swap(at, random.below(at + 1));
            }
        } else {
            arriving.sort_by_key(|bundle| (bundle.from, bundle.header.number));
        }
        for bundle in arriving {
            for _ in 0..1 + random.below(8) / 7 {
                self.import(&bundle)?;
            }
            if random.below(4) == 0 {
                self.sticks[stick].push(bundle);
            }
        }
        for neighbour in self.plan.neighbours(node) {
            let bundles = self.export(node, neighbour)?.0;
            // "A newer bundle replaces its unacknowledged predecessor on the same stick."
            if random.below(4) > 0 {
                self.sticks[stick].retain(|other| (other.from, other.to) != (node, neighbour));
            }
            for bundle in bundles {
                if random.below(8) > 0 {
                    self.sticks[stick].push(bundle);
                }
            }
        }
        Ok(())
    }

    /// A bundle that was applied comes once more: nothing that anybody sees may change.
    fn replay(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        if self.applied.is_empty() {
            return Ok(());
        }
        let (_, bundle) = self.applied[random.below(self.applied.len())].clone();
        self.apply_again(&bundle)
    }

    /// Applies a bundle once more that was applied.
    ///
    /// # Errors
    /// When something changed by that.
    pub fn apply_again(&mut self, bundle: &Bundle) -> Result<(), String> {
        let before = self.everything(bundle.to);
        self.import(bundle)?;
        let after = self.everything(bundle.to);
        if before == after {
            return Ok(());
        }
        let (from, to, number) = (self.name(bundle.from), self.name(bundle.to), bundle.header.number.0);
        let news: Vec<_> = after.iter().filter(|line| !before.contains(line)).take(5).collect();
        Err(format!("{number} of {from} changed {to} when it came once more: {news:#?}"))
    }

    /// All that a node's database holds, but what each visit to a link leaves there.
    fn everything(&self, node: usize) -> Vec<String> {
        let mut lines = self.fleet.nodes[node].dump();
        lines.retain(|line| !line.starts_with("saddlebag_link:"));
        lines
    }

    /// A damaged bundle is refused and changes nothing.
    fn damage(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        let (from, to) = self.some_link(random);
        let Some(bundle) = self.export(from, to)?.0.pop() else { return Ok(()) };
        let mut bytes = bundle.bytes.to_vec();
        let place = random.below(1_000_000);
        // Every other time in the three lines before the payload, where there are fewer bytes to hit.
        let payload = usize::try_from(bundle.header.payload.size).unwrap_or(0);
        let range = if place.is_multiple_of(2) { bytes.len() } else { bytes.len() - payload };
        let at = place * range / 1_000_000;
        if random.below(2) == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << random.below(8);
        }
        let before = self.fleet.nodes[to].dump();
        let outcome = self.fleet.nodes[to].import(&bytes);
        self.trace.say(format!("{} gets a damaged bundle of {}", self.name(to), self.name(from)));
        if outcome.is_ok() || before != self.fleet.nodes[to].dump() {
            return Err(format!("a bundle damaged at byte {at} of {} was taken: {outcome:?}", bundle.bytes.len()));
        }
        self.sticks[0].push(bundle);
        Ok(())
    }

    /// The power goes while a node exports or imports.
    fn interrupt(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        let (from, to) = self.some_link(random);
        let range = [12, 40, 150][random.below(3)];
        let calls = 1 + random.below(range) as u64;
        if random.below(2) == 0 {
            self.interrupted(from, calls, |world| drop(world.export(from, to)));
            return self.is_sound(from);
        }
        let bundles = self.export(from, to)?.0;
        self.interrupted(to, calls, |world| {
            for bundle in &bundles {
                if world.import(bundle).is_err() {
                    break;
                }
            }
        });
        self.sticks[1].extend(bundles);
        self.is_sound(to)
    }

    /// The power goes after the database knows of a bundle, and before its file appears.
    fn unpublished(&mut self, random: &mut TestEntropy) -> Result<(), String> {
        let (from, to) = self.some_link(random);
        let (bundles, is_new) = self.export(from, to)?;
        if is_new && !bundles.is_empty() {
            self.fleet.nodes[from].empty_outbox();
            self.trace.say(format!("{} never published it", self.name(from)));
        }
        Ok(())
    }

    fn is_sound(&self, node: usize) -> Result<(), String> {
        let faults = self.fleet.nodes[node].app.faults();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(format!("the database of {} is damaged: {faults:?}", self.name(node)))
        }
    }

    /// Somebody sets a clock; where all clocks are right, they stay so.
    fn jump(&mut self, random: &mut TestEntropy) {
        let node = self.some_node(random);
        let days = i64::try_from(random.below(4_000)).unwrap_or(0) - 2_000;
        if !self.plan.has_sane_clocks() {
            self.offsets_ms[node] += days * 86_400_000;
            self.trace.say(format!("the clock of {} jumps by {days} days", self.name(node)));
            self.pass(0);
        }
    }
}
