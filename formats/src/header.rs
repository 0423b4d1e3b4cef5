//! The second line of a bundle: who wrote to whom, which part of the feed, and which payload.
//!
//! Invariant: a header has one text form, byte for byte; another form of the same header is refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{BundleId, BundleNumber, DeploymentId, Epoch, NodeId, ParseIdError, Seq, TimeMs};
use crate::limits;
use crate::payload_binding::PayloadBinding;
use crate::utc;

/// A signing key, named by the first 8 bytes of SHA-256 of its public half.
///
/// Shown as 16 hexadecimal digits. It tells which of a node's keys to try; trust comes from the whole key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// The id of the key with this public half.
    #[must_use]
    pub fn of(public: &[u8; 32]) -> Self {
        let digest = Sha256::digest(public);
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        lower_hex(text)
            .map(Self)
            .ok_or_else(|| ParseIdError { text: text.to_owned(), expected: "16 lower-case hexadecimal digits" })
    }
}

/// What a sender says that it has applied of the receiver's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The epoch of the acknowledged stream.
    pub epoch: Epoch,
    /// The last applied bundle.
    pub number: BundleNumber,
    /// Its id, so that a bundle of the same number that was never made is noticed.
    pub id: BundleId,
    /// The position up to which that stream's feed is applied.
    pub upto: Seq,
}

/// All that a stranger may know of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleHeader {
    /// The deployment that both ends belong to.
    pub deployment: DeploymentId,
    /// The bundle.
    pub id: BundleId,
    /// Who wrote it.
    pub from: NodeId,
    /// The key that signed it.
    pub key: KeyId,
    /// Whom it is for.
    pub to: NodeId,
    /// The sender's epoch.
    pub epoch: Epoch,
    /// Its place in the stream, from 1.
    pub number: BundleNumber,
    /// It covers the sender's feed after this position …
    pub after: Seq,
    /// … up to and with this one.
    pub upto: Seq,
    /// What the sender has applied of the receiver's stream; none before the first bundle.
    pub ack: Option<Acknowledgement>,
    /// The sender's clock. Written in whole seconds of the years 0000 to 9999: [`BundleHeader::to_line`]
    /// rounds down and keeps within.
    pub created: TimeMs,
    /// The bytes that follow the third line.
    pub payload: PayloadBinding,
}

/// A header line that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not the JSON that a header is.
    #[error("the header line cannot be read: {reason}")]
    Malformed {
        /// What the reader says.
        reason: String,
    },
    /// A field that is not what it must be.
    #[error("the field `{field}` of the header cannot be read: {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// The same header written in another way.
    #[error("the header line is not written in its one canonical form")]
    NotCanonical,
    /// Number 0.
    #[error("the bundle has number 0, but streams begin with 1")]
    NumberZero,
    /// A range that ends before it begins.
    #[error("the bundle ends at position {upto} of the feed, before its beginning after {after}")]
    Range {
        /// Where it begins.
        after: Seq,
        /// Where it ends.
        upto: Seq,
    },
    /// A range that moves the feed further than any bundle can.
    #[error("the bundle covers {places} places of the feed, more than the {limit} that one bundle may")]
    Jump {
        /// How many.
        places: u64,
        /// How many may be.
        limit: u64,
    },
    /// A payload larger than any may be.
    #[error("the payload has {size} bytes, more than the {limit} that it may have")]
    PayloadSize {
        /// How many.
        size: u64,
        /// How many may be.
        limit: u64,
    },
}

impl BundleHeader {
    /// The header as its JSON line, without the line feed.
    ///
    /// # Panics
    /// Never: a header of plain fields always has a JSON form.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(&HeaderV1::from(self)).expect("plain fields have a JSON form")
    }

    /// Reads the JSON line (without its line feed) and checks what can be checked without knowing more.
    ///
    /// # Errors
    /// If it is no header, not in its canonical form, or claims what no bundle may.
    pub fn from_line(line: &str) -> Result<Self, HeaderError> {
        let wire: HeaderV1 =
            serde_json::from_str(line).map_err(|error| HeaderError::Malformed { reason: error.to_string() })?;
        let header = Self::try_from(wire)?;
        if header.to_line() != line {
            return Err(HeaderError::NotCanonical);
        }
        header.check()?;
        Ok(header)
    }

    /// Checks the numbers; whoever makes a header asks this before signing it.
    ///
    /// # Errors
    /// If the number is 0, the range goes backwards or too far, or the payload is too large.
    pub fn check(&self) -> Result<(), HeaderError> {
        let Self { number, after, upto, payload, .. } = self;
        if number.0 == 0 {
            return Err(HeaderError::NumberZero);
        }
        let places = upto.0.checked_sub(after.0).ok_or(HeaderError::Range { after: *after, upto: *upto })?;
        if places > limits::SEQ_JUMP_MAX {
            return Err(HeaderError::Jump { places, limit: limits::SEQ_JUMP_MAX });
        }
        if payload.size > limits::PAYLOAD_BYTES_MAX {
            return Err(HeaderError::PayloadSize { size: payload.size, limit: limits::PAYLOAD_BYTES_MAX });
        }
        Ok(())
    }
}

