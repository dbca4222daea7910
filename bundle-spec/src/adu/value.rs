//! Values of job parameters and engine hints. Whoever turns typed text into parameters makes them here.

use super::AduError;

/// A parameter value. Floats are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// Text.
    Text(String),
    /// Several of them.
    List(Vec<Value>),
}

impl Value {
    /// A finite number; the negative zero becomes the positive one.
    ///
    /// # Errors
    /// [`AduError::NotFinite`] for infinities and what is no number.
    pub fn float(value: f64) -> Result<Self, AduError> {
        // Adding zero turns the negative zero into the positive one.
        if value.is_finite() { Ok(Self::Float(value + 0.0)) } else { Err(AduError::NotFinite) }
    }

    /// What a person typed as a value: a whole number, a number, `true` or `false`; text where it is none
    /// of these.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        if let Ok(value) = text.parse::<bool>() {
            return Self::Bool(value);
        }
        if let Ok(value) = text.parse::<i64>() {
            return Self::Integer(value);
        }
        // `inf` and `nan` are words here.
        match text.parse::<f64>().map(Self::float) {
            Ok(Ok(value)) => value,
            _ => Self::Text(text.to_owned()),
        }
    }

    /// Whether it and all within it have an encoding.
    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Self::Float(value) => value.is_finite(),
            Self::List(values) => values.iter().all(Self::is_finite),
            Self::Bool(_) | Self::Integer(_) | Self::Text(_) => true,
        }
    }
}
