//! Reads which file of a crate uses which other file. Parsed by syn, so comments and text don't
//! matter. Code for `cfg(test)` is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ImplItem, Item, ItemMacro, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

/// A path in the code, such as `["crate", "session", "Record"]`.
type Names = Vec<String>;

/// The modules of a crate, by their path from its root.
pub(super) struct Crate {
    modules: BTreeMap<Names, Module>,
}

/// Module of a crate. An inline module belongs to its parent's file.
#[derive(Default)]
struct Module {
    /// Path of the file from `src`, without `.rs`.
    file: String,
    children: BTreeSet<String>,
    /// Names of the items that the module defines.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths in the code, without those of `use`.
    paths: BTreeSet<Names>,
    /// Text literals, also those in attributes.
    texts: Vec<String>,
}

struct Import {
    path: Names,
    /// Name in this module; `*` for all names.
    name: String,
    is_public: bool,
}

impl Crate {
    /// Reads all files below `src`, but `main.rs`, which is a crate of its own.
    pub(super) fn read(src: &Path) -> Self {
        let mut found = Self {
            modules: BTreeMap::new(),
        };
        found.read_file(src, "lib", &[]);
        found
    }

    fn read_file(&mut self, src: &Path, file: &str, path: &[String]) {
        let text = fs::read_to_string(src.join(file).with_extension("rs")).unwrap();
        let items = syn::parse_file(&text).unwrap().items;
        for child in self.add(file, path, &items) {
            let place = [path, &[child]].concat();
            let place_text = place.join("/");
            let in_folder = format!("{place_text}/mod");
            let is_folder = src.join(&in_folder).with_extension("rs").exists();
            let file = if is_folder { in_folder } else { place_text };
            self.read_file(src, &file, &place);
        }
    }

    /// Adds a module with its inline modules. Returns the children that have their own files.
    fn add(&mut self, file: &str, path: &[String], items: &[Item]) -> Vec<String> {
        let mut reader = Reader::default();
        items.iter().for_each(|item| reader.visit_item(item));
        reader.module.file = file.to_owned();
        self.modules.insert(path.to_vec(), reader.module);
        for (name, items) in reader.inline {
            let children = self.add(file, &[path, &[name]].concat(), items);
            assert!(children.is_empty(), "{file}: a file below an inline module");
        }
        reader.with_file
    }

    /// Files that use an item of another file: `(user, owner, item)`.
    pub(super) fn uses(&self) -> BTreeSet<(String, String, String)> {
        let mut found = BTreeSet::new();
        for (at, module) in &self.modules {
            let mut add = |path: &[String]| {
                if let Some((owner, item)) = self.resolve(at, path, &mut Vec::new()) {
                    let owner = &self.modules[&owner].file;
                    if *owner != module.file {
                        found.insert((module.file.clone(), owner.clone(), item));
                    }
                }
            };
            // A module that only passes an item on does not use it.
            let passed_on = |import: &&Import| {
                import.is_public && !module.paths.iter().any(|path| path[0] == import.name)
            };
            for import in module.imports.iter().filter(|import| !passed_on(import)) {
                add(&import.path);
            }
            module.paths.iter().for_each(|path| add(path));
        }
        found
    }

    /// Finds the module that defines the first item of a path. `None` for other crates, for names
    /// of the standard library, and for a path that ends at a module.
    fn resolve(
        &self,
        at: &Names,
        path: &[String],
        seen: &mut Vec<Names>,
    ) -> Option<(Names, String)> {
        let (head, rest) = path.split_first()?;
        match head.as_str() {
            "crate" => return self.resolve(&Vec::new(), rest, seen),
            "self" => return self.resolve(at, rest, seen),
            "super" => return self.resolve(&at[..at.len() - 1].to_vec(), rest, seen),
            _ => {}
        }
        let module = self.modules.get(at)?;
        if module.items.contains(head) {
            return Some((at.clone(), head.clone()));
        }
        if module.children.contains(head) {
            return self.resolve(&[at.as_slice(), &path[..1]].concat(), rest, seen);
        }
        let key = [at.as_slice(), path].concat();
        if seen.contains(&key) {
            return None;
        }
        seen.push(key);
        let named = module.imports.iter().filter(|import| import.name == *head);
        let all = module.imports.iter().filter(|import| import.name == "*");
        let named = named.map(|import| [&import.path, rest].concat());
        let all = all.map(|import| [&import.path[..import.path.len() - 1], path].concat());
        // An import of another crate begins with the name that it defines here.
        let mut full = named.chain(all).filter(|full| full[0] != *head);
        full.find_map(|full| self.resolve(at, &full, seen))
    }

