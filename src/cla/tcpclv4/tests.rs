use std::{net::Ipv4Addr, sync::atomic::Ordering};

use bundle_spec::sign::SigningKey;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    codec::{Decoder, Unit},
    message::{Ack, Extension, Init, Message, RefuseCode, Segment, SegmentFlags, TerminateCode, TransferId},
    *,
};
use crate::{
    agent::{CloseReason, Input, LinkId, NewBundle, Outgoing, Refusal, Submission, Terms},
    cla::{
        frame::{Frame, Hello},
        identity::{SUBJECT_ALT_NAME, bundle_eid},
        testing::{Mind, TestNode},
    },
    limits::CONTROL_ADU_BYTES_MAX,
    node::mailbox::LinkCommand,
};

const ROOM: u64 = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn bundles_of_every_size_arrive_whole() {
    for tls in [TlsPolicy::Require, TlsPolicy::Never] {
        let mut pair = Pair::connect(Mind::Obliging, tls).await;
        let target = pair.right.node.handle.node_id().clone();
        let sizes = [0, 1, 1000, 65_536, 65_537, 131_072, 262_145, 1_048_576, 5_000_000];
        for (sequence, size) in sizes.into_iter().enumerate() {
            let payload = noise(size);
            let outgoing = pair.left.node.bundle(&target, u64::try_from(sequence).unwrap(), &payload);
            let sent = outgoing.bundle.clone();
            let link = pair.left.link;
            pair.left.node.transmit(link, outgoing).await;
            let (_, bundle, arrived, adu) = pair.right.node.received().await;
            assert_eq!(bundle, sent);
            assert!(arrived == payload, "payload of {size} bytes");
            assert_eq!(adu.is_some(), size <= CONTROL_ADU_BYTES_MAX);
            assert!(adu.is_none_or(|adu| adu == payload));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_small_bundles_arrive_in_both_directions() {
    let mut pair = Pair::connect(Mind::Obliging, TlsPolicy::Never).await;
    for (from, to) in [(0, 1), (1, 0)] {
        let sides = [&pair.left, &pair.right];
        let target = sides[to].node.handle.node_id().clone();
        for sequence in 0..1000_u64 {
            let outgoing = sides[from].node.bundle(&target, sequence, &sequence.to_be_bytes());
            sides[from].node.command(sides[from].link, LinkCommand::Transmit(outgoing)).await;
        }
    }
    for side in [&mut pair.left, &mut pair.right] {
        let (mut received, mut transmitted) = (0, 0);
        while received < 1000 || transmitted < 1000 {
            let is_received = side.node.next(|input| match input {
                Input::Received { .. } => Some(true),
                Input::Transmitted { .. } => Some(false),
                _ => None,
            });
            match is_received.await {
                true => received += 1,
                false => transmitted += 1,
            }
        }
        assert_eq!((received, transmitted), (1000, 1000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_transmitted_only_once_the_peer_says_that_it_is_durable() {
    let mut pair = Pair::connect(Mind::Silent, TlsPolicy::Allow).await;
    let target = pair.right.node.handle.node_id().clone();
    let first = pair.left.node.bundle(&target, 1, b"first");
    let second = pair.left.node.bundle(&target, 2, b"second");
    for outgoing in [&first, &second] {
        pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
        pair.right.node.received().await;
    }
    let link = pair.right.link;
    pair.right.node.command(link, LinkCommand::Acknowledge(second.bundle.clone())).await;
    pair.right.node.command(link, LinkCommand::Refuse(first.bundle.clone(), Refusal::Pointless)).await;
    let told = |input: &Input| match input {
        Input::Transmitted { bundle, .. } => Some((bundle.clone(), None)),
        Input::Refused { bundle, reason, .. } => Some((bundle.clone(), Some(*reason))),
        _ => None,
    };
    assert_eq!(pair.left.node.next(told).await, (second.bundle, None));
    assert_eq!(pair.left.node.next(told).await, (first.bundle, Some(Refusal::Pointless)));
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_heard_in_order_and_too_long_ones_do_not_break_the_link() {
    let mut pair = Pair::connect(Mind::Silent, TlsPolicy::Allow).await;
    let longest = Bytes::from(noise(crate::cla::frame::ANNOUNCEMENT_BYTES_MAX));
    let too_long = Bytes::from(noise(crate::cla::frame::ANNOUNCEMENT_BYTES_MAX + 1));
    for adu in [Bytes::from_static(b"one"), too_long, longest.clone(), Bytes::from_static(b"three")] {
        pair.left.node.command(pair.left.link, LinkCommand::Announce(adu)).await;
    }
    for expected in [Bytes::from_static(b"one"), longest, Bytes::from_static(b"three")] {
        let heard = pair.right.node.next(|input| match input {
            Input::Heard { adu, .. } => Some(adu.clone()),
            _ => None,
        });
        assert_eq!(heard.await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_and_takes_what_still_fits() {
    let right = Side::start(2, Mind::Obliging, 100_000, TlsPolicy::Allow, true, &[]).await;
    let left = Side::start(1, Mind::Obliging, ROOM, TlsPolicy::Allow, false, &[right.peer()]).await;
    let mut pair = Pair::of(left, right).await;
    let target = pair.right.node.handle.node_id().clone();
    let large = pair.left.node.bundle(&target, 1, &noise(3_000_000));
    assert_eq!(refused(&mut pair.left, large).await, Some(Refusal::NoRoom));
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_is_missing_here_is_reported_and_the_link_goes_on() {
    let mut pair = Pair::connect(Mind::Obliging, TlsPolicy::Allow).await;
    let target = pair.right.node.handle.node_id().clone();
    let missing = TestNode::new(9, Mind::Silent, ROOM).bundle(&target, 1, b"elsewhere");
    assert_eq!(refused(&mut pair.left, missing).await, None);
    let small = pair.left.node.bundle(&target, 2, b"small");
    let link = pair.left.link;
    pair.left.node.transmit(link, small).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_was_cut_off_goes_on_where_it_stopped() {
    let mut pair = Pair::connect(Mind::Obliging, TlsPolicy::Require).await;
    let target = pair.right.node.handle.node_id().clone();
    let payload = noise(2_000_000);
    let outgoing = pair.left.node.bundle(&target, 1, &payload);
    let gate = Arc::clone(&pair.left.node.store.gate);
    gate.store(1_000_000, Ordering::SeqCst);
    pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    let written = Arc::clone(&pair.right.node.store.written);
    while written.load(Ordering::SeqCst) < 500_000 {
        tokio::task::yield_now().await;
    }
    pair.left.stopping.cancel();
    let closed = |input: &Input| matches!(input, Input::ContactClosed { .. }).then_some(());
    pair.left.node.next(closed).await;
    gate.store(u64::MAX, Ordering::SeqCst);
    pair.left.stop().await;
    pair.right.node.next(closed).await;

    let before = written.load(Ordering::SeqCst);
    assert!(before < 2_000_000);
    pair.left.restart(vec![pair.right.peer()]).await;
    pair.left.link = pair.left.node.opened().await.0;
    pair.right.link = pair.right.node.opened().await.0;
    // What the peer has kept is told before anything else is.
    pair.right.node.command(pair.right.link, LinkCommand::Announce(Bytes::from_static(b"here"))).await;
    pair.left.node.next(|input| matches!(input, Input::Heard { .. }).then_some(())).await;
    let link = pair.left.link;
    pair.left.node.transmit(link, outgoing).await;
    let (_, _, arrived, _) = pair.right.node.received().await;
    assert!(arrived == payload);
    assert_eq!(pair.right.node.store.begun.load(Ordering::SeqCst), 1, "the block was begun once");
    assert_eq!(written.load(Ordering::SeqCst), 2_000_000, "no byte was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_transfer_leaves_the_link_open() {
    let mut pair = Pair::connect(Mind::Obliging, TlsPolicy::Allow).await;
    let target = pair.right.node.handle.node_id().clone();
    let outgoing = pair.left.node.bundle(&target, 1, &noise(3_000_000));
    let other = pair.left.node.bundle(&target, 2, b"other");
    pair.left.node.store.gate.store(1_000_000, Ordering::SeqCst);
    pair.left.node.command(pair.left.link, LinkCommand::Transmit(outgoing.clone())).await;
    while pair.right.node.store.written.load(Ordering::SeqCst) < 100_000 {
        tokio::task::yield_now().await;
    }
    pair.left.node.command(pair.left.link, LinkCommand::Abort(outgoing.bundle)).await;
    pair.left.node.store.gate.store(u64::MAX, Ordering::SeqCst);
    let link = pair.left.link;
    pair.left.node.transmit(link, other).await;
    let (_, _, arrived, _) = pair.right.node.received().await;
    assert_eq!(arrived, b"other");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_dial_each_other_come_to_one_contact() {
    let mut left = Side::start(1, Mind::Obliging, ROOM, TlsPolicy::Require, true, &[]).await;
    let right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Require, true, &[]).await;
    let (to_left, to_right) = (left.peer(), right.peer());
    left.peers.send_replace(vec![to_right]);
    right.peers.send_replace(vec![to_left]);
    let target = right.node.handle.node_id().clone();
    // A contact that loses against its twin closes; one of the following stays.
    for sequence in 0.. {
        let (link, peer) = left.node.opened().await;
        assert_eq!(peer, target);
        let outgoing = left.node.bundle(&target, sequence, b"hello");
        let ended = |input: &Input| match input {
            Input::Transmitted { .. } => Some(true),
            Input::ContactClosed { link: closed, .. } => (*closed == link).then_some(false),
            _ => None,
        };
        if left.node.offer(link, LinkCommand::Transmit(outgoing)).await && left.node.next(ended).await {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_good_bye() {
    let mut pair = Pair::connect(Mind::Obliging, TlsPolicy::Allow).await;
    pair.left.stop().await;
    for side in [&mut pair.left, &mut pair.right] {
        assert_eq!(closed(side).await, CloseReason::Finished);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_submitted_here_is_delivered_there() {
    let mut right = Side::start(2, Mind::Agent, ROOM, TlsPolicy::Allow, true, &[]).await;
    let left = Side::start(1, Mind::Agent, ROOM, TlsPolicy::Allow, false, &[right.peer()]).await;
    let payload = left.node.handle.write_block(Bytes::from_static(b"good morning")).await.unwrap();
    let destination = right.node.handle.node_id().endpoint("inbox", 2);
    let bundle = NewBundle {
        destination,
        source: "test".to_owned(),
        payload,
        lifetime: None,
        terms: Terms::default(),
    };
    left.node.handle.submit(Submission::Bundle(bundle)).await.unwrap();
    let (_, _, arrived, _) = right.node.received().await;
    assert_eq!(arrived, b"good morning");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_that_requires_tls_does_not_speak_to_one_that_has_none() {
    for (left, right) in [(TlsPolicy::Never, TlsPolicy::Require), (TlsPolicy::Require, TlsPolicy::Never)] {
        let mut right = Side::start(2, Mind::Obliging, ROOM, right, true, &[]).await;
        let left = Side::start(1, Mind::Obliging, ROOM, left, false, &[right.peer()]).await;
        // A third node comes in later than the first could; only its contact opens.
        let third = Side::start(3, Mind::Obliging, ROOM, right.tls, false, &[right.peer()]).await;
        let (_, peer) = right.node.opened().await;
        assert_eq!(peer, *third.node.handle.node_id());
        drop(left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_vouches_for_the_node_that_its_certificate_names_and_for_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Vouching::new(folder.path());
    for (named, is_believed) in [(1_u8, true), (9, false)] {
        let mut right = Side::idle(2, Mind::Obliging, ROOM, TlsPolicy::Require, &[]);
        right.authorities = Some(authority.roots.clone());
        right.certificate = Some(authority.sign(right.node.handle.node_id(), "right"));
        right.run(true).await;
        let mut left = Side::idle(1, Mind::Obliging, ROOM, TlsPolicy::Require, &[right.peer()]);
        left.authorities = Some(authority.roots.clone());
        let name = SigningKey::from_bytes(&[named; 32]).public().node_id();
        left.certificate = Some(authority.sign(&name, "left"));
        left.run(false).await;
        if is_believed {
            assert_eq!(right.node.opened().await.1, *left.node.handle.node_id());
            continue;
        }
        // The other side believes the right one, and is told that it is not believed.
        let link = left.node.opened().await.0;
        let closed = left.node.next(|input| match input {
            Input::ContactClosed { link: closed, .. } => (*closed == link).then_some(()),
            _ => None,
        });
        closed.await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_authority_that_nobody_named_is_not_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Vouching::new(folder.path());
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Require, true, &[]).await;
    let mut left = Side::idle(1, Mind::Obliging, ROOM, TlsPolicy::Require, &[right.peer()]);
    left.authorities = Some(authority.roots.clone());
    left.certificate = Some(authority.sign(left.node.handle.node_id(), "left"));
    left.run(false).await;
    // A node that shows its own key comes in later than the first could; only its contact opens.
    let third = Side::start(3, Mind::Obliging, ROOM, TlsPolicy::Require, false, &[right.peer()]).await;
    assert_eq!(right.node.opened().await.1, *third.node.handle.node_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_authorities_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authorities.pem");
    for (text, reason) in [(None, "cannot be read"), (Some("nothing"), "has no certificate")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let mut side = Side::idle(1, Mind::Obliging, ROOM, TlsPolicy::Require, &[]);
        side.authorities = Some(path.clone());
        side.run(false).await;
        let error = side.tasks.join_next().await.unwrap().unwrap().unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("authorities.pem"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_than_the_expected_one_is_not_spoken_to() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let wrong = Peer { node: Some("dtn://clinic/".parse().unwrap()), ..right.peer() };
    let _left = Side::start(1, Mind::Obliging, ROOM, TlsPolicy::Allow, false, &[wrong]).await;
    let link = right.node.opened().await.0;
    let ended = right.node.next(|input| match input {
        Input::ContactClosed { link: closed, reason } if *closed == link => Some(*reason),
        Input::Received { .. } => panic!("it was spoken to"),
        _ => None,
    });
    ended.await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_made_of_a_key_is_believed_only_with_proof() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let name = bundle_spec::sign::PublicKey([7; 32]).node_id().to_string();
    let mut stranger = Stranger::greet(&right, &name).await;
    assert_eq!(
        stranger.hear().await,
        Some(Message::Terminate { is_reply: false, code: TerminateCode::CONTACT_FAILURE })
    );
    assert_eq!(stranger.hear().await, None);
    // A readable name needs none.
    let _stranger = Stranger::greet(&right, "dtn://stranger/").await;
    assert_eq!(right.node.opened().await.1.to_string(), "dtn://stranger/");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tcpclv4_is_turned_away() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Never, true, &[]).await;
    for (said, heard) in [
        (&b"GET / HTTP/1.1\r\n"[..], &b""[..]),
        // Another version is told so (RFC 9174 §4.3).
        (b"dtn!\x03\x00", b"dtn!\x04\x00\x05\x00\x02"),
    ] {
        let mut stream = TcpStream::connect(right.bound).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is reset has said what it had to say before.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, heard);
    }
    let garbage: [&[u8]; 4] =
        [&[0x77], &[0x01, 0x00, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &[7; 30], &[6, 1, 1]];
    for bytes in garbage {
        let mut stranger = Stranger::greet(&right, "dtn://stranger/").await;
        stranger.stream.write_all(bytes).await.unwrap();
        assert_eq!(closed(&mut right).await, CloseReason::Violation, "{bytes:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_sends_and_is_acknowledged_segment_by_segment() {
    let mut right = Side::start(2, Mind::Silent, ROOM, TlsPolicy::Allow, true, &[]).await;
    let mut stranger = Stranger::greet(&right, "dtn://stranger/").await;
    let link = right.node.opened().await.0;
    let (bundle, bytes) = whole(&right, b"good morning");
    let (first, second) = bytes.split_at(20);
    stranger.segment(SegmentFlags::START, first, Vec::new()).await;
    let ack = |flags, len| Some(Message::Ack(Ack { flags, transfer: TransferId(5), len }));
    assert_eq!(stranger.hear().await, ack(SegmentFlags::START, 20));
    stranger.segment(SegmentFlags::END, second, Vec::new()).await;
    let (_, received, payload, _) = right.node.received().await;
    assert_eq!((received, payload), (bundle.bundle.clone(), b"good morning".to_vec()));
    right.node.command(link, LinkCommand::Acknowledge(bundle.bundle)).await;
    assert_eq!(stranger.hear().await, ack(SegmentFlags::END, u64::try_from(bytes.len()).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_a_length_that_nobody_takes_is_refused_before_a_byte_of_it_has_come() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let mut stranger = Stranger::greet(&right, "dtn://stranger/").await;
    right.node.opened().await;
    let (outgoing, _) = whole(&right, b"");
    let timestamp = outgoing.bundle.timestamp;
    let target = right.node.handle.node_id().endpoint("inbox", 2);
    let source = "dtn://stranger/test".parse().unwrap();
    let huge = bundle_spec::Builder::new(source, target, timestamp, 3_600_000).header(1 << 62);
    stranger.segment(SegmentFlags::START, huge.raw(), Vec::new()).await;
    assert!(matches!(stranger.hear().await, Some(Message::Ack(_))));
    let refuse = Message::Refuse { transfer: TransferId(5), code: RefuseCode::NO_RESOURCES };
    assert_eq!(stranger.hear().await, Some(refuse));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_stranger_s_bundle_is_kept_as_a_fragment() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let mut stranger = Stranger::greet(&right, "dtn://stranger/").await;
    right.node.opened().await;
    let payload = noise(300_000);
    let (outgoing, bytes) = whole(&right, &payload);
    let head = outgoing.header.len_bytes();
    stranger.segment(SegmentFlags::START, &bytes[..head + 100_000], Vec::new()).await;
    assert!(matches!(stranger.hear().await, Some(Message::Ack(_))));
    // It is acknowledged before it is written.
    while right.node.store.written.load(Ordering::SeqCst) < 100_000 {
        tokio::task::yield_now().await;
    }
    drop(stranger);
    let (_, bundle, arrived, adu) = right.node.received().await;
    let extent = bundle.fragment.unwrap();
    assert_eq!((extent.offset, extent.len), (0, 100_000));
    assert!(arrived == payload[..100_000]);
    assert_eq!(adu.unwrap(), &payload[..100_000]);
    assert_eq!((bundle.source, bundle.timestamp), (outgoing.bundle.source, outgoing.bundle.timestamp));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_pannier_that_dials_again_goes_on_at_once_where_its_old_session_hangs() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let (outgoing, bytes) = whole(&right, &noise(300_000));
    let (head, digest) = (outgoing.header.len_bytes(), outgoing.bundle.digest());
    let mut old = Stranger::greet_with(&right, kin_init()).await;
    old.segment(SegmentFlags::START, &bytes[..head + 100_000], Vec::new()).await;
    assert!(matches!(old.hear().await, Some(Message::Ack(_))));
    while right.node.store.written.load(Ordering::SeqCst) < 100_000 {
        tokio::task::yield_now().await;
    }
    let mut new = Stranger::greet_with(&right, kin_init()).await;
    let frame = Frame::Partial(digest, 100_000).encode();
    let kept = Message::Carried { transfer: TransferId(0), frame };
    assert_eq!(new.hear().await, Some(kept));
    let rest = [&bytes[..head], &bytes[head + 100_000..]].concat();
    let resume = Extension::number(Extension::RESUME, true, 100_000);
    new.segment(SegmentFlags::of(true, true), &rest, vec![resume]).await;
    let (_, bundle, arrived, _) = right.node.received().await;
    assert_eq!(bundle, outgoing.bundle);
    assert!(arrived == noise(300_000));
    assert_eq!(right.node.store.written.load(Ordering::SeqCst), 300_000, "no byte was written twice");
    // Where nothing is kept, nothing goes on; and the sender is told from where.
    let resume = Extension::number(Extension::RESUME, true, 5);
    let (_, bytes) = whole_of(&right, 8, &noise(1000));
    new.segment(SegmentFlags::of(true, true), &bytes, vec![resume]).await;
    let heard = [new.hear().await.unwrap(), new.hear().await.unwrap(), new.hear().await.unwrap()];
    assert!(matches!(heard[0], Message::Ack(_)), "{heard:?}");
    assert!(matches!(heard[1], Message::Carried { .. }), "{heard:?}");
    let refuse = Message::Refuse { transfer: TransferId(5), code: RefuseCode::RETRANSMIT };
    assert_eq!(heard[2], refuse);
    drop(old);
}

#[test]
fn every_test_that_the_specification_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let statement = std::fs::read_to_string(root.join("bundle-spec/links.md")).unwrap();
    let rows = statement.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let names: Vec<&str> = rows.filter_map(|line| line.rsplit('`').nth(1)).collect();
    assert!(names.len() > 30, "only {} rows name a test", names.len());
    for name in names {
        let (file, test) = name.split_once("::").unwrap();
        let text = std::fs::read_to_string(root.join("src/cla/tcpclv4").join(file)).unwrap();
        assert!(text.contains(&format!("fn {test}()")), "{name} does not exist");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dtn7_is_recognised_and_its_limit_not_believed() {
    let mut right = Side::start(2, Mind::Obliging, ROOM, TlsPolicy::Allow, true, &[]).await;
    let init = Init {
        keepalive_seconds: 30,
        segment_mru: 64_000,
        transfer_mru: 64_000,
        ..stranger_init("dtn://n1/")
    };
    let mut stranger = Stranger::greet_with(&right, init).await;
    let (link, class) = right
        .node
        .next(|input| match input {
            Input::ContactOpened { link, class, .. } => Some((*link, class.clone())),
            _ => None,
        })
        .await;
    assert!(!class.durable, "it acknowledges before it has stored");
    assert_eq!(class.payload_max, None);
    let target: NodeId = "dtn://n1/".parse().unwrap();
    let outgoing = right.node.bundle(&target, 1, &noise(100_000));
    let sent = outgoing.bundle.clone();
    right.node.command(link, LinkCommand::Transmit(outgoing)).await;
    let mut len = 0;
    loop {
        let Some(Message::Segment(segment)) = stranger.hear().await else { panic!("no segment") };
        assert!(segment.data_len <= 64_000);
        len += segment.data_len;
        // Without flags, as it does.
        let ack = Ack { flags: SegmentFlags(0), transfer: segment.transfer, len };
        stranger.say(&Message::Ack(ack)).await;
        if segment.flags.is_end() {
            break;
        }
    }
    let transmitted = right.node.next(|input| match input {
        Input::Transmitted { bundle, .. } => Some(bundle.clone()),
        _ => None,
    });
    assert_eq!(transmitted.await, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_fails_over_the_greeting_is_spoken_to_without() {
    let listener = TcpListener::bind(any_port()).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let peer = peer_at(port, None);
    let mut left = Side::start(1, Mind::Obliging, ROOM, TlsPolicy::Never, false, &[peer]).await;
    for is_plain in [false, true] {
        let mut stranger = Stranger::answer(&listener).await;
        let Some(Message::Init(init)) = stranger.hear().await else { panic!("no greeting") };
        assert_eq!(init.extensions.is_empty(), is_plain);
        left.node.opened().await;
        if is_plain {
            let (_, bytes) = whole(&left, b"good morning");
            stranger.segment(SegmentFlags::of(true, true), &bytes, Vec::new()).await;
            let (_, _, payload, _) = left.node.received().await;
            assert_eq!(payload, b"good morning");
        }
    }
}

fn peer_at(port: u16, node: Option<NodeId>) -> Peer {
    let host = "127.0.0.1".to_owned();
    Peer { host, port, node, lax: Lax::strict(), tls: None, clear_only: false }
}

/// One node with its endpoint.
struct Side {
    node: TestNode,
    link: LinkId,
    bound: SocketAddr,
    tls: TlsPolicy,
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    peers: watch::Sender<Vec<Peer>>,
    stopping: CancellationToken,
    tasks: JoinSet<Result<(), ClaError>>,
}

impl Side {
    async fn start(seed: u8, mind: Mind, quota: u64, tls: TlsPolicy, listens: bool, peers: &[Peer]) -> Self {
        let mut side = Self::idle(seed, mind, quota, tls, peers);
        side.run(listens).await;
        side
    }

    /// A node whose endpoint does not run yet.
    fn idle(seed: u8, mind: Mind, quota: u64, tls: TlsPolicy, peers: &[Peer]) -> Self {
        let node = TestNode::new(seed, mind, quota);
        Self {
            node,
            link: LinkId(0),
            bound: any_port(),
            tls,
            authorities: None,
            certificate: None,
            peers: watch::Sender::new(peers.to_vec()),
            stopping: CancellationToken::new(),
            tasks: JoinSet::new(),
        }
    }

    async fn run(&mut self, listens: bool) {
        let bound = watch::Sender::new(None);
        let mut told = bound.subscribe();
        let layer = Tcpclv4 {
            listen: listens.then(any_port),
            may_fall_back: false,
            tls: self.tls,
            lax: Lax::strict(),
            clear_only: false,
            authorities: self.authorities.clone(),
            certificate: self.certificate.clone(),
            secret: self.node.secret,
            peers: self.peers.subscribe(),
            bound,
        };
        self.stopping = CancellationToken::new();
        self.tasks.spawn(Box::new(layer).run(self.node.handle.clone(), self.stopping.clone()));
        if listens {
            self.bound = told.wait_for(Option::is_some).await.unwrap().unwrap();
        }
    }

    fn peer(&self) -> Peer {
        let node = Some(self.node.handle.node_id().clone());
        peer_at(self.bound.port(), node)
    }

    async fn stop(&mut self) {
        self.stopping.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }

    async fn restart(&mut self, peers: Vec<Peer>) {
        self.peers.send_replace(peers);
        self.run(false).await;
    }
}

/// Two nodes in contact: the left one has dialled.
struct Pair {
    left: Side,
    right: Side,
}

impl Pair {
    async fn connect(mind: Mind, tls: TlsPolicy) -> Self {
        let right = Side::start(2, mind, ROOM, tls, true, &[]).await;
        let left = Side::start(1, mind, ROOM, tls, false, &[right.peer()]).await;
        Self::of(left, right).await
    }

    async fn of(mut left: Side, mut right: Side) -> Self {
        left.link = left.node.opened().await.0;
        right.link = right.node.opened().await.0;
        Self { left, right }
    }
}

async fn refused(side: &mut Side, outgoing: Outgoing) -> Option<Refusal> {
    side.node.command(side.link, LinkCommand::Transmit(outgoing)).await;
    side.node
        .next(|input| match input {
            Input::Refused { reason, .. } => Some(Some(*reason)),
            Input::Interrupted { .. } => Some(None),
            _ => None,
        })
        .await
}

async fn closed(side: &mut Side) -> CloseReason {
    side.node
        .next(|input| match input {
            Input::ContactClosed { reason, .. } => Some(*reason),
            _ => None,
        })
        .await
}

/// An authority and its files.
struct Vouching {
    folder: PathBuf,
    roots: PathBuf,
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Vouching {
    fn new(folder: &std::path::Path) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer =
            rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        let roots = folder.join("authorities.pem");
        std::fs::write(&roots, issuer.pem()).unwrap();
        Self { folder: folder.to_owned(), roots, issuer }
    }

    /// The file of a certificate for `node`.
    fn sign(&self, node: &NodeId, name: &str) -> PathBuf {
        let mut params = rcgen::CertificateParams::default();
        let names = bundle_eid(node);
        params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(SUBJECT_ALT_NAME, names));
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = self.folder.join(name);
        std::fs::write(&path, format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
        path
    }
}

/// Another agent, by hand.
struct Stranger {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Stranger {
    /// Dials `side` and greets as `name`.
    async fn greet(side: &Side, name: &str) -> Self {
        Self::greet_with(side, stranger_init(name)).await
    }

    async fn greet_with(side: &Side, init: Init) -> Self {
        let mut stream = TcpStream::connect(side.bound).await.unwrap();
        stream.write_all(&codec::contact(false)).await.unwrap();
        let mut header = [0; 6];
        stream.read_exact(&mut header).await.unwrap();
        let mut stranger = Self { stream, decoder: Decoder::default(), buffer: BytesMut::new() };
        stranger.say(&Message::Init(init)).await;
        let Some(Message::Init(_)) = stranger.hear().await else { panic!("no greeting") };
        stranger
    }

    /// Waits to be dialled and greets.
    async fn answer(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0; 6];
        stream.read_exact(&mut header).await.unwrap();
        stream.write_all(&codec::contact(false)).await.unwrap();
        let mut stranger = Self { stream, decoder: Decoder::default(), buffer: BytesMut::new() };
        stranger.say(&Message::Init(stranger_init("dtn://stranger/"))).await;
        stranger
    }

    async fn say(&mut self, message: &Message) {
        self.stream.write_all(&codec::encode(message)).await.unwrap();
    }

    /// A segment of transfer 5.
    async fn segment(&mut self, flags: SegmentFlags, data: &[u8], extensions: Vec<Extension>) {
        let data_len = u64::try_from(data.len()).unwrap();
        self.say(&Message::Segment(Segment { flags, transfer: TransferId(5), extensions, data_len })).await;
        self.stream.write_all(data).await.unwrap();
    }

    /// The next message; data is passed over. `None` once the connection is closed.
    async fn hear(&mut self) -> Option<Message> {
        loop {
            match self.decoder.next(&mut self.buffer).unwrap() {
                Some(Unit::Message(message)) => return Some(message),
                Some(Unit::Data(_)) => {}
                None => {
                    if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                        return None;
                    }
                }
            }
        }
    }
}

fn stranger_init(name: &str) -> Init {
    Init {
        keepalive_seconds: 60,
        segment_mru: 1 << 20,
        transfer_mru: 1 << 30,
        node: name.to_owned(),
        extensions: Vec::new(),
    }
}

/// The greeting of a node of pannier.
fn kin_init() -> Init {
    let node = "dtn://stranger/".parse().unwrap();
    let hello = Frame::Hello(Hello { node, payload_max: 1 << 30, partials: Vec::new() }).encode().slice(4..);
    let item = Extension { is_critical: false, kind: Extension::HELLO, value: hello };
    Init { extensions: vec![item], ..stranger_init("dtn://stranger/") }
}

/// A bundle for `side` and all its bytes.
fn whole(side: &Side, payload: &[u8]) -> (Outgoing, Bytes) {
    whole_of(side, 7, payload)
}

fn whole_of(side: &Side, sequence: u64, payload: &[u8]) -> (Outgoing, Bytes) {
    let maker = TestNode::new(9, Mind::Silent, ROOM);
    let outgoing = maker.bundle(side.node.handle.node_id(), sequence, payload);
    let payload = Bytes::copy_from_slice(payload);
    let bytes = bundle_spec::Bundle { header: outgoing.header.clone(), payload }.encode();
    (outgoing, bytes)
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
