//! Everything is what it says: blocks, headers, results, and the identity of bundles. What the world itself
//! finds impossible is reported here, too.

use std::collections::BTreeMap;

use bundle_spec::{BlockRef, BundleDigest, Cid, Digest, Header, Lax};
use bytes::Bytes;
use pannier::agent::{JobState, Record, RecordKey};

use super::{Check, Violation, WorldView};
use crate::{engine, event::WorldEvent};

/// Everything is what it says.
#[derive(Default)]
pub(super) struct Integrity {
    /// The primary block and payload of every bundle that was seen.
    bundles: BTreeMap<BundleDigest, (Digest, Digest)>,
}

impl Check for Integrity {
    fn name(&self) -> &'static str {
        "integrity"
    }

    fn observe(&mut self, _now: u64, event: &WorldEvent, view: &WorldView<'_>) -> Result<(), Violation> {
        match event {
            WorldEvent::Wrong { host, what } => Err(Violation::at(*host, what.clone())),
            WorldEvent::Up { host } => self.check_records(*host, view),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, view: &WorldView<'_>) -> Result<(), Violation> {
        for (place, host) in view.hosts.iter().enumerate() {
            self.check_records(place, view)?;
            for (digest, bytes) in host.disk.blocks() {
                if BlockRef::raw(bytes).cid.digest() != digest {
                    return Err(Violation::at(place, "a block is not what it is called"));
                }
            }
            let Some(agent) = &host.agent else { continue };
            for job in agent.jobs() {
                let (JobState::Answered { result, success }, Some(input)) =
                    (&job.state, view.reference.input(job.job.digest()))
                else {
                    continue;
                };
                // Carriers need the result, not its outputs; and for who asked, these may come too late.
                let promise = view.reference.promise(place, job.job.digest());
                let is_due = promise.is_some_and(|promise| !promise.is_cancelled && promise.until > view.now);
                let found = engine::check_result(&host.disk, &job.job, result, input);
                match found {
                    Ok(found) if found == *success => {}
                    Ok(_) => return Err(Violation::at(place, format!("{}: success is failure", job.job))),
                    Err(_) if !is_due => {}
                    Err(what) => return Err(Violation::at(place, format!("{}: {what}", job.job))),
                }
            }
        }
        Ok(())
    }
}

impl Integrity {
    /// Every bundle on the disk of a host can be read, has its payload, and is the same as everywhere.
    fn check_records(&mut self, place: usize, view: &WorldView<'_>) -> Result<(), Violation> {
        let disk = &view.hosts[place].disk;
        let records = disk.recover().map_err(|what| Violation::at(place, what))?;
        for record in records {
            let Record::Bundle(bundle) = record else { continue };
            let name = bundle.id.to_string();
            let wrong = |what: &str| Violation::at(place, format!("{name}: {what}"));
            let header = Header::parse(&bundle.header, &Lax::strict())
                .map_err(|error| wrong(&error.to_string()))?
                .ok_or_else(|| wrong("its header is cut off"))?;
            if header.bundle_id() != bundle.id || header.payload_len() != bundle.payload.len {
                return Err(wrong("its record is about another one"));
            }
            let payload = disk.read(bundle.payload.cid.digest()).ok_or_else(|| wrong("no payload"))?;
            if Ok(bundle.payload.len) != u64::try_from(payload.len()) {
                return Err(wrong("its payload has another length"));
            }
            self.check_identity(bundle.id.digest(), header.primary().raw(), &bundle.payload.cid)
                .map_err(wrong)?;
        }
        Ok(())
    }

    /// A bundle's identity is used once.
    fn check_identity(
        &mut self,
        id: BundleDigest,
        primary: &Bytes,
        payload: &Cid,
    ) -> Result<(), &'static str> {
        let is = (*Cid::raw(primary).digest(), *payload.digest());
        match *self.bundles.entry(id).or_insert(is) == is {
            true => Ok(()),
            false => Err("two bundles have this identity"),
        }
    }
}

/// The key under which a bundle is on the disk.
pub(super) fn keys(id: BundleDigest) -> [RecordKey; 2] {
    [RecordKey::Bundle(id), RecordKey::Seen(id)]
}
