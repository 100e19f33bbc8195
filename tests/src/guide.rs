//! The code of the guide, `docs/src/`, run as documentation tests. Longer programs of the guide are
//! examples of the runtime crates, which the guide includes.

/// The first chapter: positions that outlive a program.
#[doc = include_str!("../../docs/src/start.md")]
pub struct Start;

/// The chapter on limits: its table holds what the defaults are.
#[doc = include_str!("../../docs/src/limits.md")]
pub struct Limits;

/// The chapter on runtimes: a connection over a stream that there is already.
#[doc = include_str!("../../docs/src/runtimes.md")]
pub struct Runtimes;

/// The chapter on event loops: two machines and no socket.
#[doc = include_str!("../../docs/src/event-loop.md")]
pub struct EventLoop;

/// The chapter on messages: SBS in both ways.
#[doc = include_str!("../../docs/src/messages.md")]
pub struct Messages;

/// The chapter on Juggler: values and what they differ in.
#[doc = include_str!("../../docs/src/juggler.md")]
pub struct Juggler;

/// The chapter on COTP: selectors.
#[doc = include_str!("../../docs/src/cotp.md")]
pub struct Cotp;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// An include that begins a line too late shows a program without its first imports.
    #[test]
    fn included_programs_begin_after_their_header() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
        let mut found = 0;
        for chapter in fs::read_dir(&folder).expect("the guide") {
            let path = chapter.expect("a chapter").path();
            let text = fs::read_to_string(&path).expect("text");
            for include in text.split("{{#include ").skip(1) {
                let include = include.split("}}").next().unwrap_or_default();
                let Some((file, from)) =
                    include.strip_suffix(':').and_then(|it| it.split_once(':'))
                else {
                    continue;
                };
                let program = fs::read_to_string(folder.join(file)).expect("the program");
                let begins = program.lines().position(|line| line.starts_with("use "));
                let begins = begins.expect("an import") + 1;
                let place = path.display();
                assert_eq!(from, begins.to_string(), "{place} includes {file} from line {from} on");
                found += 1;
            }
        }
        assert!(found > 10, "{found} programs");
    }
}
