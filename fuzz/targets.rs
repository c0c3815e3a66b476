//! What the fuzz targets do: one function for each, which takes bytes and asserts what must
//! hold of whatever a person, the network or the cluster sends. `tests/fuzz.rs` replays the
//! corpora through the same functions.
//!
//! Where a target takes several texts, the byte 0xFF stands between them: no text has it.

use std::{collections::HashMap, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, TimeDelta, Utc};
use duckbot::{
    api::{self, Body, Gate, NewToken, Problem},
    credentials::{self, Credentials, Field, Mistake, Typed},
    discord::parse::{self, Button, Command},
    door::{
        activity::Activity,
        gate::{self, Origin, Verdict},
        guests::Guests,
        ticket::{GOOD_FOR, SigningKey, Tickets},
    },
    duckdb::{
        environment,
        script::{Script, identifier, literal, problem},
    },
    service::usage,
    session::{
        Cause, Due, Incident, Keys, Ledger, Limits, Observed, Orphan, Pod, PodState, Policy,
        Record, RequestId, Rule, Running, Stage, Station, Usage, Warning, Watched, due, extension,
        next_step, plan, usual_start,
    },
    settings::{self, LONGEST_NAME, Settings},
};
use hyper::{
    HeaderMap, Method, Request,
    header::{HeaderName, HeaderValue},
    http::request::Parts,
};
use ring::signature::Ed25519KeyPair;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use serenity::all::{CommandDataOption, CommandDataOptionValue, Interaction};

/// A function that must hold for any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders.
pub const TARGETS: [(&str, Target); 9] = [
    ("credentials", credentials),
    ("interactions", interactions),
    ("tickets", tickets),
    ("gate", gate),
    ("settings", settings),
    ("requests", requests),
    ("quoting", quoting),
    ("activity", activity),
    ("documents", documents),
];

/// The pieces of the input; those that are not there are empty.
fn pieces<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut all = data.split(|byte| *byte == 0xff);
    [(); N].map(|()| all.next().unwrap_or_default())
}

fn texts<const N: usize>(data: &[u8]) -> [String; N] {
    pieces(data).map(|piece| String::from_utf8_lossy(piece).into_owned())
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
}

fn is_ordinary(time: DateTime<Utc>) -> bool {
    (0..=9999).contains(&time.year())
}

/// What was pasted into the form: the four inputs and the expiry.
///
/// What is accepted is printable, no longer than the form carries, stands in what was typed, and
/// is accepted again as it is. Nothing that was typed is in a mistake, or in what `Debug` shows.
pub fn credentials(data: &[u8]) {
    let [a, b, c, d, expires] = texts(data);
    let inputs = [a, b, c, d];
    let form = |secrets: [&str; 4], expires: &str| Typed {
        secrets: secrets.map(SecretString::from),
        expires: expires.to_owned(),
    };
    for input in &inputs {
        credentials::looks_like_a_key(input);
    }
    let typed = form(inputs.each_ref().map(String::as_str), &expires);
    let keys = match credentials::parse(&typed, at(0)) {
        Ok(keys) => keys,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.len() <= 5);
            let fixed = fixed_words(&mistakes);
            for said in mistakes.iter().flat_map(words) {
                let is_leaked = |it: &&str| {
                    let is_fixed = fixed.iter().any(|text| text.contains(*it));
                    it.len() >= 8 && said.contains(*it) && !is_fixed
                };
                let leaked = inputs.iter().map(|it| it.trim()).find(is_leaked);
                assert_eq!(leaked, None, "it stands in {said:?}");
            }
            return;
        }
    };
    let values = Field::ALL.map(|field| keys.value(field).map(|it| it.expose_secret()));
    assert!(values[0].is_some() && values[1].is_some());
    for (field, value) in Field::ALL.into_iter().zip(values) {
        let Some(value) = value else { continue };
        assert!((1..4000).contains(&value.len()), "{field}");
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{field}");
        assert!(inputs.iter().any(|input| input.contains(value)), "{field}");
        let same = credentials::exactly(field, value.into());
        assert_eq!(
            same.map(|it| it.expose_secret().to_owned()).as_deref(),
            Ok(value)
        );
    }
    if let Some(expires) = keys.expires {
        assert!(expires > at(0) && is_ordinary(expires));
    }
    // Others of the same shape are shown alike.
    let other = |value: Option<&str>| value.map(|_| SecretString::from("other"));
    let shape = Credentials {
        key_id: "other".into(),
        secret_key: "other".into(),
        session_token: other(values[2]),
        catalog_token: other(values[3]),
        expires: keys.expires,
    };
    assert_eq!(format!("{keys:?}"), format!("{shape:?}"));
    let hint = keys.hint().0;
    let key_id = values[0].unwrap_or_default();
    assert!(hint.len() <= 4 && key_id.ends_with(&hint) && hint.len() * 2 <= key_id.len());
    // A value may look like a name and its value; any other is what it was.
    if !values.iter().flatten().any(|value| is_like_named(value)) {
        let again = form(values.map(Option::unwrap_or_default), "");
        let again = credentials::parse(&again, at(0)).expect("it was accepted");
        assert!(again.is_same(&keys));
    }
}

fn is_like_named(value: &str) -> bool {
    let words = ["key", "id", "token", "expiration", "user", "password"];
    let plain = value.to_lowercase().replace('_', "");
    value.contains([':', '=']) && words.iter().any(|word| plain.contains(word))
}

