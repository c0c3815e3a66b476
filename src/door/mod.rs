//! The door: the one way into a session.
//!
//! DuckDB's UI has no login, trusts every page that says it is its own, and passes
//! cookies on to a third party. So nothing reaches it but what the browser of the
//! session's owner asks for, and that without anything private.
//!
//! `ticket` how the owner shows who they are, `browser_sessions` which browsers have,
//! `policy` what becomes of a request, `proxy` the way to DuckDB, `activity`
//! what is counted, `pages` what the door says itself. The first four know no
//! network.

pub mod activity;
pub mod browser_sessions;
mod pages;
pub mod policy;
mod proxy;
pub mod ticket;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use chrono::Utc;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use activity::{Activity, ActivityCounter};
use browser_sessions::BrowserSessions;
use pages::Page;
use policy::{Decision, Origin, evaluate};
use proxy::{Body, DuckDbClient, ProxyError};
use ticket::TicketVerifier;

/// The port for browsers.
pub const PORT: u16 = 8080;
/// The port for the kubelet and the bot.
pub const ADMIN_PORT: u16 = 8081;
/// On the second port: answers 200 when DuckDB's UI answers, else 503.
pub const READY_PATH: &str = "/ready";
/// On the second port: [`activity::Activity`] as JSON.
pub const ACTIVITY_PATH: &str = "/activity";
/// On the second port: a POST says that the session is used now.
pub const USED_PATH: &str = "/used";
/// Where a ticket is shown, in the fragment of the URL: what stands there is never
/// sent by a browser, so no log and no link preview reads it.
pub use policy::ENTER_PATH;

/// The variables that tell a door what it guards.
pub mod variable {
    /// The session's id.
    pub const SESSION: &str = "SESSION_ID";
    /// Scheme and host of its URL.
    pub const ORIGIN: &str = "DOOR_ORIGIN";
    /// Whose tickets it takes ([`super::ticket::SigningKey::public`]).
    pub const KEY: &str = "DOOR_KEY";
    /// What its owner is called.
    pub const OWNER: &str = "DOOR_OWNER";
}

/// More connections than one person's browsers have.
const MAX_CONNECTIONS: usize = 256;
/// How many may show a ticket at the same time.
const MAX_CONCURRENT_REDEMPTIONS: usize = 16;
/// The most of a request that comes before its body.
const MAX_HEADER_BYTES: usize = 32 << 10;
/// How long a request's head may take to come, and a connection may wait for the next.
/// Longer than what is in front of us keeps an idle connection (Traefik: 90 s), or we
/// hang up just when it sends something.
const HEADER_TIMEOUT: Duration = Duration::from_secs(100);
/// How long a ticket may take to come.
const TICKET_TIMEOUT: Duration = Duration::from_secs(5);
/// What DuckDB answers with 500 when it can't fetch its pages begins like this.
const ASSETS_ERROR: &[u8] = b"Could not fetch";
/// None of those is longer, in bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// The door of one session.
pub struct Door {
    session: String,
    owner: String,
    origin: Origin,
    tickets: Mutex<TicketVerifier>,
    /// Those who show a ticket, the oldest first.
    redemptions: Mutex<VecDeque<CancellationToken>>,
    browser_sessions: Mutex<BrowserSessions>,
    duckdb: DuckDbClient,
    counter: ActivityCounter,
}

impl Door {
    /// A door as the [variables](variable) say, which `get` reads; DuckDB is at that port.
    ///
    /// # Errors
    /// Which one is missing or wrong.
    pub fn read(get: impl Fn(&str) -> Option<String>, duckdb: u16) -> anyhow::Result<Self> {
        let text = |name| get(name).with_context(|| format!("{name} is not set"));
        let session = text(variable::SESSION)?;
        let origin = Origin::read(&text(variable::ORIGIN)?);
        let origin = origin.with_context(|| {
            let name = variable::ORIGIN;
            format!("{name} is no scheme and host, like https://duckui-977a26.duck.example.com")
        })?;
        let tickets = TicketVerifier::new(&session, &text(variable::KEY)?, Utc::now());
        let tickets = tickets.with_context(|| {
            let name = variable::KEY;
            format!("{name} is no key id and public key, like k1:AAAA…")
        })?;
        Ok(Self {
            owner: text(variable::OWNER)?,
            session,
            origin,
            tickets: Mutex::new(tickets),
            redemptions: Mutex::default(),
            browser_sessions: Mutex::default(),
            duckdb: DuckDbClient::new(duckdb),
            counter: ActivityCounter::new(Utc::now()),
        })
    }

