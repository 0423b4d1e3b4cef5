//! Three lines of text: what it is, one line of JSON, a signature over the first two.
//!
//! Cards and lists of nodes have this form, and the head of a bundle too. Invariant: the signature is over
//! the bytes that were received, and the first line, which differs for each kind, is among them: what was
//! signed as one kind never passes for another (THREATS.md, A14). One text has one byte form: line ends are
//! single line feeds, and nothing follows the signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use saddlebag_formats::envelope::signature_line;

use crate::signing::{ED25519_PREFIX, PublicKey, SignatureError, SigningKeys};

/// A text that does not have the three lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// More bytes than such a text may have.
    #[error("it has {bytes} bytes, and at most {bytes_max} are allowed")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        bytes_max: usize,
    },
    /// The first line is another.
    #[error("it does not begin with `{expected}`")]
    OtherKind {
        /// The first line of such a text.
        expected: &'static str,
    },
    /// A line lacks, is not text, or something follows the last.
    #[error("it does not consist of exactly three lines of text")]
    Lines,
    /// The third line is not a signature.
    #[error("its third line is not a signature")]
    SignatureForm,
    /// The JSON is not as saddlebag writes it.
    #[error("its second line cannot be read: {reason}")]
    Json {
        /// What was wrong, and where.
        reason: String,
    },
}

/// The parts of a text, not verified yet.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    /// The second line, without its line feed.
    pub(crate) json: &'a str,
    signed: &'a [u8],
    signature: [u8; 64],
}

impl Lines<'_> {
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        key.verify(self.signed, &self.signature)
    }

    /// Reads the JSON, and refuses any form of it that `T` is not written in.
    pub(crate) fn read_json<T>(&self) -> Result<T, TextError>
    where
        T: serde::Serialize + for<'de> serde::Deserialize<'de>,
    {
        let unreadable = |error: serde_json::Error| TextError::Json { reason: error.to_string() };
        let value: T = serde_json::from_str(self.json).map_err(unreadable)?;
        if serde_json::to_string(&value).map_err(unreadable)? == self.json {
            Ok(value)
        } else {
            Err(TextError::Json { reason: "it is not in its one canonical form".to_owned() })
        }
    }
}

/// Takes a text apart.
pub(crate) fn split<'a>(bytes: &'a [u8], first_line: &'static str, bytes_max: usize) -> Result<Lines<'a>, TextError> {
    if bytes.len() > bytes_max {
        return Err(TextError::TooLarge { bytes: bytes.len(), bytes_max });
    }
    let rest = bytes
        .strip_prefix(first_line.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"\n"))
        .ok_or(TextError::OtherKind { expected: first_line })?;
    let rest = std::str::from_utf8(rest).map_err(|_| TextError::Lines)?;
    let (json, rest) = rest.split_once('\n').ok_or(TextError::Lines)?;
    let signature_line = rest.strip_suffix('\n').filter(|line| !line.contains('\n')).ok_or(TextError::Lines)?;
    let signature = signature_line
        .strip_prefix(ED25519_PREFIX)
        .and_then(|base64| BASE64.decode(base64).ok())
        .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok())
        .ok_or(TextError::SignatureForm)?;
    let signed = &bytes[..first_line.len() + 1 + json.len() + 1];
    Ok(Lines { json, signed, signature })
}

/// Writes a text and signs it.
pub(crate) fn compose(first_line: &str, json: &impl serde::Serialize, keys: &SigningKeys) -> Vec<u8> {
    let json = serde_json::to_string(json).expect("strings and numbers are always JSON");
    let mut text = format!("{first_line}\n{json}\n");
    let signature = keys.sign(text.as_bytes());
    text.push_str(&signature_line(&signature));
    text.into_bytes()
}

/// A field of the JSON that has another form than it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` cannot be read: {reason}")]
pub struct FieldError {
    /// The field's name in the JSON.
    pub field: &'static str,
    /// What was wrong with it.
    pub reason: String,
}

/// Reads the text form of a field.
pub(crate) fn field<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, FieldError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| FieldError { field, reason: error.to_string() })
}

#[cfg(test)]
mod tests;
