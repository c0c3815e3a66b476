//! DuckDB clients of the session's owner, such as DuckDB's command line and Python.
//!
//! Clients speak Quack, DuckDB's client-server protocol. The bot lets a key in ([`ClientsCommand`]), and DuckDB begins to
//! listen. A client sends the key as `Authorization: Bearer …` with each request. The door checks it, and puts DuckDB's
//! own token in place of the client's.
//!
//! - [`command`]: the bot's commands (pure)
//! - `keys`: the keys, and the limit of guesses (pure)
//! - `server`: DuckDB's Quack server
//! - `message`: messages of the protocol (pure)
//! - `refusal`: refusals, in words (pure)

pub mod command;
mod keys;
mod message;
mod refusal;
mod server;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Limited};
use hyper::{
    HeaderMap, Request, Response,
    body::{Body as _, Frame, Incoming, SizeHint},
    header::{self, HeaderValue},
};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tracing::warn;

use self::{
    command::{ClientsCommand, ClientsResponse},
    keys::{KeyCheck, Keys, MAX_KEYS},
    refusal::{Refusal, client_version, other_version},
    server::{Server, StartError},
};
use super::{
    activity::{ActivityCounter, RequestKind},
    body::{Body, BodyError, ProxyError, check_length, full_body, receive_body, stream_body},
    flow::Flow,
    policy::QUACK_PATH,
    queue::{MAX_QUEUED, Queue},
    ticket::{Signed, TICKET_LIFETIME, Verifier},
};

/// Maximum number of clients' requests at DuckDB. Its server has 8 threads.
const MAX_REQUESTS: usize = 6;
/// Maximum size of a connection's first message, with room for a long token.
const MAX_FIRST_BYTES: usize = 4 << 10;
/// Header that a proxy adds.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// Time from a client's request to a large answer behind a proxy. Proxies in Go, such as Traefik, cut an answer off
/// that comes before they have noticed the end of the request's body (golang/go#40747, traefik/traefik#11767). With
/// Traefik 3.7.15 on two busy cores, five of eight results of 192 MB were cut off without this pause, and none with it.
const PROXY_PAUSE: Duration = Duration::from_millis(5);
/// Size up to which such a proxy has all of an answer at once.
const SMALL_ANSWER_BYTES: u64 = 2 << 10;
/// Maximum number of commands within [`TICKET_LIFETIME`].
const MAX_COMMANDS: usize = 20;
/// Maximum time to receive a command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients of one session.
pub(super) struct Clients {
    session: String,
    flow: Arc<Flow>,
    counter: ActivityCounter,
    queue: Queue,
    keys: Mutex<Keys>,
    commands: Mutex<Verifier<ClientsCommand>>,
    /// Held while DuckDB's server starts or stops.
    changing: tokio::sync::Mutex<()>,
    server: Mutex<Option<Arc<Server>>>,
}

impl Clients {
    /// Creates the clients of a session without a key. Returns `None` if `key` is not valid: it has the form of
    /// [`SigningKey::public`](super::ticket::SigningKey::public).
    pub(super) fn new(
        session: &str,
        key: &str,
        flow: Arc<Flow>,
        counter: ActivityCounter,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        Some(Self {
            session: session.to_owned(),
            flow,
            queue: Queue::new(MAX_REQUESTS, MAX_QUEUED, counter.clone()),
            counter,
            keys: Mutex::default(),
            commands: Mutex::new(Verifier::new(session, key, now)?),
            changing: tokio::sync::Mutex::default(),
            server: Mutex::default(),
        })
    }

    /// Carries out a signed command of the bot.
    pub(super) async fn carry_out(&self, signed: &str) -> ClientsResponse {
        let command = {
            let mut commands = self.commands.lock();
            if commands.count_recent(Utc::now()) >= MAX_COMMANDS {
                let seconds = TICKET_LIFETIME.num_seconds();
                let why = format!("more than {MAX_COMMANDS} commands in {seconds} seconds");
                return ClientsResponse::Refused { why };
            }
            commands.redeem(signed, Utc::now())
        };
        let command = match command {
            Ok(command) => command,
            Err(error) => {
                let why = error.to_string();
                return ClientsResponse::Refused { why };
            }
        };
        // Only the bot's own commands wait here. Any Pod may connect, and must not hold the admin port up.
        let _changing = self.changing.lock().await;
        match command {
            ClientsCommand::Allow { digest } => self.allow(digest).await,
            ClientsCommand::Revoke => self.revoke().await,
            ClientsCommand::Unknown => ClientsResponse::NotSupported,
        }
    }

    async fn allow(&self, digest: String) -> ClientsResponse {
        let server = match self.listening().await {
            Ok(server) => server,
            Err(StartError::Busy) => return ClientsResponse::Busy,
            Err(StartError::NoExtension) => return ClientsResponse::NoExtension,
            Err(StartError::Failed(error)) => return ClientsResponse::Failed { error },
        };
        if !self.keys.lock().add(digest) {
            return ClientsResponse::TooManyKeys { most: MAX_KEYS };
        }
        let version = server.version.clone();
        ClientsResponse::Allowed { version }
    }

