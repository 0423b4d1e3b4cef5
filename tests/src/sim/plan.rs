//! What a seed makes: the tree of places, their clocks, how strict they are, how wild their work.

use crate::fleet::TestEntropy;

/// When the world begins: 2026-09-21, in milliseconds since 1970.
pub const BEGINNING_MS: i64 = 1_790_000_000_000;

/// The first seed in whose worlds the databases of centrals go back as well.
const CENTRALS_GO_BACK_FROM: u64 = 1_000_000;
/// The first seed in whose worlds a machine is copied instead.
const MACHINES_ARE_COPIED_FROM: u64 = 2_000_000;
const YEAR_MS: i64 = 31_556_952_000;

/// A deployment, and what is to happen to it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// The nodes' names, the ministry first.
    pub names: Vec<String>,
    /// Whose satellite each node is; the ministry's is of no meaning.
    pub centrals: Vec<usize>,
    /// How far each node's clock is off, in milliseconds.
    pub clocks_ms: Vec<i64>,
    /// Which node refuses heavy weights, if one does.
    pub strict: Option<usize>,
    /// Records in a bundle at most, by node.
    pub records_per_bundle: Vec<usize>,
    /// Records of a bundle that a node holds in memory together, by node.
    pub records_at_once: Vec<usize>,
    /// Whether people do what must be held: numbers that collide, natural keys that are corrected and used again.
    pub is_wild: bool,
    /// How many events there are before everything comes to rest.
    pub events: usize,
    /// Databases that go back to a backup.
    pub mishaps: Vec<Mishap>,
    /// A machine that is copied.
    pub twin: Option<Twin>,
}

/// A clinic's machine is copied, database and folder, and both go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twin {
    /// Which node's.
    pub node: usize,
    /// Before which event.
    pub made: usize,
    /// For how many events people work on once they know.
    pub patience: usize,
}

/// A node's database goes back to what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mishap {
    /// Which node's.
    pub node: usize,
    /// Before which event the backup is made.
    pub taken: usize,
    /// Before which event it is put back.
    pub struck: usize,
    /// Whether the node's folder goes back too.
    pub with_folder: bool,
    /// For how many events people work on once they know that something is wrong; at once, if none, also when nobody has
    /// noticed anything yet.
    pub patience: usize,
}

/// Randomness of one purpose.
#[must_use]
pub fn randomness(seed: u64, purpose: u64) -> TestEntropy {
    let mut mixed = TestEntropy(seed ^ purpose.wrapping_mul(0xD605_0B53_7A5C_9A2B));
    TestEntropy(mixed.next_u64())
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = randomness(seed, u64::MAX);
        let nodes = match random.below(100) {
            0 => 15 + random.below(36),
            1..=4 => 9 + random.below(8),
            _ => 5 + random.below(4),
        };
        let (names, centrals) = tree(&mut random, nodes);
        let clocks_ms = clocks(&mut random, nodes);
        let is_wild = random.below(2) == 0;
        let strict = (is_wild && random.below(2) == 0).then(|| random.below(nodes));
        let some = |random: &mut TestEntropy, one_in: usize, few: usize, many: usize| {
            let is_chosen = random.below(one_in) == 0;
            (0..nodes).map(|_| if is_chosen && random.below(2) == 0 { few } else { many }).collect()
        };
        let records_per_bundle = some(&mut random, 5, 3, 100_000);
        let records_at_once = some(&mut random, 5, 3, 20_000);
        let events = 60 + random.below(50) + 3 * nodes;
        let mishaps = mishaps(seed, &centrals, events);
        let twin = (seed >= MACHINES_ARE_COPIED_FROM).then(|| twin(seed, &centrals, events)).flatten();
        Self {
            seed,
            names,
            centrals,
            clocks_ms,
            strict,
            records_per_bundle,
            records_at_once,
            is_wild,
            events,
            mishaps,
            twin,
        }
    }

    /// Whether all clocks are right.
    #[must_use]
    pub fn has_sane_clocks(&self) -> bool {
        self.clocks_ms.iter().all(|clock| *clock == 0)
    }

    /// Whether some feed is split over several bundles.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.records_per_bundle.iter().any(|records| *records < 100_000)
    }

    /// Who is linked with a node.
    #[must_use]
    pub fn neighbours(&self, node: usize) -> Vec<usize> {
        let below = (1..self.names.len()).filter(|other| self.centrals[*other] == node);
        (node > 0).then(|| self.centrals[node]).into_iter().chain(below).collect()
    }

    /// The way from a node up to the ministry, both included.
    #[must_use]
    pub fn way_up(&self, node: usize) -> Vec<usize> {
        let mut way = vec![node];
        while let Some(last) = way.last().copied().filter(|last| *last > 0) {
            way.push(self.centrals[last]);
        }
        way
    }
}

