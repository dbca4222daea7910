//! Reads the parameters of a task, says what is wrong with them, and remembers what was in force.
//!
//! Used by engines. A parameter that nobody knows is an error: a job that is ignored in part is not done.

use std::{collections::BTreeMap, ops::RangeInclusive};

use bundle_spec::adu::Value;

use super::EngineError;

/// Most texts in one list.
const TEXTS_MAX: usize = 16;
/// Longest text in a list, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The parameters of one task while they are read.
#[derive(Debug)]
pub struct Parameters<'a> {
    given: &'a BTreeMap<String, Value>,
    in_force: BTreeMap<String, Value>,
}

impl<'a> Parameters<'a> {
    /// The parameters `given` to an engine that knows those in `known`.
    ///
    /// # Errors
    /// `BadInput` names the first that is not known.
    pub fn new(given: &'a BTreeMap<String, Value>, known: &[&str]) -> Result<Self, EngineError> {
        match given.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(EngineError::bad_input(format!(
                "unknown parameter `{name}`; known are {}",
                known.join(", ")
            ))),
            None => Ok(Self { given, in_force: BTreeMap::new() }),
        }
    }

    /// A whole number.
    ///
    /// # Errors
    /// `BadInput` if it is none or out of range.
    pub fn integer(
        &mut self,
        name: &str,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Result<i64, EngineError> {
        let value = match self.given.get(name) {
            None => default,
            Some(Value::Integer(value)) if range.contains(value) => *value,
            Some(other) => {
                let (min, max) = (range.start(), range.end());
                return Err(wrong(name, &format!("a whole number between {min} and {max}"), other));
            }
        };
        self.in_force.insert(name.to_owned(), Value::Integer(value));
        Ok(value)
    }

    /// A number; a whole one is one, too.
    ///
    /// # Errors
    /// `BadInput` if it is none or out of range.
    pub fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<f32>,
        default: f32,
    ) -> Result<f32, EngineError> {
        let value = match self.given.get(name) {
            None => Some(default),
            Some(Value::Float(value)) => Some(narrow(*value)),
            Some(Value::Integer(value)) => i16::try_from(*value).ok().map(f32::from),
            Some(_) => None,
        };
        let Some(value) = value.filter(|value| range.contains(value)) else {
            let (min, max) = (range.start(), range.end());
            return Err(wrong(name, &format!("a number between {min} and {max}"), &self.given[name]));
        };
        // What was in force is what was given, not what it became in fewer bits.
        let in_force = self.given.get(name).cloned().unwrap_or_else(|| Value::Float(shortest(value)));
        self.in_force.insert(name.to_owned(), in_force);
        Ok(value)
    }

    /// A text.
    ///
    /// # Errors
    /// `BadInput` if it is none.
    pub fn text(&mut self, name: &str) -> Result<Option<&'a str>, EngineError> {
        match self.given.get(name) {
            None => Ok(None),
            Some(Value::Text(text)) => {
                self.in_force.insert(name.to_owned(), Value::Text(text.clone()));
                Ok(Some(text))
            }
            Some(other) => Err(wrong(name, "a text", other)),
        }
    }

    /// A text or a list of them; none of them empty.
    ///
    /// # Errors
    /// `BadInput` if it is something else, or too many or too long.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>, EngineError> {
        let Some(given) = self.given.get(name) else { return Ok(Vec::new()) };
        let values = match given {
            Value::List(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        let texts: Option<Vec<String>> = values.iter().map(fit_text).collect();
        let Some(texts) = texts.filter(|texts| texts.len() <= TEXTS_MAX) else {
            let wanted = format!("a text or at most {TEXTS_MAX} texts of 1 to {TEXT_BYTES_MAX} bytes");
            return Err(wrong(name, &wanted, given));
        };
        self.in_force.insert(name.to_owned(), given.clone());
        Ok(texts)
    }

    /// Everything that was read, defaults included.
    #[must_use]
    pub fn in_force(self) -> BTreeMap<String, Value> {
        self.in_force
    }
}

fn fit_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if !text.is_empty() && text.len() <= TEXT_BYTES_MAX => Some(text.clone()),
        _ => None,
    }
}

fn wrong(name: &str, wanted: &str, given: &Value) -> EngineError {
    let given = match given {
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(_) => "a text".to_owned(),
        Value::List(values) => format!("a list of {}", values.len()),
    };
    EngineError::bad_input(format!("`{name}` must be {wanted}, not {given}"))
}

/// The nearest number of 32 bits. Engines compute with those.
fn narrow(value: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the nearest number is what is wanted")]
    let narrow = value as f32;
    narrow
}

/// The shortest decimal that means this number: 0.95 and not 0.949999988079071.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().expect("a printed number is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: Value) -> BTreeMap<String, Value> {
        [(name.to_owned(), value)].into()
    }

    #[test]
    fn an_unknown_parameter_is_named_with_the_known_ones() {
        let error =
            Parameters::new(&given("max_token", Value::Integer(1)), &["max_tokens", "seed"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown parameter `max_token`; known are max_tokens, seed");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_the_range() {
        let known = ["n"];
        let too_many = given("n", Value::Integer(5));
        let error = Parameters::new(&too_many, &known).unwrap().integer("n", 1..=4, 2).unwrap_err();
        assert_eq!(error.to_string(), "`n` must be a whole number between 1 and 4, not 5");
        let too_warm = given("n", Value::Float(5.5));
        let error = Parameters::new(&too_warm, &known).unwrap().number("n", 0.0..=2.0, 0.0).unwrap_err();
        assert_eq!(error.to_string(), "`n` must be a number between 0 and 2, not 5.5");
    }

    #[test]
    fn a_whole_number_is_a_number_and_the_result_shows_what_was_given() {
        let whole = given("n", Value::Integer(1));
        let mut parameters = Parameters::new(&whole, &["n", "m"]).unwrap();
        assert_eq!(parameters.number("n", 0.0..=2.0, 0.0).unwrap().to_bits(), 1.0_f32.to_bits());
        parameters.number("m", 0.0..=2.0, 0.95).unwrap();
        let in_force = parameters.in_force();
        assert_eq!(in_force["n"], Value::Integer(1));
        assert_eq!(in_force["m"], Value::Float(0.95));
    }

    #[test]
    fn texts_are_one_or_a_list_and_never_empty() {
        let read = |value| Parameters::new(&given("stop", value), &["stop"]).unwrap().texts("stop");
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(read(text("a")).unwrap(), ["a"]);
        assert_eq!(read(Value::List(vec![text("a"), text("b")])).unwrap(), ["a", "b"]);
        for bad in [text(""), Value::List(vec![text("")]), Value::Bool(true), text(&"x".repeat(300))] {
            assert!(read(bad).is_err());
        }
    }
}