    /// Whether DuckDB's UI answers.
    pub async fn is_ready(&self) -> bool {
        self.duckdb.is_up().await
    }

    /// What goes on behind it.
    pub fn activity(&self) -> Activity {
        self.counter.snapshot(Utc::now())
    }

    /// Notes that the session is used now, by a question that does not pass here.
    pub fn record_use(&self) {
        self.counter.record_use(Utc::now());
    }
}

/// Listens until `shutdown`: for browsers on `listen`, for the cluster on `admin`.
/// Without them, on all addresses at [`PORT`] and [`ADMIN_PORT`].
///
/// # Errors
/// If a port is taken.
pub async fn serve(
    door: Door,
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let listener = listen_on(listen, PORT)
        .await
        .context("the door can't listen")?;
    let second = listen_on(admin, ADMIN_PORT).await;
    let second = second.context("the door's second port can't listen")?;
    eprintln!("the door listens on {}", listener.local_addr()?);
    eprintln!("for the cluster it listens on {}", second.local_addr()?);
    let door = Arc::new(door);
    let same = door.clone();
    tokio::select! {
        () = accept(listener, move |_| Some(door.clone())) => Ok(()),
        () = serve_admin(second, same) => Ok(()),
        // Streams have no end of their own, and nobody waits for one.
        () = shutdown.cancelled() => Ok(()),
    }
}

async fn listen_on(address: Option<SocketAddr>, port: u16) -> io::Result<TcpListener> {
    match address {
        Some(address) => TcpListener::bind(address).await,
        // The IPv6 wildcard takes IPv4 as well, where there is IPv6 at all.
        None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
            listening => listening,
        },
    }
}

/// Answers the cluster's questions, for ever: few at a time, and short ones, because
/// every Pod may ask.
async fn serve_admin(listener: TcpListener, door: Arc<Door>) {
    let limits = Limits {
        connections: 32,
        head: 8 << 10,
        within: Duration::from_secs(5),
    };
    let answer = move |request: Request<Incoming>| {
        let door = door.clone();
        async move {
            door.answer_admin(request.method(), request.uri().path())
                .await
        }
    };
    serve_all(listener, limits, answer).await;
}

/// Serves browsers, for ever. `find` knows the door that leads to a host.
pub async fn accept(
    listener: TcpListener,
    find: impl Fn(Option<&str>) -> Option<Arc<Door>> + Clone + Send + 'static,
) {
    let limits = Limits {
        connections: MAX_CONNECTIONS,
        head: MAX_HEADER_BYTES,
        within: HEADER_TIMEOUT,
    };
    let answer = move |request: Request<Incoming>| {
        let host = request.headers().get(header::HOST);
        let door = find(host.and_then(|host| host.to_str().ok()));
        async move {
            match door {
                Some(door) => door.answer(request).await,
                None => Page::unknown_host().respond(request.headers()),
            }
        }
    };
    serve_all(listener, limits, answer).await;
}

/// What all who come to a port may have together, and each alone.
#[derive(Clone, Copy)]
struct Limits {
    connections: usize,
    /// The bytes of a request before its body.
    head: usize,
    /// How long that may take.
    within: Duration,
}

async fn serve_all<F>(
    listener: TcpListener,
    limits: Limits,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let place = places.clone().acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, say: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let answer = answer.clone();
        tokio::spawn(async move {
            serve_one(stream, limits, answer).await;
            drop(place);
        });
    }
}

async fn serve_one<F>(stream: TcpStream, limits: Limits, answer: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Small answers must not wait for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.within)
        .max_buf_size(limits.head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Whoever hangs up in the middle is no news.
    let _ = served.await;
}