/// Everything that a mistake can say, whoever makes it; with the lengths that are in these.
fn fixed_words(mistakes: &[Mistake]) -> Vec<String> {
    let of_field = Field::ALL.into_iter().flat_map(|field| {
        [
            Mistake::Empty(field),
            Mistake::Spaces(field),
            Mistake::Strange(field),
            Mistake::Wrapped(field),
            Mistake::Twice(field),
        ]
    });
    let lengths = mistakes.iter().filter_map(|it| match it {
        Mistake::TooLong(field, length) => Some(Mistake::TooLong(*field, *length)),
        _ => None,
    });
    let others = [Mistake::NoKeyId, Mistake::NoTime, Mistake::Past];
    let all: Vec<_> = of_field.chain(lengths).chain(others).collect();
    all.iter().flat_map(words).collect()
}

fn words(mistake: &Mistake) -> [String; 2] {
    [mistake.to_string(), format!("{mistake:?}")]
}

/// What Discord sends, and the ids that it sends back.
///
/// An id that is read is written such that it is read as the same, and no longer. A command's
/// texts are those of its options. A form gives what stands in its inputs, each at most once.
pub fn interactions(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        custom_id(text);
    }
    let Ok(interaction) = serde_json::from_slice::<Interaction>(data) else {
        return;
    };
    match interaction {
        Interaction::Command(it) => {
            let Some(command) = parse::command(&it.data) else {
                return;
            };
            assert!(parse::kind(&it.data).is_some());
            let options = it.data.options.first().map(|chosen| &chosen.value);
            let Some(CommandDataOptionValue::SubCommand(options)) = options else {
                panic!("{command:?} of no subcommand");
            };
            let has = |text: &String| {
                let is_it = |it: &CommandDataOption| it.value.as_str() == Some(text);
                options.iter().any(is_it)
            };
            assert!(said(&command).into_iter().all(has), "{command:?}");
        }
        Interaction::Autocomplete(it) => {
            parse::command(&it.data);
            parse::kind(&it.data);
        }
        Interaction::Component(it) => custom_id(&it.data.custom_id),
        Interaction::Modal(it) => {
            custom_id(&it.data.custom_id);
            let sent = serde_json::to_string(&it.data.components).expect("it is JSON");
            let typed = parse::form(it.data.components);
            for text in typed.secrets.iter().map(|it| it.expose_secret()) {
                let json = serde_json::to_string(text).expect("it is JSON");
                assert!(text.is_empty() || sent.contains(&json));
            }
        }
        _ => {}
    }
}

fn custom_id(text: &str) {
    if let Some(catalog) = parse::form_catalog(text) {
        assert_eq!(parse::form_id(catalog.as_deref()), text);
        assert_eq!(Button::from_custom_id(text), None);
    }
    if let Some(button) = Button::from_custom_id(text) {
        let id = button.custom_id();
        assert!(id.len() <= text.len(), "{id}");
        assert_eq!(Button::from_custom_id(&id), Some(button));
    }
}

/// The texts in a command.
fn said(command: &Command) -> Vec<&String> {
    let texts = match command {
        Command::Setup { catalog } => [catalog, &None],
        Command::Start { size, catalog } => [size, catalog],
        Command::Open { session } | Command::Stop { session } | Command::Status { session } => {
            [session, &None]
        }
        Command::Extend { session, by } => [session, by],
        Command::Forget
        | Command::List { .. }
        | Command::Report
        | Command::Reap
        | Command::Help => [&None, &None],
    };
    texts.into_iter().flatten().collect()
}

/// A key that opens no door but this one.
const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIDz771lAGEFe7oFquEITEYFYIgxaQ4qkI35HrnUGXCrR";
/// What was signed with it for this door, once for each second from 0 on.
const GENUINE: [&str; 2] = [
    "k1.eyJzZXNzaW9uIjoiOTc3YTI2IiwiaXNzdWVkIjoiMjAyNy0wMS0xNVQwODowMDowMFoiLCJub25jZSI6Im5vbmNlLTAifQ._d5oPlEvoE0iKSA2DqFzC2bVqL4nBH43RyGZC51rKrVMU6-4vC5ZX5U8swPFUwDi7P2MoQAAtSe9NCfYrtUuCQ",
    "k1.eyJzZXNzaW9uIjoiOTc3YTI2IiwiaXNzdWVkIjoiMjAyNy0wMS0xNVQwODowMDowMVoiLCJub25jZSI6Im5vbmNlLTEifQ.vCOA4hNKwX3k2UTSbEHMiTrvoW0ud4-pXIvqvLjT0FRoc1nUSTfyWBJx1XkXVgf9G7nyuvunqtdsoGnJE-DpAg",
];

