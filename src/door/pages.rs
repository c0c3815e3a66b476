//! The door's own answers: short pages, or plain text for clients that show no pages.

use std::{sync::LazyLock, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::{
    answer::QueryError,
    body::{Body, full_body},
    outcome::RequestOutcome,
    policy::NO_SESSION,
    queue::MAX_QUEUED,
    ticket::{self, TicketError},
};
use crate::unicode::{is_invisible, is_layout_control};

/// Maximum time for DuckDB to fetch the first page of its UI. Without an answer, DuckDB itself tries
/// for half a minute, and the person would see nothing.
pub(super) const FIRST_PAGE_TIMEOUT: Duration = Duration::from_secs(8);

/// Part of the page that submits a ticket, and of no other.
const ENTER_MARK: &str = "<span id=\"say\">Opening DuckDB…</span>";

/// Returns true if this is a door's page at [`ENTER_PATH`](super::ENTER_PATH). Other servers may answer
/// at the address of a session.
pub fn is_enter_page(page: &str) -> bool {
    page.contains(ENTER_MARK)
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("enter.js");

/// Content security policy of the door's own pages. It allows their inline style and script, and
/// requests to the door.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    HeaderValue::try_from(policy).expect("the policy is ASCII")
});

/// Page of the door: a title and a few paragraphs, with an HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    status: StatusCode,
    /// Title in HTML, as the paragraphs.
    title: String,
    /// Paragraphs in HTML. Inserted text is escaped with [`escape_html`] or [`name_html`].
    paragraphs: Vec<String>,
    /// Seconds until the browser loads the page again.
    refresh_seconds: Option<u8>,
    /// True if the page contains [`SCRIPT`].
    script: bool,
    outcome: RequestOutcome,
}

impl Page {
    fn new(status: StatusCode, title: impl Into<String>, paragraphs: &[&str]) -> Self {
        Self {
            status,
            title: title.into(),
            paragraphs: paragraphs.iter().map(|it| (*it).to_owned()).collect(),
            refresh_seconds: None,
            script: false,
            outcome: RequestOutcome::Done,
        }
    }

    fn refusing(self, reason: &'static str) -> Self {
        let outcome = RequestOutcome::Refused(reason);
        Self { outcome, ..self }
    }

    /// Page for browsers without a valid cookie.
    pub(super) fn unauthenticated(session: &str, owner: &str) -> Self {
        let how = format!(
            "Only {} can open this session. In Discord, press <b>Open</b> under the message about \
             session <code>{}</code>, or type <code>/duck open</code>.",
            name_html(owner),
            escape_html(session),
        );
        let title = format!("{}'s DuckDB", name_html(owner));
        let small = format!(
            "<small>You get a link that is valid for {} and works in one browser.</small>",
            ticket::lifetime()
        );
        Self::new(StatusCode::UNAUTHORIZED, title, &[&how, &small])
            .refusing("the browser has no valid cookie of this session")
    }

    /// Page whose script submits the ticket from the URL's fragment, and then opens DuckDB.
    pub(super) fn enter(owner: &str) -> Self {
        let inside =
            "<small>Already opened in this browser? <a href=\"/\">Go to DuckDB</a>.</small>";
        let without = "<noscript>This page and DuckDB's UI need JavaScript. Turn it on.</noscript>";
        Self {
            script: true,
            ..Self::new(
                StatusCode::OK,
                format!("{}'s DuckDB", name_html(owner)),
                &[ENTER_MARK, inside, without],
            )
        }
    }

