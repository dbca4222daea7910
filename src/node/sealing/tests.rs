//! Keys over time, keys in files and lines, and what they are used for.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use bundle_spec::{
    BlockRef, Builder, CreationTimestamp, DtnTime, Header,
    adu::{Job, JobInput, Kind, ModelSelector},
    sealing::SealingKey,
    sign::SigningKey,
};

use super::*;
use crate::settings::keys::SEALING_ROLE;
use crate::{
    node::sealing::{
        file::{KeyFile, SealingFileError},
        line::{LineError, read_lines},
        ring::{KeyEntry, Owner, Ring, RingError},
    },
    time::Time,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const OVERLAP: Duration = Duration::from_secs(60 * 24 * 3600);

#[test]
fn a_key_that_was_rotated_away_opens_for_the_whole_overlap_and_not_longer() {
    let mut ring = Ring::default();
    ring.rotate(&Owner::Own, key(1)).unwrap();
    let start = Time(5_000);
    assert!(!ring.age(start, OVERLAP), "a key in use does not age");
    ring.rotate(&Owner::Own, key(2)).unwrap();
    assert_eq!(ring.current(&Owner::Own).unwrap().public, key(2).public());
    assert!(ring.age(start, OVERLAP), "it is noted when it retired");
    let last = start + (OVERLAP - Duration::from_millis(1));
    assert!(!ring.age(last, OVERLAP));
    assert_eq!(ring.secrets().cloned().collect::<Vec<_>>(), [key(2), key(1)]);
    assert!(ring.age(start + OVERLAP, OVERLAP));
    assert_eq!(ring.secrets().cloned().collect::<Vec<_>>(), [key(2)]);
    assert!(!ring.age(start + OVERLAP + 400 * DAY, OVERLAP), "the last key never goes");
}

#[test]
fn each_owner_and_each_epoch_ages_by_itself() {
    let mut ring = Ring::default();
    let role = Owner::Role("executors".to_owned());
    ring.rotate(&Owner::Own, key(1)).unwrap();
    ring.rotate(&role, key(2)).unwrap();
    ring.rotate(&role, key(3)).unwrap();
    ring.age(Time(0), OVERLAP);
    ring.rotate(&role, key(4)).unwrap();
    ring.age(Time::ZERO + 10 * DAY, OVERLAP);
    ring.age(Time::ZERO + OVERLAP, OVERLAP);
    assert_eq!(ring.secrets().cloned().collect::<Vec<_>>(), [key(4), key(3), key(1)]);
    ring.age(Time::ZERO + 10 * DAY + OVERLAP, OVERLAP);
    assert_eq!(ring.secrets().cloned().collect::<Vec<_>>(), [key(4), key(1)]);
}

#[test]
fn a_second_key_of_one_epoch_is_refused_and_a_secret_completes_a_public_key() {
    let mut ring = Ring::default();
    let role = Owner::Role("executors".to_owned());
    let entry = |secret: u8, known: bool| KeyEntry {
        owner: role.clone(),
        epoch: 1,
        public: key(secret).public(),
        secret: known.then(|| key(secret)),
        retired: None,
    };
    assert_eq!(ring.add(entry(1, false)), Ok(true));
    assert_eq!(ring.add(entry(1, false)), Ok(false));
    assert_eq!(ring.add(entry(1, true)), Ok(true));
    assert_eq!(ring.add(entry(1, false)), Ok(false), "what is known is not forgotten");
    assert_eq!(ring.secrets().count(), 1);
    assert_eq!(ring.add(entry(2, true)), Err(RingError::Conflict { owner: role.clone(), epoch: 1 }));
}

#[test]
fn a_line_of_a_node_is_signed_by_that_node() {
    let (node_key, stranger) = (SigningKey::from_bytes(&[7; 32]), SigningKey::from_bytes(&[8; 32]));
    let node = node_key.public().node_id();
    let mut ring = Ring::default();
    let line = ring.rotate(&Owner::Own, key(1)).unwrap().own_line(&node, &node_key);
    let read = read_lines(&format!("# from the clinic\n\n  {line}\n")).unwrap();
    assert_eq!((read[0].owner.clone(), read[0].public), (Owner::Node(node.clone()), key(1).public()));
    assert_eq!(read[0].secret, None);

    let forged = ring.current(&Owner::Own).unwrap().own_line(&node, &stranger);
    assert_eq!(read_lines(&forged), Err(LineError::Signature(1)));
    let other = super::ring::show_public(&key(2).public());
    let swapped = line.replace(&super::ring::show_public(&key(1).public()), &other);
    assert_eq!(read_lines(&format!("\n{swapped}")), Err(LineError::Signature(2)));
    for bad in ["hello", "pannier-key-1 node", "pannier-key-1 role bad/name 1 x", &line[..line.len() - 4]] {
        assert_eq!(read_lines(bad), Err(LineError::Form(1)), "{bad}");
    }
    assert_eq!(read_lines("# nothing\n"), Err(LineError::Empty));
}

#[test]
fn lines_of_a_role_carry_its_public_key_or_its_secret() {
    let mut ring = Ring::default();
    let role = Owner::Role("executors".to_owned());
    ring.rotate(&role, key(1)).unwrap();
    let entry = ring.current(&role).unwrap();
    let (public, secret) = (entry.role_line().unwrap(), entry.secret_line().unwrap());
    assert_eq!(read_lines(&public).unwrap()[0].secret, None);
    assert_eq!(read_lines(&secret).unwrap()[0].secret, Some(key(1)));
    assert_eq!(read_lines(&format!("{public}\n{}", *secret)).unwrap().len(), 2);
}

#[test]
fn keys_come_back_from_their_file_and_others_cannot_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = KeyFile::new(folder.path().join("data/sealing.json"));
    let made = file.ensure().unwrap();
    assert_eq!(made.secrets().count(), 1);
    assert_eq!(file.ensure().unwrap(), made, "made once");
    let (changed, ()) = file.change(|ring| ring.rotate(&Owner::Own, key(9)).map(drop)).unwrap();
    assert_eq!(KeyFile::new(folder.path().join("data/sealing.json")).load().unwrap(), changed);
    assert_eq!(fs::metadata(path(&folder.path().join("data"))).unwrap().permissions().mode() & 0o777, 0o600);
    let names = fs::read_dir(folder.path().join("data")).unwrap().count();
    assert_eq!(names, 2, "the file and its lock, no draft");
}

