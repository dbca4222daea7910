use bytes::BytesMut;

use super::{
    super::{
        codec::{self, Decoder, Unit},
        message::{Segment, SegmentFlags},
    },
    *,
};

const T0: Time = Time(1_000);

#[test]
fn who_dials_greets_first_and_both_take_the_shorter_keepalive() {
    let mut dialler = Session::new(T0, terms(true));
    let mut other = Session::new(T0, terms(false));
    assert_eq!(other.poll(), None, "who was dialled waits");
    let Some(Output::Say(greeting)) = dialler.poll() else { panic!("no greeting") };
    let Message::Init(mut init) = greeting.clone() else { panic!("{greeting:?}") };
    assert!(init.extensions.is_empty());
    init.keepalive_seconds = 7;
    other.handle_message(T0, Lane::FIRST, Message::Init(init));
    assert!(matches!(other.poll(), Some(Output::Say(Message::Init(_)))));
    let Some(Output::Opened(peer)) = other.poll() else { panic!("not open") };
    assert_eq!((peer.init.keepalive_seconds, peer.hello, peer.lax), (7, None, Lax::strict()));
    assert_eq!(other.next_deadline(), Some(T0 + Duration::from_millis(3_500)));
}

#[test]
fn nodes_of_pannier_recognise_each_other_and_strangers_hear_no_greeting_that_they_did_not_give() {
    let kin = Terms { hello: Some(Bytes::from_static(b"hello")), ..terms(false) };
    let mut session = Session::new(T0, kin.clone());
    session.handle_message(T0, Lane::FIRST, Message::Init(init()));
    let Some(Output::Say(Message::Init(said))) = session.poll() else { panic!("no greeting") };
    assert!(said.extensions.is_empty(), "dtn7-rs ends a session over them");

    let mut session = Session::new(T0, kin);
    let hello = Extension { is_critical: false, kind: Extension::HELLO, value: Bytes::from_static(b"hi") };
    session.handle_message(T0, Lane::FIRST, Message::Init(Init { extensions: vec![hello], ..init() }));
    let Some(Output::Say(Message::Init(said))) = session.poll() else { panic!("no greeting") };
    assert_eq!(said.extensions[0].value, "hello");
    let Some(Output::Opened(peer)) = session.poll() else { panic!("not open") };
    assert_eq!(peer.hello.unwrap(), "hi");
    session.handle_message(T0, Lane::FIRST, Message::Frame(Bytes::from_static(b"frame")));
    assert_eq!(session.poll(), Some(Output::Heard(Bytes::from_static(b"frame"))));
}

#[test]
fn without_tls_a_frame_is_a_transfer_of_its_own_behind_those_before_it() {
    let mut session = kin_on(true);
    let [first, second] = [Bytes::from_static(b"first"), Bytes::from_static(b"second")];
    session.handle_frame(T0, first.clone());
    let said = |transfer, frame| Output::Say(Message::Carried { transfer: TransferId(transfer), frame });
    assert_eq!(outputs(&mut session), [said(0, first)]);
    let long = session.handle_begin(T0, 9 * SEGMENT_BYTES, 0).unwrap();
    session.handle_frame(T0, second.clone());
    assert_eq!(segments(&mut session).len(), 4, "nothing comes between segments");
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    assert_eq!(segments(&mut session).len(), 4);
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    assert_eq!(outputs(&mut session).last(), Some(&said(2, second)));
    // Nobody hears what becomes of them.
    for transfer in [TransferId(0), TransferId(2)] {
        let ack = Ack { flags: SegmentFlags::of(true, true), transfer, len: 1 };
        session.handle_message(T0, Lane::FIRST, Message::Ack(ack));
    }
    assert_eq!(outputs(&mut session), []);
    session.handle_message(T0, Lane::FIRST, Message::Refuse { transfer: long, code: RefuseCode(1) });
    assert_eq!(outputs(&mut session), [Output::Refused(long, RefuseCode::COMPLETED)]);
}

