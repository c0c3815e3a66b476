//! Guard on the work of pure functions: their instructions and allocations, as valgrind counts them. Neither depends on
//! how busy the machine is, as times do.

use std::{collections::BTreeMap, env, fs};

use test_support::tools;
use tokio::process::Command;
use work::Work;

#[path = "../benches/pure/work.rs"]
mod work;

const SESSIONS: i64 = 100;

/// Thousands of instructions, and allocations, of each function in a debug build.
const COUNTS: [(&str, u64, u64); 9] = [
    ("read one field of all sessions", 21, 0),
    ("next_step of all sessions", 84, 0),
    ("plan a sweep of all sessions", 760, 6834),
    ("evaluate a query", 8, 2),
    ("sign a ticket", 290, 537),
    ("check a ticket", 730, 24),
    ("write a record", 53, 56),
    ("read a record", 63, 22),
    ("build Pod, Service and route", 355, 610),
];

/// Percent that a count may be above its entry. Keys, compilers and processors make a difference of a few percent.
const TOLERANCE: u64 = 10;

fn all() -> Vec<Work> {
    work::all(SESSIONS, "2026-11-27T12:00:00Z".parse().unwrap())
}

/// Names of the functions that allocate memory.
const ALLOCATING: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];

/// Reads what callgrind has counted between two dumps: thousands of instructions, and allocations.
fn read_counts(dump: &str) -> (u64, u64) {
    let mut names = BTreeMap::new();
    let (mut instructions, mut allocations) = (0, 0);
    let mut is_allocating = false;
    for line in dump.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            instructions = total.trim().parse().unwrap();
        } else if let Some(called) = line.strip_prefix("fn=").or(line.strip_prefix("cfn=")) {
            // A number stands for a name that was given with it before.
            let (number, name) = called.split_once(')').unwrap();
            if !name.is_empty() {
                let name = name.trim().split('\'').next().unwrap();
                names.insert(number, ALLOCATING.contains(&name));
            }
            is_allocating = line.starts_with("cfn=") && names[number];
        } else if let Some(calls) = line.strip_prefix("calls=")
            && is_allocating
        {
            allocations += calls.split(' ').next().unwrap().parse::<u64>().unwrap();
        }
    }
    (instructions / 1000, allocations)
}

/// Runs each function once in this process. The next test runs this one in valgrind.
#[test]
fn each_function_runs() {
    for work in all() {
        // What is made only once does not count.
        (work.run)();
        run(&work);
    }
}

/// Only what happens in this function is counted.
#[inline(never)]
fn run(work: &Work) {
    (work.run)();
}

#[tokio::test]
async fn no_function_does_more_work_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let tools = tools::valgrind();
    let here = concat!(module_path!(), "::run");
    let mut valgrind = Command::new(tools.join("valgrind"));
    if tools.join("default.supp").exists() {
        valgrind.env("VALGRIND_LIB", &tools);
    }
    let ran = valgrind
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=counts",
            "--collect-atstart=no",
        ])
        .args([
            format!("--toggle-collect={here}"),
            format!("--dump-after={here}"),
        ])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "effort::each_function_runs", "--test-threads=1"])
        .current_dir(folder.path())
        .output();
    let ran = ran.await.unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let counted = all().into_iter().zip(1..).map(|(work, number)| {
        let dump = folder.path().join(format!("counts.{number}"));
        let (instructions, allocations) = read_counts(&fs::read_to_string(dump).unwrap());
        (work.name, instructions, allocations)
    });
    let counted: Vec<_> = counted.collect();
    let is_more = |now: u64, before: u64| now > before + before * TOLERANCE / 100;
    let both = counted.iter().zip(COUNTS);
    let more = both.filter(|(now, before)| {
        now.0 != before.0 || is_more(now.1, before.1) || is_more(now.2, before.2)
    });
    let more: Vec<_> = more.collect();
    assert!(
        more.is_empty() && counted.len() == COUNTS.len(),
        "functions do more work than before, or others: {more:#?}. If that is intended, change the table. All: {counted:#?}"
    );
}