/// `HeaderV1` is line 2 of `saddlebag bundle 1`: fields in this order, no spaces.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderV1 {
    deployment: String,
    id: String,
    from: String,
    key: String,
    to: String,
    epoch: String,
    number: u64,
    after: u64,
    upto: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ack: Option<AcknowledgementV1>,
    created: String,
    payload: PayloadV1,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcknowledgementV1 {
    epoch: String,
    number: u64,
    id: String,
    upto: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PayloadV1 {
    size: u64,
    sha256: String,
}

impl From<&BundleHeader> for HeaderV1 {
    fn from(header: &BundleHeader) -> Self {
        Self {
            deployment: header.deployment.to_string(),
            id: header.id.to_string(),
            from: header.from.to_string(),
            key: header.key.to_string(),
            to: header.to.to_string(),
            epoch: header.epoch.to_string(),
            number: header.number.0,
            after: header.after.0,
            upto: header.upto.0,
            ack: header.ack.map(|ack| AcknowledgementV1 {
                epoch: ack.epoch.to_string(),
                number: ack.number.0,
                id: ack.id.to_string(),
                upto: ack.upto.0,
            }),
            created: utc::format(header.created),
            payload: PayloadV1 { size: header.payload.size, sha256: hex::encode(header.payload.sha256) },
        }
    }
}

impl TryFrom<HeaderV1> for BundleHeader {
    type Error = HeaderError;

    fn try_from(wire: HeaderV1) -> Result<Self, HeaderError> {
        Ok(Self {
            deployment: field("deployment", &wire.deployment)?,
            id: field("id", &wire.id)?,
            from: field("from", &wire.from)?,
            key: field("key", &wire.key)?,
            to: field("to", &wire.to)?,
            epoch: field("epoch", &wire.epoch)?,
            number: BundleNumber(wire.number),
            after: Seq(wire.after),
            upto: Seq(wire.upto),
            ack: wire.ack.map(Acknowledgement::try_from).transpose()?,
            created: utc::parse(&wire.created)
                .ok_or_else(|| not("created", "it is no time like 2026-11-21T10:15:00Z"))?,
            payload: PayloadBinding {
                size: wire.payload.size,
                sha256: lower_hex(&wire.payload.sha256)
                    .ok_or_else(|| not("payload.sha256", "it is not 64 lower-case hexadecimal digits"))?,
            },
        })
    }
}

impl TryFrom<AcknowledgementV1> for Acknowledgement {
    type Error = HeaderError;

    fn try_from(wire: AcknowledgementV1) -> Result<Self, HeaderError> {
        Ok(Self {
            epoch: field("ack.epoch", &wire.epoch)?,
            number: BundleNumber(wire.number),
            id: field("ack.id", &wire.id)?,
            upto: Seq(wire.upto),
        })
    }
}

fn field<T: FromStr<Err = ParseIdError>>(field: &'static str, text: &str) -> Result<T, HeaderError> {
    text.parse().map_err(|error: ParseIdError| HeaderError::Field { field, reason: error.to_string() })
}

fn not(field: &'static str, reason: &str) -> HeaderError {
    HeaderError::Field { field, reason: reason.to_owned() }
}

fn lower_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> BundleHeader {
        BundleHeader {
            deployment: DeploymentId([0xd1; 16]),
            id: BundleId([0x1d; 16]),
            from: NodeId([0xf0; 16]),
            key: KeyId([0x4e; 8]),
            to: NodeId([0x70; 16]),
            epoch: Epoch::new(1, 0xabc),
            number: BundleNumber(17),
            after: Seq(1200),
            upto: Seq(1389),
            ack: Some(Acknowledgement {
                epoch: Epoch::new(2, 7),
                number: BundleNumber(9),
                id: BundleId([0xac; 16]),
                upto: Seq(512),
            }),
            created: TimeMs(1_795_256_100_000),
            payload: PayloadBinding::of(b"payload"),
        }
    }

    #[test]
    fn the_line_is_as_documented() {
        let line = example().to_line();
        let expected = concat!(
            r#"{"deployment":"d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1","id":"1d1d1d1d-1d1d-1d1d-1d1d-1d1d1d1d1d1d","#,
            r#""from":"f0f0f0f0-f0f0-f0f0-f0f0-f0f0f0f0f0f0","key":"4e4e4e4e4e4e4e4e","#,
            r#""to":"70707070-7070-7070-7070-707070707070","epoch":"0000000100000abc","number":17,"#,
            r#""after":1200,"upto":1389,"ack":{"epoch":"0000000200000007","number":9,"#,
            r#""id":"acacacac-acac-acac-acac-acacacacacac","upto":512},"created":"2026-11-21T10:15:00Z","#,
            r#""payload":{"size":7,"sha256":"239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5"}}"#,
        );
        assert_eq!(line, expected);
        assert_eq!(BundleHeader::from_line(&line), Ok(example()));
        let without = BundleHeader { ack: None, ..example() };
        assert!(!without.to_line().contains("ack"));
        assert_eq!(BundleHeader::from_line(&without.to_line()), Ok(without));
    }

    #[test]
    fn other_forms_of_the_same_header_are_refused() {
        let line = example().to_line();
        for (from, to) in [
            (r#""number":17"#, r#""number": 17"#),
            (r#"{"deployment""#, r#" {"deployment""#),
            ("}}", "}} "),
            ("4e4e4e4e4e4e4e4e", "4E4e4e4e4e4e4e4e"),
            (r#""key""#, r#""\u006bey""#),
            ("239f59ed", "239F59ED"),
            (r#""after":1200,"upto":1389"#, r#""upto":1389,"after":1200"#),
            (r#""number":17"#, r#""number":17,"number":17"#),
            (r#""number":17"#, r#""number":17,"more":1"#),
            (r#""number":17"#, r#""number":17.0"#),
            (r#""number":17"#, r#""number":-17"#),
            ("10:15:00Z", "10:15:00+00:00"),
        ] {
            assert!(line.contains(from));
            assert!(BundleHeader::from_line(&line.replacen(from, to, 1)).is_err(), "{to}");
        }
        let null = BundleHeader { ack: None, ..example() }.to_line().replace(r#""created""#, r#""ack":null,"created""#);
        assert_eq!(BundleHeader::from_line(&null), Err(HeaderError::NotCanonical));
    }

    #[test]
    fn one_past_each_limit_is_refused() {
        let check = |change: fn(&mut BundleHeader)| {
            let mut header = example();
            change(&mut header);
            BundleHeader::from_line(&header.to_line()).map(|_| ())
        };
        assert_eq!(check(|h| h.number = BundleNumber(0)), Err(HeaderError::NumberZero));
        assert_eq!(check(|h| h.after = h.upto), Ok(()));
        assert!(matches!(check(|h| h.after = Seq(h.upto.0 + 1)), Err(HeaderError::Range { .. })));
        assert_eq!(check(|h| h.upto = Seq(h.after.0 + limits::SEQ_JUMP_MAX)), Ok(()));
        let jump = check(|h| h.upto = Seq(h.after.0 + limits::SEQ_JUMP_MAX + 1));
        assert!(matches!(jump, Err(HeaderError::Jump { .. })));
        assert_eq!(check(|h| h.payload.size = limits::PAYLOAD_BYTES_MAX), Ok(()));
        let size = check(|h| h.payload.size = limits::PAYLOAD_BYTES_MAX + 1);
        assert!(matches!(size, Err(HeaderError::PayloadSize { .. })));
    }

    #[test]
    fn a_clock_between_seconds_or_beyond_years_is_written_all_the_same() {
        let header = BundleHeader { created: TimeMs(1_795_256_100_999), ..example() };
        assert_eq!(header.to_line(), example().to_line());
        let wild = BundleHeader { created: TimeMs(i64::MAX), ..example() };
        assert!(BundleHeader::from_line(&wild.to_line()).is_ok());
    }

    #[test]
    fn a_key_id_is_the_beginning_of_the_hash() {
        // SHA-256 of 32 zero bytes begins so.
        assert_eq!(KeyId::of(&[0; 32]).to_string(), "66687aadf862bd77");
        assert!("66687AADF862BD77".parse::<KeyId>().is_err());
    }
}