/// What is shown to a door, one after the other: first what somebody without the key made up,
/// last the payload of a ticket that whoever has the key signs.
///
/// Nothing is taken but a ticket that was issued for this door, and that once. Whatever a
/// cookie says, only those are known that were given out.
pub fn tickets(data: &[u8]) {
    let key = URL_SAFE_NO_PAD.decode(KEY).expect("base64");
    let signing = SigningKey::read("k1", &key).expect("a key");
    let mut door = Tickets::new("977a26", &signing.public(), at(0)).expect("a key");
    let shown: Vec<_> = data.split(|byte| *byte == 0xff).collect();
    let mut taken = Vec::new();
    for piece in &shown {
        let text = String::from_utf8_lossy(piece).into_owned();
        if door.take(&text, at(2)).is_ok() {
            assert!(GENUINE.contains(&text.as_str()), "{text} is forged");
            assert!(!taken.contains(&text), "{text} was used");
            taken.push(text);
        }
        guests(piece);
    }
    let payload = shown.last().copied().unwrap_or_default();
    let encoded = URL_SAFE_NO_PAD.encode(payload);
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key).expect("a key");
    let signature = pair.sign(format!("duckbot ticket 1.k1.{encoded}").as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(signature);
    let ticket = format!("k1.{encoded}.{signature}");
    let mut door = Tickets::new("977a26", &signing.public(), at(0)).expect("a key");
    if door.take(&ticket, at(2)).is_ok() {
        // What the door does not read of it may be anything, also no JSON text.
        if let Ok(says) = serde_json::from_slice::<Value>(payload) {
            let field = |name: &str, place: usize| match says.is_array() {
                true => says[place].as_str().expect("a text").to_owned(),
                false => says[name].as_str().expect("a text").to_owned(),
            };
            assert_eq!(field("session", 0), "977a26");
            let issued: DateTime<Utc> = field("issued", 1).parse().expect("a time");
            assert!(issued >= at(0) && issued <= at(32) && at(2) < issued + GOOD_FOR);
        }
        assert!(door.take(&ticket, at(2)).is_err(), "it is good once");
        // For another purpose it is worth nothing.
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(encoded.as_bytes()));
        let other = format!("k1.{encoded}.{signature}");
        assert!(door.take(&other, at(2)).is_err());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        // What describes no key makes no door.
        if let Some(mut door) = Tickets::new("977a26", text, at(0)) {
            assert!(
                GENUINE
                    .iter()
                    .all(|ticket| door.take(ticket, at(2)).is_err())
                    || text == signing.public()
            );
        }
    }
}

fn guests(piece: &[u8]) {
    let mut guests = Guests::default();
    let count = piece.first().map_or(1, |byte| usize::from(*byte) % 40);
    let given: Vec<_> = (0..count).map(|_| guests.welcome()).collect();
    let newest = given.len().saturating_sub(32);
    assert!(given[newest..].iter().all(|key| guests.knows(key)));
    assert!(!given[..newest].iter().any(|key| guests.knows(key)));
    let text = String::from_utf8_lossy(piece);
    assert!(!guests.knows(&text));
    if let Some(key) = given.last() {
        let cut = piece.len() % key.len();
        assert!(!guests.knows(&key[..cut]) && !guests.knows(&format!("{key}{text}x")));
        let changed = format!("{text}{}", key.get(text.len()..).unwrap_or_default());
        assert!(changed == *key || !guests.knows(&changed));
    }
}

const OWN: &str = "https://duckui-977a26.duck.example.com";
const HOST: &str = "duckui-977a26.duck.example.com";
const DUCKDB: &str = "localhost:4213";

/// A request's head, as it would come: a line with method and address, and one for each header.
///
/// Nothing passes that is not for this host, has no cookie that was given out, comes from
/// another page, or brings what DuckDB would take for the next request. Of what passes DuckDB
/// hears only what is on the list, as from its own page.
pub fn gate(data: &[u8]) {
    let Some(head) = head(data) else { return };
    let own = Origin::read(OWN).expect("an origin");
    let verdict = gate::judge(&head, &own, |value| value == "known");
    let headers = &head.headers;
    let all = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let path = head.uri.path();
    let is_guest = all("cookie").any(|line| {
        let mut pairs = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        pairs.any(|pair| pair == b"__Host-duckbot=known")
    });
    if !matches!(verdict, Verdict::Refuse(..)) {
        let host: Vec<_> = all("host").map(<[u8]>::to_ascii_lowercase).collect();
        let with_port = format!("{HOST}:443");
        assert!(host == [HOST.as_bytes()] || host == [with_port.as_bytes()]);
        let authority = head
            .uri
            .authority()
            .map(|it| it.as_str().to_ascii_lowercase());
        assert!(authority.is_none_or(|it| host == [it.as_bytes()]));
        assert!(path.starts_with('/') && head.method != Method::TRACE);
        let has_body = all("transfer-encoding").count() + all("content-length").count() > 0;
        let is_empty =
            all("content-length").all(|it| it == b"0") && all("transfer-encoding").count() == 0;
        assert!(head.method == Method::POST || !has_body || is_empty);
        let origins: Vec<_> = all("origin").collect();
        let is_reading = head.method == Method::GET || head.method == Method::HEAD;
        if origins.is_empty() {
            assert!(is_reading && all("upgrade").count() == 0);
            let site = all("sec-fetch-site").next().unwrap_or(b"none");
            let is_followed = (path == "/" || path == "/.duckbot/enter")
                && all("sec-fetch-mode")
                    .next()
                    .is_none_or(|it| it == b"navigate")
                && all("sec-fetch-dest")
                    .next()
                    .is_none_or(|it| it == b"document");
            assert!(site == b"none" || site == b"same-origin" || is_followed);
        } else {
            assert_eq!(origins, [OWN.as_bytes()]);
        }
        match verdict {
            Verdict::Pass => assert!(is_guest && !path.starts_with("/.duckbot/")),
            Verdict::Stranger => assert!(!is_guest && !path.starts_with("/.duckbot/")),
            Verdict::Enter => assert!(is_reading && path == "/.duckbot/enter"),
            Verdict::Ticket => assert!(head.method == Method::POST && path == "/.duckbot/enter"),
            Verdict::Refuse(..) => {}
        }
    }
    for_duckdb(headers);
    for_the_browser(headers);
    if let Some(origin) = Origin::read(&head.uri.to_string()) {
        let cookie = origin.set_cookie("v");
        assert!(HeaderValue::try_from(cookie).is_ok());
        assert!(
            head.uri
                .authority()
                .is_some_and(|it| !it.as_str().contains('@'))
        );
    }
}

