//! The parameters of a request under `/v1` as those of a task. What no engine takes is refused here: nobody
//! should wait days to hear that a number was too large.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bundle_spec::adu;
use serde_json::{Map, Value, json};

use super::{
    super::{problem::Problem, work::parameter},
    request::unsupported,
};

/// Fields that carry no meaning for the answer.
const IGNORED: [&str; 5] = ["user", "metadata", "store", "safety_identifier", "prompt_cache_key"];
/// Most texts that may end an answer.
const STOPS_MAX: usize = 16;
/// Longest of them, in bytes.
const STOP_BYTES_MAX: usize = 256;

/// What a field may be.
enum Range {
    /// A number.
    Number(RangeInclusive<f64>),
    /// A whole number.
    Whole(RangeInclusive<i64>),
}

/// What a field may be that becomes a parameter under the same name; `None` if it does not.
fn range(name: &str) -> Option<Range> {
    Some(match name {
        "temperature" => Range::Number(0.0..=2.0),
        "top_p" => Range::Number(0.0..=1.0),
        "frequency_penalty" | "presence_penalty" => Range::Number(-2.0..=2.0),
        "max_tokens" | "max_completion_tokens" => Range::Whole(1..=65_536),
        // The largest number of 32 bits means "any seed" to engines: an answer nobody can repeat.
        "seed" => Range::Whole(0..=i64::from(u32::MAX) - 1),
        _ => return None,
    })
}

/// The fields that are left once model, input and manner are taken out, as parameters.
pub(super) fn read(mut fields: Map<String, Value>) -> Result<BTreeMap<String, adu::Value>, Problem> {
    fields.retain(|name, value| !value.is_null() && !IGNORED.contains(&name.as_str()));
    let mut parameters = BTreeMap::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "n" if value == json!(1) => continue,
            "n" => return Err(unsupported("n", "must be 1")),
            "stop" => stops(value)?,
            "max_completion_tokens" => return Err(unsupported(&name, "is not supported")),
            known => check(known, &value).map(|()| value)?,
        };
        parameters.extend(parameter(&name, value).map(|value| (name, value)));
    }
    Ok(parameters)
}

/// Whether a field may have this value.
pub(super) fn check(name: &str, value: &Value) -> Result<(), Problem> {
    let wanted = match range(name) {
        None => return Err(unsupported(name, "is not supported")),
        Some(Range::Number(range)) if value.as_f64().is_some_and(|value| range.contains(&value)) => {
            return Ok(());
        }
        Some(Range::Whole(range)) if value.as_i64().is_some_and(|value| range.contains(&value)) => {
            return Ok(());
        }
        Some(Range::Number(range)) => format!("a number between {} and {}", range.start(), range.end()),
        Some(Range::Whole(range)) => format!("a whole number between {} and {}", range.start(), range.end()),
    };
    Err(Problem::bad(format!("`{name}` must be {wanted}")).parameter(name))
}

/// A text or a list of them, as a list.
fn stops(value: Value) -> Result<Value, Problem> {
    let list = match value {
        Value::Array(list) => list,
        single => vec![single],
    };
    let is_fit = |stop: &Value| stop.as_str().is_some_and(|stop| (1..=STOP_BYTES_MAX).contains(&stop.len()));
    if list.len() > STOPS_MAX || !list.iter().all(is_fit) {
        let wanted = format!("a text or at most {STOPS_MAX} texts of 1 to {STOP_BYTES_MAX} bytes");
        return Err(Problem::bad(format!("`stop` must be {wanted}")).parameter("stop"));
    }
    Ok(Value::Array(list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::sampling::Sampling;

    fn given(name: &str, value: Value) -> Result<BTreeMap<String, adu::Value>, Problem> {
        read([(name.to_owned(), value)].into_iter().collect())
    }

    #[test]
    fn what_no_engine_takes_is_refused_by_name() {
        for (name, values) in [
            ("temperature", vec![json!(-0.1), json!(2.1), json!("1"), json!(true)]),
            ("top_p", vec![json!(-0.1), json!(1.1), json!([])]),
            ("frequency_penalty", vec![json!(-2.1), json!(2.1)]),
            ("max_tokens", vec![json!(0), json!(-1), json!(1.5), json!("9"), json!(65_537), json!(u64::MAX)]),
            ("seed", vec![json!(-1), json!(u32::MAX), json!(0.5), json!(u64::MAX)]),
            ("stop", vec![json!(1), json!([1]), json!(""), json!("x".repeat(257)), json!(vec!["x"; 17])]),
            ("n", vec![json!(0), json!(2), json!("1")]),
        ] {
            for value in values {
                let problem = given(name, value.clone()).unwrap_err();
                assert_eq!(problem.parameter.as_deref(), Some(name), "{value}");
                assert!(problem.detail.contains(name), "{}", problem.detail);
            }
        }
    }

    #[test]
    fn what_is_taken_here_is_taken_by_engines() {
        for (name, values) in [
            ("temperature", vec![json!(0), json!(2)]),
            ("top_p", vec![json!(0.0), json!(1)]),
            ("presence_penalty", vec![json!(-2), json!(2)]),
            ("max_tokens", vec![json!(1), json!(65_536)]),
            ("seed", vec![json!(0), json!(u32::MAX - 1)]),
            ("stop", vec![json!("x".repeat(256)), json!(vec!["x"; 16]), json!([])]),
        ] {
            for value in values {
                assert!(Sampling::parse(&given(name, value.clone()).unwrap()).is_ok(), "{name} {value}");
            }
        }
    }
}
