//! The README's example, which is also the crate's documentation, so `cargo test` runs it.

#[test]
fn the_readme_shows_the_example() {
    let readme = include_str!("../README.md");
    assert!(readme.contains(include_str!("../examples/ping.rs")));
}
