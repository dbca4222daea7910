//! A bundle that was made here leaves: it is signed and encrypted as the rules say, each time it goes out.
//!
//! What is held stays in plain. Content keys and initialization vectors follow from the key and from
//! everything that is secured, so that a transfer that was cut off goes on with the same bytes, and no vector
//! ever serves two texts. One bundle at a time, in the order in which they are to leave.

use bundle_spec::{
    BlockRef, CrcType, Header,
    block::{BUNDLE_AGE, HOP_COUNT, PREVIOUS_NODE},
    security::{
        Aes, Algorithm, Key, KeyUse, PolicyRule, Scope, Sealer, Sealing, SecurityError, Service, Sha, Signer,
        Signing,
    },
};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::{Guard, Stop, arrival::read_all};
use crate::{
    agent::{Input, LinkId, Refusal},
    node::mailbox::{Handle, LinkCommand, Outgoing, Store},
};

/// A bundle on its way to a link.
pub(in crate::node) struct Departing {
    /// Over which contact.
    pub(in crate::node) link: LinkId,
    /// Where the link takes its commands.
    pub(in crate::node) commands: mpsc::Sender<LinkCommand>,
    /// What leaves.
    pub(in crate::node) outgoing: Outgoing,
}

/// Secures what is to leave and passes it on, until nobody sends any more. What cannot be secured does not
/// leave: the agent hears that the contact did not take it.
pub(in crate::node) async fn depart(
    guard: Guard,
    handle: Handle,
    mut departing: mpsc::UnboundedReceiver<Departing>,
) {
    while let Some(Departing { link, commands, outgoing }) = departing.recv().await {
        let bundle = outgoing.bundle.clone();
        let (worker, store) = (guard.clone(), handle.clone());
        let secured = tokio::task::spawn_blocking(move || worker.secure(&store, outgoing));
        match secured.await.expect("securing a bundle does not panic") {
            Ok(outgoing) => {
                // A link that is gone or full does not hold up the others: the agent offers the bundle again.
                if commands.try_send(LinkCommand::Transmit(outgoing)).is_err()
                    && handle.input(Input::Interrupted { link, bundle, acknowledged: 0 }).await.is_err()
                {
                    return;
                }
            }
            Err(stop) => {
                guard.failed(&stop);
                warn!(%bundle, reason = %stop, "a bundle stays here: it cannot be secured as the rules say");
                if handle.input(Input::Refused { link, bundle, reason: Refusal::Malformed }).await.is_err() {
                    return;
                }
            }
        }
    }
    debug!("nothing more leaves");
}

impl Guard {
    /// The bundle as it leaves. Blocks.
    pub(super) fn secure(&self, handle: &Handle, outgoing: Outgoing) -> Result<Outgoing, Stop> {
        let store = handle.store().as_ref();
        let source = handle.node_id().eid();
        let keys = self.keys();
        let maker = |rule: &PolicyRule| {
            let id = rule.key.as_deref().unwrap_or_default();
            keys.maker(id).ok_or_else(|| Stop::NoKey(id.to_owned()))
        };
        let mut header = outgoing.header.clone();
        let is_own = header.primary().source().node_id().as_ref() == Some(handle.node_id());
        let rules = |service| match is_own {
            true => self.policy.sources(&outgoing.header, service),
            false => Vec::new(),
        };
        for (rule, targets) in rules(Service::Integrity) {
            let key = maker(rule)?;
            let context = context(&header, &outgoing.payload, &targets);
            let sha = match key.algorithm() {
                Algorithm::Hmac(sha) => sha,
                Algorithm::Content(_) | Algorithm::Wrap(_) => Sha::default(),
            };
            let content = key.derive("integrity key", &context, sha.code_len());
            let signing = Signing {
                source: source.clone(),
                targets: &targets,
                sha,
                // Not its own header: a BIB whose codes cover that cannot be split.
                scope: Scope::PRIMARY.and(Scope::TARGET),
                key: key_use(key, &content),
                crc_type: CrcType::Castagnoli,
            };
            let mut signer = Signer::new(&header, &signing)?;
            if targets.contains(&1) {
                show(store, &outgoing, |chunk| signer.update(chunk))?;
            }
            header = signer.finish()?;
        }
        if outgoing.clear_only {
            let is_encrypted = !rules(Service::Confidentiality).is_empty();
            let header = self.clear(handle, &outgoing, header, is_encrypted)?;
            return Ok(Outgoing { header, ..outgoing });
        }
        let mut sealed = None;
        for (rule, targets) in rules(Service::Confidentiality) {
            let key = maker(rule)?;
            let (next, stream) = seal(store, &outgoing, &header, key, &targets, source)?;
            header = next;
            sealed = sealed.or(stream);
        }
        Ok(Outgoing { header, sealed, ..outgoing })
    }
}