#[test]
fn a_frame_that_comes_in_a_transfer_is_acknowledged_and_heard_and_refused_by_strangers() {
    let (transfer, frame) = (TransferId(7), Bytes::from_static(b"frame"));
    let carried = Message::Carried { transfer, frame: frame.clone() };
    for is_clear in [true, false] {
        let mut session = kin_on(is_clear);
        session.handle_message(T0, Lane::FIRST, carried.clone());
        let ack = Ack { flags: SegmentFlags::of(true, true), transfer, len: 1 };
        assert_eq!(outputs(&mut session), [Output::Say(Message::Ack(ack)), Output::Heard(frame.clone())]);
    }
    let mut session = open(Lax::strict());
    session.handle_message(T0, Lane::FIRST, carried.clone());
    let refuse = Message::Refuse { transfer, code: RefuseCode::EXTENSION_FAILURE };
    assert_eq!(outputs(&mut session), [Output::Say(refuse)]);
    // Between the segments of another transfer it must not be.
    let mut session = kin();
    head(&mut session, SegmentFlags::START, TransferId(1), 0);
    session.handle_message(T0, Lane::FIRST, carried);
    assert_eq!(outputs(&mut session).last(), Some(&Output::Close(CloseReason::Violation)));
}

#[test]
fn a_peer_that_lets_frames_pile_up_is_cut_off() {
    let mut session = kin_on(true);
    for _ in 0..4_096 {
        session.handle_frame(T0, Bytes::from_static(b"frame"));
    }
    assert_eq!(outputs(&mut session).len(), 4_096);
    session.handle_frame(T0, Bytes::from_static(b"frame"));
    assert_eq!(outputs(&mut session), [Output::Close(CloseReason::Lost)]);
}

#[test]
fn a_critical_extension_that_is_not_known_ends_the_session() {
    let mut session = Session::new(T0, terms(false));
    let item = Extension { is_critical: true, kind: 0x8001, value: Bytes::new() };
    session.handle_message(T0, Lane::FIRST, Message::Init(Init { extensions: vec![item], ..init() }));
    assert_eq!(outputs(&mut session).last(), Some(&Output::Close(CloseReason::Violation)));
}

#[test]
fn the_last_segment_is_acknowledged_only_when_the_bundle_is_durable_and_flags_are_those_that_came() {
    let mut session = open(Lax::strict());
    let id = TransferId(9);
    // A flag that nobody has specified comes back with the rest.
    head(&mut session, SegmentFlags(0x82), id, 3);
    session.handle_data(T0, Lane::FIRST, Bytes::from_static(b"ab"));
    assert_eq!(outputs(&mut session).len(), 2, "began, arrived");
    session.handle_data(T0, Lane::FIRST, Bytes::from_static(b"c"));
    let ack = Ack { flags: SegmentFlags(0x82), transfer: id, len: 3 };
    assert_eq!(session.poll(), Some(Output::Arrived(id, Bytes::from_static(b"c"))));
    assert_eq!(session.poll(), Some(Output::Say(Message::Ack(ack))));
    head(&mut session, SegmentFlags::END, id, 1);
    session.handle_data(T0, Lane::FIRST, Bytes::from_static(b"d"));
    let ended = [Output::Arrived(id, Bytes::from_static(b"d")), Output::Ended(id)];
    assert_eq!(outputs(&mut session), ended);
    session.handle_stored(T0, id);
    let ack = Ack { flags: SegmentFlags::END, transfer: id, len: 4 };
    assert_eq!(outputs(&mut session), [Output::Say(Message::Ack(ack))]);
}

#[test]
fn the_rest_of_a_refused_transfer_is_passed_over_and_the_next_one_comes() {
    let mut session = open(Lax::strict());
    head(&mut session, SegmentFlags::START, TransferId(1), 2);
    session.handle_data(T0, Lane::FIRST, Bytes::from_static(b"ab"));
    outputs(&mut session);
    session.handle_refusal(T0, TransferId(1), RefuseCode::NO_RESOURCES);
    let refuse = Message::Refuse { transfer: TransferId(1), code: RefuseCode::NO_RESOURCES };
    assert_eq!(outputs(&mut session), [Output::Say(refuse)]);
    // What was under way still comes, and nobody hears of it; then another one, without an end of the first.
    head(&mut session, SegmentFlags(0), TransferId(1), 2);
    session.handle_data(T0, Lane::FIRST, Bytes::from_static(b"cd"));
    assert_eq!(outputs(&mut session), []);
    head(&mut session, SegmentFlags::of(true, true), TransferId(2), 0);
    let began = Output::Began { transfer: TransferId(2), resume: 0, is_whole: true };
    assert_eq!(outputs(&mut session), [began, Output::Ended(TransferId(2))]);
}

