//! Signatures: Ed25519 (RFC 8032), strict.
//!
//! Invariant: a [`PublicKey`] is never weak and has one byte form; a signature that [`PublicKey::verify`]
//! accepts cannot be changed into another one for the same bytes. Secrets are wiped when they go.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use saddlebag_formats::ambient::Entropy;
use saddlebag_formats::header::KeyId;
use zeroize::Zeroizing;

/// How a public key begins as text, and a signature too.
pub const ED25519_PREFIX: &str = "ed25519:";

/// A key that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the text form of a public key.
    #[error("`{}` is not a public signing key", text.escape_debug())]
    NotAKey {
        /// What was given.
        text: String,
    },
    /// The bytes are no point of the curve, or another form of one.
    #[error("a public signing key is not a point of the curve in its canonical form")]
    NotAPoint,
    /// A key of low order: one signature would hold for almost any bytes (THREATS.md, A16).
    #[error("a public signing key is weak: anybody could sign for it")]
    Weak,
}

/// A signature that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not hold: the bytes were changed, or another key signed them")]
pub struct SignatureError;

/// The public half of a signing key.
///
/// Shown as `ed25519:` and 44 characters of base64.
///
/// ```
/// use saddlebag_keys::PublicKey;
///
/// // The neutral element: anybody can sign for it.
/// let mut neutral = [0; 32];
/// neutral[0] = 1;
/// assert!(PublicKey::from_bytes(neutral).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`], [`KeyError::Weak`].
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        // RFC 8032 5.1.3: y below p. The library reads others too (ZIP 215); one key must have one form.
        let canonical = VerifyingKey::from(key.to_edwards()).to_bytes();
        if canonical == bytes { Ok(Self(bytes)) } else { Err(KeyError::NotAPoint) }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The short name of this key in the header of a bundle.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of(&self.0)
    }

    /// Checks that this key signed `bytes`.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, bytes: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        // `verify_strict`: no weak key, no weak R, no signature with S + L (RFC 8032 8.4).
        key.verify_strict(bytes, &Signature::from_bytes(signature)).map_err(|_| SignatureError)
    }
}

/// Checks that `key` signed `bytes`.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(key: &PublicKey, bytes: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
    key.verify(bytes, signature)
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ED25519_PREFIX}{}", BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = text
            .strip_prefix(ED25519_PREFIX)
            .and_then(|base64| BASE64.decode(base64).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Self::from_bytes(bytes.ok_or_else(|| KeyError::NotAKey { text: text.to_owned() })?)
    }
}

/// A node's signing key, both halves.
pub struct SigningKeys {
    // Wipes itself when dropped.
    key: SigningKey,
}

impl SigningKeys {
    /// A new key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The key that this seed gives.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed) }
    }

    /// The seed: the secret itself.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        // The public half of a clamped secret is never weak, and the library gives the canonical form.
        PublicKey(self.key.verifying_key().to_bytes())
    }

    /// The short name of this key in the header of a bundle.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.public().key_id()
    }

    /// Signs `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// The first bytes of a hash.
pub(crate) fn first_bytes<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    const { assert!(N <= 32) };
    std::array::from_fn(|at| hash[at])
}

#[cfg(test)]
mod tests;
