//! What is tried between two agents, or along a chain of them. A course knows no peer: it takes two agents
//! that have met, and says how it came out.

use std::time::Duration;

use super::{
    agent::{Agent, Wish},
    process::{PATIENCE, wait_for},
    table::Outcome,
};
use crate::field::{FieldError, now, pause};

/// How long after the last expected bundle another one would be a duplicate delivery.
const ECHOES: Duration = Duration::from_millis(300);
/// How many small bundles go each way.
pub const MANY: usize = 1000;
const MANY_BYTES: usize = 100;

/// Payload sizes that everybody gets, with their names.
pub const SIZES: [(&str, usize); 5] =
    [("0 B", 0), ("1 B", 1), ("1 KiB", 1024), ("60 kB", 60_000), ("1 MB", 1_000_000)];

/// A payload of this length that differs for each `seed`.
pub fn payload(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// One payload from one agent to another, compared byte by byte.
pub fn one(from: &dyn Agent, to: &dyn Agent, len: usize, wish: Wish) -> Result<Outcome, FieldError> {
    let sent = payload(len, u64::try_from(len).unwrap_or_default() + 1);
    from.send(&to.inbox(), &sent, wish)?;
    let got = wait_for(&format!("the bundle at {}", to.name()), PATIENCE, || to.take())?;
    if got != sent {
        return Ok(Outcome::Bad(format!("{} B arrived, and they are not what was sent", got.len())));
    }
    pause(ECHOES);
    if let Some(again) = to.take()? {
        return Ok(Outcome::Bad(format!("{} B were delivered after it", again.len())));
    }
    Ok(Outcome::Good(String::new()))
}

/// Many small payloads; all must arrive once, in any order.
pub fn many(from: &dyn Agent, to: &dyn Agent) -> Result<Outcome, FieldError> {
    let start = now();
    for number in 0..MANY {
        let seed = u64::try_from(number).unwrap_or_default();
        from.send(&to.inbox(), &payload(MANY_BYTES, seed + 7), Wish::default())?;
    }
    let mut got = Vec::with_capacity(MANY);
    wait_for(&format!("{MANY} bundles at {}, {} came", to.name(), got.len()), PATIENCE, || {
        while let Some(payload) = to.take()? {
            got.push(payload);
        }
        Ok((got.len() >= MANY).then_some(()))
    })
    .or_else(|error| if got.is_empty() { Err(error) } else { Ok(()) })?;
    let took = start.elapsed();
    pause(ECHOES);
    while let Some(payload) = to.take()? {
        got.push(payload);
    }
    let count = got.len();
    got.sort();
    got.dedup();
    let mut expected: Vec<_> =
        (0..MANY).map(|number| payload(MANY_BYTES, u64::try_from(number).unwrap_or_default() + 7)).collect();
    expected.sort();
    if got == expected && count == MANY {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = MANY as f64 / took.as_secs_f64();
        return Ok(Outcome::Good(format!("{rate:.0}/s")));
    }
    let missing = expected.iter().filter(|payload| got.binary_search(payload).is_err()).count();
    Ok(Outcome::Bad(format!("{missing} missing, {} delivered twice", count - got.len())))
}

/// A bundle that asks for a report of its delivery, and the report.
pub fn report(from: &dyn Agent, to: &dyn Agent) -> Result<Outcome, FieldError> {
    let wish = Wish { reports_delivery: true, ..Wish::default() };
    let outcome = one(from, to, 10, wish)?;
    if !matches!(outcome, Outcome::Good(_)) {
        return Ok(outcome);
    }
    let come = |_: ()| from.has_delivery_report().map(|has| has.then_some(()));
    wait_for(&format!("the report at {}", from.name()), PATIENCE, || come(()))?;
    Ok(Outcome::Good(String::new()))
}

/// A payload to an endpoint that sends it back, and back it is.
pub fn echo(from: &dyn Agent, endpoint: &str) -> Result<Outcome, FieldError> {
    let sent = payload(64, 64);
    from.send(endpoint, &sent, Wish { is_answerable: true, ..Wish::default() })?;
    let got = wait_for(&format!("the echo at {}", from.name()), PATIENCE, || from.take())?;
    match got == sent {
        true => Ok(Outcome::Good(String::new())),
        false => Ok(Outcome::Bad("what came back is not what was sent".to_owned())),
    }
}

/// Whether a payload comes as a whole, or, at an agent that does not put fragments together, in pieces.
pub fn pieces(to: &dyn Agent, sent: &[u8], fault: &str) -> Result<Outcome, FieldError> {
    let mut got: Vec<Vec<u8>> = Vec::new();
    wait_for(&format!("all of the bundle at {}", to.name()), PATIENCE, || {
        while let Some(piece) = to.take()? {
            got.push(piece);
        }
        Ok((got.iter().map(Vec::len).sum::<usize>() >= sent.len()).then_some(()))
    })?;
    if got.len() == 1 && got[0] == sent {
        return Ok(Outcome::Good(String::new()));
    }
    // Each is found where it belongs; random bytes are found nowhere else.
    let fits = |piece: &Vec<u8>| sent.windows(piece.len()).step_by(1).any(|window| window == piece);
    match got.iter().map(Vec::len).sum::<usize>() == sent.len() && got.iter().all(fits) {
        true => Ok(Outcome::Fault(fault.to_owned())),
        false => Ok(Outcome::Bad(format!("{} pieces came that do not fit", got.len()))),
    }
}

/// What a failed course looks like in the table.
pub fn settled(result: Result<Outcome, FieldError>) -> Outcome {
    result.unwrap_or_else(|error| Outcome::Bad(error.to_string()))
}
