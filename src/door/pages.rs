//! What the door says itself: short pages, and one sentence where no page is shown.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::{
    proxy::{self, Body, MAX_BODY_BYTES},
    ticket::TicketError,
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("enter.js");

/// What our own pages may do: use what stands in them, and nothing else.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    HeaderValue::try_from(policy).expect("it is plain text")
});

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    status: StatusCode,
    title: String,
    /// HTML; what is not ours in it is [escaped].
    paragraphs: Vec<String>,
    /// After how many seconds the browser looks again.
    refresh_seconds: Option<u8>,
    script: bool,
}

impl Page {
    fn new(status: StatusCode, title: impl Into<String>, paragraphs: &[&str]) -> Self {
        Self {
            status,
            title: title.into(),
            paragraphs: paragraphs.iter().map(|it| (*it).to_owned()).collect(),
            refresh_seconds: None,
            script: false,
        }
    }

    /// To somebody who has shown no ticket.
    pub fn unauthenticated(session: &str, owner: &str) -> Self {
        let how = format!(
            "Only {} can get in. In Discord, press <b>Open</b> under the message about session \
             <code>{}</code>, or type <code>/duck open</code>.",
            escape_html(owner),
            escape_html(session),
        );
        let title = format!("The DuckDB of {owner}");
        let small = "<small>The link that you get then is good for one minute, and for one browser.</small>";
        Self::new(StatusCode::UNAUTHORIZED, title, &[&how, small])
    }

    /// Shows the ticket in the address, and goes on.
    pub fn enter(owner: &str) -> Self {
        let wait = "<span id=\"say\">One moment…</span>";
        let inside =
            "<small>If this browser is in already: <a href=\"/\">go on to DuckDB</a>.</small>";
        let without = "<noscript>This page needs JavaScript, and so does DuckDB's UI.</noscript>";
        Self {
            script: true,
            ..Self::new(
                StatusCode::OK,
                format!("The DuckDB of {owner}"),
                &[wait, inside, without],
            )
        }
    }

    /// When DuckDB does not answer.
    pub fn unavailable() -> Self {
        let why = "It is being started, or it is too busy at the moment. This page looks again by \
                   itself.";
        let then = "<small>If it stays like this, <code>/duck list</code> in Discord says how your \
                    session is.</small>";
        Self {
            refresh_seconds: Some(3),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "DuckDB does not answer yet",
                &[why, then],
            )
        }
    }

    /// When DuckDB can't fetch its own pages.
    pub fn assets_unreachable() -> Self {
        let why = "Your DuckDB runs. But the pages of its UI come from \
                   <code>https://ui.duckdb.org</code>, and it can't reach that from here.";
        let admin = "<small>For an admin: let the sessions reach ui.duckdb.org at port 443, or name \
                     a proxy in the setting <code>duckdb.http_proxy</code>.</small>";
        let title = "DuckDB's pages can't be fetched";
        Self::new(StatusCode::BAD_GATEWAY, title, &[why, admin])
    }

    /// When a request is longer than it may be.
    pub fn too_large() -> Self {
        let most = format!("A request may have {} MiB.", MAX_BODY_BYTES >> 20);
        let title = "That is too much at once";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, title, &[&most])
    }

    /// When a request did not come to its end.
    pub fn too_slow() -> Self {
        let why = "The request stopped in the middle.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "That took too long", &[why])
    }

    /// Where no session is.
    pub fn unknown_host() -> Self {
        Self::refused(
            StatusCode::MISDIRECTED_REQUEST,
            "There is no such session here.",
        )
    }

    /// When too many show tickets at the same time.
    pub fn busy() -> Self {
        let why = "Too many links are being opened here at this moment. Open yours once more.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Your DuckDB", &[why])
    }

    /// When a request is refused.
    pub fn refused(status: StatusCode, why: &str) -> Self {
        Self::new(status, "Not here", &[why])
    }

    /// When a ticket is not taken.
    pub fn rejected(why: TicketError) -> Self {
        let why = match why {
            TicketError::Forged | TicketError::OtherSession => {
                "This link is not one for this session."
            }
            TicketError::Expired => "This link has expired: it is good for one minute.",
            TicketError::BeforeStart => "This session was started again after you got this link.",
            TicketError::Used => "This link was used already: it is good for one time.",
        };
        let then = "Press Open in Discord for a new one.";
        Self::new(StatusCode::FORBIDDEN, "Your DuckDB", &[why, then])
    }

    /// As the asker wants it: a page, or only what it says.
    pub fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let accept = request.get(header::ACCEPT);
        let is_page = accept
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("text/html"));
        let (kind, text) = match is_page || self.script {
            true => ("text/html; charset=utf-8", self.html()),
            false => ("text/plain; charset=utf-8", self.plain()),
        };
        let mut answer = Response::new(proxy::full_body(text));
        *answer.status_mut() = self.status;
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
        let script = match self.script {
            true => format!("<script>{SCRIPT}</script>"),
            false => String::new(),
        };
        let title = escape_html(&self.title);
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><h1>{title}</h1>{}{script}</body></html>\n",
            paragraphs.collect::<String>()
        )
    }

    /// Without markup.
    fn plain(&self) -> String {
        let mut text = self.paragraphs.join(" ");
        while let Some((before, rest)) = text.split_once('<') {
            let after = rest.split_once('>').map_or("", |(_, after)| after);
            text = format!("{before}{after}");
        }
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&quot;", "\"").replace("&amp;", "&") + "\n"
    }
}

/// A text as HTML that shows it.
fn escape_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// What a Content-Security-Policy calls an inline text.
fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    format!("sha256-{}", STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_and_not_obeyed() {
        let page = Page::unauthenticated("977a26", "<script>Ana & \"Ben\"");
        assert!(!page.html().contains("<script>"), "{}", page.html());
        assert!(
            page.html()
                .contains("&lt;script&gt;Ana &amp; &quot;Ben&quot;")
        );
        assert!(
            page.plain()
                .starts_with("Only <script>Ana & \"Ben\" can get in.")
        );
    }

    #[test]
    fn every_page_in_words() {
        let pages = [
            Page::unauthenticated("977a26", "Ana"),
            Page::enter("Ana"),
            Page::unavailable(),
            Page::assets_unreachable(),
            Page::too_large(),
            Page::too_slow(),
            Page::busy(),
            Page::refused(StatusCode::FORBIDDEN, "Why."),
            Page::rejected(TicketError::Expired),
            Page::rejected(TicketError::Used),
            Page::rejected(TicketError::BeforeStart),
            Page::rejected(TicketError::Forged),
        ];
        let said =
            pages.map(|page| format!("{} {}: {}", page.status.as_u16(), page.title, page.plain()));
        insta::assert_snapshot!(said.concat());
    }
}
