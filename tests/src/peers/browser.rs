//! A real browser: Chromium without a window, driven by a script of `tests/browser` in Node.
//!
//! ```text
//! test ── node script.mjs URL ──> playwright-core ──> chromium ──> the page
//!      <── {"check": …} {"want": …} {"failed": …} {"done": n} ──┘
//!      ── an answer to each `want` ──>
//! ```

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::environment::target_dir;
use super::{is_set, node, skip};

/// The variable that skips every test which needs a browser, unless it is empty or `0`.
pub const WITHOUT_BROWSER: &str = "HAT_TESTS_WITHOUT_BROWSER";

/// Names of the program, and paths where it is not on the PATH.
const CHROMIUM: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Time between two lines of a script: it gives up by itself after half a minute without what must
/// come.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// How to install what these tests need.
const ADVICE: &str = "on Debian: apt-get install chromium nodejs npm";

/// Whether a test has to be left out, because [`WITHOUT_BROWSER`] is set, or because there is no
/// Chromium or no Node from 18 on; says so in one line.
pub fn skipped(test_name: &str) -> bool {
    let reason = if is_set(WITHOUT_BROWSER) {
        format!("{WITHOUT_BROWSER} is set")
    } else if chromium().is_none() {
        format!("Chromium is not installed; {ADVICE}")
    } else if node::version().is_none_or(|version| version < 18) {
        format!("Node 18 or newer with npm is not installed; {ADVICE}")
    } else {
        return false;
    };
    skip(test_name, &reason);
    true
}

/// A script at work, killed on drop.
pub struct Script {
    name: String,
    child: Child,
    answers: ChildStdin,
    lines: Receiver<String>,
}

impl Script {
    /// Starts `node NAME URL`; its screenshots go to `target/browser/FOLDER/`.
    ///
    /// # Panics
    ///
    /// Where there is no Chromium or no Node: ask [`skipped`] first.
    #[track_caller]
    pub fn start(name: &str, url: &str, folder: &str) -> Self {
        let chromium = chromium().unwrap_or_else(|| panic!("no Chromium: {ADVICE}"));
        let screenshots = target_dir().join("browser").join(folder);
        fs::create_dir_all(&screenshots).expect("the folder of screenshots");

        let mut command = Command::new("node");
        command.arg(node::browser().join(name)).arg(url).arg("--chromium").arg(chromium);
        command.arg("--screenshots").arg(screenshots);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node starts");
        let answers = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            // ends with the script, or when nobody reads any more
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { name: name.to_owned(), child, answers, lines }
    }

    /// Follows the script to its end; `want` does what it asks for, which is in the line of JSON,
    /// and gives the answer. Returns how many checks there were.
    ///
    /// # Panics
    ///
    /// If a check failed, or the script ended before it was done.
    #[track_caller]
    pub fn run(mut self, mut want: impl FnMut(&str, &str) -> &'static str) -> u64 {
        let mut checks = 0;
        loop {
            let line = self.lines.recv_timeout(TIME_LIMIT);
            let line = line.unwrap_or_else(|error| {
                panic!("{}: no further line after {checks} checks: {error}", self.name)
            });
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if let Some(check) = said["check"].as_str() {
                checks += 1;
                println!("{}: {check}", self.name);
            } else if let Some(figures) = said.get("figures") {
                println!("{}: {figures}", self.name);
            } else if let Some(asked) = said["want"].as_str() {
                let answer = want(asked, &line);
                writeln!(self.answers, "{answer}").expect("the script reads");
            } else if said["done"].is_u64() {
                assert_eq!(said["done"], checks, "{}: checks", self.name);
                return checks;
            } else {
                panic!(
                    "{}: {}\n{}",
                    self.name,
                    said["failed"],
                    said["error"].as_str().unwrap_or(&line)
                );
            }
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn chromium() -> Option<PathBuf> {
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    // a path that is absolute stays what it is
    let mut places = CHROMIUM.iter().flat_map(|name| folders.iter().map(move |it| it.join(name)));
    places.find(|place| place.is_file())
}