    /// Paths of each file that begin with a crate's name: `(file, crate)`.
    pub(super) fn crates(&self) -> BTreeSet<(String, String)> {
        let mut found = BTreeSet::new();
        for module in self.modules.values() {
            let imports = module.imports.iter().map(|import| &import.path);
            for path in imports.chain(&module.paths) {
                found.insert((module.file.clone(), path[0].clone()));
            }
        }
        found
    }

    /// Text literals of each file: `(file, text)`.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let modules = self.modules.values();
        modules.flat_map(|module| module.texts.iter().map(|text| (&*module.file, &**text)))
    }
}

#[derive(Default)]
struct Reader<'ast> {
    module: Module,
    inline: Vec<(String, &'ast [Item])>,
    with_file: Vec<String>,
}

impl Reader<'_> {
    /// Reads what syn leaves as tokens: the arguments of macros and attributes.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.add_path(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.read_tokens(group.stream()),
                TokenTree::Literal(text) => self.module.texts.push(text.to_string()),
                TokenTree::Punct(_) => self.add_path(std::mem::take(&mut path)),
            }
            colons = 0;
        }
        self.add_path(path);
    }

    fn add_path(&mut self, path: Names) {
        if !path.is_empty() {
            self.module.paths.insert(path);
        }
    }

    fn define(&mut self, name: &syn::Ident) {
        self.module.items.insert(name.to_string());
    }

    fn add_imports(&mut self, tree: &UseTree, path: &[String], is_public: bool) {
        let mut add = |last: &syn::Ident, name: &syn::Ident| {
            let mut path = path.to_vec();
            let mut name = name.to_string();
            if last != "self" {
                path.push(last.to_string());
            } else if name == "self" {
                name.clone_from(path.last().unwrap());
            }
            let import = Import {
                path,
                name,
                is_public,
            };
            self.module.imports.push(import);
        };
        match tree {
            UseTree::Path(part) => {
                let path = [path, &[part.ident.to_string()]].concat();
                self.add_imports(&part.tree, &path, is_public);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_imports(tree, path, is_public);
                }
            }
            UseTree::Name(it) => add(&it.ident, &it.ident),
            UseTree::Rename(it) => add(&it.ident, &it.rename),
            UseTree::Glob(_) => self.module.imports.push(Import {
                path: [path, &["*".to_owned()]].concat(),
                name: "*".to_owned(),
                is_public,
            }),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        match item {
            Item::Struct(it) => self.define(&it.ident),
            Item::Enum(it) => self.define(&it.ident),
            Item::Trait(it) => self.define(&it.ident),
            Item::Type(it) => self.define(&it.ident),
            Item::Const(it) => self.define(&it.ident),
            Item::Static(it) => self.define(&it.ident),
            Item::Fn(it) => self.define(&it.sig.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !matches!(item, ImplItem::Fn(it) if is_for_tests(&it.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        self.module.children.insert(name.clone());
        match &item.content {
            Some((_, items)) => self.inline.push((name, items)),
            None => self.with_file.push(name),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.add_imports(&item.tree, &[], is_public);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if let Some(name) = &item.ident {
            self.define(name);
        } else {
            // A macro may define the types that it names, such as `id!(OwnerId)`.
            for token in item.mac.tokens.clone() {
                if let TokenTree::Ident(name) = token
                    && name.to_string().starts_with(char::is_uppercase)
                {
                    self.define(&name);
                }
            }
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path.segments.iter().map(|part| part.ident.to_string());
        self.add_path(names.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.read_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if !attribute.path().is_ident("doc") {
            if let syn::Meta::List(list) = &attribute.meta {
                self.read_tokens(list.tokens.clone());
            }
            visit::visit_attribute(self, attribute);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.module.texts.push(text.value());
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list)
                if list.tokens.clone().into_iter().any(|it| it.to_string() == "test"))
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}