fn head(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let (method, address) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
    let request = Request::builder().method(method).uri(address);
    let mut parts = request.body(()).ok()?.into_parts().0;
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name: HeaderName = std::str::from_utf8(name).ok()?.parse().ok()?;
        let value = HeaderValue::from_bytes(value[1..].trim_ascii()).ok()?;
        parts.headers.append(name, value);
    }
    Some(parts)
}

/// The names that one of the headers of that connection gives to others.
fn is_of_the_connection(headers: &HeaderMap, name: &str) -> bool {
    let of_all = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let mut lines = headers.get_all("connection").iter();
    let is_named = lines.any(|line| {
        let line = line.to_str().unwrap_or_default();
        line.split(',')
            .any(|it| it.trim().eq_ignore_ascii_case(name))
    });
    is_named || of_all.contains(&name)
}

fn is_duckdbs(name: &str) -> bool {
    let prefixes = ["x-duckdb-", "x-md-", "sec-websocket-"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn for_duckdb(asked: &HeaderMap) {
    let mut headers = asked.clone();
    gate::for_duckdb(&mut headers, DUCKDB);
    for name in headers.keys().map(HeaderName::as_str) {
        let plain = [
            "accept",
            "accept-encoding",
            "accept-language",
            "cache-control",
            "content-encoding",
            "content-length",
            "content-type",
            "if-modified-since",
            "if-none-match",
            "pragma",
            "range",
            "user-agent",
        ];
        let is_set = name == "host" || name == "origin";
        assert!(
            plain.contains(&name) || is_duckdbs(name) || is_set,
            "{name}"
        );
        assert!(is_set || !is_of_the_connection(asked, name), "{name}");
        assert!(is_set || headers[name] == asked[name], "{name}");
    }
    let hosts: Vec<_> = headers.get_all("host").iter().collect();
    assert_eq!(hosts, [DUCKDB]);
    let mut origins = headers.get_all("origin").iter();
    assert!(origins.all(|it| it == "http://localhost:4213"));
    assert!(headers.get_all("origin").iter().count() <= 1);
    let once = headers.clone();
    gate::for_duckdb(&mut headers, DUCKDB);
    assert_eq!(headers, once);
}

fn for_the_browser(answered: &HeaderMap) {
    let mut headers = answered.clone();
    gate::for_the_browser(&mut headers);
    for name in [
        "set-cookie",
        "clear-site-data",
        "nel",
        "report-to",
        "alt-svc",
        "refresh",
    ] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let frames: Vec<_> = headers.get_all("x-frame-options").iter().collect();
    assert_eq!(frames, ["DENY"]);
    let is_kept = |name: &&str| headers.contains_key(*name);
    let mut names = answered.keys().map(HeaderName::as_str).filter(is_kept);
    let fixed = ["x-frame-options", "referrer-policy"];
    let is_fixed =
        |it: &str| fixed.contains(&it) || it.starts_with("cross-origin-") || it == "x-robots-tag";
    assert!(names.all(|it| is_fixed(it) || !is_of_the_connection(answered, it)));
}

const TOKEN: &str = "canary-7d0e3b1c95";

/// The settings: the text of the file, and lines `NAME=value` for variables.
///
/// What is taken is within the limits that everything else rests on. The bot's token is in no
/// error, wherever it stands in the variables.
pub fn settings(data: &[u8]) {
    let [file, variables] = texts(data);
    let all = format!("{file}{variables}").to_lowercase();
    // Nothing is read from this machine: a device would never end.
    if all.contains("_file") || all.contains("\\u") || all.contains(TOKEN) {
        return;
    }
    let minimal = [
        ("DUCKBOT_DISCORD__GUILD", "1029384756102938475"),
        ("DUCKBOT_DISCORD_TOKEN", TOKEN),
        ("DUCKBOT_ROUTING__DOMAIN", "duck.example.com"),
        ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
        ("DUCKBOT_SESSIONS__DEFAULT_CATALOG", "lake"),
        ("DUCKBOT_DUCKDB__HTTP_PROXY", "proxy.example.com:3128"),
        ("DUCKBOT_CATALOGS__LAKE__ENDPOINT", "http://catalog:8181/"),
    ];
    // What the file says of these the variables would hide.
    let is_said = |name: &str| {
        let last = name.rsplit("__").next().unwrap_or_default().to_lowercase();
        file.contains(&last)
    };
    let minimal = minimal
        .into_iter()
        .filter(|(name, _)| !is_said(name) || *name == "DUCKBOT_DISCORD_TOKEN");
    let mut given: HashMap<String, String> = minimal
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let lines = variables.lines().filter_map(|line| line.split_once('='));
    // As on any system, a variable has a name.
    let lines = lines.filter(|(name, _)| !name.is_empty() && *name != "DUCKBOT_DISCORD_TOKEN");
    given.extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let path = Path::new("/etc/duckbot/duckbot.toml");
    match Settings::read(Some((path, &file)), given.clone()) {
        Err(wrong) => {
            let text = wrong.to_string();
            assert!(text.starts_with("these settings need a change:\n  "));
            assert!(!text.contains(TOKEN), "{text}");
        }
        Ok(settings) => are_usable(&settings),
    }
    // The usual mistake.
    given.insert("DUCKBOT_DISCORD__TOKEN".to_owned(), TOKEN.to_owned());
    let wrong = Settings::read(Some((path, &file)), given).expect_err("no token goes there");
    assert!(!wrong.to_string().contains(TOKEN), "{wrong}");
}

fn are_usable(settings: &Settings) {
    assert!(!format!("{settings:?}").contains(TOKEN));
    assert_eq!(settings.discord.token.expose_secret(), TOKEN);
    assert!(settings.discord.guild > 0);
    assert!((1..=20).contains(&settings.sessions.per_user));
    assert!(settings.sessions.start_timeout > TimeDelta::zero());
    assert!(settings.size(&settings.sessions.default_size).is_some());
    let catalog = settings.named_catalog(&settings.sessions.default_catalog);
    assert!(catalog.is_some());
    let names = settings.sizes.iter().map(|it| &it.name);
    for name in names.chain(settings.catalogs.iter().map(|it| &it.name)) {
        assert!((1..=LONGEST_NAME).contains(&name.len()), "{name}");
        assert!(
            name.bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-')
        );
        let button = Button::Retry {
            session: "977a26".parse().expect("an id"),
            owner: u64::MAX.into(),
            size: name.clone(),
            catalog: name.clone(),
        };
        let id = button.custom_id();
        assert!(id.len() <= 100 && Button::from_custom_id(&id) == Some(button));
    }
    for catalog in &settings.catalogs {
        assert!(!catalog.endpoint.ends_with('/') && !catalog.endpoint.contains('@'));
        assert_eq!(settings.catalog(&catalog.name).as_deref(), Some(catalog));
    }
    for folder in &settings.duckdb.folders {
        assert!(folder.ends_with('/') && !folder.contains(','));
    }
    let limits = &settings.reaper.limits;
    for length in [limits.lifetime, limits.max_age, limits.idle]
        .into_iter()
        .flatten()
    {
        assert!(length > limits.warn_before && length <= TimeDelta::days(366));
    }
    if let Some(next) = settings.report.schedule.next_after(at(0)) {
        assert!(next > at(0));
    }
    looks_around(limits);
}

/// What these limits do about some session is told without a panic.
fn looks_around(limits: &Limits) {
    let record = record();
    for usage in [
        Usage::Unknown,
        Usage::Busy,
        Usage::Idle(at(0)),
        Usage::Unreachable(at(0)),
    ] {
        for now in [at(0), at(1 << 20), at(1 << 32)] {
            decides(&watched(record.clone(), usage), now, limits);
        }
    }
}

/// Whoever may use the API in this test.
const CALLER: &str = "duckbot_caller";

/// A request to the HTTP API: media type, body, and the headers Idempotency-Key, Authorization
/// and X-Request-Id; last a line of the file with tokens.
///
/// What is taken of a body is what stands in it. No answer depends on what its secrets are, but
/// for their length and the kinds of their characters. Nobody is let in without a token.
pub fn requests(data: &[u8]) {
    let [kind, body, key, shown, id, line] = pieces(data);
    let kind = std::str::from_utf8(kind).ok();
    asked(kind, body);
    let headers = |name: &'static str, value: &[u8]| {
        let value = HeaderValue::from_bytes(value).ok()?;
        Some(HeaderMap::from_iter([(
            HeaderName::from_static(name),
            value,
        )]))
    };
    if let Some(headers) = headers("idempotency-key", key) {
        match api::idempotency(&headers) {
            Ok(Some(RequestId(name))) => {
                assert!((1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic));
                let hex = name.strip_prefix("api-").expect("it says whose it is");
                assert!(hex.len() == 32 && hex.bytes().all(|it| it.is_ascii_hexdigit()));
                assert_eq!(
                    api::idempotency(&headers).ok().flatten(),
                    Some(RequestId(name))
                );
            }
            Ok(None) => panic!("there is a key"),
            Err(problem) => {
                let other = HeaderMap::from_iter([(
                    HeaderName::from_static("idempotency-key"),
                    HeaderValue::from_static(""),
                )]);
                let other = api::idempotency(&other).expect_err("it is empty");
                assert_eq!(document(&problem), document(&other));
            }
        }
    }
    if let Some(headers) = headers("authorization", shown) {
        let admitted = gate_of_the_api(None).admit(&headers);
        let text = String::from_utf8_lossy(shown);
        let (scheme, token) = text.split_once(' ').unwrap_or_default();
        let is_known = scheme.eq_ignore_ascii_case("bearer") && token.trim() == CALLER;
        assert_eq!(admitted.is_ok(), is_known, "{text}");
        // Whoever shows a token that nobody knows is not somebody without one.
        let anonymous = gate_of_the_api(Some(8)).admit(&headers);
        assert_eq!(anonymous.is_ok(), is_known, "{text}");
        assert!(anonymous.is_err() || anonymous.is_ok_and(|it| it.who.id.get() == 7));
    }
    if let Some(headers) = headers("x-request-id", id) {
        let name = api::request_id(&headers);
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
        assert!((1..=64).contains(&name.len()) && name.bytes().all(is_plain));
    }
    if let Ok(line) = std::str::from_utf8(line) {
        token_line(line);
    }
}

fn document(problem: &Problem) -> Value {
    problem.document("r")
}

fn asked(kind: Option<&str>, bytes: &[u8]) {
    let read = |bytes: &[u8]| Body::new(kind, bytes).and_then(api::read);
    let Ok(Value::Object(sent)) = serde_json::from_slice(bytes) else {
        // There is nothing in it, so there are no keys in it.
        assert!(read(bytes).is_err());
        return;
    };
    match read(bytes) {
        Ok(asked) => {
            let text = |name: &str| sent.get(name).and_then(Value::as_str);
            assert_eq!(asked.size.as_deref(), text("size"));
            assert_eq!(asked.catalog.as_deref(), text("catalog"));
            assert_eq!(asked.username.as_deref(), text("username").map(str::trim));
            if let Some(name) = &asked.username {
                assert!((1..=80).contains(&name.chars().count()));
                assert!(!name.contains(char::is_control));
            }
            let uses_stored = sent.get("use_stored_credentials") == Some(&Value::Bool(true));
            assert_eq!(asked.keys.is_none(), uses_stored);
            let values = Field::ALL.map(|field| {
                let value = asked.keys.as_ref().and_then(|keys| keys.value(field));
                value.map(|it| it.expose_secret())
            });
            for (name, value) in SECRETS.into_iter().zip(values) {
                assert_eq!(value, text(name).map(str::trim), "{name}");
                let is_plain = |it: &str| it.bytes().all(|it| it.is_ascii_graphic());
                assert!(value.is_none_or(|it| !it.is_empty() && it.len() < 4000 && is_plain(it)));
            }
        }
        Err(problem) => {
            let mut other = sent;
            for name in SECRETS {
                if let Some(Value::String(text)) = other.get_mut(name) {
                    let alike = |it: char| if it.is_ascii_alphanumeric() { 'Q' } else { it };
                    *text = text.chars().map(alike).collect();
                }
            }
            let other = serde_json::to_vec(&other).expect("it is JSON");
            let other = read(&other).expect_err("it is as wrong as the first");
            assert_eq!(document(&problem), document(&other));
        }
    }
}

/// In the order of [`Field::ALL`].
const SECRETS: [&str; 4] = ["s3_key", "s3_secret", "session_token", "catalog_token"];

fn gate_of_the_api(anonymous: Option<u64>) -> Gate {
    let digest = ring::digest::digest(&ring::digest::SHA256, CALLER.as_bytes());
    Gate::new(&settings::Api {
        listen: ([127, 0, 0, 1], 0).into(),
        tokens: vec![settings::ApiToken {
            name: "caller".to_owned(),
            digest: digest.as_ref().try_into().expect("32 bytes"),
            owner: 7.into(),
            stored_keys: false,
            admin: false,
        }],
        anonymous: anonymous.map(Into::into),
        any_catalog: false,
        channel: None,
        requests_per_minute: 100.try_into().expect("more than 0"),
    })
}

fn token_line(line: &str) {
    if let Some(token) = settings::token(line) {
        assert!(token.owner.get() > 0 && !token.name.contains(char::is_whitespace));
        let hex: String = token.digest.iter().map(|it| format!("{it:02x}")).collect();
        let mut same = format!("{} sha256:{hex} owner={}", token.name, token.owner);
        for (is_so, word) in [(token.stored_keys, " stored-keys"), (token.admin, " admin")] {
            same.push_str(if is_so { word } else { "" });
        }
        assert_eq!(settings::token(&same), Some(token));
    }
    let ask = NewToken {
        name: line.to_owned(),
        owner: line.len() as u64,
        stored_keys: line.len().is_multiple_of(2),
        admin: line.len().is_multiple_of(3),
    };
    if ask.fits_a_line() {
        let (_, line) = api::new_token(&ask).expect("there is randomness");
        assert!(!line.starts_with('#') && line.lines().count() == 1);
        let token = settings::token(&line).expect("it is one");
        assert_eq!((token.name, token.owner.get()), (ask.name, ask.owner));
        assert_eq!(
            (token.stored_keys, token.admin),
            (ask.stored_keys, ask.admin)
        );
    }
}

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// In single quotes.
    Text(String),
    /// In double quotes.
    Name(String),
    /// A word, a number or a sign.
    Other(String),
}