#[test]
fn a_transfer_that_is_longer_than_what_is_taken_is_refused_as_soon_as_that_is_known() {
    let refused = |code| vec![Output::Say(Message::Refuse { transfer: TransferId(0), code })];
    let announced = Extension::number(Extension::TRANSFER_LENGTH, true, 1_000_001);
    let mut session = open(Lax::strict());
    start(&mut session, vec![announced]);
    assert_eq!(outputs(&mut session), refused(RefuseCode::NO_RESOURCES));
    // Not announced: as soon as it passes the limit.
    let mut session = open(Lax::strict());
    for at in 0..=10 {
        head(
            &mut session,
            if at == 0 { SegmentFlags::START } else { SegmentFlags(0) },
            TransferId(0),
            100_000,
        );
        if at == 10 {
            assert_eq!(outputs(&mut session), refused(RefuseCode::NO_RESOURCES));
        }
        session.handle_data(T0, Lane::FIRST, Bytes::from(vec![0; 100_000]));
        outputs(&mut session);
    }
    // Longer than was announced.
    let mut session = open(Lax::strict());
    start(&mut session, vec![Extension::number(Extension::TRANSFER_LENGTH, false, 9)]);
    outputs(&mut session);
    head(&mut session, SegmentFlags::END, TransferId(0), 10);
    assert_eq!(outputs(&mut session), refused(RefuseCode::NOT_ACCEPTABLE));
    // What is critical and not known: a stranger knows nothing of resuming.
    for item in [Extension::RESUME, 0x7777] {
        let mut session = open(Lax::strict());
        start(&mut session, vec![Extension::number(item, true, 5)]);
        assert_eq!(outputs(&mut session), refused(RefuseCode::EXTENSION_FAILURE));
    }
}

#[test]
fn what_comes_out_of_order_ends_the_session() {
    let segment = |flags, id| {
        Message::Segment(Segment { flags, transfer: TransferId(id), extensions: Vec::new(), data_len: 0 })
    };
    let start = SegmentFlags::START;
    let scripts = [
        vec![segment(SegmentFlags(0), 1)],
        vec![segment(start, 1), segment(start, 2)],
        vec![segment(start, 1), segment(SegmentFlags::END, 2)],
        vec![segment(SegmentFlags::of(true, true), 1), segment(start, 1)],
        vec![Message::Init(init())],
        vec![Message::Frame(Bytes::new())],
        vec![Message::Reject { code: RejectCode::UNEXPECTED, kind: kind::ACK }],
    ];
    for script in scripts {
        let mut session = open(Lax::strict());
        for message in script.clone() {
            session.handle_message(T0, Lane::FIRST, message);
        }
        assert_eq!(outputs(&mut session).last(), Some(&Output::Close(CloseReason::Violation)), "{script:?}");
        assert_eq!(session.next_deadline(), None);
    }
}

#[test]
fn transfers_go_out_one_after_the_other_without_waiting_for_acknowledgements() {
    let mut session = open_with(Lax::strict(), Init { segment_mru: 10, ..init() });
    let first = session.handle_begin(T0, 25, 0).unwrap();
    let second = session.handle_begin(T0, 10, 0).unwrap();
    let said = segments(&mut session);
    let shape: Vec<_> = said.iter().map(|head| (head.transfer, head.flags, head.data_len)).collect();
    let (start, end, both) = (SegmentFlags::START, SegmentFlags::END, SegmentFlags::of(true, true));
    assert_eq!(
        shape,
        [(first, start, 10), (first, SegmentFlags(0), 10), (first, end, 5), (second, both, 10),]
    );
    // One segment needs no announcement of its length (RFC 9174 §5.2.5.1).
    assert_eq!(said[0].extensions, [Extension::number(Extension::TRANSFER_LENGTH, false, 25)]);
    assert!(said[3].extensions.is_empty());
    for (transfer, flags, len) in [(first, start, 10), (first, SegmentFlags(0), 20), (second, both, 10)] {
        session.handle_message(T0, Lane::FIRST, Message::Ack(Ack { flags, transfer, len }));
    }
    assert_eq!(outputs(&mut session), [Output::Delivered(second)]);
    session.handle_message(T0, Lane::FIRST, Message::Ack(Ack { flags: end, transfer: first, len: 25 }));
    assert_eq!(outputs(&mut session), [Output::Delivered(first)]);
}

