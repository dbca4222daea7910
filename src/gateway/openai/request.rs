//! What OpenAI's clients ask for, as work. What is not supported is refused by name: an answer that quietly
//! ignores half the question is worth less than an error.

use axum::body::Bytes;
use bundle_spec::adu::Kind;
use serde_json::{Map, Value, json};

use super::{
    super::{
        problem::{Code, Problem},
        work::Work,
    },
    parameters,
};
use crate::node::mailbox::SealWish;

/// A request as it is understood.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// What is to be done.
    pub(super) work: Work,
    /// The model as it was asked for.
    pub(super) model: String,
    /// Whether the answer is wanted piece by piece.
    pub(super) stream: bool,
    /// Whether a stream ends with what was used up.
    pub(super) usage: bool,
    /// When it was asked, in seconds since 1970; zero without a clock.
    pub(super) created: u64,
}

/// `POST /v1/chat/completions`.
pub(super) fn chat(mut fields: Map<String, Value>) -> Result<Asked, Problem> {
    let messages = fields.remove("messages").ok_or_else(|| missing("messages"))?;
    if let Some(max) = fields.remove("max_completion_tokens").filter(|max| !max.is_null()) {
        parameters::check("max_completion_tokens", &max)?;
        fields.insert("max_tokens".to_owned(), max);
    }
    let input = chat_input(&messages)?;
    let asked = understood(Kind::Chat, fields, input)?;
    Ok(asked)
}

/// `POST /v1/completions`.
pub(super) fn complete(mut fields: Map<String, Value>) -> Result<Asked, Problem> {
    let prompt = match fields.remove("prompt") {
        Some(Value::String(prompt)) => prompt,
        Some(Value::Array(list)) if list.len() == 1 && list[0].is_string() => {
            list[0].as_str().unwrap_or("").to_owned()
        }
        Some(_) => return Err(unsupported("prompt", "must be one text")),
        None => return Err(missing("prompt")),
    };
    let asked = understood(Kind::Complete, fields, ("text/plain".to_owned(), prompt.into()))?;
    Ok(asked)
}

fn understood(kind: Kind, mut fields: Map<String, Value>, input: (String, Bytes)) -> Result<Asked, Problem> {
    let model = match fields.remove("model") {
        Some(Value::String(model)) if !model.is_empty() => model,
        Some(_) => return Err(Problem::bad("`model` must be a text").parameter("model")),
        None => return Err(missing("model")),
    };
    let stream = truth(&mut fields, "stream")?;
    let usage = match fields.remove("stream_options") {
        None | Some(Value::Null) => false,
        Some(Value::Object(mut options)) => {
            let usage = truth(&mut options, "include_usage")?;
            match options.keys().next() {
                Some(other) => {
                    return Err(unsupported(&format!("stream_options.{other}"), "is not supported"));
                }
                None => usage,
            }
        }
        Some(_) => return Err(Problem::bad("`stream_options` must be an object").parameter("stream_options")),
    };
    let parameters = parameters::read(fields)?;
    let work = Work {
        kind,
        model: Some(model.clone()),
        inputs: vec![input],
        parameters,
        lifetime: None,
        fresh: false,
        seal: SealWish::Default,
    };
    Ok(Asked { work, model, stream, usage, created: 0 })
}

/// Messages as an input: a single question of a user is plain text, so that it is the same job however it
/// is asked; anything else is a JSON list of `role` and `content`.
fn chat_input(messages: &Value) -> Result<(String, Bytes), Problem> {
    let wrong = || Problem::bad("`messages` must be a list that is not empty").parameter("messages");
    let list = messages.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    let mut read = Vec::new();
    for (index, message) in list.iter().enumerate() {
        read.push(one(index, message)?);
    }
    if let [(role, content)] = read.as_slice()
        && role == "user"
    {
        return Ok(("text/plain".to_owned(), content.clone().into()));
    }
    let list: Vec<Value> =
        read.into_iter().map(|(role, content)| json!({ "role": role, "content": content })).collect();
    Ok(("application/json".to_owned(), Value::Array(list).to_string().into()))
}

