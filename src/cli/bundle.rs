//! `pannier bundle`: inspect, validate and make bundle files. Needs no node and no identity.

mod statement;

use std::{path::Path, str::FromStr, time::Duration};

use bundle_spec::{
    Builder, Bundle as Wire, Cid, CreationTimestamp, DtnTime, Eid, Lax,
    adu::{Adu, Outcome},
    security::{
        self, Algorithm, Decision, Finding, Key, KeySet, Operation, Reception, Role, SecurityError, Service,
    },
    validate::{self, Severity},
};
use serde_json::{Value, json};

use super::{Context, Exit, Failure, args::Bundle, fetch, submit};
use crate::{
    limits,
    node::{clock::Clock, security::read_keys},
    time::Time,
};

pub(super) fn bundle(context: &Context, command: Bundle) -> Result<Exit, Failure> {
    match command {
        Bundle::Inspect { file } => inspect(context, &file),
        Bundle::Validate { file, keys } => validate(context, &file, keys.as_deref()),
        Bundle::Create { file, source, destination, lifetime, output } => {
            let bytes = create(&submit::input(&file)?, &source, &destination, lifetime)?;
            match &output {
                Some(path) => {
                    let failed =
                        |error| Failure::io(format!("`{}` cannot be written", path.display()), &error);
                    fetch::replace(path, &bytes).map_err(failed)?;
                }
                None if context.printer.is_json() => {
                    return Err(Failure::usage("with `--json`, a bundle goes into a file").hint("-o FILE"));
                }
                None => context.printer.bytes(&bytes)?,
            }
            context.printer.line("result", json!({ "file": output, "len": bytes.len() }))?;
            Ok(Exit::Done)
        }
    }
}

fn inspect(context: &Context, file: &Path) -> Result<Exit, Failure> {
    let bytes = submit::input(file)?;
    let bundle = Wire::parse(bytes.into(), &Lax::all()).map_err(|error| malformed(file, error))?;
    let fields = described(&bundle);
    for (name, value) in fields.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        context.printer.data(&format!("{name:<12} {value}"))?;
    }
    context.printer.line("result", fields)?;
    Ok(Exit::Done)
}

fn malformed(file: &Path, error: bundle_spec::Error) -> Failure {
    Failure::new(Exit::Failed, format!("`{}` is no bundle: {error}", file.display()))
        .cause(format!("rule {:?}, {}", error.rule, error.rule.section()))
        .hint(format!("pannier bundle validate {}", file.display()))
}

/// What a bundle says, in the order of the wire.
fn described(bundle: &Wire) -> Value {
    let header = &bundle.header;
    let primary = header.primary();
    let blocks: Vec<Value> = header
        .blocks()
        .iter()
        .map(|block| {
            json!({
                "type": block.block_type, "number": block.number, "flags": block.flags.0,
                "crc": format!("{:?}", block.crc_type), "len": block.data().len(),
            })
        })
        .collect();
    let security: Vec<String> = match security::operations(header) {
        Ok(operations) => operations.iter().map(operation).collect(),
        Err(error) => vec![error.to_string()],
    };
    let fragment = primary.fragment().map(|origin| format!("{origin:?}"));
    json!({
        "id": header.bundle_id().to_string(),
        "source": primary.source().to_string(),
        "destination": primary.destination().to_string(),
        "report_to": primary.report_to().to_string(),
        "created": primary.timestamp().time.to_string(),
        "sequence": primary.timestamp().sequence,
        "lifetime_ms": primary.lifetime_ms(),
        "flags": primary.flags().0,
        "crc": format!("{:?}", primary.crc_type()),
        "fragment": fragment,
        "previous_node": header.previous_node().map(|node| node.to_string()),
        "age_ms": header.age_ms(),
        "hops": header.hop_count().map(|hops| format!("{} of {}", hops.count, hops.limit)),
        "blocks": blocks,
        "security": security,
        "payload_len": bundle.payload.len(),
        "payload_cid": Cid::raw(&bundle.payload).to_string(),
        "payload": payload(&bundle.payload),
    })
}