#[test]
fn a_peer_with_room_for_one_transfer_gets_the_next_one_when_the_one_before_is_over() {
    let mut session = Session::new(T0, Terms { is_serial: true, ..terms(false) });
    session.handle_message(T0, Lane::FIRST, Message::Init(Init { segment_mru: 10, ..init() }));
    let first = session.handle_begin(T0, 25, 0).unwrap();
    let [second, third] = [10, 5].map(|len| session.handle_begin(T0, len, 0).unwrap());
    let shape =
        |session: &mut Session| segments(session).iter().map(|head| head.transfer).collect::<Vec<_>>();
    assert_eq!(shape(&mut session), [first, first, first]);
    // One acknowledgement stands for those before it.
    let flags = SegmentFlags::END;
    session.handle_message(T0, Lane::FIRST, Message::Ack(Ack { flags, transfer: first, len: 25 }));
    assert_eq!(session.poll(), Some(Output::Delivered(first)));
    assert_eq!(shape(&mut session), [second]);
    let refuse = Message::Refuse { transfer: second, code: RefuseCode::COMPLETED };
    session.handle_message(T0, Lane::FIRST, refuse);
    assert_eq!(session.poll(), Some(Output::Refused(second, RefuseCode::COMPLETED)));
    assert_eq!(shape(&mut session), [third]);
}

#[test]
fn transfers_on_different_lanes_come_side_by_side_and_one_is_on_one_lane_only() {
    let mut session = open(Lax::strict());
    let segment = |transfer, flags| {
        let extensions = Vec::new();
        Message::Segment(Segment { flags, transfer: TransferId(transfer), extensions, data_len: 1 })
    };
    let data = |name: &'static [u8]| Bytes::from_static(name);
    let (one, two) = (Lane(8), Lane(9));
    session.handle_message(T0, one, segment(1, SegmentFlags::START));
    session.handle_message(T0, two, segment(2, SegmentFlags::of(true, true)));
    session.handle_data(T0, two, data(b"b"));
    session.handle_data(T0, one, data(b"a"));
    let arrived: Vec<_> = outputs(&mut session)
        .into_iter()
        .filter(|output| matches!(output, Output::Arrived(..) | Output::Ended(_)))
        .collect();
    let (first, second) = (TransferId(1), TransferId(2));
    let expected =
        [Output::Arrived(second, data(b"b")), Output::Ended(second), Output::Arrived(first, data(b"a"))];
    assert_eq!(arrived, expected);
    session.handle_message(T0, two, segment(1, SegmentFlags::END));
    assert!(outputs(&mut session).contains(&Output::Close(CloseReason::Violation)));
}

#[test]
fn no_more_is_given_out_than_the_writer_can_follow() {
    let mut session = open(Lax::strict());
    session.handle_begin(T0, 10 * SEGMENT_BYTES, 0).unwrap();
    assert_eq!(segments(&mut session).len(), 4);
    session.handle_written(T0, SEGMENT_BYTES);
    assert_eq!(segments(&mut session).len(), 1);
}

#[test]
fn acknowledgements_with_other_flags_are_an_error_unless_they_are_overlooked() {
    for (lax, is_delivered) in [(Lax::strict(), false), (Lax::dtn7(), true)] {
        let mut session = open(lax);
        let transfer = session.handle_begin(T0, 10, 0).unwrap();
        outputs(&mut session);
        session.handle_message(
            T0,
            Lane::FIRST,
            Message::Ack(Ack { flags: SegmentFlags(0), transfer, len: 10 }),
        );
        let last = outputs(&mut session).pop().unwrap();
        match is_delivered {
            true => assert_eq!(last, Output::Delivered(transfer)),
            false => assert_eq!(last, Output::Close(CloseReason::Violation)),
        }
        // More than was sent is believed of nobody.
        let mut session = open(lax);
        let transfer = session.handle_begin(T0, 10, 0).unwrap();
        session.handle_message(
            T0,
            Lane::FIRST,
            Message::Ack(Ack { flags: SegmentFlags(3), transfer, len: 11 }),
        );
        assert_eq!(outputs(&mut session).pop(), Some(Output::Close(CloseReason::Violation)));
    }
}

