//! The questions of `duckbot init` and the rules for their answers. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use reqwest::Url;

use crate::{
    catalog::values::{S3Endpoint, http_url, is_label, plain_text},
    discord,
};

/// A question, in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Question {
    Guild,
    Domain,
    Catalog,
    Warehouse,
    Storage,
    Region,
    Ingress,
    Gateway,
    IngressNamespace,
    PrivateLake,
    Registry,
    Tag,
}

use Question::*;

/// Answer that stands for "none" at the prompt, where Enter takes the default.
pub(super) const NONE: &str = "-";
/// Answers to [`Question::Ingress`] that are no IngressClass.
const TRAEFIK: &str = "traefik";
const GATEWAY: &str = "gateway";

impl Question {
    pub(super) const ALL: [Self; 12] = [
        Guild,
        Domain,
        Catalog,
        Warehouse,
        Storage,
        Region,
        Ingress,
        Gateway,
        IngressNamespace,
        PrivateLake,
        Registry,
        Tag,
    ];

    /// Name of the command-line flag, and of the answer in a written file.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Guild => "guild",
            Domain => "domain",
            Catalog => "catalog",
            Warehouse => "warehouse",
            Storage => "storage",
            Region => "region",
            Ingress => "ingress",
            Gateway => "gateway",
            IngressNamespace => "ingress-namespace",
            PrivateLake => "private-lake",
            Registry => "registry",
            Tag => "tag",
        }
    }

    /// Placeholder of the value in the help of the command line.
    pub(super) fn value_name(self) -> &'static str {
        match self {
            Guild => "ID",
            Domain => "DOMAIN",
            Catalog | Storage => "URL",
            Gateway => "NAMESPACE/NAME[/LISTENER]",
            PrivateLake => "CIDR|NAMESPACE,…",
            Tag => "TAG",
            _ => "NAME",
        }
    }

    /// Text of the question, also for the help of the command line.
    pub(super) fn text(self) -> &'static str {
        match self {
            Guild => {
                "Discord server ID (with Developer Mode: right-click the server, Copy Server ID)"
            }
            Domain => {
                "Domain of the sessions, with a wildcard DNS record and nothing else below it"
            }
            Catalog => "URL of the Iceberg REST catalog, up to but without /v1",
            Warehouse => "Warehouse, if the catalog has several",
            Storage => "URL of the S3 storage, unless it is AWS",
            Region => "Region of the S3 storage",
            Ingress => {
                "Ingress controller: traefik, gateway (Gateway API), or the name of an IngressClass"
            }
            Gateway => {
                "Gateway: its namespace, its name, and its HTTPS listener if it has several listeners, \
                 like gateways/duckui/https"
            }
            IngressNamespace => "Namespace of the ingress controller, or of the Gateway's proxies",
            PrivateLake => {
                "Private networks (CIDR), or namespaces of this cluster, with the catalog and the \
                 storage"
            }
            Registry => "Registry and path of the images duckbot and duckui, like ghcr.io/example",
            Tag => "Tag of both images",
        }
    }

    /// Returns true if the question makes sense after the answers so far.
    pub(super) fn applies(self, answers: &Answers) -> bool {
        self != Gateway || answers.has_gateway()
    }

    fn is_optional(self) -> bool {
        matches!(self, Warehouse | Storage | PrivateLake)
    }

    /// Answer if there is no other one. It can depend on earlier answers.
    pub(super) fn default(self, answers: &Answers) -> Option<String> {
        let default = match self {
            Region => "us-east-1",
            Tag => env!("CARGO_PKG_VERSION"),
            Ingress => TRAEFIK,
            IngressNamespace => match answers.get(Ingress) {
                TRAEFIK => TRAEFIK,
                // Its proxies run in its own namespace, or in that of their controller.
                "nginx" => "ingress-nginx",
                _ => return None,
            },
            _ if self.is_optional() => "",
            _ => return None,
        };
        Some(default.to_owned())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// Returns a sentence that does not repeat the answer: it may be a secret.
    pub(super) fn parse(self, text: &str) -> Result<String, String> {
        let text = text.trim();
        // The ID of a commit is a usual tag.
        let is_commit =
            self == Tag && text.len() == 40 && text.chars().all(|c| c.is_ascii_hexdigit());
        if !is_commit && looks_secret(text) {
            return Err(
                "This looks like a token or a key. `duckbot init` needs no secret and writes none: \
                 the bot's token goes into a Secret of the cluster, and people enter their S3 keys \
                 in Discord. If it stays in a shell's history or a log, replace it."
                    .to_owned(),
            );
        }
        if text.is_empty() && self.is_optional() {
            return Ok(String::new());
        }
        let expected = |expected: &str| Err(format!("This must be {expected}."));
        let wrong = |problem| format!("This {problem}.");
        match self {
            Guild => match discord::read_application_id(text) {
                Some(id) => Ok(id.to_string()),
                None => expected("the ID of a Discord server, a number of 17 to 20 digits"),
            },
            Domain if text.contains('.') && text.split('.').all(is_label) => Ok(text.to_owned()),
            Domain => expected("a domain in lower case, like duck.example.com"),
            Catalog => http_url(text).map_err(wrong).map(|url| {
                let base = url.strip_suffix("/v1").unwrap_or(&url);
                base.to_owned()
            }),
            Warehouse => plain_text(text).map_err(wrong),
            Storage => S3Endpoint::parse(text)
                .and_then(|_| http_url(text))
                .map_err(wrong),
            Region if is_label(text) => Ok(text.to_owned()),
            Region => expected("a region, like eu-central-1"),
            Ingress if text.split('.').all(is_label) => Ok(text.to_owned()),
            Ingress => expected("traefik, gateway, or the name of an IngressClass"),
            Gateway if is_gateway(text) => Ok(text.to_owned()),
            Gateway => expected("a namespace and a name, like gateways/duckui"),
            IngressNamespace if is_label(text) => Ok(text.to_owned()),
            IngressNamespace => expected("the name of a namespace"),
            PrivateLake => networks(text).map_or_else(
                || expected("a list like 10.20.30.0/24,minio: networks and namespaces"),
                Ok,
            ),
            Registry if is_repository(text) => Ok(text.to_owned()),
            Registry => expected("a registry with a path, like registry.example.com/team"),
            Tag if is_tag(text) => Ok(text.to_owned()),
            Tag => expected("a tag, like 0.1.0"),
        }
    }
}