/// A security operation in words.
fn operation(operation: &Operation) -> String {
    let target = match operation.target {
        0 => "the primary block".to_owned(),
        1 => "the payload".to_owned(),
        number => format!("block {number}"),
    };
    let context = match (operation.service, operation.context) {
        (Service::Integrity, security::BIB_HMAC_SHA2) => "BIB-HMAC-SHA2".to_owned(),
        (Service::Confidentiality, security::BCB_AES_GCM) => "BCB-AES-GCM".to_owned(),
        (_, other) => format!("unknown context {other}"),
    };
    let Operation { service, block, source, .. } = operation;
    format!("{service} of {target} by {source} ({context}, block {block})")
}

/// What the payload is, if it is one of our own units.
fn payload(bytes: &[u8]) -> Value {
    match Adu::decode(bytes) {
        Ok(Adu::Job(job)) => json!({
            "type": "job", "id": job.cid().to_string(), "kind": job.kind.name(), "inputs": job.inputs.len(),
        }),
        Ok(Adu::Result(result)) => {
            let outcome = match &result.statement.outcome {
                Outcome::Completed { .. } => "completed",
                Outcome::Failed { .. } => "failed",
            };
            json!({
                "type": "result", "job": result.statement.job.to_string(), "outcome": outcome,
                "executor": result.statement.executor.to_string(), "signature_valid": result.verify().is_ok(),
            })
        }
        Ok(Adu::SealedJob(sealed)) => json!({
            "type": "sealed job", "id": sealed.cid().to_string(), "level": sealed.level.name(),
            "recipients": sealed.recipients.iter().map(|one| one.key.to_string()).collect::<Vec<_>>(),
        }),
        Ok(Adu::SealedResult(sealed)) => json!({
            "type": "sealed result", "job": sealed.job.to_string(), "recipient": sealed.key.to_string(),
        }),
        Ok(Adu::Manifest(manifest)) => {
            json!({ "type": "manifest", "file": manifest.file.cid.to_string(), "len": manifest.file.len })
        }
        Ok(Adu::ChunkList(list)) => json!({ "type": "chunk list", "chunks": list.chunks.len() }),
        Ok(Adu::Want(_)) => json!({ "type": "want" }),
        Ok(Adu::Have(_)) => json!({ "type": "have" }),
        Ok(Adu::Advert(_)) => json!({ "type": "advert" }),
        Ok(Adu::Receipt(_)) => json!({ "type": "receipt" }),
        Ok(Adu::Cancel(_)) => json!({ "type": "cancel" }),
        Err(_) => json!({ "type": "data" }),
    }
}

fn validate(context: &Context, file: &Path, keys: Option<&Path>) -> Result<Exit, Failure> {
    let bytes = submit::input(file)?;
    let verdict = validate::validate(&bytes, &Lax::strict());
    for finding in &verdict.findings {
        let severity = match finding.severity {
            Severity::Notice => "notice",
            Severity::Policy => "policy",
            Severity::Reject => "reject",
        };
        let (rule, section, text) =
            (format!("{:?}", finding.rule), finding.rule.section(), finding.rule.text());
        let switch = finding.rule.switch();
        let tolerated = switch.map_or(String::new(), |switch| format!("; `{switch}` tolerates it"));
        let offset = finding.offset;
        context
            .printer
            .data(&format!("{severity} at byte {offset}: {text} ({rule}, {section}{tolerated})"))?;
        let fields = json!({
            "severity": severity, "offset": offset, "rule": rule, "section": section, "text": text,
            "switch": switch,
        });
        context.printer.line("finding", fields)?;
    }
    if !verdict.ok {
        let count = verdict.findings.len();
        return Err(Failure::new(
            Exit::Failed,
            format!("`{}` breaks RFC 9171 in {count} places", file.display()),
        ));
    }
    // What only a named switch decides about has been said; it is no breach.
    let bundle = Wire::parse(bytes.into(), &Lax::all()).map_err(|error| malformed(file, error))?;
    let payload = check_security(context, file, &bundle, keys)?;
    statement::check(context, file, &payload)?;
    context.printer.data(&format!("{} is a bundle as RFC 9171 wants it", bundle.header.bundle_id()))?;
    context.printer.line("result", json!({ "ok": true, "id": bundle.header.bundle_id().to_string() }))?;
    Ok(Exit::Done)
}