    /// Page until DuckDB answers for the first time.
    pub(super) fn starting() -> Self {
        let how = "This page opens it as soon as it is ready.";
        let then = "<small>If this takes more than a minute, type <code>/duck doctor</code> in Discord \
                    to find out why.</small>";
        Self {
            refresh_seconds: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "Your DuckDB is starting",
                &[how, then],
            )
        }
    }

    /// Page for requests that DuckDB does not answer, although it has answered before.
    pub(super) fn unavailable() -> Self {
        let why = "It is restarting, or too busy at the moment. This page reloads by itself.";
        let then = "<small>If this does not change, type <code>/duck doctor</code> in Discord to \
                    find out why.</small>";
        Self {
            refresh_seconds: Some(3),
            outcome: RequestOutcome::Failed("DuckDB does not respond"),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "DuckDB does not respond yet",
                &[why, then],
            )
        }
    }

    /// Page if DuckDB can't fetch the UI's pages.
    pub(super) fn assets_unreachable(has_console: bool) -> Self {
        let why = "Your DuckDB is running, but it can't fetch the pages of its UI from \
                   <code>https://ui.duckdb.org</code>. This page tries again by itself.";
        let instead = if has_console {
            "The console works without these pages. <a href=\"/.duckbot/console\">Go to the console</a>."
        } else {
            "Queries work without these pages. In Discord, <code>/duck sql</code> runs a query, \
             <code>/duck tables</code> lists the team's tables, and <code>/duck describe</code> shows \
             the columns of one."
        };
        let admin = "<small>If this does not change, tell an admin: allow the sessions to reach \
                     ui.duckdb.org on port 443, or set a proxy with the setting \
                     <code>duckdb.http_proxy</code>.</small>";
        Self {
            refresh_seconds: Some(10),
            outcome: RequestOutcome::Failed("DuckDB can't fetch the pages of its UI"),
            ..Self::new(
                StatusCode::BAD_GATEWAY,
                "The pages of DuckDB's UI can't be loaded",
                &[why, instead, admin],
            )
        }
    }

    /// Page for requests that find too many others in progress.
    pub(super) fn too_many_requests() -> Self {
        Self::unavailable().refusing("too many requests are in progress")
    }

    /// Page for requests with a body of more than `most` bytes.
    pub(super) fn too_large(most: usize) -> Self {
        let most = match most >> 20 {
            0 => format!("{} KiB", most >> 10),
            mib => format!("{mib} MiB"),
        };
        let most = format!(
            "A request like this can be at most {most}. Split the query into smaller ones."
        );
        let title = "The request is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, title, &[&most]).refusing("the body is too large")
    }

    /// Page for requests whose body stops before its end.
    pub(super) fn too_slow() -> Self {
        let why = "The request stopped before it was complete. Try again.";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "The request took too long",
            &[why],
        )
        .refusing("the body ended before it was complete")
    }

    /// Page for a host without a session.
    pub(super) fn unknown_host() -> Self {
        Self::refused(StatusCode::MISDIRECTED_REQUEST, NO_SESSION)
    }

    /// Page for a ticket whose submission was cancelled because too many others came.
    pub(super) fn busy() -> Self {
        let why =
            "Other links are being opened at the same time. Press Open in Discord to try again.";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many links at once",
            &[why],
        )
        .refusing("too many links are opened at once")
    }

    /// Page for requests that the policy refuses.
    pub(super) fn refused(status: StatusCode, why: &'static str) -> Self {
        let title = match why {
            NO_SESSION => "No session here",
            _ => "Request refused",
        };
        Self {
            outcome: RequestOutcome::refused_as_told(why),
            ..Self::new(status, title, &[why])
        }
    }

    /// Page for a file of the console that can't be sent. `why` may quote the request.
    pub(super) fn no_file(status: StatusCode, why: &str, outcome: RequestOutcome) -> Self {
        Self {
            outcome,
            ..Self::new(status, "Request refused", &[why])
        }
    }

    /// Page for tickets that are not accepted.
    pub(super) fn rejected(error: TicketError) -> Self {
        let why = match error {
            TicketError::Forged | TicketError::OtherSession => {
                "This link is not valid for this session.".to_owned()
            }
            TicketError::Expired => format!(
                "This link has expired. Links are valid for {}.",
                ticket::lifetime()
            ),
            TicketError::BeforeStart => {
                "This session was restarted after you got this link.".to_owned()
            }
            TicketError::Used => "This link was already used. Each link works once.".to_owned(),
        };
        let then = "Press Open in Discord to get a new one.";
        Self::new(StatusCode::FORBIDDEN, "Link rejected", &[&why, then]).refusing(match error {
            TicketError::Forged => "the link is forged or damaged",
            TicketError::OtherSession => "the link is for another session",
            TicketError::Expired => "the link has expired",
            TicketError::BeforeStart => "the link is older than this door",
            TicketError::Used => "the link was used before",
        })
    }

    /// Answers with HTML if the client accepts it or the page has a script, else with plain text.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let accept = request.get(header::ACCEPT);
        let is_page = accept
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("text/html"));
        let (kind, text) = if is_page || self.script {
            ("text/html; charset=utf-8", self.html())
        } else {
            ("text/plain; charset=utf-8", self.plain())
        };
        let mut answer = Response::new(full_body(text));
        *answer.status_mut() = self.status;
        self.outcome.note(&mut answer);
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (
                header::HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            CONTENT_SECURITY_POLICY.clone(),
        );
        if let Some(seconds) = self.refresh_seconds {
            headers.insert(header::REFRESH, HeaderValue::from(u16::from(seconds)));
        }
        answer
    }

    fn html(&self) -> String {
        let paragraphs = self.paragraphs.iter().map(|it| format!("<p>{it}</p>"));
        let script = if self.script {
            format!("<script>{SCRIPT}</script>")
        } else {
            String::new()
        };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>{}</title>\
             <style>{STYLE}</style></head><body><h1>{}</h1>{}{script}</body></html>\n",
            without_tags(&self.title),
            self.title,
            paragraphs.collect::<String>()
        )
    }

    /// Returns the paragraphs as text, without markup.
    fn plain(&self) -> String {
        let text = without_tags(&self.paragraphs.join(" "));
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&quot;", "\"").replace("&amp;", "&") + "\n"
    }
}

