//! How large the program is that the production image has.

use std::process::Command;

use super::table::{Aim, Row};

pub async fn rows() -> Vec<Row> {
    // To the same target folder as this program.
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).unwrap();
    let built = Command::new("cargo")
        .args(["build", "--profile", "production", "--locked"])
        .args(["--no-default-features", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success());
    let program = target.join("production/duckbot");
    let size = std::fs::metadata(program).unwrap().len() as f64 / 1e6;
    vec![Row {
        what: "production binary, stripped",
        aim: "under 25 MB",
        floor: String::new(),
        ours: format!("{size:.1} MB"),
        p95: String::new(),
        figure: size,
        is_ratio: false,
        limits: Aim::Under(&[25.0]),
    }]
}
