//! Where things lie: `PANNIER_HOME`, or the folders of the XDG base directory specification. Makes nothing.

use std::path::{Path, PathBuf};

use super::{Paths, SettingsError, env::Environment};

impl Paths {
    /// The paths that follow from the environment; `config` is what was asked for on the command line.
    ///
    /// # Errors
    /// `NoHome` if neither `PANNIER_HOME` nor `HOME` says where to look.
    pub fn resolve(environment: &Environment, config: Option<&Path>) -> Result<Self, SettingsError> {
        let mut paths = match &environment.home {
            Some(home) => Self::within(&std::path::absolute(home).map_err(|_| SettingsError::NoHome)?),
            None => Self::of_person(environment)?,
        };
        if let Some(config) = config.or(environment.config.as_deref()) {
            paths.config = config.to_owned();
        }
        Ok(paths)
    }

    /// Everything of one node under one folder.
    #[must_use]
    pub fn within(home: &Path) -> Self {
        Self {
            config: home.join("pannier.toml"),
            data: home.join("data"),
            state: home.join("state"),
            socket: home.join("control.sock"),
            token: home.join("token"),
        }
    }

    /// The node's secret key.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.data.join("identity")
    }

    /// The id of the job that was submitted last.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.state.join("last")
    }

    fn of_person(environment: &Environment) -> Result<Self, SettingsError> {
        let base = |given: &Option<PathBuf>, usual: &str| {
            let fallback = || environment.user_home.as_ref().map(|home| home.join(usual));
            given.clone().or_else(fallback).map(|path| path.join("pannier")).ok_or(SettingsError::NoHome)
        };
        let data = base(&environment.data_home, ".local/share")?;
        let state = base(&environment.state_home, ".local/state")?;
        let runtime =
            environment.runtime_dir.as_ref().map_or_else(|| state.clone(), |path| path.join("pannier"));
        Ok(Self {
            config: base(&environment.config_home, ".config")?.join("pannier.toml"),
            token: data.join("token"),
            socket: runtime.join("control.sock"),
            data,
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_puts_a_whole_node_under_one_folder() {
        let environment = Environment { home: Some("/stick/node".into()), ..Environment::default() };
        let paths = Paths::resolve(&environment, None).unwrap();
        for path in [&paths.config, &paths.data, &paths.state, &paths.socket, &paths.token] {
            assert!(path.starts_with("/stick/node"), "{}", path.display());
        }
    }

    #[test]
    fn a_person_without_variables_gets_the_usual_folders() {
        let environment = Environment { user_home: Some("/home/ada".into()), ..Environment::default() };
        let paths = Paths::resolve(&environment, None).unwrap();
        assert_eq!(paths.config, Path::new("/home/ada/.config/pannier/pannier.toml"));
        assert_eq!(paths.data, Path::new("/home/ada/.local/share/pannier"));
        assert_eq!(paths.socket, Path::new("/home/ada/.local/state/pannier/control.sock"));
    }

    #[test]
    fn the_command_line_beats_the_variable_for_the_configuration_file() {
        let environment = Environment {
            home: Some("/n".into()),
            config: Some("/from/variable.toml".into()),
            ..Environment::default()
        };
        let typed = Paths::resolve(&environment, Some(Path::new("/typed.toml"))).unwrap();
        assert_eq!(typed.config, Path::new("/typed.toml"));
        assert_eq!(Paths::resolve(&environment, None).unwrap().config, Path::new("/from/variable.toml"));
    }

    #[test]
    fn no_home_at_all_is_an_error() {
        assert!(matches!(Paths::resolve(&Environment::default(), None), Err(SettingsError::NoHome)));
    }
}
