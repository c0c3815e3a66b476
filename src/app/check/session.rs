//! `duckbot check --session`: starts a session as the bot does, queries it through its URL as a browser
//! does, and removes it.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use reqwest::{Client, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::Backend,
    credentials::{CredentialField, Credentials},
    diagnostics::Diagnostic,
    door::ENTER_PATH,
    error::Error,
    outbound::CertificateProblem,
    runtime::{Claim, Runtime, rewrite},
    service,
    session::{
        Cause, CredentialSource, NewRecord, Observed, OwnerId, Parts, PodState, Record, RecordKind,
        RequestId, Restore, SessionId, Workspace,
    },
    settings::Settings,
};

/// Time in which the session's URL must answer. Ingress controllers need some seconds for a new route.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time after which a route that its controller refuses stays refused.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Time in which the catalog must be attached.
const CATALOG_TIMEOUT: Duration = Duration::from_secs(60);
/// Time to remove the parts of a session after an interrupt. The process then has a second more.
const INTERRUPTED_TIMEOUT: Duration = Duration::from_millis(1500);
/// Time between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Query, and its result, which is not in the query.
const QUERY: (&str, &str) = ("SELECT 'duck' || 42", "duck42");
/// Credentials of a session that has nobody's.
const PLACEHOLDER: &str = "duckbot-check";

/// Starts a session, queries it, and removes it, also if it fails or after `shutdown`. `owner` is the
/// person whose stored credentials it gets, if any.
pub(super) async fn diagnose(
    settings: &Arc<Settings>,
    owner: Option<OwnerId>,
    shutdown: &CancellationToken,
) -> Vec<Diagnostic> {
    let what = "session";
    let found = shutdown.run_until_cancelled(Backend::find(settings, false));
    let Some(found) = found.await else {
        return vec![Diagnostic::failed(what, "interrupted")];
    };
    let backend = match found {
        Ok(backend) => backend,
        Err(error) => return vec![Diagnostic::failed(what, format!("{error:#}"))],
    };
    let runtime = &*backend.runtime;
    let record = match claim(runtime, settings, owner).await {
        Ok(record) => record,
        Err(why) => return vec![Diagnostic::failed(what, why)],
    };
    let begin = Instant::now();
    let tried = tokio::select! {
        tried = try_session(&backend, settings, &record) => tried,
        () = shutdown.cancelled() => Err("interrupted".to_owned()),
    };
    let seconds = begin.elapsed().as_secs();
    let mut diagnostics = vec![match tried {
        Ok(more) => Diagnostic::ok(
            what,
            format!(
                "{} answered a query after {seconds} s{more}",
                runtime.url(&record.id)
            ),
        ),
        Err(why) => Diagnostic::failed(what, why),
    }];
    if let Err(why) = remove(runtime, &record.id, shutdown).await {
        let id = &record.id;
        diagnostics.push(Diagnostic::failed(
            what,
            format!("{id} could not be removed ({why}); an admin can stop it with /duck stop {id}"),
        ));
    }
    if let Some(local) = &backend.local {
        local.end().await;
    }
    diagnostics
}

