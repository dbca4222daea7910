//! A loaded model and what it is good for.

use std::{fs::File, io::BufReader, path::Path};

use llama_cpp_2::{
    llama_backend::LlamaBackend,
    model::{LlamaChatMessage, LlamaModel, params::LlamaModelParams},
    token::LlamaToken,
    vocab::VocabType,
};
use pannier::inference::{EngineError, gguf::Header, messages::Message};

use crate::complaints::Complaints;

/// Architectures that read a text and write another with two halves, which this engine does not drive.
const TWO_HALVES: [&str; 2] = ["t5", "t5encoder"];
/// What llama.cpp says when it gets no memory for a model.
const OUT_OF_MEMORY: [&str; 3] = ["unable to allocate", "failed to allocate", "bad_alloc"];

/// A loaded model that writes text.
pub(crate) struct Model {
    pub(crate) llama: LlamaModel,
}

impl Model {
    /// Loads a model from a GGUF file.
    pub(crate) fn load(
        backend: &LlamaBackend,
        file: &Path,
        complaints: &Complaints,
    ) -> Result<Self, EngineError> {
        // What can be seen to be no model is not left to the C code to find out.
        let source = File::open(file)
            .map_err(|error| EngineError::bad_model(format!("the model cannot be read: {error}")))?;
        let header = Header::read(BufReader::new(source))
            .map_err(|error| EngineError::bad_model(format!("the model cannot be used: {error}")))?;
        // The wrapper takes the number for one of 31 bits.
        let context = header.context_length.unwrap_or(1);
        if context == 0 || i32::try_from(context).is_err() {
            return Err(EngineError::bad_model(format!("the model claims a context of {context} tokens")));
        }
        complaints.take();
        let parameters = LlamaModelParams::default().with_n_gpu_layers(0);
        let llama = LlamaModel::load_from_file(backend, file, &parameters).map_err(|_| {
            let reason = complaints.take();
            if OUT_OF_MEMORY.iter().any(|words| reason.contains(words)) {
                EngineError::exhausted(format!("no memory for the model: {reason}"))
            } else {
                EngineError::bad_model(format!("llama.cpp cannot load the model: {reason}"))
            }
        })?;
        let model = Self { llama };
        model.check()?;
        Ok(model)
    }

    /// Whether it writes text at all: asked otherwise, llama.cpp ends the process.
    fn check(&self) -> Result<(), EngineError> {
        let architecture = self.llama.meta_val_str("general.architecture").unwrap_or_default();
        if TWO_HALVES.contains(&architecture.as_str()) {
            return Err(EngineError::bad_model(format!(
                "a model of architecture `{architecture}` has an encoder, which this engine cannot use"
            )));
        }
        let causal = self.llama.meta_val_str(&format!("{architecture}.attention.causal"));
        if causal.is_ok_and(|causal| causal == "false") {
            return Err(EngineError::bad_model(format!(
                "a model of architecture `{architecture}` makes embeddings and writes no text"
            )));
        }
        if self.llama.vocab().vocab_type() == VocabType::NONE {
            return Err(EngineError::bad_model("the model has no vocabulary"));
        }
        Ok(())
    }

    /// The tokens of a conversation, up to where the model is to answer.
    pub(crate) fn conversation(&self, messages: Vec<Message>) -> Result<Vec<LlamaToken>, EngineError> {
        let template = self
            .llama
            .chat_template(None)
            .map_err(|_| EngineError::bad_input("the model has no chat template; use the kind `complete`"))?;
        let messages: Result<Vec<_>, _> = messages
            .into_iter()
            .map(|message| LlamaChatMessage::new(message.role, message.content))
            .collect();
        let messages = messages
            .map_err(|_| EngineError::bad_input("a message contains a zero byte, which no model reads"))?;
        let prompt = self.llama.apply_chat_template(&template, &messages, true).map_err(|_| {
            EngineError::bad_model(
                "the chat template of the model is none that llama.cpp knows; use the kind `complete`",
            )
        })?;
        Ok(self.llama.vocab().tokenize(prompt.as_bytes(), true, true))
    }

    /// The tokens of a prompt. What looks like a control token in it is text.
    pub(crate) fn prompt(&self, text: &str) -> Vec<LlamaToken> {
        self.llama.vocab().tokenize(text.as_bytes(), true, false)
    }
}
