use std::fs;

use bundle_spec::{
    Cid,
    adu::{Advert, Have},
    sign::SigningKey,
};
use bytes::Bytes;

use super::{layout::Layout, *};
use crate::{
    agent::{Input, NewBundle, Submission, Terms},
    cla::testing::{Mind, TestNode},
    node::mailbox::LinkCommand,
};

const ROOM: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_travels_on_a_stick_and_is_removed_where_it_has_arrived() {
    let dir = tempfile::tempdir().unwrap();
    let mut clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[b"short", &[7; 500_000], b""]).await;
    let exported = export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    assert_eq!((exported.exported, exported.left), (3, 0), "{exported:?}");
    assert_eq!(bundle_files(dir.path()).len(), 3);
    let again = export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    assert_eq!(again.exported, 0, "what the stick holds is not written again");

    let imported = import(&clinic.handle, dir.path()).await.unwrap();
    assert_eq!((imported.imported, imported.removed), (3, 3), "{imported:?}");
    assert!(imported.bytes > 500_005, "{imported:?}");
    assert_eq!(imported.bytes, exported.bytes);
    assert!(bundle_files(dir.path()).is_empty());
    let mut arrived = Vec::new();
    for _ in 0..3 {
        arrived.push(clinic.received().await.2.len());
    }
    arrived.sort_unstable();
    assert_eq!(arrived, [0, 5, 500_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_takes_what_is_for_others_and_leaves_it_on_the_stick() {
    let dir = tempfile::tempdir().unwrap();
    let clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[b"hello"]).await;
    export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    let bus = TestNode::new(3, Mind::Agent, ROOM);
    let first = import(&bus.handle, dir.path()).await.unwrap();
    assert_eq!((first.imported, first.removed), (1, 0));
    let second = import(&bus.handle, dir.path()).await.unwrap();
    assert_eq!((second.imported, second.duplicates, second.removed), (0, 1, 0));
    assert_eq!(second.bytes, 0);
    assert_eq!(bundle_files(dir.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_cut_off_before_it_removed_is_completed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[b"hello"]).await;
    export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    let file = bundle_files(dir.path()).remove(0);
    let bytes = fs::read(&file).unwrap();
    import(&clinic.handle, dir.path()).await.unwrap();
    // As if the power had failed between acknowledgement and removal.
    fs::write(&file, bytes).unwrap();
    let again = import(&clinic.handle, dir.path()).await.unwrap();
    assert_eq!((again.imported, again.duplicates, again.removed), (0, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_was_cut_off_at_any_byte_is_completed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[&[9; 1000]]).await;
    export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    let file = bundle_files(dir.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let part = file.with_file_name(format!("{}.part", file.file_name().unwrap().to_str().unwrap()));
    for cut in [0, 1, 50, whole.len() / 2, whole.len() - 1, whole.len()] {
        fs::remove_file(&file).unwrap();
        fs::write(&part, &whole[..cut]).unwrap();
        let report = export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
        assert_eq!(report.exported, 1, "cut at {cut}");
        assert!(!part.exists());
    }
    let imported = import(&clinic.handle, dir.path()).await.unwrap();
    assert_eq!((imported.imported, imported.bad.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_file_that_is_damaged_anywhere_is_set_aside_and_never_taken() {
    let dir = tempfile::tempdir().unwrap();
    let clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[b"hello"]).await;
    export(&village.handle, dir.path(), Vec::new(), None).await.unwrap();
    let file = bundle_files(dir.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..whole.len()).step_by(5).map(|cut| whole[..cut].to_vec()).collect();
    damaged.extend((0..whole.len()).step_by(7).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes
    }));
    damaged.push(whole[..whole.len() - 1].to_vec());
    damaged.push([&whole[..], b"more"].concat());
    let bad = dir.path().join(MARKER).join("bad").join(file.file_name().unwrap());
    for (case, bytes) in damaged.into_iter().enumerate() {
        fs::write(&file, &bytes).unwrap();
        let report = import(&clinic.handle, dir.path()).await.unwrap();
        assert_eq!((report.imported, report.bad.len()), (0, 1), "case {case}: {report:?}");
        assert!(!file.exists());
        assert_eq!(fs::read(&bad).unwrap(), bytes, "nothing is lost by setting aside");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(import(&clinic.handle, dir.path()).await.unwrap().imported, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exceeds_the_budget_stays_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut village = TestNode::new(1, Mind::Silent, ROOM);
    let clinic = TestNode::new(2, Mind::Silent, ROOM);
    let target = clinic.handle.node_id().clone();
    let (handle, path) = (village.handle.clone(), dir.path().to_owned());
    let exporting = tokio::task::spawn(async move { export(&handle, &path, Vec::new(), Some(3000)).await });
    let (link, _) = village.opened().await;
    for sequence in [1, 2] {
        let outgoing = village.bundle(&target, sequence, &[1; 2000]);
        village.command(link, LinkCommand::Transmit(outgoing)).await;
    }
    village.command(link, LinkCommand::Close).await;
    let report = exporting.await.unwrap().unwrap();
    assert_eq!((report.exported, report.left), (1, 1));
    let told = |input: &Input| match input {
        Input::Transmitted { .. } => Some(None),
        Input::Refused { reason, .. } => Some(Some(*reason)),
        _ => None,
    };
    assert_eq!(village.next(told).await, None);
    assert_eq!(village.next(told).await, Some(Refusal::NoRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_announce_travels_and_the_later_word_replaces_the_earlier() {
    let dir = tempfile::tempdir().unwrap();
    let mut village = TestNode::new(1, Mind::Silent, ROOM);
    let (handle, path) = (village.handle.clone(), dir.path().to_owned());
    let exporting = tokio::task::spawn(async move { export(&handle, &path, Vec::new(), None).await });
    let (link, stick) = village.opened().await;
    let node = village.handle.node_id().clone();
    let advert = |version: &str| Advert {
        node: node.clone(),
        version: version.to_owned(),
        engines: Vec::new(),
        models: Vec::new(),
    };
    let key = SigningKey::from_bytes(&village.secret);
    let job = Cid::dag_cbor(b"a job");
    let cancel = |last| bundle_spec::adu::Cancel::sign(job, node.clone(), last, &key).encode();
    let have = Have { node: node.clone(), more: false, bundles: Vec::new(), jobs: Vec::new() }.encode();
    for word in [
        advert("1").encode(),
        advert("2").encode(),
        cancel(9),
        cancel(11),
        cancel(10),
        have,
        Bytes::from_static(b"junk"),
    ] {
        village.command(link, LinkCommand::Announce(word)).await;
    }
    village.command(link, LinkCommand::Close).await;
    exporting.await.unwrap().unwrap();
    assert_eq!(Layout::open(dir.path()).unwrap().node, stick);

    let mut clinic = TestNode::new(2, Mind::Silent, ROOM);
    import(&clinic.handle, dir.path()).await.unwrap();
    let mut words = Vec::new();
    for _ in 0..3 {
        words.push(
            clinic
                .next(|input| match input {
                    Input::Heard { adu, .. } => Some(adu.clone()),
                    _ => None,
                })
                .await,
        );
    }
    // The third word is the stick's own summary.
    assert_eq!(words[..2], [advert("2").encode(), cancel(11)], "what ends later wishes is the later word");
    assert_eq!(Have::decode(&words[2]).unwrap().node, stick);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_that_is_already_there_is_synchronised_by_the_watcher() {
    let parent = tempfile::tempdir().unwrap();
    let stick = parent.path().join("usb");
    fs::create_dir(&stick).unwrap();
    let mut clinic = TestNode::new(2, Mind::Agent, ROOM);
    let village = village_with(&clinic, &[b"hello"]).await;
    export(&village.handle, &stick, Vec::new(), None).await.unwrap();
    fs::create_dir(parent.path().join("not a spool")).unwrap();

    let stop = tokio_util::sync::CancellationToken::new();
    let spool =
        Spool { parents: vec![parent.path().to_owned()], period: std::time::Duration::from_millis(1) };
    let running = tokio::task::spawn(crate::cla::ConvergenceLayer::run(
        Box::new(spool),
        clinic.handle.clone(),
        stop.clone(),
    ));
    assert_eq!(clinic.received().await.2, b"hello");
    stop.cancel();
    running.await.unwrap().unwrap();
}

/// A village with bundles for the clinic.
async fn village_with(clinic: &TestNode, payloads: &[&[u8]]) -> TestNode {
    let village = TestNode::new(1, Mind::Agent, ROOM);
    for payload in payloads {
        let payload = village.handle.write_block(Bytes::copy_from_slice(payload)).await.unwrap();
        let destination = clinic.handle.node_id().endpoint("inbox", 2);
        let bundle = NewBundle {
            destination,
            source: "test".to_owned(),
            payload,
            lifetime: None,
            terms: Terms::default(),
        };
        village.handle.submit(Submission::Bundle(bundle)).await.unwrap();
    }
    village
}

fn bundle_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join(MARKER).join("bundles")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
