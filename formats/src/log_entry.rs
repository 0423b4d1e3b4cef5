//! One entry of a node's log, and the hash that chains it to the one before.
//!
//! Invariant: an entry holds no value of a record: names of tables and columns, uids, versions and counts only. Every
//! text in it is bounded, so that no event makes the log grow by more than some kilobytes.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::codec;
use crate::ids::{TimeMs, Uid};

/// Bytes of one text of an entry at most; what is longer is cut, and ends with an ellipsis.
pub const LOG_TEXT_BYTES_MAX: usize = 1_000;

/// Who is named where nobody else did it: the program by itself.
pub const BY_ITSELF: &str = "saddlebag";

/// What kind of event an entry is about, in a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogKind(Cow<'static, str>);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)+) => {
        impl LogKind {
            $($(#[$doc])* pub const $name: Self = Self(Cow::Borrowed($word));)+

            /// All that this version writes.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

kinds! {
    /// A node came to be.
    INIT = "init";
    /// Triggers and row states were brought in line with `saddlebag.toml`.
    SETUP = "setup";
    /// This node became a satellite, or took a newer card of its central.
    JOIN = "join";
    /// This node took a satellite.
    ADMIT = "admit";
    /// A newer list of the deployment's nodes was taken.
    NODES = "nodes";
    /// Keys were changed or revoked.
    KEYS = "keys";
    /// A new epoch was begun.
    REJOIN = "rejoin";
    /// A node that a district admitted: its entry came, was listed or refused.
    ENTRY = "entry";
    /// A bundle was made.
    MADE = "made";
    /// A bundle was applied.
    APPLIED = "applied";
    /// A bundle was refused.
    REFUSED = "refused";
    /// Two values, or an edit and a deletion, disagreed; it was decided by rule.
    CONFLICT = "conflict";
    /// A person decided a conflict.
    RESOLVED = "resolved";
    /// A change waits for a record that it refers to.
    PARKED = "parked";
    /// A change that cannot stand here is kept.
    QUARANTINED = "quarantined";
    /// What was held is not held any more.
    SETTLED = "settled";
    /// A person had everything tried again that is held.
    RETRIED = "retried";
    /// A person let a held change go.
    DROPPED = "dropped";
    /// A person said that a held record is the same as another one.
    SAME_AS = "same-as";
    /// A neighbour told what became of a change of this node.
    RECEIPT = "receipt";
    /// What had gone past the triggers was taken as edits.
    REPAIR = "repair";
    /// Triggers were missing and were made again.
    TRIGGERS = "triggers";
    /// A neighbour's log has become shorter, or another one.
    LOG = "log";
}

impl LogKind {
    /// The kind of this word, also one of another version.
    #[must_use]
    pub fn named(word: &str) -> Self {
        let known = Self::ALL.iter().find(|kind| kind.as_str() == word);
        known.cloned().unwrap_or_else(|| Self(Cow::Owned(word.to_owned())))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An event, as it is entered in the log.
///
/// ```
/// use saddlebag_formats::{LogEntry, LogHash, LogKind, TimeMs};
/// let entry = LogEntry::by_peer(LogKind::APPLIED, TimeMs(5), "clinic-07").with("number", 17).with("records", 3);
/// assert_eq!(entry.what, r#"{"number":17,"records":3}"#);
/// assert_ne!(entry.hash(1, LogHash::NONE), entry.hash(2, LogHash::NONE));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When, by this node's clock.
    pub at: TimeMs,
    /// What kind of event.
    pub kind: LogKind,
    /// Who: the system's user, a neighbour's name, or [`BY_ITSELF`]. Empty for the user, whose name the store knows.
    pub who: String,
    /// The neighbour that it is about.
    pub peer: Option<String>,
    /// The table of the record that it is about.
    pub table: Option<String>,
    /// The record that it is about.
    pub uid: Option<Uid>,
    /// The column that it is about.
    pub column: Option<String>,
    /// Details: a JSON object of numbers and short texts; empty if there are none.
    pub what: String,
    /// Why, in words; empty where that goes without saying.
    pub why: String,
}

impl LogEntry {
    fn new(kind: LogKind, at: TimeMs, who: &str) -> Self {
        Self {
            at,
            kind,
            who: who.to_owned(),
            peer: None,
            table: None,
            uid: None,
            column: None,
            what: String::new(),
            why: String::new(),
        }
    }

    /// What a person did.
    #[must_use]
    pub fn by_user(kind: LogKind, at: TimeMs) -> Self {
        Self::new(kind, at, "")
    }

    /// What saddlebag did by itself.
    #[must_use]
    pub fn by_itself(kind: LogKind, at: TimeMs) -> Self {
        Self::new(kind, at, BY_ITSELF)
    }

    /// What came from a neighbour.
    #[must_use]
    pub fn by_peer(kind: LogKind, at: TimeMs, name: &str) -> Self {
        Self::new(kind, at, name).about_peer(name)
    }

    /// The same, about a neighbour.
    #[must_use]
    pub fn about_peer(self, name: &str) -> Self {
        Self { peer: Some(name.to_owned()), ..self }
    }

    /// The same, about a record.
    #[must_use]
    pub fn about(self, table: &str, uid: Uid) -> Self {
        Self { uid: Some(uid), ..self.about_table(table) }
    }

    /// The same, about a table.
    #[must_use]
    pub fn about_table(self, table: &str) -> Self {
        Self { table: Some(table.to_owned()), ..self }
    }

    /// The same, about a column of its record.
    #[must_use]
    pub fn about_column(self, column: Option<&str>) -> Self {
        Self { column: column.map(str::to_owned), ..self }
    }

    /// The same, with the reason in words.
    #[must_use]
    pub fn because(self, why: &str) -> Self {
        Self { why: why.to_owned(), ..self }
    }

    /// The same, with one more detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        let mut details = self.details();
        details.insert(name.to_owned(), value.into());
        self.what = serde_json::Value::Object(details).to_string();
        self
    }

    /// The details; none if they cannot be read.
    #[must_use]
    pub fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(&self.what).unwrap_or_default()
    }

    /// The same as it is written: by this user where a person did it, every text within its bound and without a NUL,
    /// which PostgreSQL cannot keep.
    #[must_use]
    pub fn bounded(self, user: &str) -> Self {
        let who = if self.who.is_empty() { user } else { &self.who };
        Self {
            at: self.at,
            kind: self.kind,
            who: bounded(who),
            peer: self.peer.as_deref().map(bounded),
            table: self.table.as_deref().map(bounded),
            uid: self.uid,
            column: self.column.as_deref().map(bounded),
            // Cut anywhere else it would be no JSON any more.
            what: if self.what.len() > LOG_TEXT_BYTES_MAX { String::new() } else { bounded(&self.what) },
            why: bounded(&self.why),
        }
    }

    /// The hash of this entry under a number: SHA-256 over the hash of the entry before and its own canonical bytes.
    #[must_use]
    pub fn hash(&self, number: u64, before: LogHash) -> LogHash {
        let Self { at, kind, who, peer, table, uid, column, what, why } = self;
        let bytes = codec::encode(&LogEntryV1 {
            number,
            at: at.0,
            kind: kind.as_str(),
            who,
            peer: peer.as_deref(),
            table: table.as_deref(),
            uid: uid.map(|uid| uid.0),
            column: column.as_deref(),
            what,
            why,
        });
        LogHash(Sha256::new().chain_update(before.0).chain_update(bytes).finalize().into())
    }
}

fn bounded(text: &str) -> String {
    const ELLIPSIS: &str = "…";
    let mut end = text.len();
    if end > LOG_TEXT_BYTES_MAX {
        end = LOG_TEXT_BYTES_MAX - ELLIPSIS.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
    }
    let kept = text[..end].replace('\0', " ");
    if end < text.len() { kept + ELLIPSIS } else { kept }
}

/// The hash of an entry, which holds all entries before it. Shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogHash(pub [u8; 32]);

impl LogHash {
    /// What stands before the first entry.
    pub const NONE: Self = Self([0; 32]);

    /// Its first half: what neighbours are told.
    #[must_use]
    pub fn first_half(self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        half
    }
}

impl fmt::Display for LogHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LogHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Serialize)]
struct LogEntryV1<'a> {
    number: u64,
    at: i64,
    kind: &'a str,
    who: &'a str,
    peer: Option<&'a str>,
    table: Option<&'a str>,
    uid: Option<[u8; 16]>,
    column: Option<&'a str>,
    what: &'a str,
    why: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> LogEntry {
        LogEntry::by_peer(LogKind::QUARANTINED, TimeMs(1_795_256_100_000), "clinic-07")
            .about("patient", Uid([7; 16]))
            .about_column(Some("name"))
            .with("number", 17)
            .because("a check constraint refused it")
    }

    #[test]
    fn every_part_counts_for_the_hash() {
        let hash = entry().hash(1, LogHash::NONE);
        let others = [
            LogEntry { at: TimeMs(0), ..entry() },
            LogEntry { kind: LogKind::PARKED, ..entry() },
            LogEntry { who: "x".into(), ..entry() },
            LogEntry { peer: None, ..entry() },
            LogEntry { table: Some("visit".into()), ..entry() },
            LogEntry { uid: None, ..entry() },
            LogEntry { column: None, ..entry() },
            LogEntry { what: String::new(), ..entry() },
            LogEntry { why: String::new(), ..entry() },
            // What moves from one text to the next is another entry.
            LogEntry { what: format!("{}a", entry().what), why: entry().why[1..].to_owned(), ..entry() },
        ];
        for other in others {
            assert_ne!(other.hash(1, LogHash::NONE), hash, "{other:?}");
        }
        assert_ne!(entry().hash(2, LogHash::NONE), hash);
        assert_ne!(entry().hash(1, hash), hash);
    }

    #[test]
    fn the_hash_is_what_the_documentation_says() {
        // Computed with Python's hashlib from docs/format.md.
        let expected = "817800bcefbb96875330beff058f30cdd7dd2d831a17cd6770156a5667416475";
        assert_eq!(entry().hash(300, LogHash([1; 32])).to_string(), expected);
    }

    #[test]
    fn texts_are_cut_at_a_character_and_hold_no_nul() {
        let long = LogEntry { why: "é".repeat(LOG_TEXT_BYTES_MAX), who: String::new(), ..entry() }.bounded("ada");
        assert!(long.why.len() <= LOG_TEXT_BYTES_MAX && long.why.ends_with("é…"));
        assert_eq!(long.who, "ada");
        let exact = "x".repeat(LOG_TEXT_BYTES_MAX);
        assert_eq!(entry().because(&exact).bounded("").why, exact);
        assert_eq!(entry().because("a\0b").bounded("").why, "a b");
        assert_eq!(entry().with("long", exact).bounded("").what, "", "half an object is none");
        assert_eq!(entry().bounded("ada"), entry());
    }

    #[test]
    fn a_kind_of_another_version_keeps_its_word() {
        assert_eq!(LogKind::named("applied"), LogKind::APPLIED);
        assert_eq!(LogKind::named("later").as_str(), "later");
        let mut words: Vec<_> = LogKind::ALL.iter().map(LogKind::as_str).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), LogKind::ALL.len());
    }
}
