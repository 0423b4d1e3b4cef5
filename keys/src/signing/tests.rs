use ed25519_dalek::Verifier as _;

use super::*;
use crate::fixtures::{Seeded, keys};

/// The eight points of low order in their canonical form.
const LOW_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

fn bytes(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

#[test]
fn what_a_key_signed_holds_and_nothing_else() {
    let keys = keys(1).signing;
    let signature = keys.sign(b"bytes");
    assert_eq!(verify(&keys.public(), b"bytes", &signature), Ok(()));
    assert_eq!(verify(&keys.public(), b"bytez", &signature), Err(SignatureError));
    assert_eq!(verify(&crate::fixtures::keys(2).signing.public(), b"bytes", &signature), Err(SignatureError));
    for at in 0..64 {
        let mut changed = signature;
        changed[at] ^= 1;
        assert_eq!(verify(&keys.public(), b"bytes", &changed), Err(SignatureError), "byte {at}");
    }
}

/// RFC 8032 7.1, test 2.
#[test]
fn signatures_are_those_of_the_standard() {
    let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let keys = SigningKeys::from_seed(&seed);
    let public = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_eq!(keys.public().as_bytes(), &public);
    assert_eq!(
        hex::encode(keys.sign(&[0x72])),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
}

#[test]
fn weak_keys_are_refused() {
    for point in LOW_ORDER {
        assert_eq!(PublicKey::from_bytes(bytes(point)), Err(KeyError::Weak), "{point}");
    }
}

#[test]
fn other_forms_of_a_point_and_no_points_are_refused() {
    // y = p + 3, which the library reads as y = 3, a point of high order; and a y that no point has.
    let mut other_form = [0xff; 32];
    (other_form[0], other_form[31]) = (0xf0, 0x7f);
    assert!(VerifyingKey::from_bytes(&other_form).is_ok());
    assert_eq!(PublicKey::from_bytes(other_form), Err(KeyError::NotAPoint));
    let mut no_point = [0; 32];
    no_point[0] = 2;
    assert_eq!(PublicKey::from_bytes(no_point), Err(KeyError::NotAPoint));
}

/// RFC 8032 8.4: S + L would give a second signature for the same bytes.
#[test]
fn a_malleable_signature_is_refused() {
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let keys = keys(1).signing;
    let mut signature = keys.sign(b"bytes");
    let mut carry = 0;
    for (digit, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert_eq!(keys.public().verify(b"bytes", &signature), Err(SignatureError));
}

/// Even if a weak key came this far: without `verify_strict` this signature holds for any bytes.
#[test]
fn verification_is_strict() {
    let weak = bytes(LOW_ORDER[0]);
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&weak);
    let lenient = VerifyingKey::from_bytes(&weak).unwrap();
    assert!(lenient.verify(b"anything", &Signature::from_bytes(&signature)).is_ok());
    assert_eq!(PublicKey(weak).verify(b"anything", &signature), Err(SignatureError));
}

#[test]
fn a_public_key_has_one_text_form() {
    let key = keys(1).signing.public();
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key));
    assert_eq!(text.len(), ED25519_PREFIX.len() + 44);
    let trimmed = text.trim_end_matches('=');
    for other in [trimmed, &text[8..], &format!("{text} "), &format!("{text}\n"), &text.to_uppercase(), ""] {
        assert!(other.parse::<PublicKey>().is_err(), "{other:?}");
    }
    // The last character carries four bits of the key; the two others must be zero.
    let last = trimmed.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let next = alphabet.chars().nth(alphabet.find(last).unwrap() + 1).unwrap();
    let loose = format!("{}{next}=", &trimmed[..trimmed.len() - 1]);
    assert!(loose.parse::<PublicKey>().is_err());
}

#[test]
fn debug_output_holds_no_secret() {
    let mut entropy = Seeded(1);
    let keys = SigningKeys::generate(&mut entropy);
    let shown = format!("{keys:?}");
    assert!(shown.contains(&keys.public().to_string()));
    assert!(!shown.contains(&BASE64.encode(keys.seed().as_slice())));
    assert!(!shown.contains(&format!("{:?}", keys.seed().as_slice())));
}
