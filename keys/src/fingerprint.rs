//! The fingerprint of a card as twelve words that two people can compare by telephone.
//!
//! Invariant: it covers all that the card makes its reader trust: name, id, both keys and, where it
//! brings one, the deployment's key. Who wants a second card with the same words must try 2^128 of them.

use bip39::Mnemonic;
use sha2::{Digest, Sha256};

use crate::card::Card;
use crate::signing::first_bytes;

/// So that no hash made for another purpose is ever a fingerprint.
const DOMAIN: &[u8] = b"saddlebag fingerprint 1\n";
const WORDS: usize = 12;

/// The fingerprint: twelve English words (BIP 39), with single spaces between.
///
/// The words stay the same when the card is made again.
///
/// ```
/// # use saddlebag_formats::{NodeId, TimeMs};
/// # use saddlebag_keys::{Card, NodeKeys, fingerprint};
/// # struct Fixed;
/// # impl saddlebag_formats::ambient::Entropy for Fixed {
/// #     fn fill(&mut self, bytes: &mut [u8]) { bytes.fill(7) }
/// # }
/// # let keys = NodeKeys::generate(&mut Fixed);
/// # let card = Card::satellite("clinic-07".parse()?, NodeId([1; 16]), &keys, TimeMs(0));
/// let words = fingerprint::words(&card);
/// assert_eq!(words.split(' ').count(), 12);
/// assert!(fingerprint::same_words(&words, &words.to_uppercase()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn words(card: &Card) -> String {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    let key = card.deployment.as_ref().map(|deployment| deployment.key.to_string());
    let (sealing, name) = (card.sealing.to_string(), card.name.to_string());
    let parts: [&[u8]; 5] = [
        // No deployment has the empty key.
        key.as_deref().unwrap_or_default().as_bytes(),
        &card.id.0,
        card.signing.as_bytes(),
        sealing.as_bytes(),
        name.as_bytes(),
    ];
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bits: [u8; 16] = first_bytes(hash.finalize().into());
    Mnemonic::from_entropy(&bits).expect("128 bits are twelve words").to_string()
}

/// Whether two fingerprints are the same twelve words, whatever the spacing and the case of letters.
#[must_use]
pub fn same_words(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (plain(a), plain(b));
    a.len() == WORDS && a == b
}

#[cfg(test)]
mod tests;
