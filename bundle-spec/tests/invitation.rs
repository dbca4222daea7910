//! Invitations: what is written is read, however it was copied; whatever else is refused.
//!
//! `vectors/invitation` holds examples: the line of text, and what it says; `UPDATE=1` rewrites both.

use std::{fs, net::IpAddr, path::PathBuf};

use bundle_spec::{
    DtnTime,
    adu::AduError,
    invitation::{
        Host, Introduction, Invitation, InvitationError, KEYS_MAX, NAME_BYTES_MAX, OfferedKey, PLACES_MAX,
        Place, ROADS, TEXT_BYTES_MAX,
    },
    sealing::SealingPublic,
    sign::SigningKey,
};

#[test]
fn every_sample_matches_its_vector() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/invitation");
    for (name, invitation) in samples() {
        for (extension, text) in [("txt", format!("{invitation}\n")), ("json", described(&invitation))] {
            let file = folder.join(name).with_extension(extension);
            if std::env::var_os("UPDATE").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&file, &text).unwrap();
            }
            let expected = fs::read_to_string(&file).unwrap();
            assert_eq!(text, expected, "{name}.{extension}; `UPDATE=1` accepts the difference");
        }
    }
}

#[test]
fn what_is_written_is_read_in_capitals_and_in_several_lines_too() {
    for (name, invitation) in samples() {
        let text = invitation.to_string();
        assert_eq!(text.parse().as_ref(), Ok(&invitation), "{name}");
        assert_eq!(text.to_uppercase().parse().as_ref(), Ok(&invitation), "{name}");
        let lines: String = text.chars().enumerate().map(|(at, c)| format!("{c}{}", separator(at))).collect();
        assert_eq!(format!("\r\n {lines}\n").parse().as_ref(), Ok(&invitation), "{name}");
    }
}

#[test]
fn a_smallest_one_is_short_enough_for_paper() {
    let [(_, smallest), ..] = samples();
    assert!(smallest.to_string().len() < 210, "{smallest}");
}

#[test]
fn every_single_character_matters() {
    let [_, (_, whole)] = samples();
    let text = whole.to_string();
    for at in 0..text.len() {
        for replacement in ["a", "b", "7", ""] {
            if &text[at..=at] != replacement {
                let damaged = [&text[..at], replacement, &text[at + 1..]].concat();
                assert!(damaged.parse::<Invitation>().is_err(), "{at} {replacement}");
            }
        }
        assert!(text[..at].parse::<Invitation>().is_err(), "{at}");
        assert!([&text[..at], "a", &text[at..]].concat().parse::<Invitation>().is_err(), "{at}");
    }
}

#[test]
fn a_damaged_one_says_what_is_wrong() {
    let [_, (_, whole)] = samples();
    let text = whole.to_string();
    let parsed = |text: &str| text.parse::<Invitation>().unwrap_err();
    assert_eq!(parsed("quic://192.0.2.7:4558"), InvitationError::Scheme);
    assert_eq!(parsed(""), InvitationError::Scheme);
    assert_eq!(parsed("pannier:"), InvitationError::Cut);
    assert_eq!(parsed("pannier:b"), InvitationError::Cut);
    assert_eq!(parsed("pannier:zabc"), InvitationError::Character { at: 9 });
    assert_eq!(parsed(&text.replacen(":b", ":b1", 1)), InvitationError::Character { at: 10 });
    assert_eq!(parsed(&"pannier:b".repeat(TEXT_BYTES_MAX)), InvitationError::TooLong);
    let mut bytes = whole.encode();
    bytes[1] = 2;
    assert_eq!(Invitation::decode(&bytes), Err(InvitationError::Version(2)));
    let mut bytes = whole.encode();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(Invitation::decode(&bytes), Err(AduError::Signature.into()));
}

#[test]
fn nobody_invites_in_the_name_of_another_key() {
    let stranger = SigningKey::from_bytes(&[8; 32]).public().node_id();
    let signed = Invitation::sign(Introduction { node: stranger, ..introduction() }, &key());
    assert_eq!(signed, Err(AduError::Signature.into()));
    let by_name = Introduction { node: "dtn://clinic/".parse().unwrap(), ..introduction() };
    assert_eq!(Invitation::sign(by_name, &key()).unwrap().key(), &key().public());
}

#[test]
fn it_holds_up_to_its_last_second_and_without_one_for_ever() {
    let until = |expires| Invitation::sign(Introduction { expires, ..introduction() }, &key()).unwrap();
    let ends = until(DtnTime(820_000_000_999));
    assert_eq!(ends.introduction.expires, DtnTime(820_000_000_000));
    assert!(!ends.is_expired(DtnTime(820_000_000_000)));
    assert!(ends.is_expired(DtnTime(820_000_000_001)));
    assert!(!until(DtnTime::UNKNOWN).is_expired(DtnTime(u64::MAX)));
}

