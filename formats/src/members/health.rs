//! Member `health`: how the sender does, in every bundle.

use serde::{Deserialize, Serialize};

use crate::bounded::Bounded;
use crate::codec::{self, CodecError};
use crate::ids::TimeMs;

/// How the sender was when it wrote the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Its saddlebag: `saddlebag 0.1.0`.
    pub software: String,
    /// Its clock.
    pub clock: TimeMs,
    /// Records not yet exported.
    pub waiting: u64,
    /// Records parked there.
    pub parked: u64,
    /// Records quarantined there.
    pub quarantined: u64,
    /// Conflicts that stand there.
    pub conflicts: u64,
    /// Tables whose triggers were found missing.
    pub triggers_missing: Vec<String>,
    /// Free space on the disk of its folder; none if it could not be told.
    pub free_bytes: Option<u64>,
    /// How far its log goes; none if nothing is in it.
    pub log: Option<ToldLog>,
}

/// How far a node's log goes: whoever was told so notices when its end is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldLog {
    /// The number of its last entry.
    pub number: u64,
    /// The first half of that entry's hash.
    pub hash: [u8; 16],
}

impl Health {
    /// The bytes of the member, in which a node also keeps what its neighbours told.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&HealthMember::V1(HealthV1::from(self)))
    }

    /// The health whose bytes these are.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let HealthMember::V1(wire) = codec::decode(bytes)?;
        Ok(wire.into())
    }
}

#[derive(Serialize, Deserialize)]
enum HealthMember {
    V1(HealthV1),
}

#[derive(Serialize, Deserialize)]
struct HealthV1 {
    software: String,
    clock: i64,
    waiting: u64,
    parked: u64,
    quarantined: u64,
    conflicts: u64,
    triggers_missing: Bounded<String, { crate::limits::TABLES_PER_MEMBER_MAX }>,
    free_bytes: Option<u64>,
    log: Option<(u64, [u8; 16])>,
}

impl From<&Health> for HealthV1 {
    fn from(health: &Health) -> Self {
        let mut triggers_missing = health.triggers_missing.clone();
        triggers_missing.truncate(crate::limits::TABLES_PER_MEMBER_MAX);
        Self {
            software: health.software.clone(),
            clock: health.clock.0,
            waiting: health.waiting,
            parked: health.parked,
            quarantined: health.quarantined,
            conflicts: health.conflicts,
            triggers_missing: Bounded(triggers_missing),
            free_bytes: health.free_bytes,
            log: health.log.map(|log| (log.number, log.hash)),
        }
    }
}

impl From<HealthV1> for Health {
    fn from(wire: HealthV1) -> Self {
        Self {
            software: wire.software,
            clock: TimeMs(wire.clock),
            waiting: wire.waiting,
            parked: wire.parked,
            quarantined: wire.quarantined,
            conflicts: wire.conflicts,
            triggers_missing: wire.triggers_missing.0,
            free_bytes: wire.free_bytes,
            log: wire.log.map(|(number, hash)| ToldLog { number, hash }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back() {
        let health = Health {
            software: "saddlebag 0.1.0".into(),
            clock: TimeMs(-5),
            waiting: 1,
            parked: 2,
            quarantined: 3,
            conflicts: 4,
            triggers_missing: vec!["patient".into()],
            free_bytes: Some(1 << 40),
            log: Some(ToldLog { number: 300, hash: [9; 16] }),
        };
        assert_eq!(Health::decode(&health.encode()), Ok(health));
    }
}