/// Takes SQL apart as DuckDB's grammar has it; none if something is left open.
fn lex(sql: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '\'' | '"' => {
                let mut inner = String::new();
                loop {
                    match rest.next()? {
                        it if it != first => inner.push(it),
                        quote if rest.peek() == Some(&quote) => inner.extend(rest.next()),
                        _ => break,
                    }
                }
                pieces.push(match first {
                    '"' => Piece::Name(inner),
                    // E'…' has escapes, x'…' is something else.
                    _ if matches!(pieces.last(), Some(Piece::Other(it)) if it == "E" || it == "x") => {
                        return None;
                    }
                    _ => Piece::Text(inner),
                });
            }
            '-' if rest.peek() == Some(&'-') => while rest.next().is_some_and(|it| it != '\n') {},
            '/' if rest.peek() == Some(&'*') => return None,
            '$' => return None,
            it if it.is_whitespace() => {}
            it if it.is_alphanumeric() || it == '_' => {
                let mut word = it.to_string();
                while let Some(it) = rest.next_if(|it| it.is_alphanumeric() || *it == '_') {
                    word.push(it);
                }
                pieces.push(Piece::Other(word));
            }
            sign => pieces.push(Piece::Other(sign.to_string())),
        }
    }
    Some(pieces)
}

/// Texts that go into a session's SQL.
///
/// Each is one piece of it, whatever it is made of, and read back it is what it was; and so
/// every statement has the shape that it has with plain words.
pub fn quoting(data: &[u8]) {
    let given: [String; 10] = texts(data);
    for text in &given {
        assert_eq!(lex(&literal(text)), Some(vec![Piece::Text(text.clone())]));
        assert_eq!(
            lex(&identifier(text)),
            Some(vec![Piece::Name(text.clone())])
        );
    }
    let plain = given.each_ref().map(|text| match text.as_str() {
        "" => String::new(),
        text => vec!["x"; text.split(',').count()].join(","),
    });
    let (Some(wild), Some(plain)) = (script(&given), script(&plain)) else {
        return;
    };
    let mut texts = Vec::new();
    assert_eq!(wild.len(), plain.len());
    for (wild, plain) in wild.iter().zip(&plain) {
        let pieces = lex(wild).expect("nothing is left open");
        assert_eq!(
            shape(&pieces),
            shape(&lex(plain).expect("nor is here")),
            "{wild}"
        );
        texts.extend(pieces.into_iter().filter_map(|piece| match piece {
            Piece::Text(text) | Piece::Name(text) => Some(text),
            Piece::Other(_) => None,
        }));
    }
    let [name, warehouse, region, ..] = &given;
    for text in [name, warehouse, region] {
        assert!(texts.contains(text), "{text:?}");
    }
}