#[test]
fn a_file_that_is_loose_or_none_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("sealing.json");
    let file = KeyFile::new(place.clone());
    file.ensure().unwrap();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(file.load(), Err(SealingFileError::Loose { mode: 0o640, .. })));
    fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
    for text in [
        "",
        "{}",
        r#"{"version": 2, "keys": []}"#,
        r#"{"version":1,"keys":[{"owner":"me","epoch":1,"public":""}]}"#,
    ] {
        fs::write(&place, text).unwrap();
        assert!(matches!(file.ensure(), Err(SealingFileError::Form { .. })), "{text}");
        assert_eq!(fs::read_to_string(&place).unwrap(), text);
    }
}

#[test]
fn a_file_that_is_replaced_is_noticed_and_one_that_breaks_leaves_the_keys_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let sealing = open(folder.path());
    let elsewhere = KeyFile::new(path(folder.path()));
    elsewhere.change(|ring| ring.rotate(&Owner::Own, key(9)).map(drop)).unwrap();
    assert_eq!(sealing.ring().current(&Owner::Own).unwrap().public, key(9).public());
    fs::write(path(folder.path()), "no keys").unwrap();
    assert_eq!(sealing.ring().current(&Owner::Own).unwrap().public, key(9).public());
    fs::remove_file(path(folder.path())).unwrap();
    assert_eq!(sealing.ring().secrets().count(), 2);
}