#[test]
fn a_refused_transfer_is_stopped_and_the_next_one_begins() {
    let mut session = open(Lax::strict());
    let first = session.handle_begin(T0, 10 * SEGMENT_BYTES, 0).unwrap();
    let second = session.handle_begin(T0, 5, 0).unwrap();
    outputs(&mut session);
    session.handle_message(T0, Lane::FIRST, Message::Refuse { transfer: first, code: RefuseCode::COMPLETED });
    assert_eq!(outputs(&mut session), [Output::Refused(first, RefuseCode::COMPLETED)]);
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    let said = segments(&mut session);
    assert_eq!((said.len(), said[0].transfer), (1, second));
    // Refused again, or never known: nothing to be said of it.
    session.handle_message(T0, Lane::FIRST, Message::Refuse { transfer: first, code: RefuseCode::COMPLETED });
    assert_eq!(outputs(&mut session), []);
}

#[test]
fn a_transfer_that_cannot_go_on_ends_where_it_is_and_is_no_success() {
    let mut session = open(Lax::strict());
    let transfer = session.handle_begin(T0, 10 * SEGMENT_BYTES, 0).unwrap();
    let next = session.handle_begin(T0, 5, 0).unwrap();
    outputs(&mut session);
    // The writer has written one segment of four and an end of its own.
    session.handle_failed(T0, transfer, SEGMENT_BYTES);
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    assert_eq!(segments(&mut session)[0].transfer, next);
    for (flags, len) in [(SegmentFlags::START, SEGMENT_BYTES), (SegmentFlags::END, SEGMENT_BYTES)] {
        session.handle_message(T0, Lane::FIRST, Message::Ack(Ack { flags, transfer, len }));
    }
    assert_eq!(outputs(&mut session), [], "acknowledged, and no bundle");
}

#[test]
fn only_a_node_of_pannier_is_told_that_a_transfer_under_way_is_called_off() {
    let mut session = open(Lax::strict());
    let under_way = session.handle_begin(T0, 10 * SEGMENT_BYTES, 0).unwrap();
    let waiting = session.handle_begin(T0, 5, 0).unwrap();
    outputs(&mut session);
    assert!(!session.handle_call_off(T0, under_way));
    assert!(session.handle_call_off(T0, waiting));

    let mut session = kin();
    let under_way = session.handle_begin(T0, 10 * SEGMENT_BYTES, 0).unwrap();
    outputs(&mut session);
    assert!(session.handle_call_off(T0, under_way));
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    let said = segments(&mut session);
    assert_eq!((said[0].flags, said[0].data_len), (SegmentFlags::END, 0));
}

#[test]
fn a_transfer_may_go_on_where_it_stopped_between_nodes_of_pannier() {
    let mut session = kin();
    session.handle_begin(T0, 25, 1_000).unwrap();
    let resume = Extension::number(Extension::RESUME, true, 1_000);
    assert_eq!(segments(&mut session)[0].extensions, std::slice::from_ref(&resume));
    start(&mut session, vec![resume]);
    assert_eq!(
        outputs(&mut session),
        [Output::Began { transfer: TransferId(0), resume: 1_000, is_whole: false }]
    );
}

#[test]
fn a_session_ends_when_both_sides_want_it_and_nothing_is_under_way() {
    let mut session = open(Lax::strict());
    let out = session.handle_begin(T0, 4 * SEGMENT_BYTES + 1, 0).unwrap();
    session.handle_begin(T0, 5, 0).unwrap();
    start(&mut session, Vec::new());
    outputs(&mut session);
    session.handle_end(T0, TerminateCode::UNKNOWN);
    let term = |is_reply| Message::Terminate { is_reply, code: TerminateCode::UNKNOWN };
    assert_eq!(outputs(&mut session), [Output::Say(term(false))]);
    assert_eq!(session.handle_begin(T0, 5, 0), None);
    session.handle_message(T0, Lane::FIRST, term(true));
    assert_eq!(outputs(&mut session), [], "two transfers are under way");
    session.handle_written(T0, 4 * SEGMENT_BYTES);
    assert_eq!(segments(&mut session).len(), 1, "the one under way, not the one that waits");
    for at in 1..=5 {
        let (flags, len) = match at {
            1 => (SegmentFlags::START, SEGMENT_BYTES),
            5 => (SegmentFlags::END, 4 * SEGMENT_BYTES + 1),
            at => (SegmentFlags(0), at * SEGMENT_BYTES),
        };
        session.handle_message(T0, Lane::FIRST, Message::Ack(Ack { flags, transfer: out, len }));
    }
    assert_eq!(outputs(&mut session), [Output::Delivered(out)]);
    head(&mut session, SegmentFlags::END, TransferId(0), 0);
    outputs(&mut session);
    session.handle_stored(T0, TransferId(0));
    assert_eq!(outputs(&mut session).last(), Some(&Output::Close(CloseReason::Finished)));
}

