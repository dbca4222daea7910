use super::*;

fn task() -> Request {
    let list = Value::List(vec![Value::Text("\n".to_owned()), Value::Float(0.5), Value::Bool(true)]);
    let parameters = [("seed".to_owned(), Value::Integer(-7)), ("stop".to_owned(), list)].into();
    let inputs = vec![("text/plain".to_owned(), b"hello".to_vec()), (String::new(), Vec::new())];
    Request::Run { task: 3, input: TaskInput { kind: Kind::Chat, inputs, parameters } }
}

fn replies() -> Vec<Reply> {
    let finished = Finished {
        outputs: vec![("text/plain".to_owned(), b"hi".to_vec())],
        finish: "stop".to_owned(),
        usage: Usage { prompt_tokens: 5, completion_tokens: 2 },
        parameters: BTreeMap::new(),
    };
    vec![
        Reply::Ready {
            name: "echo".to_owned(),
            fingerprint: "echo 1".to_owned(),
            kinds: Kinds(KINDS.to_vec()),
        },
        Reply::Loaded,
        Reply::NotLoaded(EngineError::bad_model("no tensors")),
        Reply::Piece { task: 1, piece: Piece::Text("ä".to_owned()) },
        Reply::Piece { task: 1, piece: Piece::Progress(500) },
        Reply::Finished { task: 1, finished },
        Reply::Failed { task: 1, error: EngineError::cancelled() },
    ]
}

/// A body as a frame with a right head.
fn framed(body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    frame.extend_from_slice(&checksum(body).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

#[test]
fn every_frame_comes_back_as_it_was() {
    let mut bytes = BytesMut::from(&encode(&task()).unwrap()[..]);
    assert_eq!(decode::<Request>(&mut bytes).unwrap(), Some(task()));
    assert!(bytes.is_empty());
    for reply in replies() {
        bytes.extend_from_slice(&encode(&reply).unwrap());
    }
    for reply in replies() {
        assert_eq!(decode::<Reply>(&mut bytes).unwrap(), Some(reply));
    }
    assert!(bytes.is_empty());
}

#[test]
fn a_frame_that_is_not_complete_waits() {
    let frame = encode(&task()).unwrap();
    for length in 0..frame.len() {
        let mut bytes = BytesMut::from(&frame[..length]);
        assert!(decode::<Request>(&mut bytes).unwrap().is_none());
        assert_eq!(bytes.len(), length);
    }
    let mut stream = &frame[..frame.len() - 1];
    assert!(matches!(read::<Request>(&mut stream, &mut BytesMut::new()), Err(FrameError::Cut)));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let frame = encode(&task()).unwrap();
    for bit in 0..frame.len() * 8 {
        let mut damaged = frame.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let decoded = decode::<Request>(&mut BytesMut::from(&damaged[..]));
        assert!(!matches!(decoded, Ok(Some(_))), "bit {bit}");
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_at_once() {
    let mut bytes = BytesMut::from(&[0xff; HEAD_BYTES][..]);
    assert!(matches!(decode::<Reply>(&mut bytes), Err(FrameError::TooLong { bytes: 0xffff_ffff })));
}

#[test]
fn a_task_that_is_too_large_cannot_be_framed() {
    let inputs = vec![(String::new(), vec![0; WORKER_FRAME_BYTES_MAX])];
    let input = TaskInput { kind: Kind::Echo, inputs, parameters: BTreeMap::new() };
    assert!(matches!(encode(&Request::Run { task: 1, input }), Err(FrameError::TooLong { .. })));
}

#[test]
fn lists_without_a_bottom_are_refused_on_both_sides() {
    let mut value = Value::Bool(true);
    for _ in 0..=TASK_VALUE_DEPTH_MAX {
        value = Value::List(vec![value]);
    }
    let parameters: BTreeMap<_, _> = [("deep".to_owned(), value)].into();
    let input = TaskInput { kind: Kind::Echo, inputs: Vec::new(), parameters };
    assert!(matches!(encode(&Request::Run { task: 1, input }), Err(FrameError::Unfit(_))));

    // Reply::Finished (5), no outputs, no finish, no usage, one parameter without a name: lists in lists in
    // lists.
    let mut body = vec![5, 0, 0, 0];
    body.extend_from_slice(&[0; 8 + 8 + 8 + 16]);
    body.extend_from_slice(&[1, 0, 0, 0]);
    body.extend_from_slice(&[0; 8]);
    for _ in 0..100_000 {
        body.extend_from_slice(&[4, 1, 0, 0, 0]);
    }
    assert!(matches!(decode::<Reply>(&mut framed(&body)), Err(FrameError::Body(_))));
}

#[test]
fn bytes_from_a_mad_worker_never_panic() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = decode::<Reply>(&mut BytesMut::from(bytes));
        let _ = decode::<Request>(&mut BytesMut::from(bytes));
        if let Ok(Some(reply)) = decode::<Reply>(&mut framed(bytes)) {
            let mut again = BytesMut::from(&encode(&reply).unwrap()[..]);
            assert_eq!(decode::<Reply>(&mut again).unwrap(), Some(reply));
        }
        let _ = decode::<Request>(&mut framed(bytes));
    });
}
