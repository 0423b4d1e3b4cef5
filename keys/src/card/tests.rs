use proptest::prelude::*;
use saddlebag_formats::DeploymentId;

use super::*;
use crate::deployment::DeploymentKey;
use crate::fixtures::{Seeded, central_card, keys, listed, name, satellite_card, signed, two_nodes};

fn central_bytes() -> Vec<u8> {
    central_card().sign(&keys(1).signing).unwrap()
}

fn satellite_bytes() -> Vec<u8> {
    satellite_card().sign(&keys(3).signing).unwrap()
}

/// Signs what no card may say.
fn sign_unchecked(card: &Card, keys: &SigningKeys) -> Result<Card, CardError> {
    Card::parse(&signed_text::compose(FIRST_LINE, &wire::CardV1::from(card), keys))
}

#[test]
fn cards_come_back_as_they_were_made() {
    assert_eq!(Card::parse(&central_bytes()), Ok(central_card()));
    assert_eq!(Card::parse(&satellite_bytes()), Ok(satellite_card()));
    assert_eq!(satellite_card().file_name(), "clinic-08.card");
}

#[test]
fn the_text_is_as_documented() {
    let card = satellite_card();
    let text = String::from_utf8(satellite_bytes()).unwrap();
    let json = format!(
        r#"{{"name":"clinic-08","id":"03030303-0303-0303-0303-030303030303","role":"satellite","signing":"{}","sealing":"{}","made_ms":1795255200000}}"#,
        card.signing, card.sealing
    );
    assert_eq!(text.lines().take(2).collect::<Vec<_>>(), ["saddlebag card 1", &json]);
}

#[test]
fn a_card_that_was_changed_at_any_byte_is_refused() {
    for good in [central_bytes(), satellite_bytes()] {
        for at in 0..good.len() {
            for flip in [0x01, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                assert!(Card::parse(&bad).is_err(), "byte {at} ^ {flip}");
            }
        }
    }
}

#[test]
fn a_card_that_was_shortened_or_lengthened_is_refused() {
    let good = central_bytes();
    for at in 0..good.len() {
        assert!(Card::parse(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(Card::parse(&[&good[..], b"\n"].concat()).is_err());
    assert!(Card::parse(&[&good[..], &good[..]].concat()).is_err());
}

#[test]
fn a_card_is_signed_by_the_key_that_it_shows() {
    let card = satellite_card();
    assert!(matches!(card.sign(&keys(2).signing), Err(CardError::OtherKey { .. })));
    assert!(matches!(sign_unchecked(&card, &keys(2).signing), Err(CardError::BadSignature { .. })));
    assert_eq!(sign_unchecked(&card, &keys(3).signing), Ok(card));
}

#[test]
fn a_central_brings_its_deployment() {
    let card = Card { deployment: None, ..central_card() };
    assert!(matches!(card.sign(&keys(1).signing), Err(CardError::NoDeployment { .. })));
}

#[test]
fn the_list_on_a_card_has_the_node_with_exactly_these_keys() {
    let not_listed = |card: Card, keys: &SigningKeys| {
        let error = sign_unchecked(&card, keys).unwrap_err();
        assert!(matches!(error, CardError::NotListed { .. }), "{error}");
    };
    let (good, ministry) = (central_card(), keys(1).signing);
    not_listed(Card { name: name("ministry-2"), ..good.clone() }, &ministry);
    not_listed(Card { id: NodeId([9; 16]), ..good.clone() }, &ministry);
    not_listed(Card { id: NodeId([2; 16]), ..good.clone() }, &ministry);
    not_listed(Card { sealing: keys(9).sealing.recipient(), ..good.clone() }, &ministry);
    not_listed(Card { role: Role::Satellite, ..good.clone() }, &ministry);
    // An impostor who shows the true deployment with his own key.
    let impostor = keys(9).signing;
    not_listed(Card { signing: impostor.public(), ..good }, &impostor);
}

#[test]
fn the_list_on_a_card_is_signed_by_the_deployment_that_it_names() {
    let mut card = central_card();
    let other = DeploymentKey::generate(&mut Seeded(5));
    card.deployment.as_mut().unwrap().key = other.public();
    let error = sign_unchecked(&card, &keys(1).signing).unwrap_err();
    assert!(matches!(error, CardError::List { source: ListError::BadSignature, .. }), "{error}");
    assert_ne!(other.id(), DeploymentId([0; 16]));
}

#[test]
fn a_district_shows_the_deployment_that_lists_it() {
    let nodes = two_nodes().with_node(listed("post-1", 3, Role::Satellite, Some(2))).unwrap();
    let nodes = signed(nodes);
    let district = nodes.list().node_named(&name("clinic-07")).cloned().unwrap();
    let deployment = CardDeployment { nodes, ..central_card().deployment.unwrap() };
    let card = Card::central(&district, deployment, TimeMs(0));
    assert_eq!(Card::parse(&card.sign(&keys(2).signing).unwrap()), Ok(card));
}

#[test]
fn one_byte_past_the_limit_is_refused_before_it_is_read() {
    let error = Card::parse(&vec![b'x'; CARD_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, CardError::Text(TextError::TooLarge { .. })), "{error}");
    let error = Card::parse(&vec![b'x'; CARD_BYTES_MAX]).unwrap_err();
    assert!(matches!(error, CardError::Text(TextError::OtherKind { .. })), "{error}");
}

/// Fields in another order, unknown ones and spaces: signed, but not in the one form.
#[test]
fn other_forms_of_the_same_card_are_refused_though_signed() {
    let text = String::from_utf8(satellite_bytes()).unwrap();
    let json = text.lines().nth(1).unwrap();
    let others = [
        json.replace("\"made_ms\":", "\"made_ms\": "),
        json.replace("\"made_ms\":", "\"extra\":1,\"made_ms\":"),
        json.replace('}', ",\"deployment\":null}"),
        json.replace("\"name\":\"clinic-08\",", "").replace('}', ",\"name\":\"clinic-08\"}"),
    ];
    for other in others {
        assert_ne!(other, json);
        let mut bytes = format!("{FIRST_LINE}\n{other}\n").into_bytes();
        let signature = keys(3).signing.sign(&bytes);
        let line = saddlebag_formats::envelope::signature_line(&signature);
        bytes.extend_from_slice(line.as_bytes());
        let error = Card::parse(&bytes).unwrap_err();
        assert!(matches!(error, CardError::Text(TextError::Json { .. })), "{error}: {other}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let refused = Card::parse(b"saddlebag bundle 1\n").unwrap_err();
    assert!(refused.to_string().contains("saddlebag card 1"), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("saddlebag card")));
}

proptest! {
    #[test]
    fn reading_any_bytes_as_a_card_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Card::parse(&bytes).is_err());
    }

    #[test]
    fn reading_any_second_line_never_panics(json in "[\\[\\]{}\":,a-z0-9 \\\\u-]{0,200}") {
        let bytes = signed_text::compose(FIRST_LINE, &json, &keys(3).signing);
        prop_assert!(Card::parse(&bytes).is_err());
        let bare = format!("{FIRST_LINE}\n{json}\ned25519:{}==\n", "A".repeat(86));
        prop_assert!(Card::parse(bare.as_bytes()).is_err());
    }

    #[test]
    fn a_card_with_a_piece_put_in_is_refused(at in 0usize..400, piece in proptest::collection::vec(any::<u8>(), 1..9)) {
        let mut bytes = satellite_bytes();
        let at = at.min(bytes.len());
        bytes.splice(at..at, piece);
        prop_assert!(Card::parse(&bytes).is_err());
    }
}
