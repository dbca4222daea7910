//! The placement of one job.

use bundle_spec::{
    Alias,
    adu::{Failure, ModelSelector},
    manifest::AssetKind,
};

use super::{Asset, Capacity, Need, Placement};

/// Where a job runs, by the first line that fits:
///
/// | engine for the kind | model             | linked blocks | slot | placement    |
/// |---------------------|-------------------|---------------|------|--------------|
/// | no                  |                   |               |      | `SendOn`     |
/// | yes                 | here, but no model |              |      | `Reject`     |
/// | yes                 | not here          |               |      | `FetchModel` |
/// | yes                 | here or none      | missing       |      | `Wait`       |
/// | yes                 | here or none      | here          | no   | `Wait`       |
/// | yes                 | here or none      | here          | yes  | `RunHere`    |
#[must_use]
pub fn place(need: &Need<'_>, capacity: &Capacity<'_>) -> Placement {
    let Some(engine) = capacity.engines.iter().find(|engine| engine.kinds.contains(&need.kind)) else {
        let lacks = match capacity.engines.len() {
            0 => String::new(),
            _ => format!("an engine for `{}`", need.kind),
        };
        return Placement::SendOn { lacks };
    };
    let model = match asset(need.model, &capacity.assets) {
        Wanted::None => None,
        Wanted::Here(asset) if asset.kind == AssetKind::Data => {
            return Placement::Reject { failure: Failure::BadModel };
        }
        Wanted::Here(asset) => Some(asset.name.to_owned()),
        Wanted::Elsewhere(model) => return Placement::FetchModel { model },
    };
    if !need.missing.is_empty() {
        return Placement::Wait { why: blocks(need.missing.len()) };
    }
    if capacity.slots_free == 0 {
        return Placement::Wait { why: "a free slot".to_owned() };
    }
    Placement::RunHere { engine: engine.name.to_owned(), model }
}

enum Wanted<'a> {
    None,
    Here(&'a Asset<'a>),
    Elsewhere(String),
}

fn asset<'a>(model: &ModelSelector, assets: &'a [Asset<'a>]) -> Wanted<'a> {
    let (found, name) = match model {
        ModelSelector::None => return Wanted::None,
        ModelSelector::Cid(cid) => (assets.iter().find(|asset| asset.manifest == *cid), cid.to_string()),
        ModelSelector::Named(name) => (named(name, assets), name.clone()),
    };
    found.map_or(Wanted::Elsewhere(name), Wanted::Here)
}

/// The asset that is called so here, or whose file has this SHA-256.
fn named<'a>(name: &str, assets: &'a [Asset<'a>]) -> Option<&'a Asset<'a>> {
    match name.parse::<Alias>() {
        Ok(alias) => assets.iter().find(|asset| asset.alias == Some(alias)),
        Err(_) => assets.iter().find(|asset| asset.name == name),
    }
}

fn blocks(count: usize) -> String {
    match count {
        1 => "1 linked block".to_owned(),
        _ => format!("{count} linked blocks"),
    }
}

#[cfg(test)]
mod tests {
    use bundle_spec::{Cid, adu::Kind};

    use super::*;
    use crate::schedule::Engine;

    const CHAT: [Kind; 1] = [Kind::Chat];
    const REPORT: Alias = Alias::new([7; 32]);

    #[test]
    fn a_job_runs_where_engine_model_blocks_and_slot_are() {
        check(ModelSelector::Named("report".to_owned()), 0, 1, &run(Some("report")));
        check(ModelSelector::Cid(Cid::dag_cbor(b"report")), 0, 1, &run(Some("report")));
        check(ModelSelector::None, 0, 1, &run(None));
    }

    #[test]
    fn a_job_finds_its_model_by_the_hash_of_the_file() {
        check(ModelSelector::Named(REPORT.to_string()), 0, 1, &run(Some("report")));
        let other = Alias::new([8; 32]).to_string();
        let elsewhere = Placement::FetchModel { model: other.clone() };
        check(ModelSelector::Named(other), 0, 1, &elsewhere);
    }

    #[test]
    fn a_name_that_looks_like_a_hash_does_not_stand_for_it() {
        let alias = Alias::new([8; 32]).to_string();
        let model = ModelSelector::Named(alias.clone());
        let need = Need { kind: Kind::Chat, model: &model, missing: &[] };
        let mut capacity = capacity(1);
        capacity.assets[0].name = &alias;
        assert_eq!(place(&need, &capacity), Placement::FetchModel { model: alias.clone() });
    }

    #[test]
    fn a_job_waits_for_what_is_missing_by_name() {
        let named = || ModelSelector::Named("report".to_owned());
        check(named(), 2, 1, &Placement::Wait { why: "2 linked blocks".to_owned() });
        check(named(), 0, 0, &Placement::Wait { why: "a free slot".to_owned() });
        let other = ModelSelector::Named("other".to_owned());
        check(other, 0, 1, &Placement::FetchModel { model: "other".to_owned() });
    }

    #[test]
    fn an_asset_that_is_no_model_is_rejected() {
        check(
            ModelSelector::Named("map".to_owned()),
            0,
            1,
            &Placement::Reject { failure: Failure::BadModel },
        );
    }

    #[test]
    fn a_job_goes_on_from_where_no_engine_does_its_kind() {
        let need = Need { kind: Kind::Speak, model: &ModelSelector::None, missing: &[] };
        assert_eq!(
            place(&need, &capacity(1)),
            Placement::SendOn { lacks: "an engine for `speak`".to_owned() }
        );
        assert_eq!(place(&need, &Capacity::default()), Placement::SendOn { lacks: String::new() });
    }

    fn check(model: ModelSelector, missing: usize, slots_free: usize, expected: &Placement) {
        let missing = vec![[0; 32]; missing];
        let need = Need { kind: Kind::Chat, model: &model, missing: &missing };
        assert_eq!(place(&need, &capacity(slots_free)), *expected);
    }

    fn capacity(slots_free: usize) -> Capacity<'static> {
        let asset = |name: &'static str, alias, kind| {
            let manifest = Cid::dag_cbor(name.as_bytes());
            Asset { name, manifest, alias, kind }
        };
        let report = asset("report", Some(REPORT), AssetKind::Gguf);
        let map = asset("map", None, AssetKind::Data);
        Capacity {
            engines: vec![Engine { name: "llama", kinds: &CHAT }],
            assets: vec![report, map],
            slots_free,
        }
    }

    fn run(model: Option<&str>) -> Placement {
        Placement::RunHere { engine: "llama".to_owned(), model: model.map(str::to_owned) }
    }
}