    /// Returns DuckDB's server, which is started if none listens.
    async fn listening(&self) -> Result<Arc<Server>, StartError> {
        let running = self.server.lock().clone();
        if let Some(server) = running
            && server.is_up().await
        {
            return Ok(server);
        }
        let server = Arc::new(Server::start(&self.flow).await?);
        *self.server.lock() = Some(server.clone());
        Ok(server)
    }

    /// Forgets the keys. Nothing passes from then on, even if DuckDB is too busy to stop listening.
    async fn revoke(&self) -> ClientsResponse {
        let keys = self.keys.lock().clear();
        let server = self.server.lock().take();
        if let Some(server) = server {
            server.revoked.cancel();
            if let Err(why) = server.stop(&self.flow).await {
                let session = &self.session;
                warn!(
                    session,
                    ?why,
                    "session {session}: DuckDB still listens for clients, which the door does not let in"
                );
            }
        }
        ClientsResponse::Revoked { keys }
    }

    /// Answers a client's request.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let headers = request.headers().clone();
        match self.forward(request).await {
            Ok(answer) => answer,
            Err(refusal) => refusal.respond(&headers),
        }
    }

    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let headers = request.headers();
        let key = bearer(headers).ok_or(Refusal::NoKey)?;
        match self.keys.lock().check(key, Utc::now()) {
            KeyCheck::Valid => {}
            KeyCheck::Wrong => return Err(Refusal::WrongKey),
            KeyCheck::TooManyWrong => return Err(Refusal::TooManyWrongKeys),
        }
        let server = self.server.lock().clone().ok_or(Refusal::Revoked)?;
        if let Some(refusal) = other_version(headers, &server.version) {
            return Err(refusal);
        }
        check_length(headers)?;
        let is_proxied = headers.contains_key(FORWARDED_FOR);
        let counted = self.counter.begin(RequestKind::Query);
        let forwarding = async {
            let permit = self.queue.wait(None).await.map_err(|_| ProxyError::Busy)?;
            let request = with_token(stream_body(request), &server.token).await?;
            counted.pass(permit);
            let passed = Instant::now();
            let answer = server.client.forward(request, Some(counted)).await?;
            if is_proxied && is_large(&answer) {
                sleep_until(passed + PROXY_PAUSE).await;
            }
            Ok::<_, ProxyError>(answer)
        };
        let answer = server.revoked.run_until_cancelled(forwarding).await;
        let answer = answer.ok_or(Refusal::Revoked)??;
        let revoked = server.revoked.clone();
        Ok(answer.map(|body| UntilRevoked::new(body, revoked).boxed_unsync()))
    }
}

/// Returns true if a request is of a DuckDB client.
pub(super) fn is_client<B>(request: &Request<B>) -> bool {
    request.uri().path() == QUACK_PATH && client_version(request.headers()).is_some()
}

/// Answers a client whose session has ended.
pub(super) fn no_session(request: &HeaderMap) -> Response<Body> {
    Refusal::NoSession.respond(request)
}

/// Receives a signed command.
///
/// # Errors
/// If it is too long, or not there in time.
pub(super) async fn receive_command(request: Request<Incoming>) -> Result<String, &'static str> {
    let body = Limited::new(request.into_body(), ClientsCommand::MAX_BYTES).collect();
    let Ok(Ok(body)) = timeout(COMMAND_TIMEOUT, body).await else {
        return Err("the command is too long, or did not arrive");
    };
    let text = String::from_utf8(body.to_bytes().into());
    text.map_err(|_| "the command is not a text")
}

fn is_large(answer: &Response<Body>) -> bool {
    let upper = answer.body().size_hint().upper();
    upper.is_none_or(|bytes| bytes > SMALL_ANSWER_BYTES)
}

/// The key in `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

/// Puts DuckDB's token into the first message of a connection. Other messages pass as they are.
async fn with_token(request: Request<Body>, token: &str) -> Result<Request<Body>, ProxyError> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_none_or(|length| length > MAX_FIRST_BYTES) {
        return Ok(request);
    }
    let (mut head, body) = receive_body(request, MAX_FIRST_BYTES).await?.into_parts();
    let body = body.collect().await.map_err(|_| ProxyError::TooSlow)?;
    let message = body.to_bytes();
    let message = message::with_token(&message, token).map_or(message, Bytes::from);
    let length = HeaderValue::from(message.len());
    head.headers.insert(header::CONTENT_LENGTH, length);
    Ok(Request::from_parts(head, full_body(message)))
}

/// Body of an answer, which breaks off once the keys are revoked.
struct UntilRevoked {
    body: Body,
    revoked: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl UntilRevoked {
    fn new(body: Body, revoked: CancellationToken) -> Self {
        let revoked = Box::pin(revoked.cancelled_owned());
        Self { body, revoked }
    }
}

impl hyper::body::Body for UntilRevoked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.revoked.as_mut().poll(context).is_ready() {
            let why = "the keys of clients were revoked";
            return Poll::Ready(Some(Err(BodyError(why.into()))));
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