fn shape(pieces: &[Piece]) -> Vec<Piece> {
    let blank = |piece: &Piece| match piece {
        Piece::Text(_) => Piece::Text(String::new()),
        Piece::Name(_) => Piece::Name(String::new()),
        other => other.clone(),
    };
    pieces.iter().map(blank).collect()
}

/// Every statement of a session with these texts; none if one of them can't be in a session.
fn script(texts: &[String; 10]) -> Option<Vec<String>> {
    let [
        name,
        warehouse,
        region,
        endpoint,
        scope,
        server,
        proxy,
        folders,
        home,
        error,
    ] = texts;
    let authority = endpoint.replace(['/', '?', '#', '@'], "");
    let s3 = format!("https://s3{authority}");
    let variables = HashMap::from([
        ("HOME", home.as_str()),
        ("DUCKDB_MEMORY", "1024"),
        ("DUCKDB_THREADS", "1"),
        ("DUCKDB_DISK", "1"),
        ("DUCKDB_HTTP_PROXY", proxy.as_str()),
        ("DUCKDB_FOLDERS", folders.as_str()),
        ("DUCKDB_EXTENSIONS", home.as_str()),
        ("S3_REGION", region.as_str()),
        ("S3_ENDPOINT", s3.as_str()),
        ("S3_PATH_STYLE", "true"),
        ("S3_ACCESS_KEY_ID", "x"),
        ("S3_SECRET_ACCESS_KEY", "x"),
        ("CATALOG_NAME", name.as_str()),
        ("CATALOG_WAREHOUSE", warehouse.as_str()),
        ("CATALOG_ENDPOINT", endpoint.as_str()),
        ("CATALOG_OAUTH2_CLIENT_ID", "x"),
        ("CATALOG_OAUTH2_CLIENT_SECRET", "x"),
        ("CATALOG_OAUTH2_SCOPE", scope.as_str()),
        ("CATALOG_OAUTH2_SERVER_URI", server.as_str()),
    ]);
    let variables = variables.into_iter();
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let wanted = environment::read(&variables.collect()).ok()?;
    let script = Script::new(&wanted, None);
    let Script {
        essential,
        access,
        own,
        last,
    } = &script;
    let steps: Vec<_> = [essential, access, own, last]
        .into_iter()
        .flatten()
        .collect();
    let of_step = steps.iter().flat_map(|step| {
        let told = problem(step, error);
        let row = lex(&told[1]).expect("nothing is left open");
        let texts = [step.what.as_str(), error, &step.try_again];
        let texts = texts.map(|text| Piece::Text(text.to_owned()));
        assert!(texts.iter().all(|text| row.contains(text)));
        assert_eq!(
            row.iter().filter(|it| matches!(it, Piece::Text(_))).count(),
            3
        );
        step.statements
            .iter()
            .cloned()
            .chain(told)
            .chain([step.try_again.clone()])
    });
    Some(of_step.collect())
}