/// Error of a query that finds the queue full. DuckDB's UI shows it below the query.
pub(super) fn queue_full() -> QueryError {
    QueryError {
        kind: "Connection",
        message: format!(
            "This session is busy: {MAX_QUEUED} queries are waiting already. Cancel some of them, \
             or try again later."
        ),
    }
}

/// Removes the tags from HTML. Inserted text stays escaped.
fn without_tags(html: &str) -> String {
    let mut text = html.to_owned();
    while let Some((before, rest)) = text.split_once('<') {
        let after = rest.split_once('>').map_or("", |(_, after)| after);
        text = format!("{before}{after}");
    }
    text
}

/// Formats a person's name as HTML. It is isolated, so it does not turn the sentence around it.
/// `<bdi>` alone is not enough: a control character in the name could close it.
fn name_html(name: &str) -> String {
    let is_shown = |c: &char| !is_layout_control(*c);
    let name: String = name.chars().filter(is_shown).collect();
    if name.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return "its owner".to_owned();
    }
    format!("<bdi>{}</bdi>", escape_html(&name))
}

/// Escapes a text for HTML.
fn escape_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns the source expression for an inline text in a Content-Security-Policy.
fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owners_name_is_escaped() {
        let page = Page::unauthenticated("977a26", "<script>Ana & \"Ben\"");
        assert!(!page.html().contains("<script>"), "{}", page.html());
        assert!(
            page.html()
                .contains("&lt;script&gt;Ana &amp; &quot;Ben&quot;")
        );
        assert!(
            page.plain()
                .starts_with("Only <script>Ana & \"Ben\" can open this session.")
        );
    }

    #[test]
    fn a_name_that_turns_text_turns_nothing_else() {
        for name in ["\u{202e}evil", "\u{2069}\u{202e}evil", "evil\n\u{2028}"] {
            for page in [Page::unauthenticated("977a26", name), Page::enter(name)] {
                let html = page.html();
                assert!(html.contains("<h1><bdi>evil</bdi>'s DuckDB</h1>"), "{html}");
                assert!(html.contains("<title>evil's DuckDB</title>"), "{html}");
            }
            let page = Page::unauthenticated("977a26", name);
            assert!(
                page.html()
                    .contains("Only <bdi>evil</bdi> can open this session.")
            );
            assert!(page.plain().starts_with("Only evil can open this session."));
        }
    }

    #[test]
    fn every_page_in_words() {
        let pages = [
            Page::unauthenticated("977a26", "Ana"),
            Page::enter("Ana"),
            Page::starting(),
            Page::unavailable(),
            Page::assets_unreachable(false),
            Page::assets_unreachable(true),
            Page::too_large(64 << 20),
            Page::too_large(4 << 10),
            Page::too_slow(),
            Page::busy(),
            Page::refused(StatusCode::FORBIDDEN, "Why."),
            Page::rejected(TicketError::Expired),
            Page::rejected(TicketError::Used),
            Page::rejected(TicketError::BeforeStart),
            Page::rejected(TicketError::Forged),
        ];
        let said = pages.map(|page| {
            let title = without_tags(&page.title);
            format!("{} {title}: {}", page.status.as_u16(), page.plain())
        });
        insta::assert_snapshot!(said.concat() + &queue_full().message);
    }
}
