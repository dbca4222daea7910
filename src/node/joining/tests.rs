use bundle_spec::sealing::{SealingKey, SealingPublic};

use super::*;
use crate::time::Time;

#[test]
fn what_is_invited_to_is_what_is_dialled() {
    let (inviting, invited) = (Home::new(1), Home::new(2));
    let listening = vec![
        ("quic", Some("10.0.0.7:4558".parse().unwrap())),
        ("tcpclv4", Some("[2001:db8::7]:4556".parse().unwrap())),
        ("udp", None),
        ("mtcp", Some("127.0.0.1:1".parse().unwrap())),
    ];
    let made = inviting.joining.invite(listening, InvitationTerms::default()).unwrap();
    let node = inviting.joining.node.clone();
    let key = crate::cla::quic::peer_text(&inviting.joining.key.public());
    let expected =
        [format!("quic://10.0.0.7:4558/{key}"), format!("tcpclv4://[2001:db8::7]:4556?eid={node}")];
    assert_eq!(made.addresses, expected);
    assert_eq!(made.findings, Vec::<String>::new());
    let followed = invited.joining.join(made.invitation.clone(), false).unwrap();
    assert_eq!(followed.addresses, expected);
    let dialled: Vec<String> = invited.joining.peers.list().iter().map(ToString::to_string).collect();
    assert_eq!(dialled, expected);
    // Again is no error.
    assert_eq!(invited.joining.join(made.invitation, false).unwrap().findings, Vec::<String>::new());
    assert_eq!(invited.joining.peers.list().len(), 2);
}

#[test]
fn places_that_cannot_be_dialled_are_said_and_the_others_are_dialled() {
    let guest = Home::new(2);
    let clear = Place { is_clear: true, road: 2, ..place() };
    let mut said = introduction(1);
    said.places = vec![Place { road: 77, ..place() }, clear, Place { is_clear: true, ..place() }];
    let nowhere = guest.joining.join(signed(said.clone(), 1), false).unwrap_err().to_string();
    for words in ["number 77", "`security.link-key`", "always encrypts"] {
        assert!(nowhere.contains(words), "{nowhere}");
    }
    assert_eq!(guest.joining.peers.list().len(), 0);
    said.places.push(place());
    let followed = guest.joining.join(signed(said, 1), false).unwrap();
    assert_eq!((followed.addresses.len(), followed.findings.len()), (1, 3));
}

#[test]
fn nobody_joins_itself_or_its_own_name() {
    let guest = Home::new(2);
    let own = guest.joining.join(signed(introduction(2), 2), false).unwrap_err();
    assert!(own.to_string().contains("this node's own"), "{own}");
    let mut guest = guest;
    guest.joining.node = "dtn://clinic/".parse().unwrap();
    let said = Introduction { node: guest.joining.node.clone(), ..introduction(1) };
    let double = guest.joining.join(signed(said, 1), false).unwrap_err();
    assert!(double.to_string().contains("calls itself `dtn://clinic/`"), "{double}");
}

#[test]
fn an_invitation_holds_for_thirty_days_or_as_long_as_is_said() {
    let home = Home::new(1);
    let (now, _) = home.joining.clock.wall().unwrap();
    let made = |lifetime| {
        let listening = vec![("quic", Some("10.0.0.7:4558".parse().unwrap()))];
        let terms = InvitationTerms { lifetime, name: None };
        home.joining.invite(listening, terms).unwrap().invitation
    };
    let days = |count: u64| DtnTime(now.0 + count * 24 * 3600 * 1000);
    assert!(!made(None).is_expired(days(29)) && made(None).is_expired(days(31)));
    let short = made(Some(Duration::from_secs(2 * 24 * 3600)));
    assert!(!short.is_expired(days(1)) && short.is_expired(days(3)));
    let over = made(Some(Duration::ZERO)).introduction;
    let over = signed(Introduction { expires: DtnTime(over.expires.0 - 1000), ..over }, 1);
    assert!(matches!(Home::new(2).joining.join(over, false), Err(OperationError::Expired(_))));
}