#[test]
fn what_begins_after_the_good_bye_is_refused() {
    let mut session = open(Lax::strict());
    let waits = session.handle_begin(T0, 4 * SEGMENT_BYTES, 0).unwrap();
    session.handle_message(
        T0,
        Lane::FIRST,
        Message::Terminate { is_reply: false, code: TerminateCode::BUSY },
    );
    let said = outputs(&mut session);
    assert_eq!(
        said.last(),
        Some(&Output::Say(Message::Terminate { is_reply: true, code: TerminateCode::BUSY }))
    );
    start(&mut session, Vec::new());
    let refuse = Message::Refuse { transfer: TransferId(0), code: RefuseCode::SESSION_TERMINATING };
    assert_eq!(outputs(&mut session), [Output::Say(refuse)]);
    assert!(!session.may_begin(), "{waits:?} ends, nothing else begins");
}

#[test]
fn a_quiet_session_says_that_it_is_there_and_a_silent_one_is_over() {
    let mut session = open(Lax::strict());
    let half = T0 + Duration::from_millis(7_500);
    assert_eq!(session.next_deadline(), Some(half));
    session.handle_deadline(T0);
    assert_eq!(session.poll(), None, "too early");
    session.handle_deadline(half);
    assert_eq!(outputs(&mut session), [Output::Say(Message::Keepalive)]);
    session.handle_message(half, Lane::FIRST, Message::Keepalive);
    let mut now = half;
    while now.since(half) < Duration::from_secs(30) {
        now = session.next_deadline().unwrap();
        session.handle_deadline(now);
    }
    let idle = Message::Terminate { is_reply: false, code: TerminateCode::IDLE };
    let said = outputs(&mut session);
    assert_eq!(said[said.len() - 2..], [Output::Say(idle), Output::Close(CloseReason::Lost)]);
    assert_eq!(now, half + Duration::from_secs(30));
}

#[test]
fn a_peer_that_nobody_listened_to_is_not_called_silent() {
    let mut session = open(Lax::strict());
    let late = T0 + Duration::from_secs(31);
    session.handle_deafness(late);
    session.handle_deadline(late);
    assert_eq!(outputs(&mut session), [Output::Say(Message::Keepalive)]);
}

#[test]
fn a_peer_that_does_not_greet_or_does_not_part_is_not_waited_for() {
    let mut session = Session::new(T0, terms(false));
    session.handle_deadline(session.next_deadline().unwrap());
    assert_eq!(outputs(&mut session), [Output::Close(CloseReason::Lost)]);
    let mut session = open_with(Lax::strict(), Init { keepalive_seconds: 0, ..init() });
    assert_eq!(session.next_deadline(), None);
    session.handle_end(T0, TerminateCode::UNKNOWN);
    session.handle_deadline(session.next_deadline().unwrap());
    assert_eq!(outputs(&mut session).last(), Some(&Output::Close(CloseReason::Finished)));
}

#[test]
fn no_bytes_make_a_session_panic() {
    bolero::check!().with_iterations(20_000).for_each(|bytes: &[u8]| {
        for mut session in [open(Lax::strict()), kin(), Session::new(T0, terms(false))] {
            session.handle_begin(T0, 300_000, 0);
            let mut decoder = Decoder::default();
            let mut buffer = BytesMut::from(bytes);
            loop {
                match decoder.next(&mut buffer) {
                    Ok(Some(Unit::Message(message))) => session.handle_message(T0, Lane::FIRST, message),
                    Ok(Some(Unit::Data(data))) => session.handle_data(T0, Lane::FIRST, data),
                    Ok(None) => break,
                    Err(_) => {
                        session.handle_unreadable(T0, None);
                        break;
                    }
                }
                session.handle_stored(T0, TransferId(0));
            }
            session.handle_end(T0, TerminateCode::UNKNOWN);
            outputs(&mut session);
        }
    });
}

