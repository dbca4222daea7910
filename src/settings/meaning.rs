//! From values to [`Settings`]: every value is understood once, here, and errors name the key and its origin.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use bundle_spec::NodeId;
use toml::Value;

use super::{
    GatewaySettings, InferenceSettings, Paths, QuicSettings, Settings, SettingsError, StoreSettings,
    file::{Origin, Values},
    quantity,
};

/// What the values mean.
///
/// # Errors
/// `Value`.
pub(super) fn settings(paths: Paths, values: &Values) -> Result<Settings, SettingsError> {
    let reader = Reader { values };
    let eid = reader.find("node.eid").map(|found| found.text()).transpose()?.filter(|eid| !eid.is_empty());
    if let Some(eid) = &eid {
        NodeId::from_str(eid)
            .map_err(|_| reader.get("node.eid").wrong("not a node's endpoint identifier"))?;
    }
    let quic = reader.get("cla.quic.listen");
    let gateway = reader.get("gateway.listen");
    let gateway_listen = gateway.listen()?;
    if let Some(address) = gateway_listen.filter(|address| !address.ip().is_loopback()) {
        return Err(gateway.wrong(&format!(
            "{address} is not a loopback address, and the gateway lets in whoever reaches it"
        )));
    }
    Ok(Settings {
        eid,
        store: StoreSettings {
            path: reader.get("store.path").text()?.into(),
            quota: reader.get("store.quota").size()?,
            keep_free: reader.get("store.keep-free").size()?,
        },
        quic: QuicSettings { listen: quic.listen()?, listen_is_default: quic.is_built_in() },
        spool_watch: reader.get("cla.spool.watch").texts()?.into_iter().map(PathBuf::from).collect(),
        inference: InferenceSettings {
            engines: reader.get("inference.engines").texts()?,
            memory: reader.get("inference.memory").size()?,
            threads: reader.get("inference.threads").count()?,
            task_time: reader.get("inference.task-time").duration()?,
            keep_loaded: reader.get("inference.keep-loaded").duration()?,
        },
        gateway: GatewaySettings {
            listen: gateway_listen,
            listen_is_default: gateway.is_built_in(),
            wait: reader.get("gateway.wait").duration()?,
        },
        paths,
    })
}

struct Reader<'a> {
    values: &'a Values,
}

impl<'a> Reader<'a> {
    fn find(&self, key: &'static str) -> Option<Found<'a>> {
        self.values.get(key).map(|(value, origin)| Found { key, value, origin })
    }

    fn get(&self, key: &'static str) -> Found<'a> {
        self.find(key).expect("every key but `node.eid` has a built-in value")
    }
}

/// A value with what an error message needs.
struct Found<'a> {
    key: &'static str,
    value: &'a Value,
    origin: &'a Origin,
}

impl Found<'_> {
    fn wrong(&self, detail: &str) -> SettingsError {
        SettingsError::Value { key: self.key, origin: self.origin.clone(), detail: detail.to_owned() }
    }

    fn is_built_in(&self) -> bool {
        *self.origin == Origin::BuiltIn
    }

    fn text(&self) -> Result<String, SettingsError> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.wrong("must be a text in quotes"))
    }

    /// Several texts. A text with commas will do, so that `--set` needs no brackets.
    fn texts(&self) -> Result<Vec<String>, SettingsError> {
        let wrong = || self.wrong("must be a list of texts, like [\"one\", \"two\"]");
        match self.value {
            Value::String(text) => Ok(text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()),
            Value::Array(array) => {
                array.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            _ => Err(wrong()),
        }
    }

    fn size(&self) -> Result<u64, SettingsError> {
        match self.value {
            Value::Integer(bytes) => u64::try_from(*bytes).map_err(|_| self.wrong("must not be negative")),
            Value::String(text) => quantity::size(text).map_err(|error| self.wrong(&error.to_string())),
            _ => Err(self.wrong("must be a size like \"10MB\"")),
        }
    }

    fn duration(&self) -> Result<Duration, SettingsError> {
        match self.value {
            Value::Integer(0) => Ok(Duration::ZERO),
            Value::String(text) => quantity::duration(text).map_err(|error| self.wrong(&error.to_string())),
            _ => Err(self.wrong("must be a duration like \"30s\"")),
        }
    }

    fn count(&self) -> Result<u32, SettingsError> {
        let count = self.value.as_integer().and_then(|count| u32::try_from(count).ok());
        count.filter(|count| *count > 0).ok_or_else(|| self.wrong("must be a positive whole number"))
    }

    fn listen(&self) -> Result<Option<SocketAddr>, SettingsError> {
        let text = self.text()?;
        if text == "off" {
            return Ok(None);
        }
        let address = text.parse().map_err(|_| {
            self.wrong(&format!(
                "`{text}` is not an address with a port, like \"127.0.0.1:4580\", nor \"off\""
            ))
        })?;
        Ok(Some(address))
    }
}
