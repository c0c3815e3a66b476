//! The decision about a request, based on its head alone, and the headers that pass. Pure.

use hyper::{
    HeaderMap, Method, StatusCode, Uri,
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};

/// Prefix of the paths that the door serves itself.
pub const RESERVED_PREFIX: &str = "/.duckbot/";
/// Path of the page that submits a ticket.
pub const ENTER_PATH: &str = "/.duckbot/enter";
/// Path of the console's page. Its files and calls are below.
pub const CONSOLE_PATH: &str = "/.duckbot/console";
/// Path of Quack, the protocol of DuckDB clients.
pub const QUACK_PATH: &str = "/quack";

/// Origin of a session's URL, such as `https://duckui-977a26.duck.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    /// Host in lower case, with the port if the URL names one.
    authority: String,
    is_https: bool,
}

impl Origin {
    /// Parses an origin. Returns `None` unless it is `http` or `https` with a host and no path.
    pub fn read(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str().to_ascii_lowercase();
        let text = format!("{}://{authority}", uri.scheme_str()?);
        (uri.path() == "/" && !authority.contains('@')).then_some(Self {
            text,
            authority,
            is_https,
        })
    }

    /// Name of the cookie. Browsers accept `__Host-` only from exactly this host, with TLS.
    pub fn cookie(&self) -> &'static str {
        if self.is_https {
            "__Host-duckbot"
        } else {
            "duckbot"
        }
    }

    /// Value of the `Set-Cookie` header.
    pub fn set_cookie(&self, value: &str) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        let name = self.cookie();
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")
    }

    fn is_host(&self, host: &str) -> bool {
        let default = if self.is_https { ":443" } else { ":80" };
        let host = host.to_ascii_lowercase();
        host == self.authority || host.strip_suffix(default) == Some(&self.authority)
    }
}

/// Text for a host without a session.
pub const NO_SESSION: &str = "There is no session at this address. Yours may have ended. Type \
                              /duck list in Discord to see your sessions.";

/// Text for a path that the door does not have.
pub(super) const NO_PAGE: &str =
    "There is no such page. Press Open in Discord to open the session.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Pass the request to DuckDB.
    Forward,
    /// Let the console answer.
    Console,
    /// Pass the request of a DuckDB client, if its key is valid.
    Client,
    /// Show the page that submits a ticket.
    EnterPage,
    /// Check the ticket in the request's body.
    RedeemTicket,
    /// Show the page for browsers without a valid cookie.
    Unauthenticated,
    /// Refuse the request, with a status and a reason.
    Refuse(StatusCode, &'static str),
}

/// Decides about a request to the session at `own`. `has_session` returns true for the value
/// of a valid cookie.
pub fn evaluate(request: &Parts, own: &Origin, has_session: impl Fn(&str) -> bool) -> Decision {
    let headers = &request.headers;
    let refuse = Decision::Refuse;
    match host(request) {
        Some(host) if own.is_host(host) => {}
        Some(_) => {
            return refuse(StatusCode::MISDIRECTED_REQUEST, NO_SESSION);
        }
        None => {
            return refuse(
                StatusCode::BAD_REQUEST,
                "The request must name exactly one host.",
            );
        }
    }
    if request.uri.path() == QUACK_PATH {
        let is_client = request.method == Method::POST && !is_from_page(headers);
        return if is_client {
            Decision::Client
        } else {
            refuse(
                StatusCode::FORBIDDEN,
                "Only DuckDB clients can use this address.",
            )
        };
    }
    let is_reading = request.method == Method::GET || request.method == Method::HEAD;
    let is_posting = request.method == Method::POST;
    let path = request.uri.path();
    // DuckDB ignores the case of a path and decodes it, so other spellings would also be queries.
    let is_plain = |byte: u8| byte != b'%' && !byte.is_ascii_uppercase();
    if !(path.starts_with('/') && (is_reading || is_posting && path.bytes().all(is_plain))) {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Sessions don't support this path or method.",
        );
    }
    if !is_posting && has_body(headers) {
        // DuckDB doesn't read such a body, and would mistake it for the next request.
        return refuse(
            StatusCode::BAD_REQUEST,
            "Only a POST request can have a body.",
        );
    }
    if !is_same_origin(request, own, is_reading) {
        return refuse(
            StatusCode::FORBIDDEN,
            "This request did not come from the session's own page. Press Open in Discord to open \
             the session.",
        );
    }
    let is_console = is_of_console(path);
    if path.starts_with(RESERVED_PREFIX) && !is_console {
        return match (request.uri.path(), &request.method) {
            (ENTER_PATH, &Method::POST) => Decision::RedeemTicket,
            (ENTER_PATH, _) if is_reading => Decision::EnterPage,
            _ => refuse(StatusCode::NOT_FOUND, NO_PAGE),
        };
    }
    if cookies(headers, own.cookie())
        .any(|value| std::str::from_utf8(value).is_ok_and(&has_session))
    {
        if is_console {
            Decision::Console
        } else {
            Decision::Forward
        }
    } else {
        Decision::Unauthenticated
    }
}