fn one(index: usize, message: &Value) -> Result<(String, String), Problem> {
    let place = |field: &str| format!("messages[{index}]{field}");
    let wrong = || Problem::bad(format!("`{}` must be an object", place(""))).parameter(place(""));
    let fields = message.as_object().ok_or_else(wrong)?;
    if let Some(other) =
        fields.iter().find(|(name, value)| !["role", "content"].contains(&name.as_str()) && !value.is_null())
    {
        return Err(unsupported(&place(&format!(".{}", other.0)), "is not supported"));
    }
    let role = match fields.get("role").and_then(Value::as_str) {
        Some("developer") => "system",
        Some(role @ ("system" | "user" | "assistant")) => role,
        _ => return Err(unsupported(&place(".role"), "must be `system`, `user` or `assistant`")),
    };
    let content = match fields.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let mut text = String::new();
            for (part_index, part) in parts.iter().enumerate() {
                match (part["type"].as_str(), part["text"].as_str()) {
                    (Some("text"), Some(part)) => text.push_str(part),
                    _ => {
                        return Err(unsupported(
                            &place(&format!(".content[{part_index}].type")),
                            "must be `text`",
                        ));
                    }
                }
            }
            text
        }
        _ => return Err(unsupported(&place(".content"), "must be a text")),
    };
    Ok((role.to_owned(), content))
}

fn truth(fields: &mut Map<String, Value>, name: &str) -> Result<bool, Problem> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(truth),
        Some(_) => Err(Problem::bad(format!("`{name}` must be true or false")).parameter(name)),
    }
}

fn missing(name: &str) -> Problem {
    Problem::bad(format!("`{name}` is missing")).parameter(name)
}

pub(super) fn unsupported(name: &str, why: &str) -> Problem {
    Problem::new(Code::UnsupportedParameter, format!("`{name}` {why}")).parameter(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &Value) -> Result<Asked, Problem> {
        chat(request.as_object().unwrap().clone())
    }

    #[test]
    fn one_question_is_plain_text_however_it_is_wrapped() {
        let plain = read(&json!({"model": "m", "messages": [{"role": "user", "content": "why?"}]})).unwrap();
        let content = json!([{"type": "text", "text": "why?"}]);
        let parts = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        assert_eq!(plain.work.inputs, read(&parts).unwrap().work.inputs);
        assert_eq!(plain.work.inputs, [("text/plain".to_owned(), Bytes::from("why?"))]);
    }

    #[test]
    fn a_conversation_is_a_list_of_roles_and_contents() {
        let request = json!({"model": "m", "messages": [
            {"role": "developer", "content": "be brief"}, {"role": "user", "content": "why?"}
        ]});
        let (media, bytes) = read(&request).unwrap().work.inputs[0].clone();
        assert_eq!(media, "application/json");
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(list[0], json!({"role": "system", "content": "be brief"}));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (field, value, parameter) in [
            ("tools", json!([]), "tools"),
            ("n", json!(2), "n"),
            ("logprobs", json!(true), "logprobs"),
            ("response_format", json!({"type": "json_object"}), "response_format"),
            ("stream_options", json!({"include_obfuscation": true}), "stream_options.include_obfuscation"),
        ] {
            let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
            request[field] = value;
            let problem = read(&request).unwrap_err();
            assert_eq!(problem.code, Code::UnsupportedParameter, "{field}");
            assert_eq!(problem.parameter.as_deref(), Some(parameter));
        }
        let image = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]});
        assert_eq!(read(&image).unwrap_err().parameter.as_deref(), Some("messages[0].content[0].type"));
    }

    #[test]
    fn fields_that_are_null_or_the_default_are_no_parameters() {
        let request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 1,
            "seed": null, "stop": "\n", "max_completion_tokens": 9, "temperature": 0, "user": "ada"});
        let parameters = read(&request).unwrap().work.parameters;
        assert_eq!(parameters.keys().collect::<Vec<_>>(), ["max_tokens", "stop", "temperature"]);
    }
}
