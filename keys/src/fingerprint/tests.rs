use saddlebag_formats::{NodeId, TimeMs};

use super::*;
use crate::deployment::DeploymentKey;
use crate::fixtures::{Seeded, central_card, keys, name, satellite_card};

/// Fixed for ever: words that were written down must still be the same after an upgrade.
#[test]
fn the_words_of_a_card_do_not_change() {
    assert_eq!(words(&central_card()), "athlete model alley swing photo pole robust staff wait chalk film boost");
    assert_eq!(words(&satellite_card()), "question dose used knife bean always someone depend nose sure amount act");
}

#[test]
fn the_words_stay_when_a_card_is_made_again() {
    let again = Card { made: TimeMs(7), ..central_card() };
    assert_eq!(words(&again), words(&central_card()));
}

#[test]
fn all_that_is_trusted_counts() {
    let card = central_card();
    let mut other_deployment = card.clone();
    other_deployment.deployment.as_mut().unwrap().key = DeploymentKey::generate(&mut Seeded(5)).public();
    let mut all = vec![
        words(&card),
        words(&other_deployment),
        words(&Card { deployment: None, ..card.clone() }),
        words(&Card { name: name("ministry-2"), ..card.clone() }),
        words(&Card { id: NodeId([9; 16]), ..card.clone() }),
        words(&Card { signing: keys(9).signing.public(), ..card.clone() }),
        words(&Card { sealing: keys(9).sealing.recipient(), ..card }),
    ];
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn spacing_and_case_do_not_count_but_words_do() {
    let words = words(&central_card());
    let loose = format!("  {}\n", words.to_uppercase().replace(' ', " \t "));
    assert!(same_words(&words, &loose));
    let (first, rest) = words.split_once(' ').unwrap();
    assert!(!same_words(&words, &format!("{rest} {first}")));
    assert!(!same_words(&words, rest));
    assert!(!same_words(&words, &format!("{words} {first}")));
    assert!(!same_words(&words, &words.replacen(first, "zoo", 1)));
}

#[test]
fn nothing_is_not_the_same_as_nothing() {
    assert!(!same_words("", ""));
    assert!(!same_words("abandon", "abandon"));
}
