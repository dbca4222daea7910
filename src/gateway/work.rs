//! Making a job of what somebody wants done. Both `/api/jobs` and `/v1` end here, so that the same wish is
//! the same job whichever way it came.

use std::{collections::BTreeMap, time::Duration};

use axum::body::Bytes;
use bundle_spec::{
    Alias, AliasError, BlockRef, Cid,
    adu::{ADU_BYTES_MAX, Job, JobInput, Kind, ModelSelector, Value},
};

use super::{
    Gateway,
    problem::{Code, Problem},
};
use crate::{
    limits,
    node::mailbox::{Answer, NewJob, SHORT_BYTES_MAX, SealWish, Sealer, Submission, WishError},
};

/// Parameters that are fractions: a whole number means the same, and is the same job.
const FRACTIONS: [&str; 6] =
    ["temperature", "top_p", "min_p", "repeat_penalty", "frequency_penalty", "presence_penalty"];

/// What somebody wants done.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// What kind of work.
    pub(super) kind: Kind,
    /// By which model: a name, or the CID of a manifest.
    pub(super) model: Option<String>,
    /// On what: media type and bytes.
    pub(super) inputs: Vec<(String, Bytes)>,
    /// How.
    pub(super) parameters: BTreeMap<String, Value>,
    /// How long it is worth carrying.
    pub(super) lifetime: Option<Duration>,
    /// Whether it is to be done even if the same was done before.
    pub(super) fresh: bool,
    /// Who may read it.
    pub(super) seal: SealWish,
}

/// A job that is durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Submitted {
    /// Its name.
    pub(super) job: Cid,
    /// Whether its answer is here already.
    pub(super) answered: bool,
    /// Whether it was known before: its task may have begun.
    pub(super) known: bool,
    /// For whom it is sealed: `open`, `group` or `to`.
    pub(super) seal: &'static str,
}

impl Gateway {
    /// Makes a job of it and submits that. When this returns, it is durable.
    pub(super) async fn submit(&self, work: Work) -> Result<Submitted, Problem> {
        let lifetime = work.lifetime;
        let sealing = self.handle.sealing();
        let sealer = sealing.sealer(&work.seal, lifetime)?;
        let (job, mut data) = job_of(work, sealer.as_ref())?;
        job.check().map_err(|error| Problem::bad(error.to_string()))?;
        let adu = job.encode();
        if adu.len() > ADU_BYTES_MAX {
            return Err(Problem::new(Code::TooLarge, format!("a job may have {ADU_BYTES_MAX} bytes")));
        }
        let (travelling, seal) = match sealer {
            None => (adu.clone(), None),
            Some(sealer) => {
                let enveloped = sealer.seal(&adu, sealing)?;
                (enveloped.adu, Some(enveloped.seal))
            }
        };
        let cid = Cid::dag_cbor(&travelling);
        let known = self.handle.job(cid).await?.is_some();
        let payload = BlockRef { cid, ..BlockRef::raw(&travelling) };
        let blocks = data.iter().map(|data| BlockRef::raw(data)).collect();
        data.push(travelling);
        let new = NewJob { payload, adu, seal, blocks, lifetime };
        let seal = seal.map_or("open", |seal| seal.level.name());
        match self.submit_written(Submission::Job(new), data).await? {
            Answer::Job { job, answered } => Ok(Submitted { job, answered, known, seal }),
            other => unreachable!("a job is answered by its name, not {other:?}"),
        }
    }

    /// Writes the blocks of something and submits it. What is refused is not written; what was written
    /// before there was no more room goes again, since nobody holds it.
    pub(super) async fn submit_written(
        &self,
        submission: Submission,
        blocks: Vec<Bytes>,
    ) -> Result<Answer, Problem> {
        if let [data] = blocks.as_slice()
            && data.len() <= SHORT_BYTES_MAX
        {
            return Ok(self.handle.submit_short(submission, data.clone()).await?);
        }
        self.handle.admit_submission(submission.clone()).await?;
        let mut written = Vec::new();
        for data in blocks {
            match self.handle.write_block(data).await {
                Ok(block) => written.push(block),
                Err(error) => {
                    for block in written {
                        self.handle.gained(block).await?;
                    }
                    return Err(error.into());
                }
            }
        }
        Ok(self.handle.submit(submission).await?)
    }
}

/// The job, and the inputs that travel beside it, sealed if it will be.
fn job_of(work: Work, sealer: Option<&Sealer>) -> Result<(Job, Vec<Bytes>), Problem> {
    let model = selector(work.kind, work.model.as_deref())?;
    let mut parameters = work.parameters;
    seed(work.kind, &mut parameters);
    let mut inputs = Vec::new();
    let mut beside = Vec::new();
    for (place, (media, data)) in work.inputs.into_iter().enumerate() {
        if data.len() <= limits::INLINE_BYTES_MAX {
            inputs.push(JobInput::Inline { media, data });
            continue;
        }
        let (len, max) = (BlockRef::raw(&data).len, limits::BLOCK_BYTES_MAX);
        if len > max {
            let detail = format!("the input has {len} bytes, a job takes {max}");
            return Err(Problem::new(Code::TooLarge, detail).hint("split the input into several jobs"));
        }
        let data = match sealer {
            None => data,
            Some(sealer) => Bytes::from(sealer.blocks().seal(place, &data).map_err(WishError::Seal)?),
        };
        inputs.push(JobInput::Link { media, block: BlockRef::raw(&data) });
        beside.push(data);
    }
    let nonce = work.fresh.then(rand::random);
    Ok((Job { kind: work.kind, model, inputs, parameters, nonce }, beside))
}