/// Returns true if a request has a header that only browsers send. A page can't leave them out.
fn is_from_page(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName| headers.contains_key(name);
    let is_metadata = |name: &HeaderName| name.as_str().starts_with("sec-fetch-");
    has(&header::ORIGIN) || has(&header::COOKIE) || headers.keys().any(is_metadata)
}

fn is_of_console(path: &str) -> bool {
    let rest = path.strip_prefix(CONSOLE_PATH);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn has_body(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    headers.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0")
}

/// The requested host, if the request names exactly one.
fn host(request: &Parts) -> Option<&str> {
    let mut all = request.headers.get_all(header::HOST).iter();
    let host = all.next()?.to_str().ok()?;
    let is_same = match request.uri.authority() {
        Some(authority) => authority.as_str().eq_ignore_ascii_case(host),
        None => true,
    };
    (all.next().is_none() && is_same).then_some(host)
}

/// Returns true if the request comes from the session's own page, the address bar or a link.
/// Browsers say so in `Origin` and `Sec-Fetch-*`, which no page can change. SameSite cookies
/// are not enough, because other people's sessions are on the same site.
fn is_same_origin(request: &Parts, own: &Origin, is_reading: bool) -> bool {
    let headers = &request.headers;
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_upgrade = headers.contains_key(header::UPGRADE);
    match (origins.next(), origins.next()) {
        (Some(origin), None) => return origin.as_bytes() == own.text.as_bytes(),
        (Some(_), Some(_)) => return false,
        // Browsers omit `Origin` if a page of the same origin only reads.
        (None, _) => {
            if !is_reading || is_upgrade {
                return false;
            }
        }
    }
    let says = |name: &str, values: &[&str]| {
        let value = headers.get(name).map(HeaderValue::as_bytes);
        value.is_none_or(|value| values.iter().any(|it| it.as_bytes() == value))
    };
    // Links may lead to these pages. All other paths are interfaces.
    let is_linked = ["/", ENTER_PATH, CONSOLE_PATH].contains(&request.uri.path());
    says("sec-fetch-site", &["same-origin", "none"])
        || (is_linked
            && says("sec-fetch-mode", &["navigate"])
            && says("sec-fetch-dest", &["document"]))
}

/// Values of the cookies called `name`.
fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    // Compare bytes. Another session can set a cookie that is not text for the whole domain,
    // and that must not hide this session's cookie.
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })
}

/// Headers that belong to one connection (RFC 9110, section 7.6.1), or are for proxies only.
const HOP_BY_HOP_HEADERS: [&str; 9] = [
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

/// Removes the headers that belong to the connection.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    remove_headers(headers, |name| {
        named.contains(name) || HOP_BY_HOP_HEADERS.contains(&name.as_str())
    });
}

fn remove_headers(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| unwanted(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// Request headers that reach DuckDB, besides its own and those of a WebSocket. All others may
/// be private, or come from proxies: cookies, tokens, addresses. (DuckDB's `/localToken` would
/// also hand out a token for a `Referer`.)
const REQUEST_HEADERS: [HeaderName; 14] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::ORIGIN,
    header::PRAGMA,
    header::RANGE,
    header::USER_AGENT,
];

/// Response headers that reach the browser, besides DuckDB's own and those of a WebSocket.
/// The UI's pages come from a third party. Its headers could affect other sessions' hosts
/// (`Clear-Site-Data`) or report this session to others (`NEL`).
const RESPONSE_HEADERS: [HeaderName; 16] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_SECURITY_POLICY,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::VARY,
    header::X_CONTENT_TYPE_OPTIONS,
];

/// Keeps the headers in `known`, DuckDB's own, and those of a WebSocket.
fn retain_headers(headers: &mut HeaderMap, known: &[HeaderName]) {
    let is_ours = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("x-duckdb-")
            || name.starts_with("x-md-")
            || name.starts_with("sec-websocket-")
    };
    remove_headers(headers, |name| !known.contains(name) && !is_ours(name));
}

