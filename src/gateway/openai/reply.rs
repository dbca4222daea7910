//! An answer in OpenAI's shapes, whole and in chunks.

use bundle_spec::{
    Cid, DtnTime,
    adu::{Kind, Outcome, Usage},
};
use serde_json::{Value, json};

use super::{
    super::{Gateway, problem::Problem},
    request::Asked,
};
use crate::node::mailbox::JobView;

/// A finished answer.
pub(super) struct Reply {
    job: Cid,
    /// The whole text.
    pub(super) text: String,
    finish: String,
    usage: Usage,
    fingerprint: String,
    created: u64,
}

impl Reply {
    /// The answer of a job that has ended.
    pub(super) async fn read(gateway: &Gateway, view: &JobView, asked: &Asked) -> Result<Self, Problem> {
        debug_assert_eq!(view.kind, Some(asked.work.kind), "a job's kind is part of its name");
        let found = gateway.result_of(view).await?;
        let outputs = gateway.outputs_of(&found).await?;
        let text = outputs.first().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        let statement = found.result.statement;
        let finish = match statement.outcome {
            Outcome::Completed { finish, .. } => finish,
            Outcome::Failed { .. } => unreachable!("a failure has no outputs and was answered above"),
        };
        Ok(Self {
            job: view.job,
            text: text.unwrap_or_default(),
            finish,
            usage: statement.usage,
            fingerprint: statement.fingerprint,
            created: unix_seconds(statement.timings.started_at),
        })
    }

    /// Which job it answers.
    pub(super) fn job(&self) -> Cid {
        self.job
    }

    /// The whole answer.
    pub(super) fn object(&self, asked: &Asked) -> Value {
        let choice = match asked.work.kind {
            Kind::Chat => json!({
                "index": 0,
                "message": { "role": "assistant", "content": self.text, "refusal": null },
                "logprobs": null,
                "finish_reason": self.finish,
            }),
            _ => json!({ "index": 0, "text": self.text, "logprobs": null, "finish_reason": self.finish }),
        };
        json!({
            "id": identifier(asked.work.kind, self.job),
            "object": if asked.work.kind == Kind::Chat { "chat.completion" } else { "text_completion" },
            "created": self.created,
            "model": asked.model,
            "choices": [choice],
            "usage": self.usage(),
            "system_fingerprint": self.fingerprint,
        })
    }

    /// The chunk that ends an answer.
    pub(super) fn last_chunk(&self, asked: &Asked) -> Value {
        let mut end = chunk(asked, self.job, &Delta::End(self.finish.clone()));
        end["system_fingerprint"] = self.fingerprint.as_str().into();
        end
    }

    /// The chunk that says what was used up: no choices.
    pub(super) fn usage_chunk(&self, asked: &Asked) -> Value {
        let mut chunk = chunk(asked, self.job, &Delta::Begin);
        chunk["choices"] = json!([]);
        chunk["usage"] = self.usage();
        chunk
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.usage.prompt_tokens, self.usage.completion_tokens);
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
        })
    }
}

/// What a chunk brings.
pub(super) enum Delta {
    /// Who speaks.
    Begin,
    /// The next text.
    Text(String),
    /// Nothing more, and why.
    End(String),
}

/// One chunk of a stream.
pub(super) fn chunk(asked: &Asked, job: Cid, delta: &Delta) -> Value {
    let chat = asked.work.kind == Kind::Chat;
    let finish = match delta {
        Delta::End(finish) => Value::from(finish.as_str()),
        Delta::Begin | Delta::Text(_) => Value::Null,
    };
    let choice = match delta {
        Delta::Begin if chat => json!({ "index": 0, "delta": { "role": "assistant", "content": "" } }),
        Delta::Text(text) if chat => json!({ "index": 0, "delta": { "content": text } }),
        Delta::End(_) if chat => json!({ "index": 0, "delta": {} }),
        Delta::Text(text) => json!({ "index": 0, "text": text }),
        Delta::Begin | Delta::End(_) => json!({ "index": 0, "text": "" }),
    };
    let mut choice = choice;
    choice["logprobs"] = Value::Null;
    choice["finish_reason"] = finish;
    let mut chunk = json!({
        "id": identifier(asked.work.kind, job),
        "object": if chat { "chat.completion.chunk" } else { "text_completion" },
        "created": asked.created,
        "model": asked.model,
        "choices": [choice],
    });
    if asked.usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

fn identifier(kind: Kind, job: Cid) -> String {
    let prefix = if kind == Kind::Chat { "chatcmpl" } else { "cmpl" };
    format!("{prefix}-{job}")
}

/// A DTN time in seconds since 1970; zero if it is unknown.
pub(super) fn unix_seconds(dtn_ms: u64) -> u64 {
    if dtn_ms == 0 { 0 } else { DtnTime(dtn_ms).to_unix_ms() / 1000 }
}