/// One or two levels of districts, and clinics below them or the ministry.
fn tree(random: &mut TestEntropy, nodes: usize) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut centrals) = (vec!["ministry".to_owned()], vec![0]);
    let districts = 1 + random.below(nodes / 3);
    for district in 1..nodes {
        if district <= districts {
            // A district below another one is a second level.
            let above = if district > 1 && random.below(4) == 0 { 1 } else { 0 };
            names.push(format!("district-{district}"));
            centrals.push(above);
        } else {
            names.push(format!("clinic-{district}"));
            centrals.push(random.below(districts + 1));
        }
    }
    (names, centrals)
}

/// Six in ten worlds have clocks that are right.
fn clocks(random: &mut TestEntropy, nodes: usize) -> Vec<i64> {
    if random.below(10) < 6 {
        return vec![0; nodes];
    }
    let wrong = |random: &mut TestEntropy| match random.below(9) {
        0 => -BEGINNING_MS,
        1 => 30 * YEAR_MS - BEGINNING_MS,
        2 => 68 * YEAR_MS - BEGINNING_MS,
        3 => 70 * YEAR_MS - BEGINNING_MS,
        4 => 137 * YEAR_MS - BEGINNING_MS,
        5 => 3_600_000,
        6 => -3_600_000,
        _ => 0,
    };
    (0..nodes).map(|_| wrong(random)).collect()
}

/// In one world of four, the databases of one or two clinics go back; from a seed on, those of any nodes.
fn mishaps(seed: u64, centrals: &[usize], events: usize) -> Vec<Mishap> {
    let mut random = randomness(seed, u64::MAX - 2);
    if random.below(4) > 0 || seed >= MACHINES_ARE_COPIED_FROM {
        return Vec::new();
    }
    let is_clinic = |node: &usize| *node > 0 && !centrals[1..].contains(node);
    let nodes: Vec<usize> =
        (0..centrals.len()).filter(|node| seed >= CENTRALS_GO_BACK_FROM || is_clinic(node)).collect();
    let mishap = |random: &mut TestEntropy| {
        let taken = random.below(events * 3 / 4);
        let struck = taken + 1 + random.below(events - taken - 1);
        let (node, with_folder) = (nodes[random.below(nodes.len())], random.below(2) == 0);
        Mishap { node, taken, struck, with_folder, patience: [0, 3, 10, 30][random.below(4)] }
    };
    let count = 1 + random.below(3) / 2;
    (0..count).map(|_| mishap(&mut random)).collect()
}

/// The machine of some clinic is copied.
fn twin(seed: u64, centrals: &[usize], events: usize) -> Option<Twin> {
    let mut random = randomness(seed, u64::MAX - 3);
    let clinics: Vec<usize> = (1..centrals.len()).filter(|node| !centrals[1..].contains(node)).collect();
    let node = *clinics.get(random.below(clinics.len().max(1)))?;
    Some(Twin { node, made: random.below(events * 3 / 4), patience: [0, 3, 10, 30][random.below(4)] })
}
