//! Who may register, and who may only look: a file of roles beside the file of passwords, read
//! again when it changes.
//!
//! ```text
//! # user: viewer or operator
//! anna: operator
//! hall-screen: viewer
//! ```

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::runtime::sleep;
use tracing::{info, warn};

use super::live::Live;

/// From one look at the file to the next. What it says counts from the second look on.
const CHECK: Duration = Duration::from_millis(500);

/// Bytes of a file, as of passwords.
const MAX_FILE: u64 = 1024 * 1024;

/// What a user of the page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To look.
    Viewer,
    /// To look, and to register events.
    Operator,
}

/// The roles of users. Whoever a file does not name is a viewer; without a file everybody is an
/// operator. Clones are of one file, and change with it.
#[derive(Clone, Debug, Default)]
pub struct Roles(Option<Arc<File>>);

#[derive(Debug)]
struct File {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    by_user: BTreeMap<String, Role>,
    /// What the last look found: the text, or why there is none.
    seen: Result<String, String>,
    /// That is in `by_user`, or was said to be wrong.
    settled: bool,
}

/// Why a file of roles cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolesError {
    /// The file cannot be read.
    #[error("cannot read the file of roles {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: Arc<std::io::Error>,
    },
    /// A line that says something else.
    #[error("line {line} of {}: write `user: viewer` or `user: operator`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1 on.
        line: usize,
    },
}

impl Roles {
    /// Reads the roles of `path`. A page that is open looks at the file again twice a second, for
    /// all clones; what is wrong with it by then is logged, and the roles stay what they were.
    ///
    /// # Errors
    ///
    /// [`RolesError`].
    pub fn read(path: &Path) -> Result<Self, RolesError> {
        let text = text(path)?;
        let by_user = parse(path, &text)?;
        let state = Mutex::new(State { by_user, seen: Ok(text), settled: true });
        Ok(Self(Some(Arc::new(File { path: path.into(), state }))))
    }

    /// What `user` may do; `None` where there are no passwords.
    #[must_use]
    pub fn of(&self, user: Option<&str>) -> Role {
        match (&self.0, user) {
            (None, _) => Role::Operator,
            (Some(file), Some(user)) => {
                file.lock().by_user.get(user).copied().unwrap_or(Role::Viewer)
            }
            (Some(_), None) => Role::Viewer,
        }
    }

    /// Follows the file until there is no page any more.
    pub(super) async fn follow<R: Runtime>(self, live: Live) {
        let Some(file) = self.0 else { return };
        loop {
            sleep::<R>(CHECK).await;
            if live.is_closed() {
                return;
            }
            let path = file.path.clone();
            // without a thread to read it in there is nothing new
            if let Ok(found) = R::unblock(move || text(&path)).await {
                file.look(found);
            }
        }
    }
}

impl File {
    /// Takes what two looks in a row have found: a program that writes the file anew may be in the
    /// middle of it.
    fn look(&self, found: Result<String, RolesError>) {
        let found = found.map_err(|error| error.to_string());
        let mut state = self.lock();
        if state.seen != found {
            (state.seen, state.settled) = (found, false);
            return;
        }
        if std::mem::replace(&mut state.settled, true) {
            return;
        }
        let parsed = match &state.seen {
            Ok(text) => parse(&self.path, text).map_err(|error| error.to_string()),
            Err(error) => Err(error.clone()),
        };
        match parsed {
            Ok(by_user) if by_user == state.by_user => {}
            Ok(by_user) => {
                state.by_user = by_user;
                info!(path = %self.path.display(), "the roles of the page have changed");
            }
            Err(error) => warn!(error, "the roles of the page remain unchanged"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks.
fn text(path: &Path) -> Result<String, RolesError> {
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
        }
        Ok(text)
    };
    read().map_err(|error| RolesError::Read { path: path.into(), error: Arc::new(error) })
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Role>, RolesError> {
    let mut roles = BTreeMap::new();
    for (text, line) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let role = text.rsplit_once(':').and_then(|(user, role)| match role.trim() {
            "viewer" => Some((user, Role::Viewer)),
            "operator" => Some((user, Role::Operator)),
            _ => None,
        });
        let (user, role) = role.ok_or_else(|| RolesError::Line { path: path.into(), line })?;
        roles.insert(user.trim().to_owned(), role);
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(text: &str) -> Result<BTreeMap<String, Role>, String> {
        parse(Path::new("roles"), text).map_err(|error| error.to_string())
    }

    fn of_text(text: &str) -> Roles {
        let by_user = roles(text).expect("roles");
        let state = Mutex::new(State { by_user, seen: Ok(text.to_owned()), settled: true });
        Roles(Some(Arc::new(File { path: "roles".into(), state })))
    }

    #[test]
    fn whoever_is_not_named_only_looks() {
        let them = of_text("# here\n\nanna: operator\n hall : viewer\n");
        let of = |user| them.of(Some(user));
        assert_eq!((of("anna"), of("hall"), of("x")), (Role::Operator, Role::Viewer, Role::Viewer));
        assert_eq!(them.of(None), Role::Viewer);
        assert_eq!(Roles::default().of(None), Role::Operator);
        // an editor of Windows may have put it before the first line
        assert_eq!(of_text("\u{feff}anna: operator").of(Some("anna")), Role::Operator);
        let wrong = "line 2 of roles: write `user: viewer` or `user: operator`";
        assert_eq!(roles("anna: operator\nbob").expect_err("no role"), wrong);
        assert_eq!(roles("\nanna: admin").expect_err("no such role"), wrong);
    }

    #[test]
    fn what_two_looks_find_counts() {
        let roles = of_text("anna: operator\n");
        let file = roles.0.clone().expect("a file");
        let look = |text: &str| {
            file.look(Ok(text.to_owned()));
            (roles.of(Some("anna")), roles.of(Some("bob")))
        };
        let (viewer, operator) = (Role::Viewer, Role::Operator);
        // an editor empties the file before it writes
        assert_eq!(look(""), (operator, viewer));
        assert_eq!(look("anna: viewer\nbob: operator\n"), (operator, viewer));
        assert_eq!(look("anna: viewer\nbob: operator\n"), (viewer, operator));
        // neither a slip nor a file that is gone takes or gives anything
        for _ in 0..3 {
            assert_eq!(look("anna: operator\nbob: viewr\n"), (viewer, operator));
        }
        for _ in 0..3 {
            file.look(text(Path::new("/nonexistent/roles")));
            assert_eq!(roles.of(Some("bob")), operator);
        }
        assert_eq!(look(""), (viewer, operator));
        assert_eq!(look(""), (viewer, viewer));
    }
}