/// Returns true for a namespace, the name of a Gateway, and perhaps that of a listener.
fn is_gateway(text: &str) -> bool {
    let parts: Vec<_> = text.split('/').collect();
    let is_name = |name: &str| name.split('.').all(is_label);
    matches!(parts[..], [namespace, _, ..] if is_label(namespace))
        && parts.len() <= 3
        && parts.iter().all(|part| is_name(part))
}

/// Parses networks and namespaces, separated by commas or spaces.
fn networks(text: &str) -> Option<String> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    let valid = parts.map(|part| (is_label(part) || is_cidr(part)).then_some(part));
    let valid: Option<BTreeSet<_>> = valid.collect();
    valid.map(|parts| Vec::from_iter(parts).join(","))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// Returns true for the part of an image's name before its last slash.
fn is_repository(text: &str) -> bool {
    let (host, path) = text.split_once('/').unwrap_or((text, "path"));
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let is_part = |part: &str| !part.is_empty() && part.chars().all(inner);
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    is_part(name) && port.parse::<u16>().is_ok() && path.split('/').all(is_part)
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=128).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Returns true if a text looks like a credential: a key, a token, or a password in a URL.
fn looks_secret(text: &str) -> bool {
    const PREFIXES: [&str; 7] = [
        "-----BEGIN",
        "duckbot_",
        "eyJ",
        "ghp_",
        "github_pat_",
        "glpat-",
        "xox",
    ];
    let is_key_id = ["AKIA", "ASIA"].iter().any(|it| text.starts_with(it)) && text.len() == 20;
    // A token of Discord: the base64 of an ID, a time and a signature.
    let parts: Vec<_> = text.split('.').map(str::len).collect();
    let is_word =
        |c: char| c.is_ascii_alphanumeric() || ['+', '/', '=', '_', '-', '.'].contains(&c);
    let has = |wanted: fn(&char) -> bool| text.chars().any(|c| wanted(&c));
    let is_random = text.len() >= 32
        && text.chars().all(is_word)
        && has(char::is_ascii_digit)
        && has(char::is_ascii_uppercase)
        && has(char::is_ascii_lowercase);
    let is_discord_token = is_random
        && matches!(parts[..], [id, time, signature] if id >= 18 && time >= 5 && signature >= 20);
    let is_key = is_random && parts.len() == 1;
    let is_hex = text.len() >= 32 && text.chars().all(|c| c.is_ascii_hexdigit());
    let has_password = text
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'));
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        || is_key_id
        || is_discord_token
        || is_key
        || is_hex
        || has_password
}