/// Stores the record of a new session. It has a workspace of its own, so it touches no work of its owner.
async fn claim(
    runtime: &dyn Runtime,
    settings: &Settings,
    owner: Option<OwnerId>,
) -> Result<Arc<Record>, String> {
    let credentials = match owner {
        Some(_) => CredentialSource::Owner,
        None => CredentialSource::Awaited,
    };
    // No person has the ID of a server.
    let owner = owner.unwrap_or(OwnerId::from(settings.discord.guild));
    let mut theirs = runtime.sessions_of(owner);
    theirs.retain(|seen| !seen.record.is_runner());
    if theirs.len() >= usize::from(settings.sessions.per_user) {
        return Err(
            "the person has as many sessions as allowed (sessions.per_user); stop one".to_owned(),
        );
    }
    let record = Record::starting(NewRecord {
        kind: RecordKind::Session,
        id: SessionId::from_uuid(Uuid::new_v4()),
        request: RequestId(Uuid::new_v4().to_string()),
        owner,
        workspace: Workspace::of_check(),
        restore: Restore::Nothing,
        keeps_work: false,
        display_name: "duckbot check".to_owned(),
        size: settings.sessions.default_size.clone(),
        catalog: settings.sessions.default_catalog.clone(),
        channel: None,
        created: Utc::now(),
        credentials,
    });
    match runtime.claim(&record).await {
        Ok(Claim::Made { record, .. }) => Ok(record),
        Ok(Claim::Taken(id)) => Err(format!(
            "another check runs, or was interrupted; an admin can end it with /duck stop {id}"
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Starts the session, and queries it. Returns what else to say.
async fn try_session(
    backend: &Backend,
    settings: &Settings,
    record: &Arc<Record>,
) -> Result<String, String> {
    let (runtime, id) = (&*backend.runtime, &record.id);
    let seen = observed(runtime, id)?;
    if record.credentials == CredentialSource::Awaited {
        let value = |_: CredentialField| Some(SecretString::from(PLACEHOLDER));
        let own = Credentials::from_values(value, |_| None).expect("values are given");
        let stored = backend.credentials.put_own(&seen, &own).await;
        stored.map_err(|error| error.to_string())?;
        let noted = runtime.note_own_credentials(id).await;
        noted.map_err(|error| error.to_string())?;
    }
    let created = runtime.create(&observed(runtime, id)?, Parts::ALL).await;
    created.map_err(|error| error.to_string())?;
    let limit = settings.sessions.start_timeout.to_std().unwrap_or_default();
    let mut state = "starting".to_owned();
    let ready = timeout(limit, wait_until_ready(runtime, id, &mut state)).await;
    ready.map_err(|_| format!("not ready within {limit:?} ({state})"))??;
    let browser = Browser::enter(runtime, settings, id).await?;
    let answer = browser.query(QUERY.0).await?;
    if !answer.contains(QUERY.1) {
        return Err("its URL answers, but not with the result of the query".to_owned());
    }
    if record.credentials != CredentialSource::Owner {
        return Ok(
            "; it had nobody's credentials, so its catalog was not tried (use --as)".to_owned(),
        );
    }
    browser.wait_for_catalog(&record.catalog).await?;
    let saving = try_saving(backend, settings, record).await?;
    Ok(format!(
        "; the catalog {} is attached{saving}",
        record.catalog
    ))
}

/// Tries whether the person's keys may save work. Returns what to say about it.
async fn try_saving(
    backend: &Backend,
    settings: &Settings,
    record: &Record,
) -> Result<String, String> {
    let credentials = backend.credentials.read(record.owner).await;
    let credentials = credentials.map_err(|error| error.to_string())?;
    let Some(credentials) = credentials else {
        return Ok(String::new());
    };
    let tried = service::try_saving(settings, record.owner, &credentials, &record.catalog);
    match tried.await {
        None => Ok(String::new()),
        Some(Ok(())) => Ok("; that person's work can be saved".to_owned()),
        Some(Err(failure)) => Err(format!(
            "that person's work can't be saved at catalogs.{}.work: {}; check what their keys may do \
             there (docs/operations.md)",
            record.catalog, failure.error
        )),
    }
}

fn observed(runtime: &dyn Runtime, id: &SessionId) -> Result<Observed, String> {
    runtime
        .session(id)
        .ok_or_else(|| "the session was removed meanwhile".to_owned())
}

/// Waits until DuckDB answers. Keeps `state` current.
async fn wait_until_ready(
    runtime: &dyn Runtime,
    id: &SessionId,
    state: &mut String,
) -> Result<(), String> {
    let mut changes = runtime.changes();
    loop {
        match observed(runtime, id)?.pod.map(|pod| pod.state) {
            Some(PodState::Ready) => return Ok(()),
            // A running bot removes such a session at once.
            Some(
                PodState::Failed(why)
                | PodState::Stuck(why)
                | PodState::Crashing { incident: why, .. },
            ) => return Err(format!("it can't run: {}", why.why)),
            Some(PodState::Pending {
                incident: Some(why),
                ..
            }) => *state = why.why,
            _ => {}
        }
        if changes.changed().await.is_err() {
            return Err("the view of the cluster has ended".to_owned());
        }
    }
}

/// Client that has entered a session, as a browser does.
struct Browser {
    client: Client,
    url: String,
    cookie: String,
}

impl Browser {
    /// Enters with a ticket. Tries again while the ingress controller does not know the route.
    async fn enter(
        runtime: &dyn Runtime,
        settings: &Settings,
        id: &SessionId,
    ) -> Result<Self, String> {
        let url = runtime.url(id).trim_end_matches('/').to_owned();
        let client = settings.outbound.browser(&url, REQUEST_TIMEOUT);
        let client = client.map_err(|error| error.to_string())?;
        let begin = Instant::now();
        let kind = settings.routing.kind;
        let (controller, certificate) = (kind.controller(), kind.certificate());
        loop {
            let ticket = runtime.ticket(&observed(runtime, id)?).await;
            let ticket = ticket.map_err(|error| error.to_string())?;
            let ticket = ticket.ok_or("the key of its door is gone")?;
            let entered = client.post(format!("{url}{ENTER_PATH}"));
            let entered = entered.header(header::ORIGIN, &url);
            let entered = entered.body(ticket.expose_secret().to_owned()).send().await;
            let why = match entered {
                Ok(answer) => {
                    let cookie = answer.headers().get(header::SET_COOKIE);
                    let cookie = cookie.and_then(|it| it.to_str().ok()?.split(';').next());
                    if let Some(cookie) = cookie {
                        let cookie = cookie.to_owned();
                        return Ok(Self {
                            client,
                            url,
                            cookie,
                        });
                    }
                    let status = answer.status().as_u16();
                    format!("answers HTTP {status}; check {controller}")
                }
                Err(error) => match CertificateProblem::find(&error) {
                    Some(problem) => {
                        return Err(format!(
                            "{url}: {problem}; check {certificate}, and tls.ca_file if the CA is your own"
                        ));
                    }
                    None if error.is_timeout() && !error.is_connect() => format!(
                        "leads to a server that gets no answer from the session; check the network \
                         policies, and {controller}"
                    ),
                    None => format!("does not answer from here; check DNS and {controller}"),
                },
            };
            if begin.elapsed() > REFUSAL_TIMEOUT
                && let Some(refusal) = runtime.route_refusal(id).await
            {
                return Err(format!("{url}: {refusal}"));
            }
            if begin.elapsed() > ROUTE_TIMEOUT {
                return Err(format!("{url} {why}"));
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// Runs a query as the UI does. Returns the answer, which contains the values as text.
    async fn query(&self, sql: &str) -> Result<String, String> {
        let asked = self.client.post(format!("{}/ddb/run", self.url));
        let asked = asked
            .header(header::ORIGIN, &self.url)
            .header(header::COOKIE, &self.cookie)
            .header("X-DuckDB-UI-Connection-Name", PLACEHOLDER)
            .body(sql.to_owned());
        let answer = async { asked.send().await?.error_for_status()?.bytes().await };
        let answer = answer.await;
        let answer = answer.map_err(|error| match error.status() {
            Some(status) => format!("its query was answered with HTTP {}", status.as_u16()),
            None => "its query was not answered; check the time limits of the ingress controller \
                     or the Gateway"
                .to_owned(),
        })?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn wait_for_catalog(&self, catalog: &str) -> Result<(), String> {
        let catalog = catalog.replace('\'', "''");
        let sql = format!(
            "SELECT 'attached:' || count(*) FROM duckdb_databases() WHERE database_name = '{catalog}'"
        );
        let until = Instant::now() + CATALOG_TIMEOUT;
        while !self.query(&sql).await?.contains("attached:1") {
            if Instant::now() > until {
                return Err(format!(
                    "the catalog {catalog} was not attached; that person should run /duck setup and \
                     /duck start, and look into the table memory.problems"
                ));
            }
            sleep(RETRY_INTERVAL).await;
        }
        Ok(())
    }
}

/// Removes the session. After `shutdown`, there is little time. The cluster then removes the parts with
/// the record, which owns them.
async fn remove(
    runtime: &dyn Runtime,
    id: &SessionId,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let stopped = |record: &Record| {
        let by = record.owner;
        let record = record.with_ending(Cause::Stopped { by }, Utc::now());
        record.with_end_announced()
    };
    rewrite(runtime, id, stopped).await?;
    let Some(seen) = runtime.session(id) else {
        return Ok(());
    };
    let hurry = async {
        shutdown.cancelled().await;
        sleep(INTERRUPTED_TIMEOUT).await;
    };
    tokio::select! {
        deleted = runtime.delete(&seen, Parts::ALL) => deleted?,
        () = hurry => {}
    }
    runtime.remove(&seen).await
}
