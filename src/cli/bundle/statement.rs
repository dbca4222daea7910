//! What `pannier bundle validate` says of a result in a bundle: whether its signature is right, and of sealed
//! jobs and results whether the keys of this home open them.

use std::path::Path;

use bundle_spec::{
    adu::{Adu, Job, JobResult, SealedJob, SealedResult},
    sealing::OpenError,
};
use serde_json::json;

use crate::{
    cli::{Context, Exit, Failure},
    node::sealing::{self, KeyFile, Ring},
};

/// Checks what a payload says, where it is one of our units that can be checked.
pub(super) fn check(context: &Context, file: &Path, payload: &[u8]) -> Result<(), Failure> {
    match Adu::decode(payload) {
        Ok(Adu::Result(result)) => signed(context, file, &result),
        Ok(Adu::SealedJob(sealed)) => job(context, file, &sealed),
        Ok(Adu::SealedResult(sealed)) => answer(context, file, &sealed),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn signed(context: &Context, file: &Path, result: &JobResult) -> Result<(), Failure> {
    let executor = &result.statement.executor;
    result.verify().map_err(|error| {
        Failure::new(Exit::Failed, format!("the result in `{}` is not by {executor}", file.display()))
            .cause(error)
    })?;
    context.printer.data(&format!("the result is signed by {executor}"))?;
    context.printer.line("signature", json!({ "executor": executor.to_string(), "sealed": false }))?;
    Ok(())
}

fn job(context: &Context, file: &Path, sealed: &SealedJob) -> Result<(), Failure> {
    let recipients = sealed.recipients.len();
    let words = match sealed.open(ring(context)?.secrets()) {
        Ok(opened) => {
            let job = Job::decode(&opened.job).expect("what was opened is a job");
            format!("the job is sealed ({}), and opens here: work of kind `{}`", sealed.level, job.kind)
        }
        Err(OpenError::NoKey) => {
            format!("the job is sealed ({}) for {recipients} keys, none of which is here", sealed.level)
        }
        Err(error) => return Err(damaged(file, error)),
    };
    context.printer.data(&words)?;
    context.printer.line("sealed", json!({ "words": words, "recipients": recipients }))?;
    Ok(())
}

fn answer(context: &Context, file: &Path, sealed: &SealedResult) -> Result<(), Failure> {
    match sealed.open(ring(context)?.secrets()) {
        Ok(opened) => {
            context.printer.data("the result is sealed, and opens here")?;
            signed(context, file, &opened.result)
        }
        Err(OpenError::NoKey) => {
            let words = "the result is sealed, signature inside: no key here opens it";
            context.printer.data(words)?;
            context.printer.line("sealed", json!({ "words": words, "job": sealed.job.to_string() }))?;
            Ok(())
        }
        Err(error) => Err(damaged(file, error)),
    }
}

fn damaged(file: &Path, error: OpenError) -> Failure {
    Failure::new(Exit::Failed, format!("what is sealed in `{}` is not believed", file.display())).cause(error)
}

/// The keys of this home; none where there is no home.
fn ring(context: &Context) -> Result<Ring, Failure> {
    let Ok(paths) = context.paths() else { return Ok(Ring::default()) };
    let ring = KeyFile::new(sealing::path(&paths.data)).load()?;
    Ok(ring)
}
