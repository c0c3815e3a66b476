//! Lists the files of the console's page, which the program contains.

use std::{env, fs, path::Path};

const FOLDER: &str = "src/door/console/web";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join(FOLDER);
    let files = fs::read_dir(&folder).expect("the page's folder is part of the source");
    let names = files.map(|file| file.expect("a file").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect();
    names.sort();
    let files = names.iter().map(|name| {
        let path = folder.join(name);
        format!("({name:?}, include_bytes!({path:?}) as &[u8]),\n")
    });
    let list = format!("&[{}]", files.collect::<String>());
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("console_web.rs"), list).expect("a file is written");
}
