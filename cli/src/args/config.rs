//! The configuration file: servers by name.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::Deserialize;

/// What the file is, for people.
pub(crate) const HELP: &str = r#"The configuration file names servers. It is $HAT_CONFIG if set,
otherwise hat/config.toml in $XDG_CONFIG_HOME or ~/.config.

  default = "plant"             # the server of commands that name none; optional

  [servers.plant]
  connect = "10.0.3.1:23012"    # as --connect
  token_file = "/etc/hat/token" # as --token; or token = "…", in a file that nobody else can read
  name = "control room"         # as --name
  timeout = 5                   # seconds, as --timeout
  tls = true                    # as --tls; also tls_ca, tls_cert, tls_key and tls_name

The command line takes precedence over the environment (HAT_CONNECT, HAT_SERVER, HAT_TOKEN), and the
environment over the file. With --server NAME, the address and the token of the environment are not
used."#;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) default: Option<String>,
    #[serde(default)]
    pub(super) servers: BTreeMap<String, Server>,
}

/// One server, as the arguments of [`ConnectArgs`](super::ConnectArgs).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Server {
    pub(super) connect: String,
    token: Option<String>,
    token_file: Option<PathBuf>,
    pub(super) name: Option<String>,
    pub(super) timeout: Option<f64>,
    #[serde(default)]
    pub(super) tls: bool,
    pub(super) tls_ca: Option<PathBuf>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) tls_name: Option<String>,
}

impl Config {
    /// The file, where there is one, and its path.
    pub(super) fn read() -> Result<Option<(Self, PathBuf)>, String> {
        let Some((path, must_be)) = path() else { return Ok(None) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => return Ok(None),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        let config = toml::from_str(&text);
        let config = config.map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!("{}, line {line}: {}", path.display(), error.message())
        })?;
        Ok(Some((config, path)))
    }

    /// Where the file would be.
    pub(super) fn missing() -> String {
        match path() {
            Some((path, _)) => format!("there is no file {}", path.display()),
            None => "there is no configuration file: set HAT_CONFIG to its path".into(),
        }
    }
}

impl Server {
    pub(super) fn token(&self) -> Result<Option<String>, String> {
        match (&self.token, &self.token_file) {
            (Some(_), Some(_)) => {
                Err("it has both token and token_file: remove one of them".into())
            }
            (Some(token), None) => Ok(Some(token.clone())),
            (None, Some(path)) => {
                let read = std::fs::read_to_string(path);
                let read = read.map_err(|error| format!("cannot read {}: {error}", path.display()));
                Ok(Some(read?.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Where the file is, and whether it must be there.
fn path() -> Option<(PathBuf, bool)> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = variable("HAT_CONFIG") {
        return Some((path, true));
    }
    let folder = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))?;
    Some((folder.join("hat").join("config.toml"), false))
}