impl Door {
    /// What the cluster asks at the second port.
    async fn answer_admin(&self, method: &Method, path: &str) -> Response<Body> {
        let (status, text) = match path {
            USED_PATH if method == Method::POST => {
                self.record_use();
                (StatusCode::OK, "noted\n".to_owned())
            }
            READY_PATH if self.is_ready().await => (StatusCode::OK, "ready\n".to_owned()),
            READY_PATH => (
                StatusCode::SERVICE_UNAVAILABLE,
                "DuckDB does not answer yet\n".to_owned(),
            ),
            ACTIVITY_PATH => {
                let activity = serde_json::to_string(&self.activity());
                (StatusCode::OK, activity.expect("it is plain numbers"))
            }
            _ => (StatusCode::NOT_FOUND, "there is nothing here\n".to_owned()),
        };
        let mut answer = Response::new(proxy::full_body(text));
        *answer.status_mut() = status;
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let has_session = |value: &str| self.browser_sessions.lock().contains(value);
        let page = match evaluate(&head, &self.origin, has_session) {
            Decision::Forward => return self.forward(Request::from_parts(head, body)).await,
            Decision::RedeemTicket => return self.redeem_ticket(&head.headers, body).await,
            Decision::EnterPage => Page::enter(&self.owner),
            Decision::Unauthenticated => Page::unauthenticated(&self.session, &self.owner),
            Decision::Refuse(status, why) => Page::refused(status, why),
        };
        page.respond(&head.headers)
    }

    async fn redeem_ticket(&self, headers: &hyper::HeaderMap, body: Incoming) -> Response<Body> {
        let body = Limited::new(body, ticket::MAX_TICKET_BYTES).collect();
        let shown = tokio::time::timeout(TICKET_TIMEOUT, body);
        let (turn, _mine) = self.begin_redemption();
        let Some(shown) = turn.run_until_cancelled(shown).await else {
            return Page::busy().respond(headers);
        };
        let page = match shown {
            Err(_) => Page::too_slow(),
            Ok(Err(_)) => Page::rejected(ticket::TicketError::Forged),
            Ok(Ok(body)) => {
                let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                let taken = self.tickets.lock().redeem(&text, Utc::now());
                match taken {
                    Ok(()) => return self.start_browser_session(),
                    Err(why) => Page::rejected(why),
                }
            }
        };
        page.respond(headers)
    }

    /// A turn to show a ticket. Anybody may send one, slowly; where many do, the one who is
    /// at it longest gives way, because a real ticket comes at once.
    fn begin_redemption(&self) -> (CancellationToken, DropGuard) {
        let turn = CancellationToken::new();
        let mut redemptions = self.redemptions.lock();
        redemptions.retain(|it| !it.is_cancelled());
        if redemptions.len() == MAX_CONCURRENT_REDEMPTIONS
            && let Some(oldest) = redemptions.pop_front()
        {
            oldest.cancel();
        }
        redemptions.push_back(turn.clone());
        (turn.clone(), turn.drop_guard())
    }

    fn start_browser_session(&self) -> Response<Body> {
        let cookie = self
            .origin
            .set_cookie(&self.browser_sessions.lock().create());
        let cookie = HeaderValue::try_from(cookie).expect("it is plain text");
        let mut answer = Response::new(proxy::full_body(""));
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(header::SET_COOKIE, cookie);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    async fn forward(&self, request: Request<Incoming>) -> Response<Body> {
        let headers = request.headers().clone();
        let page = match self.duckdb.forward(request, &self.counter).await {
            Ok(answer) if answer.status() == StatusCode::INTERNAL_SERVER_ERROR => {
                return explain_error(answer, &headers).await;
            }
            Ok(answer) => return answer,
            Err(ProxyError::Unavailable) => Page::unavailable(),
            Err(ProxyError::TooLarge) => Page::too_large(),
            Err(ProxyError::TooSlow) => Page::too_slow(),
        };
        page.respond(&headers)
    }
}

/// A failure of DuckDB's as it is, but in plain words when its pages are out of reach.
async fn explain_error(answer: Response<Body>, request: &hyper::HeaderMap) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let longest = body.size_hint().upper();
    if longest.is_none_or(|bytes| bytes > MAX_ERROR_BYTES as u64) {
        return Response::from_parts(head, body);
    }
    match Limited::new(body, MAX_ERROR_BYTES).collect().await {
        Ok(said) => {
            let said = said.to_bytes();
            match said.starts_with(ASSETS_ERROR) {
                true => Page::assets_unreachable().respond(request),
                false => Response::from_parts(head, proxy::full_body(said)),
            }
        }
        Err(_) => Page::unavailable().respond(request),
    }
}
