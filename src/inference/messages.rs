//! The inputs of a task as text: messages of a conversation, or one prompt.
//!
//! Used by engines that read text. It knows no template of any model.

use serde_json::Value as Json;

use super::EngineError;

/// Who may speak in a conversation.
const ROLES: [&str; 4] = ["system", "user", "assistant", "tool"];

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// The conversation in `inputs`: `application/json` is an array of messages, text of any kind is what the
/// user says.
///
/// # Errors
/// `BadInput` says which input cannot be read and why.
pub fn conversation(inputs: &[(String, Vec<u8>)]) -> Result<Vec<Message>, EngineError> {
    let mut messages: Vec<Message> = Vec::new();
    let mut said = Vec::new();
    for (media, bytes) in inputs {
        match essence(media).as_str() {
            "application/json" => messages.extend(parse_messages(bytes)?),
            essence if essence.starts_with("text/") => said.push(text(media, bytes)?),
            _ => return Err(unreadable(media, "a conversation")),
        }
    }
    if !said.is_empty() {
        messages.push(Message { role: "user".to_owned(), content: said.join("\n\n") });
    }
    if messages.iter().all(|message| message.content.is_empty()) {
        return Err(EngineError::bad_input("the conversation is empty: give a text or an array of messages"));
    }
    Ok(messages)
}

/// The prompt in `inputs`: all texts, one after the other.
///
/// # Errors
/// `BadInput` says which input cannot be read and why.
pub fn prompt(inputs: &[(String, Vec<u8>)]) -> Result<String, EngineError> {
    let mut prompt = String::new();
    for (media, bytes) in inputs {
        if !essence(media).starts_with("text/") {
            return Err(unreadable(media, "a prompt"));
        }
        prompt.push_str(text(media, bytes)?);
    }
    if prompt.is_empty() {
        return Err(EngineError::bad_input("the prompt is empty: give a text"));
    }
    Ok(prompt)
}

/// A media type without its parameters.
fn essence(media: &str) -> String {
    let essence = media.split_once(';').map_or(media, |(essence, _)| essence);
    essence.trim().to_ascii_lowercase()
}

fn unreadable(media: &str, what: &str) -> EngineError {
    EngineError::bad_input(format!("an input of type `{media}` is not {what}: give text/plain"))
}

fn text<'a>(media: &str, bytes: &'a [u8]) -> Result<&'a str, EngineError> {
    std::str::from_utf8(bytes).map_err(|error| {
        EngineError::bad_input(format!(
            "the input of type `{media}` is not UTF-8 at byte {}",
            error.valid_up_to()
        ))
    })
}

fn parse_messages(bytes: &[u8]) -> Result<Vec<Message>, EngineError> {
    let json: Json = serde_json::from_slice(bytes)
        .map_err(|error| EngineError::bad_input(format!("the messages are no JSON: {error}")))?;
    let Json::Array(messages) = json else {
        return Err(EngineError::bad_input(r#"messages must be an array of {"role": .., "content": ..}"#));
    };
    messages.iter().enumerate().map(|(index, message)| parse_message(index, message)).collect()
}

fn parse_message(index: usize, message: &Json) -> Result<Message, EngineError> {
    let wrong = |what: &str| EngineError::bad_input(format!("message {index}: {what}"));
    let role = message.get("role").and_then(Json::as_str).ok_or_else(|| wrong("`role` is not a text"))?;
    if !ROLES.contains(&role) {
        return Err(wrong(&format!("the role `{role}` is none of {}", ROLES.join(", "))));
    }
    let content = match message.get("content") {
        Some(Json::String(content)) => content.clone(),
        Some(Json::Array(parts)) => {
            parse_parts(parts).ok_or_else(|| wrong("only parts of type `text` can be read"))?
        }
        _ => return Err(wrong("`content` is not a text")),
    };
    Ok(Message { role: role.to_owned(), content })
}

/// Content as a list of parts, all of them text.
fn parse_parts(parts: &[Json]) -> Option<String> {
    let texts = parts.iter().map(|part| match part.get("type").and_then(Json::as_str) {
        Some("text") => part.get("text").and_then(Json::as_str),
        _ => None,
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Vec<(String, Vec<u8>)> {
        vec![("application/json".to_owned(), text.as_bytes().to_vec())]
    }

    fn plain(text: &str) -> (String, Vec<u8>) {
        ("text/plain; charset=utf-8".to_owned(), text.as_bytes().to_vec())
    }

    #[test]
    fn text_is_what_the_user_says_and_json_a_conversation() {
        let user = Message { role: "user".to_owned(), content: "a\n\nb".to_owned() };
        assert_eq!(conversation(&[plain("a"), plain("b")]).unwrap(), [user]);
        let messages = conversation(&json(
            r#"[{"role":"system","content":"brief"},{"role":"user","content":[{"type":"text","text":"hi"}]}]"#,
        ));
        let messages: Vec<_> = messages.unwrap().into_iter().map(|message| message.content).collect();
        assert_eq!(messages, ["brief", "hi"]);
    }

    #[test]
    fn what_is_no_conversation_is_refused_with_the_place() {
        for (text, reason) in [
            ("{}", "array"),
            ("[", "no JSON"),
            (r#"[{"role":"user"}]"#, "message 0: `content`"),
            (r#"[{"role":"root","content":""}]"#, "role `root`"),
            (r#"[{"role":"user","content":[{"type":"image_url"}]}]"#, "type `text`"),
            ("[]", "empty"),
        ] {
            let error = conversation(&json(text)).unwrap_err();
            assert!(error.detail.contains(reason), "{text}: {}", error.detail);
        }
    }

    #[test]
    fn a_prompt_is_all_texts_as_they_are() {
        assert_eq!(prompt(&[plain("Once "), plain("upon")]).unwrap(), "Once upon");
        assert!(prompt(&json("[]")).is_err());
        assert!(prompt(&[]).is_err());
        assert!(
            prompt(&[("text/plain".to_owned(), vec![b'a', 0xff])]).unwrap_err().detail.contains("byte 1")
        );
    }

    #[test]
    fn any_bytes_are_a_conversation_or_an_error() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let _ = conversation(&[("application/json".to_owned(), bytes.to_vec())]);
        });
    }
}
