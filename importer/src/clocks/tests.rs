use saddlebag_formats::{Epoch, Writer};

use super::*;

const DAY: i64 = APART_MS;
/// 2026-11-21T10:15:00Z.
const NOW: TimeMs = TimeMs(1_795_256_100_000);
/// 2040-01-01T00:00:00Z.
const IN_2040: TimeMs = TimeMs(2_208_988_800_000);

/// A link over which something came at `at`, when the other end's clock said `told`.
fn link(role: PeerRole, at: i64, told: i64) -> Link {
    let health = Health { clock: TimeMs(told), ..Health::default() };
    let new = Link::new(NodeId([1; 16]), "other", role, &[], 0);
    Link { last_contact: Some(TimeMs(at)), health: Some(health.encode()), ..new }
}

fn satellite(at: i64, told: i64) -> Link {
    link(PeerRole::Satellite, at, told)
}

fn central(at: i64, told: i64) -> Link {
    link(PeerRole::Central, at, told)
}

fn version(time: i64, node: u8) -> Version {
    Version { time: TimeMs(time), writer: Writer { node: NodeId([node; 16]), epoch: Epoch(1) } }
}

#[test]
fn a_clock_before_its_time_or_behind_itself_is_doubted() {
    let links = [satellite(NOW.0 - DAY, NOW.0 - DAY), satellite(NOW.0, NOW.0)];
    assert_eq!(doubt(TimeMs(CLOCK_FIRST.0 - 1), &[]), Some(ClockDoubt::Before2025));
    assert_eq!(doubt(CLOCK_FIRST, &[]), None);
    assert_eq!(doubt(NOW, &links), None);
    assert_eq!(doubt(TimeMs(NOW.0 - STEP_MS), &links), None);
    assert_eq!(doubt(TimeMs(NOW.0 - STEP_MS - 1), &links), Some(ClockDoubt::BehindLastContact));
    let untold = Link { health: None, ..links[1].clone() };
    assert_eq!(doubt(TimeMs(NOW.0 - DAY), &[untold]), Some(ClockDoubt::BehindLastContact));
}

#[test]
fn a_clock_that_was_wrong_and_is_set_right_is_believed_again() {
    // It said 2040 when this came, and the other end did not.
    let then = [satellite(IN_2040.0, NOW.0 - DAY)];
    assert_eq!(doubt(NOW, &then), None);
    let both = [satellite(IN_2040.0, NOW.0 - DAY), satellite(IN_2040.0, NOW.0 - DAY)];
    assert_eq!(doubt(NOW, &both), None);
    assert_eq!(doubt(IN_2040, &both), Some(ClockDoubt::AheadOfSatellites));
}

#[test]
fn a_satellite_is_measured_by_its_central() {
    assert_eq!(doubt(NOW, &[central(NOW.0 - 2 * DAY, NOW.0 + DAY)]), None);
    assert_eq!(doubt(NOW, &[central(NOW.0 - 2 * DAY, NOW.0 + DAY + 1)]), Some(ClockDoubt::BehindCentral));
    assert_eq!(doubt(NOW, &[central(NOW.0, NOW.0 - ROAD_MS)]), None, "a year on the road");
    assert_eq!(doubt(NOW, &[central(NOW.0, NOW.0 - ROAD_MS - 1)]), Some(ClockDoubt::AheadOfCentral));
    assert_eq!(doubt(NOW, &[central(NOW.0, 0)]), None, "one at 1970 says nothing");
}

#[test]
fn a_central_is_measured_by_most_of_its_satellites() {
    let (ahead, right, old) = (satellite(NOW.0, IN_2040.0), satellite(NOW.0, NOW.0 - DAY), satellite(NOW.0, 0));
    let doubt = |links: &[&Link]| doubt(NOW, &links.iter().map(|link| (*link).clone()).collect::<Vec<_>>());
    assert_eq!(doubt(&[&ahead]), None, "of two nobody knows which is wrong");
    assert_eq!(doubt(&[&ahead, &right]), None);
    assert_eq!(doubt(&[&ahead, &ahead, &right, &right]), None);
    assert_eq!(doubt(&[&ahead, &ahead, &right, &old]), Some(ClockDoubt::BehindSatellites));
    assert_eq!(doubt(&[&ahead, &ahead]), Some(ClockDoubt::BehindSatellites));
}