/// Rewrites a browser's headers so that DuckDB accepts them and gets nothing private.
pub fn rewrite_request_headers(headers: &mut HeaderMap, duckdb: &'static str) {
    strip_hop_by_hop(headers);
    retain_headers(headers, &REQUEST_HEADERS);
    if headers.contains_key(header::ORIGIN) {
        let origin = format!("http://{duckdb}");
        let origin = HeaderValue::try_from(origin).expect("the origin is ASCII");
        headers.insert(header::ORIGIN, origin);
    }
    headers.insert(header::HOST, HeaderValue::from_static(duckdb));
}

/// Removes harmful headers from DuckDB's answer, and adds protective ones.
pub fn rewrite_response_headers(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    retain_headers(headers, &RESPONSE_HEADERS);
    for (name, value) in [
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            // A page that opened this one gets no reference to its window.
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin-allow-popups",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const OWN: &str = "https://duckui-977a26.duck.example.com";
    const HOST: (&str, &str) = ("host", "duckui-977a26.duck.example.com");
    const GUEST: (&str, &str) = ("cookie", "a=b; __Host-duckbot=known");
    const FROM_HERE: (&str, &str) = ("origin", OWN);

    fn own() -> Origin {
        Origin::read(OWN).expect("an origin")
    }

    fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn decision(method: &str, path: &str, headers: &[(&str, &str)]) -> Decision {
        evaluate(&head(method, path, headers), &own(), |value| {
            value == "known"
        })
    }

    fn status(decision: Decision) -> u16 {
        match decision {
            Decision::Refuse(status, _) => status.as_u16(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for text in [
            "",
            "duck",
            "ftp://x",
            "https://",
            "https://x/y",
            "https://a@x",
        ] {
            assert_eq!(Origin::read(text), None, "{text:?}");
        }
        let local = Origin::read("http://duckui-977a26.localhost:4200").expect("an origin");
        assert_eq!(
            local.set_cookie("v"),
            "duckbot=v; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            own().set_cookie("v"),
            "__Host-duckbot=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
    }

    #[test]
    fn a_browser_with_a_valid_cookie_passes_and_others_do_not() {
        assert_eq!(decision("GET", "/", &[HOST, GUEST]), Decision::Forward);
        assert_eq!(
            decision("POST", "/ddb/run", &[HOST, GUEST, FROM_HERE]),
            Decision::Forward
        );
        let beside = HeaderValue::from_bytes(b"x=\xff; __Host-duckbot=known").expect("a value");
        let mut request = head("GET", "/", &[HOST]);
        request.headers.insert("cookie", beside);
        let with_bytes = evaluate(&request, &own(), |value| value == "known");
        assert_eq!(with_bytes, Decision::Forward, "another cookie is not text");
        for cookie in [
            "",
            "duckbot=known",
            "__Host-duckbot=other",
            "x__Host-duckbot=known",
        ] {
            let headers = [HOST, ("cookie", cookie)];
            assert_eq!(
                decision("GET", "/", &headers),
                Decision::Unauthenticated,
                "{cookie}"
            );
        }
        assert_eq!(decision("GET", ENTER_PATH, &[HOST]), Decision::EnterPage);
        assert_eq!(
            decision("POST", ENTER_PATH, &[HOST, FROM_HERE]),
            Decision::RedeemTicket
        );
        assert_eq!(status(decision("GET", "/.duckbot/x", &[HOST, GUEST])), 404);
        assert_eq!(
            status(decision("POST", "/.duckbot/x", &[HOST, FROM_HERE])),
            404
        );
    }

    #[test]
    fn the_console_needs_a_cookie_and_its_calls_come_from_its_page() {
        let call = "/.duckbot/console/run";
        let link = [
            HOST,
            GUEST,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        for path in [CONSOLE_PATH, "/.duckbot/console/main.js"] {
            assert_eq!(decision("GET", path, &[HOST, GUEST]), Decision::Console);
            assert_eq!(decision("GET", path, &[HOST]), Decision::Unauthenticated);
        }
        assert_eq!(
            decision("POST", call, &[HOST, GUEST, FROM_HERE]),
            Decision::Console
        );
        assert_eq!(
            decision("POST", call, &[HOST, FROM_HERE]),
            Decision::Unauthenticated
        );
        assert_eq!(decision("GET", CONSOLE_PATH, &link), Decision::Console);
        assert_eq!(
            status(decision("GET", "/.duckbot/console/files/1", &link)),
            403
        );
        assert_eq!(status(decision("POST", call, &[HOST, GUEST])), 403);
        let elsewhere = [HOST, GUEST, ("origin", "https://evil.example")];
        assert_eq!(status(decision("POST", call, &elsewhere)), 403);
        for path in ["/.duckbot/consoles", "/.duckbot/console%2frun"] {
            assert_ne!(
                decision("GET", path, &[HOST, GUEST]),
                Decision::Console,
                "{path}"
            );
        }
    }

    #[test]
    fn only_the_sessions_own_host_is_accepted() {
        for host in [
            "DUCKUI-977a26.duck.example.com",
            "duckui-977a26.duck.example.com:443",
        ] {
            assert_eq!(
                decision("GET", "/", &[("host", host), GUEST]),
                Decision::Forward,
                "{host}"
            );
        }
        for host in [
            "duckui-1b2c3d.duck.example.com",
            "localhost:4213",
            "duckui-977a26.duck.example.com:8080",
            "duckui-977a26.duck.example.com.evil.example",
        ] {
            assert_eq!(
                status(decision("GET", "/", &[("host", host), GUEST])),
                421,
                "{host}"
            );
        }
        assert_eq!(status(decision("GET", "/", &[GUEST])), 400);
        assert_eq!(status(decision("GET", "/", &[HOST, HOST, GUEST])), 400);
        let absolute = format!("{OWN}/x");
        assert_eq!(
            decision("GET", &absolute, &[HOST, GUEST]),
            Decision::Forward
        );
        assert_eq!(
            status(decision("GET", "https://evil.example/x", &[HOST, GUEST])),
            400
        );
    }

    #[test]
    fn requests_of_other_pages_are_refused() {
        let site = |value| ("sec-fetch-site", value);
        let origin = |value| ("origin", value);
        for headers in [
            &[origin("https://evil.example")][..],
            &[origin("null")],
            &[origin("https://duckui-1b2c3d.duck.example.com")],
            &[origin("http://duckui-977a26.duck.example.com")],
            &[FROM_HERE, origin("https://evil.example")],
            &[
                site("cross-site"),
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "script"),
            ],
            &[
                site("same-site"),
                ("sec-fetch-mode", "cors"),
                ("sec-fetch-dest", "empty"),
            ],
            &[
                site("cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ],
        ] {
            let all: Vec<_> = [HOST, GUEST]
                .into_iter()
                .chain(headers.iter().copied())
                .collect();
            assert_eq!(status(decision("GET", "/ddb/x", &all)), 403, "{headers:?}");
        }
        assert_eq!(status(decision("POST", "/ddb/run", &[HOST, GUEST])), 403);
        assert_eq!(status(decision("POST", ENTER_PATH, &[HOST])), 403);
        let socket = [HOST, GUEST, ("upgrade", "websocket")];
        assert_eq!(status(decision("GET", "/x", &socket)), 403);
        // A link in a chat may be followed.
        let link = [
            HOST,
            GUEST,
            site("cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(decision("GET", "/", &link), Decision::Forward);
        assert_eq!(decision("GET", ENTER_PATH, &link), Decision::EnterPage);
        assert_eq!(status(decision("GET", "/localEvents", &link)), 403);
    }

    #[test]
    fn bodies_and_methods_that_sessions_do_not_support_are_refused() {
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let refused = decision(method, "/info", &[HOST, GUEST, FROM_HERE]);
            assert_eq!(status(refused), 400, "{method}");
        }
        for body in [("content-length", "9"), ("transfer-encoding", "chunked")] {
            for method in ["GET", "HEAD"] {
                let headers = [HOST, GUEST, FROM_HERE, body];
                assert_eq!(status(decision(method, "/info", &headers)), 400, "{method}");
            }
            let headers = [HOST, GUEST, FROM_HERE, body];
            assert_eq!(decision("POST", "/ddb/run", &headers), Decision::Forward);
        }
        let empty = [HOST, GUEST, ("content-length", "0")];
        assert_eq!(decision("GET", "/", &empty), Decision::Forward);
    }

    #[test]
    fn duckdb_gets_no_private_header() {
        let mut headers = head(
            "POST",
            "/ddb/run",
            &[
                HOST,
                GUEST,
                FROM_HERE,
                ("referer", OWN),
                ("authorization", "Basic x"),
                ("connection", "close, x-mine"),
                ("x-mine", "1"),
                ("x-forwarded-for", "10.0.0.1"),
                ("forwarded", "for=10.0.0.1"),
                ("cf-access-jwt-assertion", "a.b.c"),
                ("te", "trailers"),
                ("x-duckdb-ui-connection-name", "mine"),
                ("content-type", "text/plain"),
            ],
        )
        .headers;
        rewrite_request_headers(&mut headers, "localhost:4213");
        let mut left: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")))
            .collect();
        left.sort();
        let expected = [
            "content-type: text/plain",
            "host: localhost:4213",
            "origin: http://localhost:4213",
            "x-duckdb-ui-connection-name: mine",
        ];
        assert_eq!(left, expected);
    }
}
