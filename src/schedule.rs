//! Where a job runs. [`place`] is a pure function of what the job needs and what this node has; the agent
//! asks it for every open job whenever one of the two changes. It never asks a peer and never moves anything.

mod place;

use bundle_spec::{
    Alias, Cid, Digest,
    adu::{Failure, Kind, ModelSelector},
    manifest::AssetKind,
};

pub use self::place::place;

/// What a job needs.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// What kind of work.
    pub kind: Kind,
    /// By which model.
    pub model: &'a ModelSelector,
    /// Linked blocks that are not here.
    pub missing: &'a [Digest],
}

/// What a node has.
#[derive(Clone, Debug, Default)]
pub struct Capacity<'a> {
    /// Engines that run here.
    pub engines: Vec<Engine<'a>>,
    /// Assets that are complete here.
    pub assets: Vec<Asset<'a>>,
    /// How many more tasks may begin.
    pub slots_free: usize,
}

/// An engine that runs here.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it can do.
    pub kinds: &'a [Kind],
}

/// An asset that is complete here.
#[derive(Clone, Copy, Debug)]
pub struct Asset<'a> {
    /// What it is called here.
    pub name: &'a str,
    /// Its manifest.
    pub manifest: Cid,
    /// The SHA-256 of its file, if its manifest says it.
    pub alias: Option<Alias>,
    /// What it is for.
    pub kind: AssetKind,
}

/// What to do with a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Run it on this engine, with the asset that is called so here.
    RunHere {
        /// Which engine.
        engine: String,
        /// Which asset, if the job wants one.
        model: Option<String>,
    },
    /// Everything but the model is here.
    FetchModel {
        /// Which, in words.
        model: String,
    },
    /// Nothing here does such work: somebody else may.
    SendOn {
        /// What is lacking, in words; empty if this node has no engine at all.
        lacks: String,
    },
    /// It will run here once something changes.
    Wait {
        /// What it waits for, in words.
        why: String,
    },
    /// It can run nowhere.
    Reject {
        /// Why.
        failure: Failure,
    },
}
