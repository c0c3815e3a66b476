//! Decisions of a door about requests.

use duckbot::door::policy;
use duckbot::door::policy::{Decision, Origin};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request};

const OWN: &str = "https://duckui-977a26.duck.example.com";

const HOST: &str = "duckui-977a26.duck.example.com";

const DUCKDB: &str = "localhost:4213";

/// The head of a request: a line with method and URL, and a line for each header.
///
/// A request passes only if it is for this host, has a valid cookie, does not come from another
/// page, and has no body that DuckDB might read as the next request. DuckDB gets only headers
/// from an allow list, as if from its own page.
pub fn policy(data: &[u8]) {
    let Some(head) = head(data) else { return };
    let own = Origin::read(OWN).expect("the origin is valid");
    let decision = policy::evaluate(&head, &own, |value| value == "known");
    let headers = &head.headers;
    let all = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let path = head.uri.path();
    let has_session = all("cookie").any(|line| {
        let mut pairs = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        pairs.any(|pair| pair == b"__Host-duckbot=known")
    });
    if !matches!(decision, Decision::Refuse(..)) {
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
        if decision == Decision::Client {
            let of_browsers = head.headers.keys().filter(|name| {
                ["origin", "cookie"].contains(&name.as_str())
                    || name.as_str().starts_with("sec-fetch-")
            });
            assert_eq!(of_browsers.count(), 0);
        } else if origins.is_empty() {
            assert!(is_reading && all("upgrade").count() == 0);
            let site = all("sec-fetch-site").next().unwrap_or(b"none");
            let is_followed = ["/", "/.duckbot/enter", "/.duckbot/console"].contains(&path)
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
        let is_console = path == "/.duckbot/console" || path.starts_with("/.duckbot/console/");
        let is_reserved = path.starts_with("/.duckbot/");
        match decision {
            Decision::Forward => assert!(has_session && !is_reserved),
            Decision::Console => assert!(has_session && is_console),
            Decision::Unauthenticated => assert!(!has_session && (is_console || !is_reserved)),
            Decision::EnterPage => assert!(is_reading && path == "/.duckbot/enter"),
            Decision::RedeemTicket => {
                assert!(head.method == Method::POST && path == "/.duckbot/enter")
            }
            Decision::Client => assert!(head.method == Method::POST && path == "/quack"),
            Decision::Refuse(..) => {}
        }
    }
    rewrite_request_headers(headers);
    rewrite_response_headers(headers);
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

/// Returns true if `name` is a hop-by-hop header, or the `Connection` header names it.
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

fn rewrite_request_headers(asked: &HeaderMap) {
    let mut headers = asked.clone();
    policy::rewrite_request_headers(&mut headers, DUCKDB);
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
    policy::rewrite_request_headers(&mut headers, DUCKDB);
    assert_eq!(headers, once);
}

fn rewrite_response_headers(answered: &HeaderMap) {
    let mut headers = answered.clone();
    policy::rewrite_response_headers(&mut headers);
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
