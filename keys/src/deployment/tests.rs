use super::*;
use crate::fixtures::{Seeded, deployment_key, keys, listed, name, signed, two_nodes};

/// Signs what no list may say.
fn sign_unchecked(list: &NodeList) -> Result<SignedNodeList, ListError> {
    let key = deployment_key();
    let bytes = signed_text::compose(FIRST_LINE, &wire::NodeListV1::from(list), &key.keys);
    SignedNodeList::parse(&bytes, &key.public())
}

#[test]
fn the_id_is_the_beginning_of_the_hash_of_the_public_key() {
    let key = deployment_key();
    assert_eq!(key.id().0, Sha256::digest(key.public().as_bytes())[..16]);
}

#[test]
fn the_text_is_as_documented() {
    let list = NodeList::first(deployment_key().id(), listed("ministry", 1, Role::Central, None)).unwrap();
    let text = String::from_utf8(signed(list.clone()).as_bytes().to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let node = &list.nodes()[0];
    let json = format!(
        r#"{{"deployment":"{}","number":1,"nodes":[{{"name":"ministry","id":"01010101-0101-0101-0101-010101010101","role":"central","signing":"{}","sealing":"{}"}}]}}"#,
        deployment_key().id(),
        node.signing,
        node.sealing
    );
    assert_eq!(lines[..2], ["saddlebag nodes 1", &json]);
    assert!(lines[2].starts_with("ed25519:"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_signed_list_comes_back() {
    let mut list = two_nodes();
    list.nodes[1].revoked = Some(Revoked { epoch: Epoch::new(1, 7), number: BundleNumber(12) });
    let signed = signed(list.clone());
    assert_eq!(signed.list(), &list);
    assert_eq!(SignedNodeList::parse(signed.as_bytes(), &deployment_key().public()), Ok(signed.clone()));
    let other = DeploymentKey::generate(&mut Seeded(5)).public();
    assert_eq!(SignedNodeList::parse(signed.as_bytes(), &other), Err(ListError::BadSignature));
}

#[test]
fn a_list_that_was_changed_at_any_byte_is_refused() {
    let good = signed(two_nodes()).as_bytes().to_vec();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(SignedNodeList::parse(&bad, &deployment_key().public()).is_err(), "byte {at}");
        assert!(SignedNodeList::parse(&good[..at], &deployment_key().public()).is_err(), "cut at {at}");
    }
}

#[test]
fn the_number_goes_up_by_one_with_each_node() {
    let list = two_nodes();
    assert_eq!(list.number(), 2);
    let next = list.with_node(listed("clinic-08", 3, Role::Satellite, Some(1))).unwrap();
    assert_eq!(next.number(), 3);
    assert_eq!(next.nodes()[..2], *list.nodes());
    assert_eq!(next.node(NodeId([3; 16])), next.node_named(&name("clinic-08")));
    let last = NodeList { number: u64::MAX, ..list };
    assert!(last.with_node(listed("clinic-08", 3, Role::Satellite, Some(1))).is_err());
}

#[test]
fn names_ids_and_keys_are_unique() {
    let list = two_nodes();
    let new = || listed("clinic-08", 3, Role::Satellite, Some(1));
    assert!(list.with_node(new()).is_ok());
    let refused = |node| list.with_node(node).unwrap_err();
    let same_name = ListedNode { name: name("clinic-07"), ..new() };
    assert!(matches!(refused(same_name), ListError::NameTaken { .. }));
    let same_id = ListedNode { id: NodeId([2; 16]), ..new() };
    assert!(matches!(refused(same_id), ListError::IdTaken { .. }));
    let same_signing = ListedNode { signing: keys(2).signing.public(), ..new() };
    assert!(matches!(refused(same_signing), ListError::KeyTaken { .. }));
    let same_sealing = ListedNode { sealing: keys(2).sealing.recipient(), ..new() };
    assert!(matches!(refused(same_sealing), ListError::KeyTaken { .. }));
}

#[test]
fn a_satellite_has_a_central_and_there_are_no_circles() {
    let list = two_nodes();
    for central in [None, Some(9), Some(3)] {
        let node = listed("clinic-08", 3, Role::Satellite, central);
        assert!(matches!(list.with_node(node), Err(ListError::NoCentral { .. })), "{central:?}");
    }
    let satellite = listed("clinic", 1, Role::Satellite, None);
    assert!(matches!(NodeList::first(list.deployment(), satellite), Err(ListError::NoCentral { .. })));
}

#[test]
fn a_satellite_that_gets_a_satellite_becomes_a_central() {
    let list = two_nodes().with_node(listed("post-1", 3, Role::Satellite, Some(2))).unwrap();
    let district = list.node(NodeId([2; 16])).unwrap();
    assert_eq!((district.role, district.central), (Role::Central, Some(NodeId([1; 16]))));
}

#[test]
fn even_a_signed_list_must_be_sound() {
    let good = two_nodes();
    assert!(sign_unchecked(&good).is_ok());
    let change = |change: fn(&mut NodeList)| {
        let mut list = good.clone();
        change(&mut list);
        sign_unchecked(&list).unwrap_err()
    };
    assert!(matches!(change(|list| list.number = 0), ListError::BadNumber { number: 0 }));
    assert!(matches!(change(|list| list.nodes[1].name = name("ministry")), ListError::NameTaken { .. }));
    assert!(matches!(change(|list| list.nodes[1].central = None), ListError::NoCentral { .. }));
    assert!(matches!(change(|list| list.nodes.swap(0, 1)), ListError::NoCentral { .. }));
    let other = change(|list| list.deployment = DeploymentId([7; 16]));
    assert!(matches!(other, ListError::OtherDeployment { .. }));
}

#[test]
fn weak_keys_in_a_signed_list_are_refused() {
    let text = String::from_utf8(signed(two_nodes()).as_bytes().to_vec()).unwrap();
    let weak = format!("ed25519:AQ{}=", "A".repeat(41));
    let json = text.lines().nth(1).unwrap().replace(&keys(2).signing.public().to_string(), &weak);
    assert!(json.contains(&weak));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let wire: wire::NodeListV1 = serde_json::from_value(json).unwrap();
    let bytes = signed_text::compose(FIRST_LINE, &wire, &deployment_key().keys);
    let error = SignedNodeList::parse(&bytes, &deployment_key().public()).unwrap_err();
    assert!(error.to_string().contains("weak"), "{error}");
}

#[test]
fn only_the_next_list_takes_the_place_of_the_known_one() {
    let second = two_nodes();
    let third = second.with_node(listed("clinic-08", 3, Role::Satellite, Some(1))).unwrap();
    let other_third = second.with_node(listed("clinic-09", 4, Role::Satellite, Some(1))).unwrap();
    let fourth = third.with_node(listed("clinic-09", 4, Role::Satellite, Some(1))).unwrap();
    let [second, third, other_third, fourth] = [second, third, other_third, fourth].map(signed);
    assert_eq!(third.succession(&second), Ok(Succession::Next));
    assert_eq!(third.succession(&third), Ok(Succession::Same));
    assert_eq!(second.succession(&third), Err(ListError::Older { number: 2, known: 3 }));
    assert_eq!(other_third.succession(&third), Err(ListError::Forked { number: 3 }));
    assert_eq!(fourth.succession(&second), Err(ListError::Skipped { number: 4, known: 2 }));
    let elsewhere = DeploymentKey::generate(&mut Seeded(5));
    let foreign = NodeList { deployment: elsewhere.id(), ..third.list().clone() };
    let foreign = elsewhere.sign(foreign).unwrap();
    assert!(matches!(foreign.succession(&second), Err(ListError::OtherDeployment { .. })));
}

#[test]
fn revocation_counts_from_a_bundle_on_and_in_later_epochs() {
    let revoked = Revoked { epoch: Epoch::new(2, 5), number: BundleNumber(10) };
    assert!(!revoked.covers(Epoch::new(2, 5), BundleNumber(9)));
    assert!(revoked.covers(Epoch::new(2, 5), BundleNumber(10)));
    assert!(revoked.covers(Epoch::new(3, 0), BundleNumber(1)));
    assert!(!revoked.covers(Epoch::new(1, 9), BundleNumber(11)));
}

#[test]
fn the_deployment_key_comes_back_and_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    deployment_key().save(folder.path()).unwrap();
    assert_eq!(DeploymentKey::load(folder.path()).unwrap().id(), deployment_key().id());
    assert!(DeploymentKey::generate(&mut Seeded(5)).save(folder.path()).is_err());
    assert_eq!(DeploymentKey::load(folder.path()).unwrap().id(), deployment_key().id());
}

#[test]
fn a_satellite_that_becomes_a_district_keeps_its_central() {
    let list = two_nodes();
    let next = list.with_role(NodeId([2; 16]), Role::Central).unwrap();
    let clinic = next.node(NodeId([2; 16])).unwrap();
    assert_eq!((next.number(), clinic.role, clinic.central), (3, Role::Central, Some(NodeId([1; 16]))));
    assert_eq!(next.with_role(NodeId([2; 16]), Role::Satellite).unwrap().number(), 4);
    let unknown = NodeId([9; 16]);
    assert_eq!(list.with_role(unknown, Role::Central), Err(ListError::NotListed { id: unknown }));
    assert!(matches!(list.with_role(NodeId([1; 16]), Role::Satellite), Err(ListError::NoCentral { .. })));
}

#[test]
fn who_is_below_whom_is_told_over_any_number_of_levels() {
    let list = two_nodes().with_node(listed("village", 3, Role::Satellite, Some(2))).unwrap();
    let id = |seed: u8| NodeId([seed; 16]);
    assert!(list.is_within(id(3), id(1)) && list.is_within(id(3), id(2)) && list.is_within(id(3), id(3)));
    assert!(!list.is_within(id(1), id(3)) && !list.is_within(id(2), id(3)) && !list.is_within(id(9), id(1)));
}