fn seal(
    store: &dyn Store,
    outgoing: &Outgoing,
    header: &Header,
    key: &Key,
    targets: &[u64],
    source: &bundle_spec::Eid,
) -> Result<(Header, Option<bundle_spec::security::Keystream>), Stop> {
    let aes = match key.algorithm() {
        Algorithm::Content(aes) | Algorithm::Wrap(aes) => aes,
        Algorithm::Hmac(_) => Aes::default(),
    };
    let context = context(header, &outgoing.payload, targets);
    let content = key.derive("content key", &context, aes.key_len());
    let sealing = Sealing {
        source: source.clone(),
        targets,
        aes,
        scope: Scope::ALL,
        key: key_use(key, &content),
        crc_type: CrcType::Castagnoli,
    };
    let vector = |number: u64| {
        let purpose = format!("initialization vector of block {number}");
        let bytes = key.derive(&purpose, &context, 12);
        <[u8; 12]>::try_from(bytes.as_slice()).expect("as many bytes as were asked for")
    };
    let mut sealer = Sealer::new(header, &sealing, vector)?;
    if targets.contains(&1) {
        show(store, outgoing, |chunk| sealer.update(chunk))?;
    }
    let sealed = sealer.finish()?;
    Ok((sealed.header, sealed.payload))
}

/// A key that wraps travels with a content key, any other is used as it is.
fn key_use<'a>(key: &'a Key, content: &'a [u8]) -> KeyUse<'a> {
    match key.algorithm() {
        Algorithm::Wrap(_) => KeyUse::Wrapped { by: key, content },
        Algorithm::Hmac(_) | Algorithm::Content(_) => KeyUse::Direct(key),
    }
}

/// Shows the payload in pieces. That of a fragment is not: it is refused before.
pub(super) fn show(store: &dyn Store, outgoing: &Outgoing, mut take: impl FnMut(&[u8])) -> Result<(), Stop> {
    if outgoing.header.primary().flags().is_fragment() {
        return Err(SecurityError::Fragment.into());
    }
    let payload = store.open(outgoing.payload.cid.digest())?.ok_or(Stop::Missing)?;
    read_all(payload.as_ref(), outgoing.header.payload_len(), |_, chunk| {
        take(chunk);
        Ok(())
    })?;
    Ok(())
}

/// Everything that is secured with one key: if any of it is different, so are content key and vectors. What
/// changes at every hop is left out, unless it is secured itself.
fn context(header: &Header, payload: &BlockRef, targets: &[u64]) -> Vec<u8> {
    let mut context = header.primary().raw().to_vec();
    context.extend_from_slice(payload.cid.digest());
    for block in header.blocks() {
        let changes = matches!(block.block_type, PREVIOUS_NODE | BUNDLE_AGE | HOP_COUNT);
        let number = [block.block_type, block.number, block.flags.0];
        number.iter().for_each(|number| context.extend_from_slice(&number.to_be_bytes()));
        if !changes || targets.contains(&block.number) {
            let len = u64::try_from(block.data().len()).expect("a length fits 64 bits");
            context.extend_from_slice(&len.to_be_bytes());
            context.extend_from_slice(block.data());
        }
    }
    targets.iter().for_each(|target| context.extend_from_slice(&target.to_be_bytes()));
    context
}
