//! What `--help` says, and what the guide says that it says.

use std::collections::BTreeMap;
use std::fs;

use crate::process::hat;

/// The chapter whose blocks are made of `--help`.
const CHAPTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/command-line.md");

/// A block begins with this and the command, and ends with `END`.
const BEGIN: &str = "<!-- help: ";
const END: &str = "<!-- end of help -->";

/// Every command and what it says, `hat` first.
fn commands() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut waiting = vec!["hat".to_owned()];
    while let Some(command) = waiting.pop() {
        let args = command.strip_prefix("hat").unwrap_or(&command);
        let ended = hat(&format!("{args} --help"));
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]), "{command}");
        let lines: Vec<_> = ended.stdout.iter().map(|line| line.trim_end().to_owned()).collect();
        let names = lines
            .iter()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| line.starts_with("  "))
            .filter(|line| !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        let mut of: Vec<_> = names.map(|name| format!("{command} {name}")).collect();
        of.reverse();
        waiting.extend(of);
        all.push((command, lines.join("\n").trim_end().to_owned()));
    }
    all
}

fn block(command: &str, help: &str) -> String {
    format!("{BEGIN}{command} -->\n```text\n{help}\n```\n{END}\n")
}

/// With `HAT_BLESS=1` the guide is made to say what `--help` says.
#[test]
fn the_guide_says_what_help_says() {
    let commands = commands();
    assert!(commands.len() > 30, "{}", commands.len());
    let text = fs::read_to_string(CHAPTER).expect("the chapter");
    let (prose, reference) =
        text.split_once("## Reference\n").expect("the chapter has a reference");
    if std::env::var_os("HAT_BLESS").is_some() {
        let blocks = commands
            .iter()
            .map(|(command, help)| format!("\n### `{command}`\n\n{}", block(command, help)));
        let blocks: String = blocks.collect();
        fs::write(CHAPTER, format!("{prose}## Reference\n{blocks}")).expect("written");
        return;
    }
    let said: BTreeMap<&str, &str> = reference
        .split(BEGIN)
        .skip(1)
        .filter_map(|block| block.split_once(" -->\n"))
        .map(|(command, rest)| (command, rest.split(END).next().unwrap_or_default()))
        .collect();
    for (command, help) in &commands {
        let told = said.get(&**command).unwrap_or_else(|| panic!("the guide has no `{command}`"));
        let expected = format!("```text\n{help}\n```\n");
        assert_eq!(*told, expected, "{command}: run this test with HAT_BLESS=1");
    }
    assert_eq!(said.len(), commands.len(), "the guide has commands that there are not");
    // what the prose names is there
    for line in prose.lines().filter(|line| line.starts_with("hat ")) {
        let words: Vec<_> = line.split_whitespace().take(3).collect();
        let known =
            |words: &[&str]| commands.iter().any(|(command, _)| *command == words.join(" "));
        assert!(known(&words[..2]), "{line}");
    }
}

/// A unit, a count or an example stands where a number is asked for.
#[test]
fn numbers_have_units() {
    for (command, help) in commands() {
        for line in help.lines().filter(|line| line.trim_start().starts_with("--")) {
            for vague in ["<TIMEOUT>", "<NUMBER>", "<N>", "<SIZE>", "<LIMIT>"] {
                assert!(!line.contains(vague), "{command}: {line}");
            }
        }
    }
}

#[test]
fn completions_and_pages() {
    for (shell, part) in [("bash", "_hat()"), ("zsh", "#compdef hat"), ("fish", "complete -c hat")]
    {
        let ended = hat(&format!("completions {shell}"));
        let script = ended.json_lines().join("\n");
        assert!(script.contains(part) && script.contains("subscribe"), "{shell}");
    }
    let page = hat("man").json_lines().join("\n");
    assert!(page.contains(".TH hat 1") && page.contains("subscribe"));
    let dir = std::env::temp_dir().join(format!("hat-man-{}", std::process::id()));
    assert_eq!(hat(&format!("man {}", dir.display())).json_lines(), [""; 0]);
    let pages: Vec<_> = fs::read_dir(&dir).expect("a folder").collect();
    let of = fs::read_to_string(dir.join("hat-subscribe.1")).expect("a page of a command");
    let _ = fs::remove_dir_all(&dir);
    assert!(pages.len() > 20 && of.contains("idle"), "{}", pages.len());
    assert!(hat("completions tcsh").failed(2).contains("[possible values: bash, zsh, fish]"));
}
