//! Size of the program in the production image.

use std::{path::PathBuf, process::Command};

use super::table::{Aim, Row};

/// Builds the program in the target folder of this benchmark. Returns its path.
pub fn program() -> PathBuf {
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
    target.join("production/duckbot")
}

pub async fn rows() -> Vec<Row> {
    let size = std::fs::metadata(program()).unwrap().len() as f64 / 1e6;
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
