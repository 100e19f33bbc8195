//! Schemas from files and folders.

use std::fs;
use std::path::PathBuf;

use hat_core::sbs::{LoadError, Repository};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hat-sbs-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("inner")).expect("a temporary folder");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a temporary file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_folder_with_folders() {
    let folder = Folder::new("folder");
    folder.write("a.sbs", "module A T = B.T");
    folder.write("inner/b.sbs", "module B T = Integer");
    folder.write("inner/notes.txt", "no schema");
    let repository = Repository::load(&folder.0).expect("two schemas");
    assert_eq!(repository.check(), Ok(()));
    assert_eq!(repository.modules().map(|module| &*module.name).collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn a_file_of_any_name() {
    let folder = Folder::new("file");
    let path = folder.write("schema.txt", "module A T = None");
    assert!(Repository::load(path).is_ok());
}

#[test]
fn refusals_name_the_file() {
    let folder = Folder::new("refusals");
    assert!(matches!(Repository::load(folder.0.join("none.sbs")), Err(LoadError::Io { .. })));
    assert!(matches!(
        Repository::load(folder.write("latin.sbs", b"module \xe9")),
        Err(LoadError::Io { .. })
    ));

    let error = Repository::load(folder.write("bad.sbs", "module M\nT"))
        .expect_err("no schema")
        .to_string();
    assert!(error.contains("bad.sbs: line 2, column 2: expected `=`"), "{error}");

    let long = folder.write("long.sbs", "é".repeat(1024 * 1024));
    let error = Repository::load(long).expect_err("too long").to_string();
    assert!(error.contains("the limit is 1048576"), "{error}");
}
