//! One answer: tokens in, text out, until it ends.

use std::{num::NonZeroU32, ops::ControlFlow};

use bundle_spec::adu::Usage;
use llama_cpp_2::{
    DecodeError,
    context::{
        LlamaContext,
        params::{KvCacheType, LlamaContextParams},
    },
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    sampling::LlamaSampler,
    token::LlamaToken,
};
use pannier::inference::{EngineError, Piece, sampling::Sampling, text::TextStream};

use crate::{complaints::Complaints, model::Model};

/// Most tokens of prompt and answer together; fewer if the model was trained on fewer. Bounds the memory of a
/// task.
pub(crate) const CONTEXT_TOKENS_MAX: u32 = 8192;
/// Tokens that are read at once. Part of the fingerprint: another value gives other bits.
pub(crate) const BATCH_TOKENS: u32 = 512;
/// No flash attention. Part of the fingerprint.
const FLASH_ATTENTION_DISABLED: i32 = 0;
/// The one sequence of a context.
const SEQUENCE: i32 = 0;

/// What a generation gave.
pub(crate) struct Generated {
    pub(crate) text: String,
    /// `stop` or `length`.
    pub(crate) finish: &'static str,
    pub(crate) usage: Usage,
}

/// One answer while it is made.
pub(crate) struct Generation<'model> {
    model: &'model Model,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    context_tokens: usize,
}

impl<'model> Generation<'model> {
    /// A fresh context: nothing of another task is left in it.
    pub(crate) fn new(
        backend: &LlamaBackend,
        model: &'model Model,
        threads: u32,
        complaints: &Complaints,
    ) -> Result<Self, EngineError> {
        let tokens = model.llama.n_ctx_train().clamp(1, CONTEXT_TOKENS_MAX);
        let threads = i32::try_from(threads.max(1)).unwrap_or(i32::MAX);
        let parameters = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(tokens))
            .with_n_batch(BATCH_TOKENS)
            .with_n_ubatch(BATCH_TOKENS)
            .with_n_seq_max(1)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_flash_attention_policy(FLASH_ATTENTION_DISABLED)
            .with_type_k(KvCacheType::F16)
            .with_type_v(KvCacheType::F16);
        complaints.take();
        let context = model.llama.new_context(backend, parameters).map_err(|_| {
            EngineError::exhausted(format!("no context of {tokens} tokens: {}", complaints.take()))
        })?;
        let context_tokens = usize::try_from(tokens).expect("a count of tokens fits memory");
        let batch = LlamaBatch::new(usize::try_from(BATCH_TOKENS).expect("a batch fits memory"), 1);
        Ok(Self { model, context, batch, context_tokens })
    }

    /// Writes the answer to `prompt`.
    pub(crate) fn write(
        mut self,
        prompt: &[LlamaToken],
        sampling: &Sampling,
        emit: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Generated, EngineError> {
        self.check_length(prompt)?;
        self.read(prompt, emit)?;
        let mut sampler = self.sampler(sampling, prompt);
        let mut text = TextStream::new(sampling.stops.clone());
        let mut written = 0;
        let finish = loop {
            if written == sampling.tokens_max || prompt.len() + written == self.context_tokens {
                break "length";
            }
            let token = sampler.sample(&self.context, -1);
            let vocabulary = self.model.llama.vocab();
            if vocabulary.is_eog(token) {
                break "stop";
            }
            written += 1;
            show(text.push(&vocabulary.token_to_piece(token, false, None)), emit)?;
            if text.is_stopped() {
                break "stop";
            }
            if written < sampling.tokens_max && prompt.len() + written < self.context_tokens {
                self.decode(&[token], prompt.len() + written - 1)?;
            }
        };
        show(text.end(), emit)?;
        let count = |tokens: usize| u64::try_from(tokens).expect("a count fits 64 bits");
        let usage = Usage { prompt_tokens: count(prompt.len()), completion_tokens: count(written) };
        Ok(Generated { text: text.into_text(), finish, usage })
    }

    fn check_length(&self, prompt: &[LlamaToken]) -> Result<(), EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::bad_input("the prompt has no token that the model knows"));
        }
        if prompt.len() < self.context_tokens {
            return Ok(());
        }
        let (given, room) = (prompt.len(), self.context_tokens);
        let surplus = given - room + 1;
        Err(EngineError::bad_input(format!(
            "the prompt has {given} tokens and the model has room for {room}, the answer included; \
             shorten the prompt by at least {surplus} tokens"
        )))
    }

    /// Reads the prompt, as many tokens at once as llama.cpp takes.
    fn read(
        &mut self,
        prompt: &[LlamaToken],
        emit: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<(), EngineError> {
        let chunk_tokens = usize::try_from(BATCH_TOKENS).expect("a batch fits memory");
        for (index, chunk) in prompt.chunks(chunk_tokens).enumerate() {
            let position = index * chunk_tokens;
            self.decode(chunk, position)?;
            let thousandths = (position + chunk.len()) * 1000 / prompt.len();
            let thousandths = u16::try_from(thousandths).expect("a share is at most 1000");
            if emit(Piece::Progress(thousandths)).is_break() {
                return Err(EngineError::cancelled());
            }
        }
        Ok(())
    }

    /// Computes `tokens` that stand from `position` on; the scores after the last one can be sampled then.
    fn decode(&mut self, tokens: &[LlamaToken], position: usize) -> Result<(), EngineError> {
        self.batch.clear();
        for (offset, token) in tokens.iter().enumerate() {
            let position = i32::try_from(position + offset).expect("a position is within the context");
            let is_last = offset + 1 == tokens.len();
            self.batch.add(*token, position, &[SEQUENCE], is_last).expect("a chunk fits the batch");
        }
        self.context.decode(&mut self.batch).map_err(|error| match error {
            DecodeError::NoKvCacheSlot => EngineError::exhausted("the context is full"),
            other => EngineError::bad_model(format!("llama.cpp cannot compute the model: {other}")),
        })
    }

    fn sampler(&self, sampling: &Sampling, prompt: &[LlamaToken]) -> LlamaSampler {
        let mut chain = Vec::new();
        if let Some(penalties) = sampling.penalties {
            chain.push(LlamaSampler::penalties(
                self.model.llama.n_vocab(),
                penalties.last_n,
                penalties.repeat,
                penalties.frequency,
                penalties.presence,
            ));
        }
        match sampling.chance {
            None => chain.push(LlamaSampler::greedy()),
            Some(chance) => chain.extend([
                LlamaSampler::top_k(chance.top_k),
                LlamaSampler::top_p(chance.top_p, 1),
                LlamaSampler::min_p(chance.min_p, 1),
                LlamaSampler::temp(chance.temperature),
                LlamaSampler::dist(chance.seed),
            ]),
        }
        let mut sampler = LlamaSampler::chain(chain, true);
        if let Some(penalties) = sampling.penalties {
            let last_n = usize::try_from(penalties.last_n).expect("the count is positive");
            sampler.accept_many(&prompt[prompt.len().saturating_sub(last_n)..]);
        }
        sampler
    }
}

/// Shows a piece of text, if there is any.
fn show(text: String, emit: &mut dyn FnMut(Piece) -> ControlFlow<()>) -> Result<(), EngineError> {
    if text.is_empty() || emit(Piece::Text(text)).is_continue() {
        return Ok(());
    }
    Err(EngineError::cancelled())
}