fn selector(kind: Kind, model: Option<&str>) -> Result<ModelSelector, Problem> {
    match model.filter(|model| !model.is_empty()) {
        Some(model) => named(model),
        None if kind == Kind::Echo => Ok(ModelSelector::None),
        None => Err(Problem::bad(format!("work of kind `{kind}` needs a model"))
            .parameter("model")
            .hint("pannier model list")),
    }
}

/// A CID, an alias in its one spelling, or a name.
fn named(model: &str) -> Result<ModelSelector, Problem> {
    if let Ok(cid) = model.parse() {
        return Ok(ModelSelector::Cid(cid));
    }
    match model.parse::<Alias>() {
        Ok(alias) => Ok(ModelSelector::Named(alias.to_string())),
        Err(AliasError::Prefix) => Ok(ModelSelector::Named(model.to_owned())),
        Err(error @ AliasError::Digits) => {
            Err(Problem::bad(error.to_string()).parameter("model").hint("sha256sum FILE"))
        }
    }
}

/// Who may read it, as it was written.
pub(super) fn seal(typed: Option<&str>) -> Result<SealWish, Problem> {
    let wish = typed.map(str::parse::<SealWish>).transpose();
    Ok(wish.map_err(|error| Problem::bad(error.to_string()).parameter("seal"))?.unwrap_or(SealWish::Default))
}

/// Sampling without a given seed gets a random one, so that the job names its answer.
fn seed(kind: Kind, parameters: &mut BTreeMap<String, Value>) {
    let samples = match parameters.get("temperature") {
        Some(Value::Float(temperature)) => *temperature > 0.0,
        Some(Value::Integer(temperature)) => *temperature > 0,
        _ => false,
    };
    if matches!(kind, Kind::Chat | Kind::Complete) && samples && !parameters.contains_key("seed") {
        parameters.insert("seed".to_owned(), Value::Integer(i64::from(rand::random::<u32>() >> 1)));
    }
}

/// Parameters as they come in JSON.
pub(super) fn parameters(
    map: serde_json::Map<String, serde_json::Value>,
) -> Result<BTreeMap<String, Value>, Problem> {
    map.into_iter()
        .map(|(name, value)| match parameter(&name, value) {
            Some(value) => Ok((name, value)),
            None => Err(Problem::bad(format!(
                "parameter `{name}` must be a text, a number, a truth value or a list"
            ))
            .parameter(name)),
        })
        .collect()
}

/// One parameter. Lists are taken one level deep.
pub(super) fn parameter(name: &str, value: serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Array(list) => {
            list.into_iter().map(|item| scalar(name, item)).collect::<Option<_>>().map(Value::List)
        }
        value => scalar(name, value),
    }
}

fn scalar(name: &str, value: serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Bool(truth) => Some(Value::Bool(truth)),
        serde_json::Value::String(text) => Some(Value::Text(text)),
        serde_json::Value::Number(number) if FRACTIONS.contains(&name) => number.as_f64().map(Value::Float),
        serde_json::Value::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Float))
        }
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
    }
}

/// A parameter as JSON.
pub(super) fn shown(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(list) => list.iter().map(shown).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> BTreeMap<String, Value> {
        parameters(json.as_object().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_whole_temperature_is_the_same_parameter_as_a_fraction() {
        assert_eq!(
            read(serde_json::json!({"temperature": 0})),
            read(serde_json::json!({"temperature": 0.0}))
        );
        assert_eq!(read(serde_json::json!({"seed": 7}))["seed"], Value::Integer(7));
    }

    #[test]
    fn sampling_without_a_seed_gets_one_and_nothing_else_does() {
        let seeded = |kind, json| {
            let mut parameters = read(json);
            seed(kind, &mut parameters);
            parameters.get("seed").cloned()
        };
        assert!(seeded(Kind::Chat, serde_json::json!({"temperature": 0.7})).is_some());
        assert_eq!(seeded(Kind::Chat, serde_json::json!({"temperature": 0})), None);
        assert_eq!(seeded(Kind::Chat, serde_json::json!({})), None);
        assert_eq!(seeded(Kind::Echo, serde_json::json!({"temperature": 1})), None);
        assert_eq!(
            seeded(Kind::Complete, serde_json::json!({"temperature": 1, "seed": 3})),
            Some(Value::Integer(3))
        );
    }

    #[test]
    fn a_kind_that_needs_a_model_says_so() {
        assert_eq!(selector(Kind::Chat, None).unwrap_err().parameter.as_deref(), Some("model"));
        assert_eq!(selector(Kind::Echo, None).unwrap(), ModelSelector::None);
        let cid = Cid::dag_cbor(b"manifest");
        assert_eq!(selector(Kind::Chat, Some(&cid.to_string())).unwrap(), ModelSelector::Cid(cid));
        assert_eq!(selector(Kind::Chat, Some("field")).unwrap(), ModelSelector::Named("field".to_owned()));
        let alias = format!("sha256:{}", "0a".repeat(32));
        for typed in [alias.clone(), format!("sha256:{}", "0A".repeat(32))] {
            assert_eq!(
                selector(Kind::Chat, Some(&typed)).unwrap(),
                ModelSelector::Named(alias.clone()),
                "one question has one spelling"
            );
        }
        let short = selector(Kind::Chat, Some("sha256:0a")).unwrap_err();
        assert_eq!(short.parameter.as_deref(), Some("model"));
    }
}
