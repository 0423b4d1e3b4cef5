//! Sealing: age with X25519 (age-encryption.org/v1), so that the `age` command opens what saddlebag seals.
//!
//! Invariant: a [`SealingRecipient`] is never a low-order point (what is sealed to one, anybody can open)
//! and has one text form. Sealing hides content; it says nothing about who sealed. That is the signature's part.

use std::fmt;
use std::io::{self, Read, Write as _};
use std::str::FromStr;

use age::secrecy::ExposeSecret as _;
use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor, x25519};
use bech32::{Bech32, Hrp};
use saddlebag_formats::ambient::Entropy;
use zeroize::Zeroizing;

/// What cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Not the text form of a recipient.
    #[error("`{}` is not a public sealing key (`age1…`)", text.escape_debug())]
    NotARecipient {
        /// What was given.
        text: String,
    },
    /// A key of low order: anybody could open what is sealed to it (THREATS.md, A16).
    #[error("a public sealing key is weak: anybody could open what is sealed to it")]
    WeakRecipient,
    /// Not the text form of a sealing key. The text is a secret and not repeated.
    #[error("this is not a sealing key (`AGE-SECRET-KEY-1…`)")]
    NotAKey,
    /// Nobody to seal for.
    #[error("there is nobody to seal this for")]
    NoRecipients,
    /// Sealed for somebody else.
    #[error("this was not sealed for this node's key")]
    OtherKey,
    /// Not sealed by age, or changed since.
    #[error("the sealed part cannot be opened: {reason}")]
    Damaged {
        /// What was wrong.
        reason: String,
    },
    /// The sealing itself failed.
    #[error("cannot seal: {source}")]
    Io {
        /// What the reader or writer said.
        #[from]
        source: io::Error,
    },
}

impl SealError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OtherKey => {
                Some("the sender has an older card of this node: give it a new one with `saddlebag card`")
            }
            Self::Damaged { .. } => Some("ask for the bundle again"),
            Self::NotAKey => Some("restore the key from the copy that was made of it"),
            _ => None,
        }
    }
}

/// The public half of a sealing key: for whom something is sealed. Shown as `age1…`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealingRecipient(x25519::Recipient);

impl fmt::Display for SealingRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for SealingRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SealingRecipient {
    type Err = SealError;
    fn from_str(text: &str) -> Result<Self, SealError> {
        let not_a_recipient = || SealError::NotARecipient { text: text.to_owned() };
        let recipient = Self(text.parse().map_err(|_| not_a_recipient())?);
        // bech32 also reads capitals; one key must have one form.
        if recipient.to_string() != text {
            return Err(not_a_recipient());
        }
        let (_, bytes) = bech32::decode(text).map_err(|_| not_a_recipient())?;
        if is_low_order(&bytes) { Err(SealError::WeakRecipient) } else { Ok(recipient) }
    }
}

/// The u coordinates of all points of low order on Curve25519 and its twist, as X25519 may be given them, in
/// little-endian hexadecimal: 0, 1, the two of order 8, p - 1, p, p + 1 (https://cr.yp.to/ecdh.html#validate).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn is_low_order(bytes: &[u8]) -> bool {
    let mut point = bytes.to_vec();
    // RFC 7748 section 5: the topmost bit is ignored.
    if let Some(last) = point.last_mut() {
        *last &= 0x7f;
    }
    LOW_ORDER.contains(&hex::encode(point).as_str())
}

/// A node's sealing key: opens what was sealed for it.
#[derive(Clone)]
pub struct SealingKey(x25519::Identity);

impl SealingKey {
    /// A new key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(secret.as_mut());
        let prefix = Hrp::parse_unchecked("AGE-SECRET-KEY-");
        let text = bech32::encode_upper::<Bech32>(prefix, secret.as_ref()).map(Zeroizing::new);
        let key = text.ok().and_then(|text| text.parse().ok());
        // Thirty-two bytes always have this text form, and any are a key.
        Self(key.expect("32 bytes are an age identity"))
    }

    /// The public half.
    #[must_use]
    pub fn recipient(&self) -> SealingRecipient {
        SealingRecipient(self.0.to_public())
    }

    /// The key in age's own text form, `AGE-SECRET-KEY-1…`: the secret itself.
    #[must_use]
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }

    /// Reads the text form `AGE-SECRET-KEY-1…`.
    ///
    /// # Errors
    /// [`SealError::NotAKey`].
    pub fn from_secret_text(text: &str) -> Result<Self, SealError> {
        text.parse().map(Self).map_err(|_| SealError::NotAKey)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingKey").field("recipient", &self.recipient()).finish_non_exhaustive()
    }
}

/// Seals `plain` for all of `recipients`; any one of them can open it.
///
/// The key of each file comes from the operating system (age takes no other), so the same content sealed
/// twice gives different bytes.
///
/// # Errors
/// [`SealError::NoRecipients`], [`SealError::Io`].
pub fn seal(plain: &[u8], recipients: &[SealingRecipient]) -> Result<Vec<u8>, SealError> {
    let mut sealer = Sealer::new(Vec::with_capacity(plain.len() + plain.len() / 2048 + 512), recipients)?;
    sealer.write_all(plain)?;
    sealer.finish()
}

/// Seals what is written to it, as [`seal`] does, and writes that to where it goes.
pub struct Sealer<W: io::Write>(StreamWriter<W>);

impl<W: io::Write> Sealer<W> {
    /// Begins to seal for all of `recipients`.
    ///
    /// # Errors
    /// As [`seal`].
    pub fn new(output: W, recipients: &[SealingRecipient]) -> Result<Self, SealError> {
        let recipients = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(|error| match error {
            age::EncryptError::Io(source) => SealError::Io { source },
            _ => SealError::NoRecipients,
        })?;
        Ok(Self(encryptor.wrap_output(output)?))
    }

    /// Ends what is sealed. Without it, nobody can open it to its end.
    ///
    /// # Errors
    /// [`SealError::Io`].
    pub fn finish(self) -> Result<W, SealError> {
        Ok(self.0.finish()?)
    }
}

impl<W: io::Write> io::Write for Sealer<W> {
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        self.0.write(plain)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: io::Write> fmt::Debug for Sealer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

/// Opens what was sealed for `key`.
///
/// Every piece that the reader gives has been authenticated; that the end is the end is only known when the
/// reader has returned it. A changed or shortened file makes the reader fail.
///
/// # Errors
/// [`SealError::OtherKey`], [`SealError::Damaged`].
pub fn open<R: Read>(sealed: R, key: &SealingKey) -> Result<impl Read + use<R>, SealError> {
    let decryptor = Decryptor::new(sealed).map_err(damaged)?;
    decryptor.decrypt(std::iter::once(&key.0 as &dyn age::Identity)).map_err(damaged)
}

fn damaged(error: DecryptError) -> SealError {
    match error {
        DecryptError::NoMatchingKeys => SealError::OtherKey,
        DecryptError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => SealError::Io { source },
        other => SealError::Damaged { reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests;