/// Checks every security operation for which there is a key, and says what became of each. The payload, in
/// plain if a key opens it.
fn check_security(
    context: &Context,
    file: &Path,
    bundle: &Wire,
    keys: Option<&Path>,
) -> Result<Vec<u8>, Failure> {
    let keys = keys.map(read_keys).transpose().map_err(|error| {
        let hint = "a key file is a JWK set: `{\"keys\": [{\"kty\": \"oct\", \"kid\": .., \"alg\": .., \
                    \"k\": ..}]}`";
        Failure::new(Exit::Configuration, "the keys cannot be used").cause(error).hint(hint)
    })?;
    let keys = keys.unwrap_or_default();
    let broken = |error: SecurityError| {
        let reason = error.reason();
        Failure::new(Exit::Failed, format!("the security of `{}` does not hold", file.display()))
            .cause(error)
            .hint(format!("a node refuses it: {reason} (RFC 9172)"))
    };
    let decide = |operation: &Operation| Decision { role: role(&keys, operation), key: None };
    let mut reception = Reception::new(&bundle.header, &keys, decide, &[]).map_err(broken)?;
    reception.update(&bundle.payload);
    let cleared = reception.finish().map_err(broken)?;
    for finding in &cleared.findings {
        let (of, outcome) = match finding {
            Finding::Verified(of) | Finding::Accepted(of) => (of, "holds"),
            Finding::Passed(of) | Finding::NoKey(of) => (of, "is not checked: there is no key for it"),
            Finding::Unknown(of) => (of, "is not checked: its context is not known"),
            Finding::Hidden(of) => (of, "is not checked: its target is encrypted"),
            Finding::Discarded(of) => (of, "does not hold: a node removes its target"),
            Finding::Missing { .. } => continue,
        };
        let words = operation(of);
        context.printer.data(&format!("{words} {outcome}"))?;
        context.printer.line("security", json!({ "operation": words, "outcome": outcome }))?;
    }
    let mut payload = bundle.payload.to_vec();
    if let Some(mut stream) = cleared.payload {
        payload.truncate(usize::try_from(cleared.header.payload_len()).unwrap_or(usize::MAX));
        stream.apply(0, &mut payload);
    }
    Ok(payload)
}

/// What is encrypted is opened if there are keys for that, so that what it hides can be checked, too.
fn role(keys: &KeySet, operation: &Operation) -> Role {
    let opens = |key: &Key| !matches!(key.algorithm(), Algorithm::Hmac(_));
    match operation.service {
        Service::Confidentiality if keys.keys().iter().any(opens) => Role::Accept,
        Service::Confidentiality | Service::Integrity => Role::Verify,
    }
}

fn create(
    payload: &[u8],
    source: &str,
    destination: &str,
    lifetime: Duration,
) -> Result<bytes::Bytes, Failure> {
    let endpoint = |text: &str| {
        Eid::from_str(text).map_err(|error| {
            Failure::usage(format!("`{text}` is not an endpoint identifier"))
                .cause(error)
                .hint("write `dtn://NODE/DEMUX` or `ipn:NODE.SERVICE`")
        })
    };
    let time = Clock::resume(0, Time::ZERO).wall().map_or(DtnTime::UNKNOWN, |(wall, _)| wall);
    let timestamp = CreationTimestamp { time, sequence: u64::from(rand::random::<u32>()) };
    let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
    let mut builder = Builder::new(endpoint(source)?, endpoint(destination)?, timestamp, lifetime);
    builder = builder.hop_limit(limits::HOP_LIMIT);
    if time.is_unknown() {
        builder = builder.age_ms(0);
    }
    let header = builder.try_header(u64::try_from(payload.len()).expect("a length fits 64 bits"));
    let header = header.map_err(|error| Failure::usage("such a bundle breaks RFC 9171").cause(error.rule))?;
    Ok(Wire { header, payload: payload.to_vec().into() }.encode())
}
