//! The door: the authenticating reverse proxy in front of a session.
//!
//! DuckDB's UI has no login, trusts every request with its own origin, and forwards cookies
//! to a third party (`ui.duckdb.org`). The door therefore passes only requests from a browser
//! of the session's owner, and removes cookies and other private headers from them.
//!
//! - `ticket`: the signed tokens that let the owner in
//! - `redemptions`: the tickets that are being submitted
//! - `browser_sessions`: the cookies of browsers that have submitted a ticket
//! - `policy`: the decision about a request, and the headers that may pass
//! - `flow`: the way of a request that passes
//! - `queue`: the queue of requests that wait until DuckDB has room
//! - `events`: DuckDB's events, for all tabs
//! - `proxy`: the HTTP client for DuckDB
//! - `body`: the limits of bodies
//! - `outcome`, `request_log`: the outcomes of requests, their counts and log lines
//! - `activity`: the counts of queries and open tabs
//! - `answer`: answers in DuckDB's own format
//! - `console`: the door's own page for queries
//! - `page_check`: can DuckDB fetch its UI's pages?
//! - `pages`: the door's own pages
//!
//! Only `proxy` and this module use the network.

pub mod activity;
mod answer;
mod body;
pub mod browser_sessions;
pub mod clients;
pub mod console;
pub mod decode;
mod events;
mod flow;
mod outcome;
mod page_check;
mod pages;
pub mod policy;
mod proxy;
mod queue;
mod redemptions;
mod request_log;
mod requests;
pub mod ticket;