#[test]
fn a_key_that_a_name_proves_follows_its_node_and_any_other_stays_as_it_was_known() {
    let guest = Home::new(2);
    let with_key = |said: Introduction, role: Option<&str>, epoch, byte| {
        let public = SealingPublic([byte; 32]);
        let keys = vec![OfferedKey { role: role.map(str::to_owned), epoch, public }];
        let invitation = signed(Introduction { keys, ..said }, 1);
        guest.joining.join(invitation, false).map(|followed| followed.findings.len())
    };
    let by_key = || introduction(1);
    let by_name = || Introduction { node: "dtn://clinic/".parse().unwrap(), ..introduction(1) };
    assert_eq!(with_key(by_key(), None, 1, 5), Ok(0));
    assert_eq!(with_key(by_key(), None, 2, 6), Ok(0), "a later one of the same node");
    let forged = with_key(by_key(), None, 2, 7).unwrap_err();
    assert!(forged.to_string().contains("forged or lost"), "{forged}");
    assert_eq!(with_key(by_name(), None, 1, 5), Ok(0));
    assert_eq!(with_key(by_name(), None, 2, 6), Ok(1), "whoever calls itself so");
    assert_eq!(with_key(by_key(), Some("executors"), 1, 5), Ok(0));
    assert_eq!(with_key(by_key(), Some("executors"), 2, 6), Ok(1));
    let ring = guest.joining.keys.load().unwrap();
    let current = |owner: Owner| ring.current(&owner).unwrap().public.0[0];
    assert_eq!(current(Owner::Node(by_key().node)), 6);
    assert_eq!(current(Owner::Node(by_name().node)), 5);
    assert_eq!(current(Owner::Role("executors".to_owned())), 5);
}

#[test]
fn an_invitation_passes_on_public_keys_only() {
    let home = Home::new(1);
    let secret = SealingKey::from_bytes(&[3; 32]);
    home.joining
        .keys
        .change(|ring| ring.rotate(&Owner::Role("executors".to_owned()), secret).map(drop))
        .unwrap();
    home.joining.keys.ensure().unwrap();
    let listening = vec![("quic", Some("10.0.0.7:4558".parse().unwrap()))];
    let made = home.joining.invite(listening, InvitationTerms::default()).unwrap().invitation;
    let roles: Vec<_> = made.introduction.keys.iter().map(|key| key.role.as_deref()).collect();
    assert_eq!(roles, [None, Some("executors")]);
    assert!(!made.encode().windows(32).any(|bytes| bytes == [3; 32]));
}

/// A node's folder, and what it joins with.
struct Home {
    joining: Joining,
    _folder: tempfile::TempDir,
}

impl Home {
    fn new(secret: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::from_bytes(&[secret; 32]);
        let joining = Joining {
            node: key.public().node_id(),
            key,
            clock: Arc::new(Clock::resume(0, Time(0))),
            peers: Arc::new(Peers::load(&folder.path().join("peers"), false).unwrap()),
            keys: KeyFile::new(sealing::path(folder.path())),
            role: "executors".to_owned(),
            clear: Vec::new(),
        };
        Self { joining, _folder: folder }
    }
}

fn introduction(secret: u8) -> Introduction {
    let node = SigningKey::from_bytes(&[secret; 32]).public().node_id();
    Introduction { node, name: None, expires: DtnTime::UNKNOWN, places: vec![place()], keys: Vec::new() }
}

fn place() -> Place {
    Place { road: 0, host: Host::Ip([10, 0, 0, 7].into()), port: 4558, is_clear: false }
}

fn signed(said: Introduction, secret: u8) -> Invitation {
    Invitation::sign(said, &SigningKey::from_bytes(&[secret; 32])).unwrap()
}