#[test]
fn two_sessions_carry_what_they_are_given_in_both_directions() {
    let (mut left, mut right) = (Session::new(T0, terms(true)), Session::new(T0, terms(false)));
    let mut begun = [Vec::new(), Vec::new()];
    let mut delivered = [Vec::new(), Vec::new()];
    let mut is_over = [false, false];
    // Whatever one says is encoded, read and heard by the other.
    for _ in 0..200 {
        for at in 0..2 {
            let (from, to) = if at == 0 { (&mut left, &mut right) } else { (&mut right, &mut left) };
            if begun[at].len() < 5
                && let Some(transfer) = from.handle_begin(T0, 200_000, 0)
            {
                begun[at].push(transfer);
            }
            while let Some(output) = from.poll() {
                match output {
                    Output::Say(message) => carry(&message, from, to),
                    Output::Ended(transfer) => from.handle_stored(T0, transfer),
                    Output::Delivered(transfer) => delivered[at].push(transfer),
                    Output::Close(reason) => {
                        assert_eq!(reason, CloseReason::Finished);
                        is_over[at] = true;
                    }
                    Output::Opened(_) | Output::Began { .. } | Output::Arrived(..) => {}
                    Output::Refused(..) | Output::Heard(_) => panic!("{output:?}"),
                }
            }
        }
        if delivered[0].len() == 5 {
            left.handle_end(T0, TerminateCode::UNKNOWN);
        }
    }
    assert_eq!(begun, delivered);
    assert_eq!((begun[1].len(), is_over), (5, [true, true]));
}

/// Gives a message, with as much data as its head says, to the other side.
fn carry(message: &Message, from: &mut Session, to: &mut Session) {
    let mut buffer = BytesMut::from(codec::encode(message).as_ref());
    if let Message::Segment(segment) = message {
        buffer.resize(buffer.len() + usize::try_from(segment.data_len).unwrap(), 7);
        from.handle_written(T0, segment.data_len);
    }
    let mut decoder = Decoder::default();
    while let Some(unit) = decoder.next(&mut buffer).unwrap() {
        match unit {
            Unit::Message(message) => to.handle_message(T0, Lane::FIRST, message),
            Unit::Data(data) => to.handle_data(T0, Lane::FIRST, data),
        }
    }
}

fn init() -> Init {
    Init {
        keepalive_seconds: 15,
        segment_mru: 1 << 20,
        transfer_mru: 1_000_000,
        node: "dtn://peer/".to_owned(),
        extensions: Vec::new(),
    }
}

fn terms(is_dialler: bool) -> Terms {
    Terms { init: init(), hello: None, is_dialler, lax: Lax::strict(), is_serial: false, is_clear: false }
}

fn open(lax: Lax) -> Session {
    open_with(lax, init())
}

/// A session with a stranger that greets so.
fn open_with(lax: Lax, greeting: Init) -> Session {
    let mut session = Session::new(T0, Terms { lax, ..terms(false) });
    session.handle_message(T0, Lane::FIRST, Message::Init(greeting));
    outputs(&mut session);
    session
}

/// A session with a node of pannier.
fn kin() -> Session {
    kin_on(false)
}

fn kin_on(is_clear: bool) -> Session {
    let hello = Bytes::from_static(b"hello");
    let mut session = Session::new(T0, Terms { hello: Some(hello.clone()), is_clear, ..terms(false) });
    let item = Extension { is_critical: false, kind: Extension::HELLO, value: hello };
    session.handle_message(T0, Lane::FIRST, Message::Init(Init { extensions: vec![item], ..init() }));
    outputs(&mut session);
    session
}

/// A transfer begins with an empty segment.
fn start(session: &mut Session, extensions: Vec<Extension>) {
    let segment = Segment { flags: SegmentFlags::START, transfer: TransferId(0), extensions, data_len: 0 };
    session.handle_message(T0, Lane::FIRST, Message::Segment(segment));
    // The acknowledgement of the empty segment is of no interest.
    session.outputs.retain(|output| !matches!(output, Output::Say(Message::Ack(_))));
}

fn head(session: &mut Session, flags: SegmentFlags, transfer: TransferId, data_len: u64) {
    session.handle_message(
        T0,
        Lane::FIRST,
        Message::Segment(Segment { flags, transfer, extensions: Vec::new(), data_len }),
    );
}

fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn segments(session: &mut Session) -> Vec<Segment> {
    let said = outputs(session).into_iter().filter_map(|output| match output {
        Output::Say(Message::Segment(segment)) => Some(segment),
        _ => None,
    });
    said.collect()
}