#[test]
fn what_is_longer_than_it_may_be_is_refused_when_it_is_made() {
    let refused = |introduction| Invitation::sign(introduction, &key()).is_err();
    let name = |len: usize| Introduction { name: Some("n".repeat(len)), ..introduction() };
    assert!(!refused(name(NAME_BYTES_MAX)) && refused(name(NAME_BYTES_MAX + 1)) && refused(name(0)));
    let places = |count| Introduction { places: vec![place("10.0.0.1"); count], ..introduction() };
    assert!(!refused(places(PLACES_MAX)) && refused(places(PLACES_MAX + 1)));
    let keys = |count| Introduction { keys: vec![offered(Some("r"), 1); count], ..introduction() };
    assert!(!refused(keys(KEYS_MAX)) && refused(keys(KEYS_MAX + 1)));
    let hosts = |host: &str| Introduction {
        places: vec![Place { host: Host::Name(host.to_owned()), ..place("10.0.0.1") }],
        ..introduction()
    };
    assert!(!refused(hosts("clinic.example")));
    for host in ["", "10.0.0.1", "::1", "a b", "a/b", &"h".repeat(254)] {
        assert!(refused(hosts(host)), "{host}");
    }
    assert!(refused(Introduction { name: Some("up\u{1b}[2J".to_owned()), ..introduction() }));
    assert!(refused(Introduction { keys: vec![offered(None, 0)], ..introduction() }));
    assert!(refused(Introduction { keys: vec![offered(Some("a b"), 1)], ..introduction() }));
    let no_port = Place { port: 0, ..place("10.0.0.1") };
    assert!(refused(Introduction { places: vec![no_port], ..introduction() }));
}

#[test]
fn a_place_on_a_road_of_a_later_version_is_read_and_has_no_name() {
    let later = Place { road: 6, ..place("10.0.0.1") };
    let signed = Invitation::sign(Introduction { places: vec![later], ..introduction() }, &key()).unwrap();
    let read: Invitation = signed.to_string().parse().unwrap();
    assert_eq!(read.introduction.places[0].road_name(), None);
    assert_eq!(place("10.0.0.1").road_name(), Some(ROADS[0]));
}

#[test]
fn any_text_is_an_invitation_or_refused() {
    bolero::check!().with_type::<String>().with_iterations(5_000).for_each(|text| {
        check(text);
        check(&format!("pannier:b{}", text.to_lowercase()));
    });
}

#[test]
fn any_bytes_with_a_right_signature_are_read_or_refused() {
    let [_, (_, whole)] = samples();
    let statement = whole.encode();
    let statement = &statement[..statement.len() - 64];
    bolero::check!().with_type::<(Vec<(u16, u8)>, u16)>().with_iterations(5_000).for_each(
        |(damages, cut)| {
            let mut bytes = statement.to_vec();
            // The key stays as it is, so that the signature can be right.
            for (at, value) in damages.iter().take(4) {
                let at = usize::from(*at) % bytes.len();
                if !(2..36).contains(&at) {
                    bytes[at] = *value;
                }
            }
            bytes.truncate(bytes.len() - usize::from(*cut % 4));
            let signature = key().sign("invitation", &bytes).bytes;
            bytes.extend_from_slice(&signature);
            if let Ok(read) = Invitation::decode(&bytes) {
                assert_eq!(read.encode(), bytes, "one meaning has one encoding");
                assert_eq!(read.to_string().parse(), Ok(read));
            }
        },
    );
}

fn check(text: &str) {
    if let Ok(read) = text.parse::<Invitation>() {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        assert_eq!(read.to_string(), plain.to_ascii_lowercase());
    }
}

fn separator(at: usize) -> &'static str {
    match at % 60 {
        59 => "\n",
        29 => " ",
        _ => "",
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn samples() -> [(&'static str, Invitation); 2] {
    let whole = Introduction {
        node: "dtn://clinic/".parse().expect("a constant"),
        name: Some("clinic at the harbour".to_owned()),
        expires: DtnTime(850_000_000_000),
        places: vec![
            place("192.168.1.7"),
            Place { road: 1, port: 4556, ..place("2001:db8::7") },
            Place { road: 2, host: Host::Name("clinic.example".to_owned()), port: 1, is_clear: true },
        ],
        keys: vec![offered(None, 1), offered(Some("executors"), 3)],
    };
    let sign = |introduction| Invitation::sign(introduction, &key()).expect("a constant");
    [("smallest", sign(introduction())), ("whole", sign(whole))]
}

fn introduction() -> Introduction {
    Introduction {
        node: key().public().node_id(),
        name: None,
        expires: DtnTime(820_000_000_000),
        places: vec![place("192.168.1.7")],
        keys: Vec::new(),
    }
}

fn place(ip: &str) -> Place {
    let host = Host::Ip(ip.parse::<IpAddr>().expect("a constant"));
    Place { road: 0, host, port: 4558, is_clear: false }
}

fn offered(role: Option<&str>, epoch: u32) -> OfferedKey {
    OfferedKey { role: role.map(str::to_owned), epoch, public: SealingPublic([9; 32]) }
}

/// What an invitation says, as JSON with a line per fact.
fn described(invitation: &Invitation) -> String {
    let said = &invitation.introduction;
    let mut lines = vec![
        format!("\"bytes\": \"{}\"", hex(&invitation.encode())),
        format!("\"key\": \"{}\"", hex(&invitation.key().0)),
        format!("\"node\": \"{}\"", said.node),
        format!("\"name\": {}", said.name.as_ref().map_or("null".to_owned(), |name| format!("\"{name}\""))),
        format!("\"expires\": \"{}\"", said.expires),
    ];
    for (at, place) in said.places.iter().enumerate() {
        let Place { road, host, port, is_clear } = place;
        let place =
            format!("\"road\": {road}, \"host\": \"{host}\", \"port\": {port}, \"clear\": {is_clear}");
        lines.push(format!("\"place {at}\": {{{place}}}"));
    }
    for (at, key) in said.keys.iter().enumerate() {
        let role = key.role.as_ref().map_or("null".to_owned(), |role| format!("\"{role}\""));
        let public = hex(&key.public.0);
        lines.push(format!(
            "\"key {at}\": {{\"role\": {role}, \"epoch\": {}, \"public\": \"{public}\"}}",
            key.epoch
        ));
    }
    format!("{{\n  {}\n}}\n", lines.join(",\n  "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