/// What a door answers at `/activity`.
///
/// It is read back as it was written. A session with a query that runs is not idle, none is idle
/// from a time to come, and whatever a door says, deciding what to do about it does not fail.
pub fn activity(data: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Activity>(data) else {
        return;
    };
    let text = serde_json::to_string(&said).expect("it is JSON");
    assert_eq!(
        serde_json::from_str::<Activity>(&text).ok(),
        Some(said.clone())
    );
    let limits = limits();
    for now in [at(0), at(3600), at(1 << 20)] {
        let usage = usage(&said, now);
        match usage {
            Usage::Busy => assert!(said.queries > 0),
            Usage::Idle(since) => {
                assert!(said.queries == 0 && since <= now);
                assert!(said.since.is_none_or(|it| it <= since || since == now));
            }
            Usage::Unknown => assert!(said.last_query.is_none() && said.since.is_none()),
            Usage::Unreachable(_) => panic!("it answers"),
        }
        if let Some(due) = decides(&watched(record(), usage), now, &limits) {
            assert!(due.rule != Rule::Idle || matches!(usage, Usage::Idle(_)));
        }
    }
}

fn limits() -> Limits {
    Limits {
        lifetime: Some(TimeDelta::days(1)),
        max_age: Some(TimeDelta::days(365)),
        idle: Some(TimeDelta::hours(2)),
        warn_before: TimeDelta::minutes(15),
        extend_budget: TimeDelta::days(2),
        left_guild: Some(TimeDelta::days(7)),
        orphans: Some(TimeDelta::minutes(10)),
        unreachable: TimeDelta::minutes(10),
        stops_per_sweep: 5,
        largest_share: 50,
    }
}