use std::{
    net::{Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use chrono::Utc;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, http::request::Parts};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use activity::{Activity, ActivityCounter, RequestKind};
use body::{Body, ProxyError, full_body, stream_body};
use browser_sessions::BrowserSessions;
use clients::{Clients, command::ClientsResponse};
use console::{Console, ConsoleSettings};
use flow::Flow;
use outcome::{RequestLabel, RequestOutcome};
use page_check::{PageCheck, explain_error};
use pages::{FIRST_PAGE_TIMEOUT, Page};
use policy::{Decision, NO_PAGE, Origin, evaluate};
use proxy::DuckDbClient;
use redemptions::Redemptions;
use request_log::RequestLog;
use ticket::TicketVerifier;

use crate::listener::{self, Limits};

/// Port for browsers.
pub const PORT: u16 = 8080;
/// Port for the kubelet and the bot.
pub const ADMIN_PORT: u16 = 8081;
/// Path on the admin port that answers 200 as soon as the door listens on both ports.
pub const HEALTH_PATH: &str = "/healthz";
/// Path on the admin port that answers 200 if DuckDB's UI answers, else 503.
pub const READY_PATH: &str = "/ready";
/// Path on the admin port that serves [`activity::Activity`] as JSON.
pub const ACTIVITY_PATH: &str = "/activity";
/// Path on the admin port where a POST reports that the session is used now.
pub const RECORD_USE_PATH: &str = "/used";
/// Path on the admin port where a POST of a signed [`clients::command::ClientsCommand`] is answered with a
/// [`ClientsResponse`] as JSON.
pub const CLIENTS_PATH: &str = "/clients";
/// Path of the page that reads a ticket from the URL's fragment and submits it.
/// Browsers never send the fragment, so no log and no link preview sees the ticket.
pub use policy::ENTER_PATH;

pub use pages::is_enter_page;

/// Environment variables that configure a door.
pub mod variable {
    /// The session's ID.
    pub const SESSION: &str = "SESSION_ID";
    /// Scheme and host of the session's URL.
    pub const ORIGIN: &str = "DOOR_ORIGIN";
    /// Public key that verifies tickets ([`super::ticket::SigningKey::public`]).
    pub const KEY: &str = "DOOR_KEY";
    /// Display name of the session's owner.
    pub const OWNER: &str = "DOOR_OWNER";
    /// Interfaces that the door offers: `auto`, `console` or `duckdb`. Missing: `duckdb`.
    pub const UI: &str = "DOOR_UI";
    /// Folder that the door shares with DuckDB, under the same path. Missing: no files.
    pub const FILES: &str = "DOOR_FILES";
    /// Filter of the door's log, as `log.filter`. Missing: `info`.
    pub const LOG_FILTER: &str = "DOOR_LOG_FILTER";
    /// Format of the door's log, as `log.format`: `text` or `json`. Missing: `text`.
    pub const LOG_FORMAT: &str = "DOOR_LOG_FORMAT";
    /// Path of the editor of the console's cells, one JavaScript module. Missing: a plain text field.
    pub const EDITOR: &str = "DOOR_EDITOR";
}

/// Limits of the port for browsers. One person's browsers need fewer connections.
const BROWSER_LIMITS: Limits = Limits {
    connections: 256,
    head: 32 << 10,
};
/// Limits of the admin port. They are low, because any Pod may connect.
const ADMIN_LIMITS: Limits = Limits {
    connections: 32,
    head: 8 << 10,
};
/// The door of one session.
pub struct Door {
    session: String,
    owner: String,
    origin: Origin,
    tickets: Mutex<TicketVerifier>,
    redemptions: Redemptions,
    browser_sessions: Mutex<BrowserSessions>,
    duckdb: DuckDbClient,
    /// True once DuckDB has answered. Before that, it is starting.
    has_answered: AtomicBool,
    counter: ActivityCounter,
    log: RequestLog,
    flow: Arc<Flow>,
    /// `None` if the door only passes DuckDB's UI on.
    console: Option<Arc<Console>>,
    clients: Clients,
}

impl Door {
    /// Configures a door from the [variables](variable), which `get` reads. DuckDB's UI
    /// listens on the port `duckdb`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names it.
    pub fn read(get: impl Fn(&str) -> Option<String>, duckdb: u16) -> anyhow::Result<Self> {
        let text = |name| {
            get(name)
                .with_context(|| format!("{name} is not set; the bot sets it in a session's Pod"))
        };
        let session = text(variable::SESSION)?;
        let origin = Origin::read(&text(variable::ORIGIN)?);
        let origin = origin.with_context(|| {
            let name = variable::ORIGIN;
            format!(
                "{name} must be a scheme and a host, like https://duckui-977a26.duck.example.com"
            )
        })?;
        let (key, now) = (text(variable::KEY)?, Utc::now());
        let duckdb = DuckDbClient::new(duckdb);
        let counter = ActivityCounter::new(now);
        let owner = text(variable::OWNER)?;
        let flow = Arc::new(Flow::new(duckdb.clone(), counter.clone()));
        let tickets = TicketVerifier::new(&session, &key, now);
        let clients = Clients::new(&session, &key, flow.clone(), counter.clone(), now);
        let (tickets, clients) = tickets.zip(clients).with_context(|| {
            let name = variable::KEY;
            format!("{name} must be a key ID and a public key, like k1:AAAA…")
        })?;
        let ui = get(variable::UI);
        let pages = match ui.as_deref() {
            None | Some("duckdb" | "console") => None,
            Some("auto") => Some(PageCheck::new(flow.clone())),
            Some(_) => bail!("{} must be auto, console or duckdb", variable::UI),
        };
        let console = ui.filter(|ui| ui != "duckdb").map(|_| {
            let editor = get(variable::EDITOR).and_then(|path| std::fs::read(path).ok());
            Arc::new(Console::new(ConsoleSettings {
                session: session.clone(),
                owner: owner.clone(),
                flow: flow.clone(),
                pages,
                editor: editor.map(Into::into),
                files: get(variable::FILES).map(Into::into),
            }))
        });
        Ok(Self {
            log: RequestLog::new(&session),
            owner,
            session,
            origin,
            tickets: Mutex::new(tickets),
            redemptions: Redemptions::default(),
            browser_sessions: Mutex::default(),
            flow,
            console,
            clients,
            duckdb,
            has_answered: AtomicBool::new(false),
            counter,
        })
    }

    /// Returns true if DuckDB's UI answers.
    pub async fn is_ready(&self) -> bool {
        let is_up = self.duckdb.is_up().await;
        let is_first = is_up && !self.has_answered.fetch_or(is_up, Relaxed);
        if let Some(pages) = self.page_check().filter(|_| is_first) {
            pages.refresh();
        }
        is_up
    }

    /// Returns true if DuckDB has answered once.
    async fn has_been_ready(&self) -> bool {
        self.has_answered.load(Relaxed) || self.is_ready().await
    }

    fn page_check(&self) -> Option<&PageCheck> {
        self.console.as_ref()?.pages.as_ref()
    }

    pub fn activity(&self) -> Activity {
        Activity {
            requests: self.log.counts(),
            ..self.counter.snapshot(Utc::now())
        }
    }

    /// Carries out a signed [command](clients::command::ClientsCommand) of the bot about DuckDB clients.
    pub async fn command_clients(&self, signed: &str) -> ClientsResponse {
        self.clients.carry_out(signed).await
    }

    /// Records that the session is used now by a query that does not pass through the door.
    pub fn record_use(&self) {
        self.counter.record_use(Utc::now());
    }
}

/// Serves browsers on `listen`, and the kubelet and the bot on `admin`, until `shutdown`.
/// The defaults are [`PORT`] and [`ADMIN_PORT`] on all addresses.
///
/// # Errors
/// If an address can't be bound, for example because the port is in use.
pub async fn serve(
    door: Door,
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let everywhere = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = listener::bind(listen.unwrap_or(everywhere(PORT))).await;
    let listener = listener.context("the door can't listen for browsers")?;
    let second = listener::bind(admin.unwrap_or(everywhere(ADMIN_PORT))).await;
    let second = second.context("the door can't listen for the kubelet and the bot")?;
    let (browsers, bot) = (listener.local_addr()?, second.local_addr()?);
    info!("the door listens for browsers on {browsers}");
    info!("the door listens for the kubelet and the bot on {bot}");
    let door = Arc::new(door);
    let same = door.clone();
    tokio::select! {
        () = serve_browsers(listener, move |_| Some(door.clone())) => Ok(()),
        () = serve_admin(second, same) => Ok(()),
        // Don't wait for open connections: event streams never end by themselves.
        () = shutdown.cancelled() => Ok(()),
    }
}

/// Serves the kubelet and the bot, for ever.
async fn serve_admin(listener: TcpListener, door: Arc<Door>) {
    let answer = move |request: Request<Incoming>| {
        let door = door.clone();
        async move { door.handle_admin(request).await }
    };
    listener::serve(listener, ADMIN_LIMITS, answer, &CancellationToken::new()).await;
}

/// Serves browsers, for ever. `find` returns the door for a `Host` header.
pub async fn serve_browsers(
    listener: TcpListener,
    find: impl Fn(Option<&str>) -> Option<Arc<Door>> + Clone + Send + 'static,
) {
    let answer = move |request: Request<Incoming>| {
        let host = request.headers().get(header::HOST);
        let door = find(host.and_then(|host| host.to_str().ok()));
        async move {
            match door {
                Some(door) => door.answer(request).await,
                None if clients::is_client(&request) => clients::no_session(request.headers()),
                None => Page::unknown_host().respond(request.headers()),
            }
        }
    };
    listener::serve(listener, BROWSER_LIMITS, answer, &CancellationToken::new()).await;
}

impl Door {
    /// Answers a request on the admin port.
    async fn handle_admin(&self, request: Request<Incoming>) -> Response<Body> {
        let is_post = request.method() == Method::POST;
        let (status, text) = match request.uri().path() {
            RECORD_USE_PATH if is_post => {
                self.record_use();
                (StatusCode::OK, "noted\n".to_owned())
            }
            HEALTH_PATH => (StatusCode::OK, "the door listens\n".to_owned()),
            READY_PATH if self.is_ready().await => (StatusCode::OK, "ready\n".to_owned()),
            READY_PATH => (
                StatusCode::SERVICE_UNAVAILABLE,
                "DuckDB does not respond yet\n".to_owned(),
            ),
            CLIENTS_PATH if is_post => {
                let response = clients::receive_command(request).await;
                let response = match response {
                    Ok(signed) => self.command_clients(&signed).await,
                    Err(why) => ClientsResponse::Refused { why: why.into() },
                };
                let response = serde_json::to_string(&response);
                (
                    StatusCode::OK,
                    response.expect("a response serializes to JSON"),
                )
            }
            ACTIVITY_PATH => {
                let activity = serde_json::to_string(&self.activity());
                (
                    StatusCode::OK,
                    activity.expect("activity serializes to JSON"),
                )
            }
            _ => (StatusCode::NOT_FOUND, "not found\n".to_owned()),
        };
        let mut answer = Response::new(full_body(text));
        *answer.status_mut() = status;
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let label = RequestLabel::of(&head);
        let response = self.respond(head, body).await;
        let outcome = RequestOutcome::of(&response);
        self.log.record(label, outcome, response.status());
        response
    }

    async fn respond(&self, head: Parts, body: Incoming) -> Response<Body> {
        let has_session = |value: &str| self.browser_sessions.lock().contains(value);
        let page = match evaluate(&head, &self.origin, has_session) {
            Decision::Forward => return self.forward(Request::from_parts(head, body)).await,
            Decision::Console => match &self.console {
                Some(console) => return console.answer(&head, body).await,
                None => Page::refused(StatusCode::NOT_FOUND, NO_PAGE),
            },
            Decision::Client => {
                return self.clients.answer(Request::from_parts(head, body)).await;
            }
            Decision::RedeemTicket => return self.redeem_ticket(&head.headers, body).await,
            Decision::EnterPage => Page::enter(&self.owner),
            Decision::Unauthenticated => Page::unauthenticated(&self.session, &self.owner),
            Decision::Refuse(status, why) => Page::refused(status, why),
        };
        page.respond(&head.headers)
    }

    async fn redeem_ticket(&self, headers: &hyper::HeaderMap, body: Incoming) -> Response<Body> {
        let page = match self.redemptions.receive(body).await {
            Err(page) => page,
            Ok(text) => {
                let taken = self.tickets.lock().redeem(&text, Utc::now());
                match taken {
                    Ok(()) => return self.start_browser_session(),
                    Err(why) => Page::rejected(why),
                }
            }
        };
        page.respond(headers)
    }

    fn start_browser_session(&self) -> Response<Body> {
        let value = self.browser_sessions.lock().create();
        redemptions::admit(&self.origin.set_cookie(&value))
    }

    async fn forward(&self, request: Request<Incoming>) -> Response<Body> {
        let headers = request.headers().clone();
        let (method, path) = (request.method(), request.uri().path());
        let is_page = RequestKind::of(method, path) == Some(RequestKind::Page);
        let is_first_page = is_page && path == "/";
        // The console's link to DuckDB's UI.
        let is_wanted = request.uri().query() == Some("ui=duckdb");
        let may_be_console = match (&self.console, self.page_check()) {
            (Some(_), _) if is_first_page && !is_wanted && !self.has_been_ready().await => {
                return Page::starting().respond(&headers);
            }
            (Some(_), Some(pages)) if is_first_page && !is_wanted => {
                if !pages.are_available().await {
                    return Console::index();
                }
                Some(pages)
            }
            (Some(_), None) if is_first_page => return Console::index(),
            (Some(_), None) if is_page => {
                return Page::refused(StatusCode::NOT_FOUND, NO_PAGE).respond(&headers);
            }
            _ => None,
        };
        let limit = if is_first_page {
            FIRST_PAGE_TIMEOUT
        } else {
            Duration::MAX
        };
        let forwarding = tokio::time::timeout(limit, self.flow.forward(stream_body(request)));
        let assets_unreachable = || match may_be_console {
            Some(pages) => {
                pages.record(false);
                Console::index()
            }
            None => Page::assets_unreachable(self.console.is_some()).respond(&headers),
        };
        let Ok(forwarded) = forwarding.await else {
            return assets_unreachable();
        };
        self.has_answered.fetch_or(forwarded.is_ok(), Relaxed);
        let page = match forwarded {
            Ok(answer) if answer.status() == StatusCode::INTERNAL_SERVER_ERROR => {
                return explain_error(answer, &headers, assets_unreachable).await;
            }
            Ok(answer) => return answer,
            Err(ProxyError::Busy) => Page::too_many_requests(),
            Err(ProxyError::Unavailable) if self.has_answered.load(Relaxed) => Page::unavailable(),
            Err(ProxyError::Unavailable) => Page::starting(),
            Err(ProxyError::TooLarge(most)) => Page::too_large(most),
            Err(ProxyError::TooSlow) => Page::too_slow(),
        };
        page.respond(&headers)
    }
}
