use super::*;
use crate::fixtures::keys;

fn opened(sealed: &[u8], key: &SealingKey) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    open(sealed, key).ok()?.read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[test]
fn every_recipient_can_open_and_nobody_else() {
    let (a, b, other) = (keys(1).sealing, keys(2).sealing, keys(3).sealing);
    let sealed = seal(b"content", &[a.recipient(), b.recipient()]).unwrap();
    assert_eq!(opened(&sealed, &a).as_deref(), Some(&b"content"[..]));
    assert_eq!(opened(&sealed, &b).as_deref(), Some(&b"content"[..]));
    assert!(matches!(open(&sealed[..], &other).map(|_| ()), Err(SealError::OtherKey)));
    assert!(!sealed.windows(7).any(|part| part == b"content"));
}

#[test]
fn content_longer_than_one_piece_of_age_comes_back() {
    let key = keys(1).sealing;
    for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let content: Vec<u8> = (0..size).map(|number: u32| (number % 253) as u8).collect();
        let sealed = seal(&content, &[key.recipient()]).unwrap();
        assert_eq!(opened(&sealed, &key), Some(content), "{size}");
    }
}

#[test]
fn what_was_changed_shortened_or_lengthened_does_not_open() {
    let key = keys(1).sealing;
    let sealed = seal(b"content", &[key.recipient()]).unwrap();
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(opened(&changed, &key), None, "byte {at}");
        assert_eq!(opened(&sealed[..at], &key), None, "cut at {at}");
    }
    let longer = [&sealed[..], b"x"].concat();
    assert_eq!(opened(&longer, &key), None);
}

#[test]
fn sealing_for_nobody_is_refused() {
    assert!(matches!(seal(b"content", &[]), Err(SealError::NoRecipients)));
}

/// From the tests of age itself.
#[test]
fn text_forms_are_those_of_age() {
    let key =
        SealingKey::from_secret_text("AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33");
    let recipient = key.unwrap().recipient();
    assert_eq!(recipient.to_string(), "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa");
    assert_eq!(recipient.to_string().parse::<SealingRecipient>().unwrap(), recipient);
}

#[test]
fn a_recipient_has_one_text_form() {
    let text = keys(1).sealing.recipient().to_string();
    assert!(text.parse::<SealingRecipient>().is_ok());
    for other in [text.to_uppercase(), format!("{text} "), text[1..].to_owned(), String::new()] {
        assert!(matches!(other.parse::<SealingRecipient>(), Err(SealError::NotARecipient { .. })), "{other:?}");
    }
}

/// To seal for one of these would even stop the program: age takes an all-zero secret for a broken system.
#[test]
fn weak_recipients_are_refused() {
    for point in LOW_ORDER {
        for topmost in [0, 0x80] {
            let mut bytes = hex::decode(point).unwrap();
            bytes[31] |= topmost;
            let text = bech32::encode::<Bech32>(Hrp::parse("age").unwrap(), &bytes).unwrap();
            assert!(matches!(text.parse::<SealingRecipient>(), Err(SealError::WeakRecipient)), "{text}");
        }
    }
}

#[test]
fn no_output_holds_the_secret() {
    let key = keys(1).sealing;
    let secret = key.to_secret_text();
    assert!(secret.starts_with("AGE-SECRET-KEY-1"));
    assert!(!format!("{key:?}").contains(secret.as_str()));
    let error = SealingKey::from_secret_text(&secret[..secret.len() - 1]).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret[20..40]));
}