#[test]
fn the_time_of_a_version_is_doubted_where_it_cannot_be_right() {
    assert_eq!(doubt_version(version(NOW.0 + STEP_MS, 1), NOW), None);
    assert_eq!(doubt_version(version(NOW.0 + STEP_MS + 1, 1), NOW), Some(TimeDoubt::Ahead));
    assert_eq!(doubt_version(version(5, 1), NOW), Some(TimeDoubt::Before2025));
    assert_eq!(doubt_version(version(CLOCK_FIRST.0, 1), NOW), None);
    assert_eq!(doubt_version(version(0, 1), NOW), None, "setup found it");
}

#[test]
fn a_clock_in_2040_is_shifted_back_but_not_before_what_it_overwrote() {
    let receipt = Receipt::new(NodeId([1; 16]), IN_2040, NOW);
    let late = version(IN_2040.0 - DAY, 1);
    assert_eq!(receipt.effective(late, None, None), Some(TimeMs(NOW.0 - DAY)));
    let base = version(NOW.0 - 10, 2);
    assert_eq!(receipt.effective(late, Some(base), None), Some(TimeMs(NOW.0 - 9)));
    assert_eq!(
        receipt.effective(version(3, 1), None, None),
        Some(TimeMs(1)),
        "an edit is never as old as what was found"
    );
    assert_eq!(receipt.effective(version(0, 1), None, None), None, "setup found it");
}

#[test]
fn nothing_is_later_than_it_came() {
    let receipt = Receipt::new(NodeId([1; 16]), NOW, NOW);
    // The clock was at 2040 when this was written, and is right again.
    let late = version(IN_2040.0, 1);
    assert_eq!(receipt.effective(late, None, None), Some(NOW));
    assert_eq!(receipt.effective(version(IN_2040.0 + 1, 1), Some(late), None), Some(NOW), "upon what had claimed more");
    assert_eq!(receipt.effective(version(NOW.0, 1), None, None), None);
    assert_eq!(receipt.effective(version(NOW.0 - DAY, 1), None, None), None, "honest");
}

#[test]
fn a_senders_clock_says_nothing_of_what_others_wrote() {
    let district = Receipt::new(NodeId([7; 16]), IN_2040, NOW);
    assert_eq!(district.effective(version(NOW.0 - DAY, 1), None, None), None, "honest, from below");
    let bounded = TimeMs(NOW.0 - 3 * DAY);
    assert_eq!(district.effective(version(IN_2040.0, 1), None, Some(bounded)), Some(bounded), "shifted once");
    assert_eq!(district.effective(version(IN_2040.0, 1), None, None), Some(NOW), "not shifted, but bounded");
    assert_eq!(district.effective(version(IN_2040.0, 7), None, None), Some(NOW), "its own");
}

#[test]
fn what_a_writer_knows_of_its_own_effective_time_is_shifted_too() {
    // Written upon a value that claimed 2050 and counted as of 2030, by a clock in 2040.
    let (upon, claimed) = (version(IN_2040.0 + 3_650 * DAY, 2), IN_2040);
    let receipt = Receipt::new(NodeId([1; 16]), IN_2040, NOW);
    let mine = version(upon.time.0 + 1, 1);
    assert_eq!(receipt.effective(mine, Some(upon), Some(claimed)), Some(NOW));
    let honest = Receipt::new(NodeId([1; 16]), NOW, NOW);
    assert_eq!(honest.effective(mine, Some(upon), Some(TimeMs(NOW.0 - DAY))), Some(TimeMs(NOW.0 - DAY)));
}