#[test]
fn who_reads_is_what_was_wished_or_the_job_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sealing = open(folder.path());
    let ask = |wish: SealWish| sealing.sealer(&wish, None).map(|sealer| sealer.map(|sealer| sealer.level));
    assert_eq!(ask(SealWish::Default), Ok(None), "nobody has said who the executors are");
    let role = SEALING_ROLE.to_owned();
    assert_eq!(ask(SealWish::Group), Err(WishError::NoRole { role }));
    KeyFile::new(path(folder.path())).change(|ring| ring.rotate(&executors(), key(1)).map(drop)).unwrap();
    assert_eq!(ask(SealWish::Default), Ok(Some(SealLevel::Group)));
    assert_eq!(ask(SealWish::Open), Ok(None));
    let stranger = "dtn://clinic/".to_owned();
    assert_eq!(ask(SealWish::To(vec![stranger.clone()])), Err(WishError::NoNode(stranger)));
    let public = show_public(&key(1).public());
    assert_eq!(ask(SealWish::To(vec![public])), Ok(Some(SealLevel::To)), "a key is as good as a name");
    let keep = SealingSettings::built_in().keep;
    assert!(sealing.sealer(&SealWish::Group, Some(keep)).is_ok());
    let longer = sealing.sealer(&SealWish::Group, Some(keep + DAY)).err();
    assert_eq!(longer, Some(WishError::Lifetime(keep)));
    assert!(sealing.sealer(&SealWish::Open, Some(keep + DAY)).is_ok());
}

#[test]
fn wishes_are_read_and_nonsense_is_none() {
    let to = |nodes: &[&str]| SealWish::To(nodes.iter().map(|&node| node.to_owned()).collect());
    for (text, wish) in [
        ("open", SealWish::Open),
        ("group", SealWish::Group),
        ("to:ipn:7.0", to(&["ipn:7.0"])),
        ("to:ipn:7.0, dtn://a/", to(&["ipn:7.0", "dtn://a/"])),
    ] {
        assert_eq!(text.parse(), Ok(wish));
    }
    for text in ["", "to", "to:", "to:a,,b", "Group", "opened"] {
        assert!(text.parse::<SealWish>().is_err(), "{text}");
    }
}

#[test]
fn a_job_is_opened_where_it_may_concern_and_its_answer_comes_home() {
    let (asker, clinic) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (asker, clinic) = (open(asker.path()), open(clinic.path()));
    let file = clinic.file.clone().unwrap();
    file.change(|ring| ring.rotate(&executors(), key(1)).map(drop)).unwrap();
    let line = clinic.ring().current(&executors()).unwrap().role_line().unwrap();
    let entries = read_lines(&line).unwrap();
    asker.file.clone().unwrap().change(|ring| ring.add(entries[0].clone()).map(drop)).unwrap();

    let job = echo_job("why?").encode();
    let sealed = asker.sealer(&SealWish::Group, None).unwrap().unwrap().seal(&job, &asker).unwrap();
    assert!(!sealed.seal.is_open_here, "the asker cannot read it itself");
    let node: NodeId = "dtn://clinic/".parse().unwrap();
    let jobs = header(agent::JOBS, &sealed.adu);
    assert_eq!(clinic.opened(&node, &jobs, Some(&sealed.adu)), Some(job.clone()));
    assert_eq!(asker.opened(&node, &jobs, Some(&sealed.adu)), None);
    let elsewhere = header("dtn://school/inbox", &sealed.adu);
    assert_eq!(clinic.opened(&node, &elsewhere, Some(&sealed.adu)), None);
    assert_eq!(clinic.opened(&node, &jobs, Some(&job)), None, "what is open is not opened");
}

fn key(seed: u8) -> SealingKey {
    SealingKey::from_bytes(&[seed; 32])
}

fn executors() -> Owner {
    Owner::Role(SEALING_ROLE.to_owned())
}

fn open(folder: &Path) -> Sealing {
    Sealing::open(path(folder), SealingSettings::built_in()).unwrap()
}

fn echo_job(text: &str) -> Job {
    let inputs = vec![JobInput::Inline { media: "text/plain".into(), data: text.to_owned().into() }];
    Job { kind: Kind::Echo, model: ModelSelector::None, inputs, parameters: [].into(), nonce: None }
}

fn header(destination: &str, payload: &[u8]) -> Header {
    let timestamp = CreationTimestamp { time: DtnTime(5), sequence: 1 };
    let source = "dtn://village/answers".parse().unwrap();
    let builder = Builder::new(source, destination.parse().unwrap(), timestamp, 1000);
    builder.header(BlockRef::raw(payload).len)
}
