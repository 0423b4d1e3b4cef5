//! Cards: who may join whom.

use saddlebag_couriers::membership::{admit, card, join, read_card};
use saddlebag_couriers::node::NodeError;
use saddlebag_keys::deployment::Role;

use crate::world::{World, link};

#[test]
fn a_card_shows_name_role_and_words_before_anything_is_done() {
    let world = World::new();
    let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
    let own = card(&mut ministry.open()).unwrap();
    let shown = read_card(&own.bytes).unwrap();
    assert_eq!((shown.name.as_str(), shown.role, shown.words), ("ministry", Role::Central, own.words));
    let own = card(&mut clinic.open()).unwrap();
    assert_eq!(read_card(&own.bytes).unwrap().role, Role::Satellite);
    link(&clinic, &ministry);
    assert_eq!(card(&mut clinic.open()).unwrap().words, own.words, "the words stay the same");
}

#[test]
fn joining_and_admitting_make_a_link_and_a_list_once() {
    let (_world, clinic, ministry) = World::pair();
    let (mut clinic, mut ministry) = (clinic.open(), ministry.open());
    assert_eq!(ministry.deployment.as_ref().unwrap().1.list().number(), 2);
    assert_eq!(ministry.links().unwrap()[0].name, "clinic");
    assert_eq!(clinic.links().unwrap()[0].name, "ministry");
    assert_eq!(clinic.this_node().unwrap().deployment, ministry.this_node().unwrap().deployment);
    let (of_ministry, of_clinic) = (card(&mut ministry).unwrap().bytes, card(&mut clinic).unwrap().bytes);
    assert!(matches!(join(&mut clinic, &of_ministry), Err(NodeError::AlreadyLinked { .. })));
    assert!(matches!(admit(&mut ministry, &of_clinic), Err(NodeError::AlreadyLinked { .. })));
    assert_eq!(ministry.links().unwrap().len(), 1);
}

#[test]
fn the_wrong_card_changes_nothing() {
    let world = World::new();
    let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
    let (other, hospital) = (world.ready("other", true), world.ready("hospital", false));
    let (mut clinic, mut ministry) = (clinic.open(), ministry.open());
    let bytes = |node: &mut saddlebag_couriers::Node| card(node).unwrap().bytes;
    let (of_clinic, of_ministry) = (bytes(&mut clinic), bytes(&mut ministry));
    let (of_other, of_hospital) = (bytes(&mut other.open()), bytes(&mut hospital.open()));
    assert!(matches!(join(&mut clinic, &of_clinic), Err(NodeError::NotACentral { .. })));
    assert!(matches!(join(&mut clinic, &of_hospital), Err(NodeError::NotACentral { .. })));
    assert!(matches!(admit(&mut ministry, &of_ministry), Err(NodeError::OwnCard)));
    assert!(matches!(admit(&mut ministry, &of_other), Err(NodeError::OtherDeployment { .. })));
    assert!(matches!(join(&mut ministry, &of_other), Err(NodeError::OtherDeployment { .. })));
    assert!(matches!(admit(&mut clinic, &of_hospital), Err(NodeError::MayNotAdmit)));
    assert!(matches!(clinic.this_node(), Err(NodeError::NoDeployment)));
    let mut changed = of_ministry.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    assert!(matches!(join(&mut clinic, &changed), Err(NodeError::Card(_))));
    join(&mut clinic, &of_ministry).unwrap();
    assert!(matches!(join(&mut clinic, &of_other), Err(NodeError::OtherDeployment { .. })));
    assert!(
        matches!(admit(&mut clinic, &of_hospital), Err(NodeError::NotADistrict { .. })),
        "a satellite admits nobody"
    );
    assert_eq!((clinic.links().unwrap().len(), ministry.links().unwrap().len()), (1, 0));
}

#[test]
fn a_name_is_taken_once() {
    let (world, _clinic, ministry) = World::pair();
    let twin_world = World::new();
    let (twin, namesake) = (twin_world.ready("clinic", false), twin_world.ready("ministry", false));
    let of_twin = card(&mut twin.open()).unwrap().bytes;
    assert!(matches!(admit(&mut ministry.open(), &of_twin), Err(NodeError::List(_))));
    let of_ministry = card(&mut ministry.open()).unwrap().bytes;
    assert!(matches!(join(&mut twin.open(), &of_ministry), Err(NodeError::NameTaken { .. })));
    assert!(matches!(join(&mut namesake.open(), &of_ministry), Err(NodeError::NameTaken { .. })));
    drop(world);
}

#[test]
fn without_the_deployments_key_nobody_is_admitted() {
    let world = World::new();
    let (clinic, ministry) = (world.ready("clinic", false), world.ready("ministry", true));
    let of_clinic = card(&mut clinic.open()).unwrap().bytes;
    std::fs::remove_file(ministry.folder.join("keys/deployment.key")).unwrap();
    assert!(matches!(admit(&mut ministry.open(), &of_clinic), Err(NodeError::NoDeploymentKey { .. })));
    assert!(ministry.open().links().unwrap().is_empty());
}