/// Answers so far. An optional one that was left out is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answers(BTreeMap<Question, String>);

impl Answers {
    /// Returns an answer. Empty: there is none.
    pub(super) fn get(&self, question: Question) -> &str {
        self.0.get(&question).map_or("", String::as_str)
    }

    pub(super) fn find(&self, question: Question) -> Option<&String> {
        self.0.get(&question)
    }

    pub(super) fn set(&mut self, question: Question, answer: String) {
        self.0.insert(question, answer);
    }

    /// Returns true if sessions get Traefik's own kind of route.
    pub(super) fn has_traefik(&self) -> bool {
        self.get(Ingress) == TRAEFIK
    }

    /// Returns true if sessions get HTTPRoutes.
    pub(super) fn has_gateway(&self) -> bool {
        self.get(Ingress) == GATEWAY
    }

    /// Namespace, name and listener of the Gateway. Empty: there is none.
    pub(super) fn gateway(&self) -> (&str, &str, &str) {
        let mut parts = self.get(Gateway).split('/');
        let mut next = || parts.next().unwrap_or_default();
        (next(), next(), next())
    }

    /// Returns true if the catalog and the storage are those of `other`.
    pub(super) fn have_same_lake(&self, other: &Self) -> bool {
        [Catalog, Storage]
            .iter()
            .all(|question| self.find(*question) == other.find(*question))
    }

    /// Returns true if the ingress controller or the Gateway is that of `other`.
    pub(super) fn have_same_ingress(&self, other: &Self) -> bool {
        [Ingress, Gateway]
            .iter()
            .all(|question| self.find(*question) == other.find(*question))
    }

    /// Private networks of the catalog and the storage.
    pub(super) fn lake_networks(&self) -> Vec<&str> {
        self.lake(|part| part.contains('/'))
    }

    /// Namespaces of this cluster with the catalog and the storage.
    pub(super) fn lake_namespaces(&self) -> Vec<&str> {
        self.lake(|part| !part.contains('/'))
    }

    fn lake(&self, is_meant: fn(&str) -> bool) -> Vec<&str> {
        let parts = self.get(PrivateLake).split(',');
        parts
            .filter(|part| !part.is_empty() && is_meant(part))
            .collect()
    }

    /// Ports of the catalog and the storage.
    pub(super) fn lake_ports(&self) -> BTreeSet<u16> {
        let urls = [Catalog, Storage].map(|question| self.get(question));
        let urls = urls.iter().filter_map(|url| Url::parse(url).ok());
        urls.filter_map(|url| url.port_or_known_default()).collect()
    }

    /// Writes the answers as comment lines.
    pub(super) fn header(&self) -> String {
        let mut text =
            "# Written by `duckbot init`, which offers these answers when it runs again:\n"
                .to_owned();
        for (question, answer) in &self.0 {
            text += &format!("#   {}: {answer}", question.flag());
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text + "# Edit the rest as you like. Another run keeps your edits. Don't put secrets here.\n"
    }

    /// Reads the answers back from a written file. Ignores a line that is not valid any more.
    /// Returns `None` if the file has none.
    pub(super) fn in_header(text: &str) -> Option<Self> {
        let lines = text.lines().take_while(|line| line.starts_with('#'));
        let answers = lines.filter_map(|line| {
            let (flag, answer) = line.strip_prefix("#   ")?.split_once(':')?;
            let question = Question::ALL.into_iter().find(|it| it.flag() == flag)?;
            Some((question, question.parse(answer).ok()?))
        });
        let answers = Self(answers.collect());
        (!answers.0.is_empty()).then_some(answers)
    }
}

impl FromIterator<(Question, String)> for Answers {
    fn from_iter<T: IntoIterator<Item = (Question, String)>>(answers: T) -> Self {
        Self(answers.into_iter().collect())
    }
}
