//! Images of `deploy/images`: what their build may read, and the images as they are released
//! (`crates/test-support/images/build --whole`).

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;
use test_support::Node;

/// Machine in an ELF header.
const MACHINES: [(&str, u16); 2] = [("amd64", 62), ("arm64", 183)];

#[test]
fn the_context_has_all_that_the_program_is_made_of() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = TempDir::new().unwrap();
    let allowed = fs::read_to_string(root.join(".dockerignore")).unwrap();
    for path in allowed.lines().filter_map(|line| line.strip_prefix("!/")) {
        for file in tracked_files(root, path) {
            let (from, to) = (root.join(&file), context.path().join(&file));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
    // As in the Dockerfile. Lines end with the folder of a crate that is not of a registry.
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--no-default-features"])
        .args(["--edges=normal,build", "--prefix=none", "--format={p}"])
        .current_dir(&context)
        .output()
        .unwrap();
    let said = String::from_utf8(tree.stderr).unwrap();
    assert!(tree.status.success(), "{said}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let folder = format!("({}", context.path().display());
    let crates = tree.lines().filter_map(|line| {
        let (_, folder) = line.trim_end_matches(" (*)").split_once(&folder)?;
        Some(folder.trim_matches(['/', ')']).to_owned())
    });
    let crates: BTreeSet<_> = crates.collect();
    assert!(crates.contains(""), "{tree}");
    for folder in crates {
        for file in files_in(&root.join(&folder).join("src")) {
            let name = file.strip_prefix(root).unwrap();
            let copied = context.path().join(name);
            assert!(
                copied.is_file(),
                "{} is not allowed, or not in git",
                name.display()
            );
            let text = fs::read_to_string(&file).unwrap();
            let program = text.split("#[cfg(test)]").next().unwrap();
            for included in program.split("include_").skip(1) {
                let path = included.split('"').nth(1).unwrap_or_default();
                let path = copied.parent().unwrap().join(path);
                assert!(
                    path.is_file(),
                    "{} needs {}",
                    name.display(),
                    path.display()
                );
            }
        }
    }
}

/// Files in git, at `path` and below. A clone has no others, whatever is in this folder.
fn tracked_files(root: &Path, path: &str) -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--", path])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = listed.split_terminator('\0').map(str::to_owned).collect();
    assert!(!files.is_empty(), "{path} is not in git");
    files
}

/// Rust files in a folder and below, without those of unit tests.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            files_in(&path)
        } else {
            vec![path]
        }
    });
    let is_code = |path: &PathBuf| {
        let name = path.to_str().unwrap();
        name.ends_with(".rs") && !name.ends_with("tests.rs")
    };
    files.filter(is_code).collect()
}

#[test]
#[ignore = "compiles the program for two architectures; `./check full` runs it"]
fn the_images_of_both_architectures_hold_only_what_they_need() {
    let user = fs::metadata("/proc/self").map(|it| it.uid());
    if user.is_ok_and(|it| it != 0) {
        eprintln!("skipped, because building images requires root");
        return;
    }
    let layout = Node::build_whole_images();
    for (arch, machine) in MACHINES {
        let bot = Unpacked::open(&layout, &format!("duckbot:{arch}"));
        assert_eq!(bot.config["architecture"], arch);
        assert_eq!(bot.config["config"]["User"], "1000:1000");
        assert_eq!(
            bot.files(""),
            [
                "etc/ssl/certs/ca-certificates.crt",
                "usr/bin/duckbot",
                "usr/lib/duckbot/editor/LICENSES",
                "usr/lib/duckbot/editor/editor.js",
            ]
        );
        let program = Elf::read(&bot.root().join("usr/bin/duckbot"));
        assert_eq!((program.machine, program.interpreter), (machine, None));

        let session = Unpacked::open(&layout, &format!("duckui:{arch}"));
        assert_eq!(session.config["architecture"], arch);
        assert_eq!(session.config["config"]["User"], "1000:1000");
        // No shell.
        assert_eq!(
            session.files("usr/bin"),
            ["usr/bin/duckbot", "usr/bin/duckdb"]
        );
        assert!(session.files("usr/sbin").is_empty());
        let duckdb = Elf::read(&session.root().join("usr/bin/duckdb"));
        assert_eq!(duckdb.machine, machine);
        let loader = duckdb.interpreter.unwrap();
        let loader = session.root().join(loader.trim_start_matches('/'));
        assert_eq!(Elf::read(&loader).machine, machine);

        // A program of another architecture needs emulation.
        if machine == Elf::read(Path::new("/proc/self/exe")).machine {
            let version = format!("duckbot {}", env!("CARGO_PKG_VERSION"));
            assert_eq!(bot.run("/usr/bin/duckbot"), version);
            assert_eq!(session.run("/usr/bin/duckbot"), version);
            assert!(session.run("/usr/bin/duckdb").starts_with('v'));
        }
    }
}

/// Image, unpacked.
struct Unpacked {
    config: Value,
    root: TempDir,
}

impl Unpacked {
    fn open(layout: &Path, name: &str) -> Self {
        let blob = |it: &Value| {
            let digest = it["digest"].as_str().unwrap();
            layout
                .join("blobs/sha256")
                .join(digest.trim_start_matches("sha256:"))
        };
        let json =
            |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let index = json(layout.join("index.json"));
        let images = index["manifests"].as_array().unwrap();
        let image = images
            .iter()
            .find(|it| it["annotations"]["org.opencontainers.image.ref.name"] == name);
        let manifest = json(blob(image.unwrap()));
        let root = TempDir::new().unwrap();
        for layer in manifest["layers"].as_array().unwrap() {
            let unpacked = Command::new("tar")
                .arg("-xzf")
                .arg(blob(layer))
                .arg("-C")
                .arg(root.path())
                .status();
            assert!(unpacked.unwrap().success());
        }
        let config = json(blob(&manifest["config"]));
        Self { config, root }
    }

    fn root(&self) -> &Path {
        self.root.path()
    }

    /// Files and links below a folder, without folders.
    fn files(&self, below: &str) -> Vec<String> {
        let found = Command::new("find")
            .current_dir(self.root())
            .args([&format!("./{below}"), "!", "-type", "d"])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let mut files: Vec<_> = found
            .lines()
            .map(|it| it.trim_start_matches("./").to_owned())
            .collect();
        files.sort();
        files
    }

    /// Runs `<program> --version` in the image.
    fn run(&self, program: &str) -> String {
        let ran = Command::new("chroot")
            .arg(self.root())
            .args([program, "--version"])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }
}

/// Header of a 64-bit, little-endian ELF file.
struct Elf {
    machine: u16,
    /// Dynamic loader. A static program has none.
    interpreter: Option<String>,
}

impl Elf {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        assert_eq!(&bytes[..6], b"\x7fELF\x02\x01", "{}", path.display());
        let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        let (first, size, count) = (long(0x20), usize::from(word(0x36)), usize::from(word(0x38)));
        let interpreter = (0..count).map(|it| first + it * size).find_map(|header| {
            let is_interpreter = bytes[header..header + 4] == 3u32.to_le_bytes();
            let (from, length) = (long(header + 8), long(header + 32));
            let text = || String::from_utf8(bytes[from..from + length - 1].to_vec()).unwrap();
            is_interpreter.then(text)
        });
        Self {
            machine: word(0x12),
            interpreter,
        }
    }
}
