use saddlebag_formats::envelope::signed_lines;
use saddlebag_formats::header::BundleHeader;
use saddlebag_formats::payload_binding::PayloadBinding;
use saddlebag_formats::{BundleId, BundleNumber, Epoch, Seq, TimeMs};

use super::*;
use crate::deployment::Role;
use crate::fixtures::{central_card, deployment_key, keys, listed, satellite_card};
use crate::signing::SigningKeys;

const MINISTRY: NodeId = NodeId([1; 16]);
const CLINIC: NodeId = NodeId([2; 16]);

/// From the clinic (2) to the ministry (1).
fn header() -> BundleHeader {
    BundleHeader {
        deployment: deployment_key().id(),
        id: BundleId([7; 16]),
        from: CLINIC,
        key: keys(2).signing.key_id(),
        to: MINISTRY,
        epoch: Epoch::new(1, 9),
        number: BundleNumber(17),
        after: Seq(0),
        upto: Seq(5),
        ack: None,
        created: TimeMs(0),
        payload: PayloadBinding::of(b"payload"),
    }
}

fn sign(header: BundleHeader, keys: &SigningKeys) -> Head {
    let signed = signed_lines(&header);
    Head { signature: keys.sign(&signed), signed, header }
}

fn clinic() -> Peer {
    Peer::from(&listed("clinic-07", 2, Role::Satellite, Some(1)))
}

fn check(head: Head, me: Option<NodeId>) -> Result<Verified<Head>, HeadRefusal> {
    verify_head(head, deployment_key().id(), me, |id, _| (id == CLINIC).then(clinic))
}

fn refusal(change: impl FnOnce(&mut BundleHeader)) -> HeadRefusal {
    let mut changed = header();
    change(&mut changed);
    check(sign(changed, &keys(2).signing), Some(MINISTRY)).unwrap_err()
}

#[test]
fn what_an_admitted_peer_signed_for_this_node_is_believed() {
    let head = sign(header(), &keys(2).signing);
    let verified = check(head.clone(), Some(MINISTRY)).unwrap();
    assert_eq!((verified.get(), verified.sender()), (&head, &clinic()));
    assert_eq!(verified.into_parts(), (head, clinic()));
}

#[test]
fn each_reason_has_its_refusal() {
    let found = DeploymentId([5; 16]);
    assert_eq!(refusal(|h| h.deployment = found), HeadRefusal::OtherDeployment { found });
    let from = NodeId([8; 16]);
    assert_eq!(refusal(|h| h.from = from), HeadRefusal::UnknownSender { from });
    let key = keys(9).signing.key_id();
    assert_eq!(refusal(|h| h.key = key), HeadRefusal::OtherKey { from: clinic().name, key });
    let to = NodeId([4; 16]);
    assert_eq!(refusal(|h| h.to = to), HeadRefusal::OtherReceiver { from: clinic().name.to_string(), to });
    let forged = sign(header(), &keys(9).signing);
    let refused = check(forged, Some(MINISTRY)).unwrap_err();
    assert_eq!(refused, HeadRefusal::BadSignature { from: clinic().name });
}

/// A bundle that is wrong in every way is first of all another deployment's, and so on: nobody learns from
/// a refusal more than the checks before it allow.
#[test]
fn the_checks_come_in_their_order() {
    let mut head = sign(header(), &keys(9).signing);
    head.header.to = NodeId([4; 16]);
    head.header.key = keys(9).signing.key_id();
    head.header.from = NodeId([8; 16]);
    head.header.deployment = DeploymentId([5; 16]);
    let refused = |head: &Head| check(head.clone(), Some(MINISTRY)).unwrap_err();
    assert!(matches!(refused(&head), HeadRefusal::OtherDeployment { .. }));
    head.header.deployment = deployment_key().id();
    // What is not for us may come from nodes that we need not know.
    assert!(matches!(refused(&head), HeadRefusal::OtherReceiver { .. }));
    head.header.to = MINISTRY;
    assert!(matches!(refused(&head), HeadRefusal::UnknownSender { .. }));
    head.header.to = NodeId([4; 16]);
    head.header.from = CLINIC;
    assert!(matches!(refused(&head), HeadRefusal::OtherKey { .. }));
    head.header.key = keys(2).signing.key_id();
    assert!(matches!(refused(&head), HeadRefusal::BadSignature { .. }));
    head.signature = keys(2).signing.sign(&head.signed);
    assert!(matches!(refused(&head), HeadRefusal::OtherReceiver { .. }));
}

#[test]
fn the_signature_counts_for_the_received_bytes() {
    let good = sign(header(), &keys(2).signing);
    for at in 0..good.signed.len() {
        let mut bad = good.clone();
        bad.signed[at] ^= 1;
        let refused = check(bad, Some(MINISTRY)).unwrap_err();
        assert_eq!(refused, HeadRefusal::BadSignature { from: clinic().name }, "byte {at}");
    }
}

#[test]
fn a_courier_can_check_what_is_for_others() {
    let head = sign(header(), &keys(2).signing);
    assert!(check(head.clone(), None).is_ok());
    assert!(matches!(check(head, Some(CLINIC)), Err(HeadRefusal::OtherReceiver { .. })));
    assert!(matches!(check(sign(header(), &keys(9).signing), None), Err(HeadRefusal::BadSignature { .. })));
}

#[test]
fn a_peer_found_under_another_id_is_not_the_sender() {
    let head = sign(header(), &keys(2).signing);
    let wrong = |_, _| Some(Peer { id: MINISTRY, ..clinic() });
    let refused = verify_head(head, deployment_key().id(), Some(MINISTRY), wrong);
    assert_eq!(refused.unwrap_err(), HeadRefusal::UnknownSender { from: CLINIC });
}

#[test]
fn what_a_revoked_node_signed_counts_only_if_it_is_from_before() {
    let revoked_from = |number| Revoked { epoch: Epoch::new(1, 9), number: BundleNumber(number) };
    let check = |number| {
        let peer = Peer { revoked: Some(revoked_from(number)), ..clinic() };
        let head = sign(header(), &keys(2).signing);
        verify_head(head, deployment_key().id(), Some(MINISTRY), |_, _| Some(peer.clone()))
    };
    assert!(check(18).is_ok());
    assert_eq!(check(17).unwrap_err(), HeadRefusal::Revoked { from: clinic().name });
}

#[test]
fn a_peer_is_what_its_card_shows() {
    let (card, node) = (central_card(), listed("ministry", 1, Role::Central, None));
    assert_eq!(Peer::from(&card), Peer::from(&node));
    assert_eq!(Peer::from(&satellite_card()).revoked, None);
}
