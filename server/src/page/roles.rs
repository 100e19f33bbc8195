//! Who may register, and who may only look: a file of roles beside the file of passwords.
//!
//! ```text
//! # user: viewer or operator
//! anna: operator
//! hall-screen: viewer
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a user of the page may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To look.
    Viewer,
    /// To look, and to register events.
    Operator,
}

/// The roles of users. Whoever a file does not name is a viewer; without a file everybody is an
/// operator.
#[derive(Clone, Debug, Default)]
pub struct Roles(Option<Arc<BTreeMap<String, Role>>>);

/// Why a file of roles cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolesError {
    /// The file cannot be read.
    #[error("cannot read the roles of {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
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
    /// Reads the roles of `path`, once: a change of the file counts from the next start on.
    ///
    /// # Errors
    ///
    /// [`RolesError`].
    pub fn read(path: &Path) -> Result<Self, RolesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| RolesError::Read { path: path.into(), error: Arc::new(error) })?;
        Self::parse(&text).map_err(|line| RolesError::Line { path: path.into(), line })
    }

    fn parse(text: &str) -> Result<Self, usize> {
        let mut roles = BTreeMap::new();
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, role) = line.rsplit_once(':').ok_or(number)?;
            let role = match role.trim() {
                "viewer" => Role::Viewer,
                "operator" => Role::Operator,
                _ => return Err(number),
            };
            roles.insert(user.trim().to_owned(), role);
        }
        Ok(Self(Some(Arc::new(roles))))
    }

    /// What `user` may do; `None` where there are no passwords.
    #[must_use]
    pub fn of(&self, user: Option<&str>) -> Role {
        match (&self.0, user) {
            (None, _) => Role::Operator,
            (Some(roles), Some(user)) => roles.get(user).copied().unwrap_or(Role::Viewer),
            (Some(_), None) => Role::Viewer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_named_only_looks() {
        let roles = Roles::parse("# here\n\nanna: operator\n hall : viewer\n").expect("roles");
        let of = |user| roles.of(Some(user));
        assert_eq!((of("anna"), of("hall"), of("x")), (Role::Operator, Role::Viewer, Role::Viewer));
        assert_eq!(roles.of(None), Role::Viewer);
        assert_eq!(Roles::default().of(None), Role::Operator);
        // an editor of Windows may have put it before the first line
        let marked = Roles::parse("\u{feff}anna: operator").expect("roles");
        assert_eq!(marked.of(Some("anna")), Role::Operator);
        assert_eq!(Roles::parse("anna: operator\nbob").expect_err("no role"), 2);
        assert_eq!(Roles::parse("anna: admin").expect_err("no such role"), 1);
    }
}
