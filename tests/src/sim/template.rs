//! Databases that are set up once, for every node of every seed to begin with a copy.

use super::schema::{LAX_WEIGHT, SCHEMA, STRICT_WEIGHT, TRACKED};
use crate::engines::SQLITE;
use crate::fleet::{Fleet, FleetPlan, Template};

/// The two schemas of the simulated world, set up.
#[derive(Debug)]
pub struct Templates {
    /// Takes every weight.
    pub lax: Template,
    /// Refuses heavy ones.
    pub strict: Template,
}

impl Templates {
    /// Makes both.
    ///
    /// # Panics
    /// When they cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let template = |schema: &str| {
            let plan = FleetPlan { names: &["template"], tables: TRACKED, seed: 0, engines: SQLITE };
            let fleet = Fleet::new(&plan, |_, app| app.execute_batch(schema).unwrap());
            fleet.nodes[0].template()
        };
        Self { lax: template(SCHEMA), strict: template(&SCHEMA.replace(LAX_WEIGHT, STRICT_WEIGHT)) }
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}
