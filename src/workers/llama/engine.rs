//! The engine: loads one model and answers with it.

use std::{ops::ControlFlow, path::Path};

use bundle_spec::adu::Kind;
use llama_cpp_2::llama_backend::LlamaBackend;
use pannier::inference::{
    Engine, EngineError, Finished, Piece, TaskInput, WorkerLimits, messages, sampling::Sampling,
};

use crate::{
    complaints::Complaints,
    generation::{BATCH_TOKENS, CONTEXT_TOKENS_MAX, Generation},
    model::Model,
};

/// Versions as `Cargo.toml` and `Cargo.lock` pin them. Part of the fingerprint.
const VERSIONS: &str = "llama-cpp-2 0.1.160, llama-cpp-sys-2 0.1.161, ggml 0.26.0";

/// What the C++ is compiled for, which decides the order of additions. `GGML_NATIVE` is off, so that it
/// depends on the target and not on the machine that built it.
const TARGET: &str =
    if cfg!(target_arch = "x86_64") { "x86-64 avx2 fma f16c bmi2" } else { std::env::consts::ARCH };

/// llama.cpp on the CPU.
pub(crate) struct Llama {
    backend: LlamaBackend,
    complaints: Complaints,
    model: Option<Model>,
    threads: u32,
}

impl Llama {
    /// The engine without a model.
    pub(crate) fn new() -> Result<Self, EngineError> {
        let complaints = Complaints::listen();
        let backend = LlamaBackend::init()
            .map_err(|error| EngineError::exhausted(format!("llama.cpp does not start: {error}")))?;
        Ok(Self { backend, complaints, model: None, threads: 1 })
    }
}

impl Engine for Llama {
    fn name(&self) -> &'static str {
        "llama"
    }

    fn fingerprint(&self) -> String {
        format!(
            "{VERSIONS}; {} {TARGET}; cpu; context up to {CONTEXT_TOKENS_MAX}, \
             batch {BATCH_TOKENS}/{BATCH_TOKENS}, no flash attention, cache f16/f16",
            std::env::consts::OS
        )
    }

    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Chat, Kind::Complete]
    }

    fn load(&mut self, file: &Path, limits: &WorkerLimits) -> Result<(), EngineError> {
        // The memory of the last one first.
        self.model = None;
        self.threads = limits.threads;
        self.model = Some(Model::load(&self.backend, file, &self.complaints)?);
        Ok(())
    }

    fn run(
        &mut self,
        input: TaskInput,
        emit: &mut dyn FnMut(Piece) -> ControlFlow<()>,
    ) -> Result<Finished, EngineError> {
        let (sampling, parameters) = Sampling::parse(&input.parameters)?;
        let Some(model) = &self.model else {
            return Err(EngineError::bad_input("this kind of work needs a model, and the job names none"));
        };
        let prompt = match input.kind {
            Kind::Chat => model.conversation(messages::conversation(&input.inputs)?)?,
            Kind::Complete => model.prompt(&messages::prompt(&input.inputs)?),
            Kind::Embed | Kind::Transcribe | Kind::Speak | Kind::Detect | Kind::Echo => {
                return Err(EngineError::bad_input("this engine does `chat` and `complete`"));
            }
        };
        let generation = Generation::new(&self.backend, model, self.threads, &self.complaints)?;
        let generated = generation.write(&prompt, &sampling, emit)?;
        Ok(Finished {
            outputs: vec![("text/plain".to_owned(), generated.text.into_bytes())],
            finish: generated.finish.to_owned(),
            usage: generated.usage,
            parameters,
        })
    }
}