/// A session that has been there since 0 and runs.
fn record() -> Record {
    let text = r#"{
        "version": 4, "id": "977a26", "request": "1042", "owner": "7", "slot": 0,
        "display_name": "Ana", "size": "small", "catalog": "lake", "channel": "5",
        "created": "2027-01-15T08:00:00Z", "keys_expire": null, "keys_warned": false,
        "ready": "2027-01-15T08:00:20Z", "announcement": "99", "stage": "running"
    }"#;
    Record::read(text).expect("a record")
}

fn observed(record: Record, pod: Option<Pod>) -> Observed {
    Observed {
        record,
        uid: "u".to_owned(),
        revision: "1".to_owned(),
        service: pod.is_some(),
        route: pod.is_some(),
        pod,
    }
}

fn watched(record: Record, usage: Usage) -> Watched {
    Watched {
        seen: observed(record, Some(Pod::new(PodState::Ready))),
        usage,
        left: None,
        awake: at(0),
    }
}

/// Decides about one session; what would stop it.
fn decides(watched: &Watched, now: DateTime<Utc>, limits: &Limits) -> Option<Due> {
    let due = due(watched, now, limits);
    let orphan = Orphan {
        id: watched.seen.record.id.clone(),
        since: watched.seen.record.created,
    };
    let left = HashMap::from([(watched.seen.record.owner, watched.seen.record.created)]);
    let all = plan(std::slice::from_ref(watched), &[orphan], &left, now, limits);
    assert!(
        due.is_some()
            || !all
                .takedowns()
                .any(|it| matches!(it, duckbot::session::Action::Stop(..)))
    );
    let longer = extension(watched, TimeDelta::hours(1), now, limits);
    assert!(longer.is_none_or(|it| it > TimeDelta::zero() && it <= TimeDelta::hours(1)));
    due
}

/// What is read from the cluster: a session's record, or the ledger.
///
/// What is read is written such that it is read as the same, also after whatever is done to it;
/// and deciding what to do about it does not fail.
pub fn documents(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(record) = Record::read(text) {
        goes_on(&record);
    }
    if let Ok(ledger) = Ledger::read(text) {
        is_kept(&ledger);
    }
}

fn stays(record: &Record) {
    let text = serde_json::to_string(record).expect("it is JSON");
    assert_eq!(Record::read(&text).as_ref(), Ok(record));
}

fn goes_on(record: &Record) {
    assert_eq!(record.version, duckbot::session::RECORD_VERSION);
    stays(record);
    let policy = Policy {
        start_timeout: TimeDelta::minutes(5),
        key_warning: TimeDelta::hours(1),
        ends_failed: true,
        ends_late: true,
    };
    let incident = Incident::new(Default::default(), "gone");
    for now in [record.created, at(0)] {
        for state in [
            PodState::Ready,
            PodState::Going,
            PodState::Stuck(incident.clone()),
            PodState::Taken(incident.clone()),
            PodState::Coming {
                station: Station::Pulling(record.created),
                incident: Some(incident.clone()),
            },
        ] {
            let mut pod = Pod::new(state);
            pod.unready_since = Some(record.created);
            next_step(&observed(record.clone(), Some(pod)), now, &policy);
        }
        next_step(&observed(record.clone(), None), now, &policy);
        for usage in [
            Usage::Busy,
            Usage::Idle(record.created),
            Usage::Unreachable(record.created),
        ] {
            decides(&watched(record.clone(), usage), now, &limits());
        }
    }
    usual_start(&[observed(record.clone(), None)]);
    let warning = Warning {
        rule: Rule::Idle,
        since: record.created,
        at: at(60),
    };
    let other = match record.id.to_string().as_str() {
        "1b2c3d" => "977a26",
        _ => "1b2c3d",
    };
    let other = other.parse().expect("an id");
    for next in [
        record.ended(Cause::Lost, at(1)),
        record.announced(Some(9.into()), at(1), 2),
        record.moving(incident.clone()),
        record.moving(incident).resumed(Some(at(9)), at(1)),
        record.extended_by(TimeDelta::days(1), at(1)),
        record
            .warned_of(warning)
            .warned_of_keys()
            .told_of_restarts(3),
        record.with_own_keys(),
        record.renewed(other, None, at(1)),
        record.told(),
    ] {
        stays(&next);
        // A session that is being taken down stays so; what takes its place is another one.
        assert!(!record.is_stopping() || next.is_stopping() || next.id != record.id);
        assert!(
            next.stage != Stage::Starting
                || next.keys != Keys::Awaited
                || record.keys == Keys::Awaited
        );
    }
}

fn is_kept(ledger: &Ledger) {
    assert_eq!(Ledger::read(&ledger.write()).as_ref(), Ok(ledger));
    let record = record();
    let cause = Cause::Stopped { by: 7.into() };
    let ended = record.ended(cause, at(3600));
    let ending = ended.ending().expect("it ends");
    let running = || {
        vec![Running {
            record: record.clone(),
            due: None,
            unreachable: None,
        }]
    };
    let with = ledger.with(&ended, ending);
    assert_eq!(with.with(&ended, ending), with, "it is counted once");
    let claimed = with.claimed_at(at(3700), [&record]);
    assert!(claimed.claimed().is_some() && claimed.pending_report(running()).is_some());
    for next in [
        ledger.knowing([9.into()]),
        ledger.without(7.into()),
        ledger.seen(&[(7.into(), false)], at(1)),
        ledger.reported(at(1)),
        with,
        claimed,
    ] {
        assert_eq!(Ledger::read(&next.write()).as_ref(), Ok(&next));
        let report = next.report(running(), at(7200));
        assert!(report.sessions >= report.there && report.there >= 1);
        let waits = next.pending_report(running());
        assert!(waits.is_none_or(|report| report.sessions >= report.there));
    }
}
