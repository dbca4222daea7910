//! How the next token is chosen: the parameters that every engine which writes text understands.
//!
//! Used by engines of language models. It samples nothing itself.

use std::collections::BTreeMap;

use bundle_spec::adu::Value;

use super::{EngineError, parameters::Parameters};

/// Tokens of an answer if a job does not say.
pub const MAX_TOKENS_DEFAULT: i64 = 256;
/// Most tokens of an answer that a job may ask for.
pub const MAX_TOKENS_MAX: i64 = 65_536;

/// Every name, for the message about an unknown one.
const NAMES: [&str; 11] = [
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "stop",
    "repeat_penalty",
    "repeat_last_n",
    "frequency_penalty",
    "presence_penalty",
];

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Tokens after which the answer is cut off.
    pub tokens_max: usize,
    /// Texts that end the answer and do not belong to it.
    pub stops: Vec<String>,
    /// What makes repetition unlikely, if anything.
    pub penalties: Option<Penalties>,
    /// How chance takes part; `None`: the most likely token, always.
    pub chance: Option<Chance>,
}

/// What makes repetition unlikely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalties {
    /// How many of the last tokens are looked at.
    pub last_n: i32,
    /// Divides the score of a token that was there; 1 does nothing.
    pub repeat: f32,
    /// Taken from the score for every time it was there.
    pub frequency: f32,
    /// Taken from the score once if it was there.
    pub presence: f32,
}

/// How chance takes part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Above zero.
    pub temperature: f32,
    /// The most likely tokens that share this much probability stay.
    pub top_p: f32,
    /// This many of the most likely tokens stay; zero: all.
    pub top_k: i32,
    /// Tokens less likely than this share of the most likely one go.
    pub min_p: f32,
    /// Where chance begins. The same seed gives the same answer.
    pub seed: u32,
}

impl Sampling {
    /// Reads it from a task's parameters; also gives what was in force, defaults included.
    ///
    /// # Errors
    /// `BadInput` names the parameter and what it may be.
    pub fn parse(given: &BTreeMap<String, Value>) -> Result<(Self, BTreeMap<String, Value>), EngineError> {
        let mut parameters = Parameters::new(given, &NAMES)?;
        let tokens_max = parameters.integer("max_tokens", 1..=MAX_TOKENS_MAX, MAX_TOKENS_DEFAULT)?;
        let stops = parameters.texts("stop")?;
        let penalties = Penalties::parse(&mut parameters)?;
        let chance = Chance::parse(&mut parameters)?;
        let tokens_max = usize::try_from(tokens_max).expect("the range is positive");
        Ok((Self { tokens_max, stops, penalties, chance }, parameters.in_force()))
    }
}

impl Penalties {
    fn parse(parameters: &mut Parameters<'_>) -> Result<Option<Self>, EngineError> {
        let repeat = parameters.number("repeat_penalty", 0.1..=10.0, 1.0)?;
        let frequency = parameters.number("frequency_penalty", -2.0..=2.0, 0.0)?;
        let presence = parameters.number("presence_penalty", -2.0..=2.0, 0.0)?;
        let last_n = parameters.integer("repeat_last_n", 0..=4096, 64)?;
        let last_n = i32::try_from(last_n).expect("the range is small");
        let is_idle = repeat.to_bits() == 1.0_f32.to_bits() && frequency == 0.0 && presence == 0.0;
        Ok((!is_idle && last_n > 0).then_some(Self { last_n, repeat, frequency, presence }))
    }
}

impl Chance {
    fn parse(parameters: &mut Parameters<'_>) -> Result<Option<Self>, EngineError> {
        let temperature = parameters.number("temperature", 0.0..=5.0, 0.0)?;
        let top_p = parameters.number("top_p", 0.0..=1.0, 1.0)?;
        let top_k = parameters.integer("top_k", 0..=100_000, 40)?;
        let min_p = parameters.number("min_p", 0.0..=1.0, 0.0)?;
        // The largest number of 32 bits means "any seed" to llama.cpp: an answer nobody can repeat.
        let seed = parameters.integer("seed", 0..=i64::from(u32::MAX) - 1, 0)?;
        let top_k = i32::try_from(top_k).expect("the range is small");
        let seed = u32::try_from(seed).expect("the range is that of 32 bits");
        Ok((temperature > 0.0).then_some(Self { temperature, top_p, top_k, min_p, seed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_parameters_the_most_likely_token_is_taken() {
        let (sampling, in_force) = Sampling::parse(&BTreeMap::new()).unwrap();
        let expected = Sampling { tokens_max: 256, stops: Vec::new(), penalties: None, chance: None };
        assert_eq!(sampling, expected);
        assert_eq!(in_force["max_tokens"], Value::Integer(256));
        assert_eq!(in_force["temperature"], Value::Float(0.0));
    }

    #[test]
    fn a_temperature_brings_chance_with_a_seed() {
        let given = [
            ("temperature".to_owned(), Value::Float(0.8)),
            ("seed".to_owned(), Value::Integer(7)),
            ("repeat_penalty".to_owned(), Value::Float(1.1)),
        ];
        let (sampling, in_force) = Sampling::parse(&given.into()).unwrap();
        assert_eq!(sampling.chance.map(|chance| chance.seed), Some(7));
        assert_eq!(sampling.penalties.map(|penalties| penalties.last_n), Some(64));
        assert_eq!(in_force["temperature"], Value::Float(0.8));
    }

    #[test]
    fn the_seed_that_means_any_seed_is_refused() {
        let given = [("seed".to_owned(), Value::Integer(i64::from(u32::MAX)))].into();
        assert!(Sampling::parse(&given).unwrap_err().detail.contains("`seed`"));
    }
}
