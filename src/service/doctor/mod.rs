//! The use case behind `/duck doctor`: finds out why a session, or a start, does not work.
//!
//! `facts` are asked for at the same time, each with its own time limit. `findings` gives them their
//! meaning. The bot connects only to the session and to addresses that the settings name.

mod facts;
mod finding;
mod findings;

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

pub use facts::{
    AddressFact, Check, CredentialsFact, Fact, Facts, Places, Room, Subject, TablesFact, WorkFact,
};
pub use finding::{CheckStatus, Finding, first_problem, is_login};

use super::{
    LookupRejection, QueryRejection, Rejection, Requester, Service, ServiceError, SessionAction,
    StartRejection, audit::audit, runners::is_queryable, saving::describe_work,
};
use crate::{
    credentials::{
        CredentialPart,
        preflight::{EndpointKind, Preflight},
    },
    door::{ENTER_PATH, is_enter_page},
    error::Error,
    outbound::{CertificateProblem, Visit},
    runtime::all_tables,
    session::{
        CredentialSource, NewRecord, Observed, OwnerId, PodState, Record, RecordKind, RequestId,
        Restore, Stage, Workspace,
    },
};

/// Maximum time to find out a fact.
const FACT_TIMEOUT: Duration = Duration::from_secs(12);

impl Service {
    /// Begins an examination of the named session or of the person's only one. Without a session, it is
    /// about their next start. All facts are pending.
    ///
    /// # Errors
    /// Returns a rejection if the session belongs to someone else, does not exist or is ambiguous.
    pub fn begin_examination(
        &self,
        who: &Requester,
        given: Option<&str>,
    ) -> Result<Facts, LookupRejection> {
        let subject = if given.is_none() && self.live_sessions(who.id).is_empty() {
            Subject::Start
        } else {
            Subject::Session(self.find_accessible(who, given, SessionAction::Examine)?)
        };
        let (owner, catalog) = match &subject {
            Subject::Start => (who.id, self.settings.sessions.default_catalog.clone()),
            Subject::Session(seen) => (seen.record.owner, seen.record.catalog.clone()),
        };
        let is_owner = owner == who.id;
        if let Subject::Session(seen) = &subject
            && !is_owner
        {
            audit(who, "examined", &seen.record.id.to_string());
        }
        let (has_door, is_ready) = match &subject {
            Subject::Start => (false, true),
            Subject::Session(seen) => (may_have_door(seen), is_queryable(seen)),
        };
        let session = matches!(subject, Subject::Session(_));
        let tables = if is_owner {
            pending_if(is_ready)
        } else {
            Fact::OwnerOnly
        };
        Ok(Facts {
            checks: self.checks(&subject, &catalog),
            owner,
            is_owner,
            now: self.now(),
            part: CredentialPart::required_for(&self.settings, &catalog),
            places: self.places(&subject, &catalog),
            stale_since: self.stale_since(),
            room: self.room(owner),
            pause: pending_if(!session),
            trial: pending_if(!session),
            pod: pending_if(session),
            door: pending_if(has_door),
            address: pending_if(has_door),
            access: Fact::Pending,
            storage: Fact::Pending,
            catalog_answer: Fact::Pending,
            tables,
            work: pending_if(is_ready),
            catalog,
            subject,
        })
    }

    /// Finds out all facts at the same time, and stores each as soon as it is known.
    pub async fn examine(&self, facts: &watch::Sender<Facts>) {
        let begun = &facts.borrow().clone();
        let has = |check| begun.checks.contains(&check);
        let subject = async {
            match &begun.subject {
                Subject::Start => self.examine_start(facts, begun).await,
                Subject::Session(seen) => self.examine_session(facts, begun, seen).await,
            }
        };
        let service = async |kind, check, place: Place<Result<(), String>>| {
            if has(check) {
                learn(facts, place, self.probe(&begun.catalog, kind)).await;
            }
        };
        tokio::join!(
            subject,
            learn(facts, |it| &mut it.access, self.find_access(begun)),
            service(EndpointKind::Storage, Check::Storage, |it| &mut it.storage),
            service(EndpointKind::Catalog, Check::Catalog, |it| {
                &mut it.catalog_answer
            }),
        );
    }

    async fn examine_start(&self, facts: &watch::Sender<Facts>, begun: &Facts) {
        let work = async {
            if begun.checks.contains(&Check::Work) {
                let tried = self.find_trial(begun.owner, &begun.catalog);
                learn(facts, |it| &mut it.work, tried).await;
            }
        };
        let trial = async {
            if begun.checks.contains(&Check::Rules) {
                learn(facts, |it| &mut it.trial, self.try_pod(begun.owner)).await;
            }
        };
        tokio::join!(learn(facts, |it| &mut it.pause, self.pause()), trial, work);
    }

    async fn examine_session(&self, facts: &watch::Sender<Facts>, begun: &Facts, seen: &Observed) {
        let runtime = &*self.runtime;
        let tables = async {
            if begun.checks.contains(&Check::Tables) {
                learn(facts, |it| &mut it.tables, self.find_tables(seen)).await;
            }
        };
        let work = async {
            let report = describe_work(runtime, seen).await;
            Ok(report.map_or(WorkFact::NoAnswer, WorkFact::Report))
        };
        tokio::join!(
            learn(facts, |it| &mut it.pod, runtime.pod(seen)),
            learn(facts, |it| &mut it.door, runtime.is_answering(seen)),
            learn(facts, |it| &mut it.address, self.visit(seen)),
            learn(facts, |it| &mut it.work, work),
            tables,
        );
    }

    /// Returns what to check, in order.
    fn checks(&self, subject: &Subject, catalog: &str) -> Vec<Check> {
        let settings = &self.settings;
        let named = settings.named_catalog(catalog);
        let is_here = settings.local.is_some();
        let (is_session, has_door, saves) = match subject {
            Subject::Start => {
                let saves = named.is_some_and(|it| it.work.is_some());
                (false, false, saves && settings.credentials.preflight)
            }
            Subject::Session(seen) => {
                let record = &seen.record;
                (true, !record.is_runner(), record.keeps_work)
            }
        };
        let all = [
            (Check::Cluster, !is_here),
            (Check::Starts, !is_session),
            (Check::Room, !is_session),
            (Check::Rules, !is_session && !is_here),
            (Check::Session, is_session),
            (Check::DuckDb, has_door),
            (Check::Door, has_door),
            (Check::Address, has_door),
            (Check::Credentials, true),
            // Only endpoints from the settings are asked.
            (Check::Storage, named.is_some()),
            (Check::Catalog, named.is_some()),
            (Check::Tables, is_session && settings.sql.is_some()),
            (Check::Work, saves),
        ];
        let wanted = all.into_iter().filter(|(_, is_wanted)| *is_wanted);
        wanted.map(|(check, _)| check).collect()
    }

    fn places(&self, subject: &Subject, catalog: &str) -> Places {
        let settings = &self.settings;
        let is_here = settings.local.is_some();
        let endpoints = settings.named_catalog(catalog).map(Preflight::endpoints);
        let [(_, catalog), (_, storage)] = endpoints.unwrap_or_else(|| {
            let none = |kind| (kind, String::new());
            [EndpointKind::Catalog, EndpointKind::Storage].map(none)
        });
        let url = match subject {
            Subject::Session(seen) => Some(self.url(&seen.record.id)),
            Subject::Start => None,
        };
        Places {
            namespace: (!is_here).then(|| settings.kubernetes.namespace.clone()),
            route: (!is_here).then_some(settings.routing.kind),
            url,
            storage,
            catalog,
        }
    }

    fn room(&self, owner: OwnerId) -> Result<Room, StartRejection> {
        let present: Vec<_> = self.sessions().into_iter().map(|it| it.record).collect();
        self.check_quota(owner, &present)?;
        Ok(Room {
            own: self.sessions_of(owner).len(),
            limit: self.settings.sessions.per_user,
        })
    }

    /// Asks whether the cluster would accept the Pod of the owner's next session.
    async fn try_pod(&self, owner: OwnerId) -> Result<(), Error> {
        let settings = &self.settings.sessions;
        let catalog = self.settings.catalog(&settings.default_catalog);
        let record = Record::starting(NewRecord {
            kind: RecordKind::Session,
            id: self.fresh_id(),
            request: RequestId("trial".to_owned()),
            owner,
            workspace: Workspace::default(),
            restore: Restore::Latest,
            keeps_work: catalog.is_some_and(|catalog| catalog.work.is_some()),
            display_name: String::new(),
            size: settings.default_size.clone(),
            catalog: settings.default_catalog.clone(),
            channel: None,
            created: self.now(),
            credentials: CredentialSource::Owner,
        });
        self.runtime.try_pod(&record).await
    }

    /// Reads about the owner's credentials. Reads and tries the values only if their owner asks.
    async fn find_access(&self, begun: &Facts) -> Result<CredentialsFact, Error> {
        let stored = self.credentials.metadata(begun.owner).await?;
        let is_usable = stored.as_ref().is_some_and(|stored| {
            let expiry = stored.expiry(begun.part);
            stored.has(begun.part) && expiry.is_none_or(|at| at > begun.now)
        });
        let uses_stored = match &begun.subject {
            Subject::Start => true,
            Subject::Session(seen) => seen.record.uses_owner_credentials(),
        };
        let may_try = begun.is_owner && self.settings.credentials.preflight;
        let catalog = self.settings.named_catalog(&begun.catalog);
        let tried = match catalog.filter(|_| may_try && is_usable && uses_stored) {
            None => None,
            Some(catalog) => match self.credentials.read(begun.owner).await? {
                None => None,
                Some(values) => Some(self.preflight.check(&values, catalog, self.now()).await),
            },
        };
        Ok(CredentialsFact { stored, tried })
    }

    /// Sends a request without credentials to a catalog's endpoint.
    async fn probe(&self, catalog: &str, kind: EndpointKind) -> Result<(), String> {
        let catalog = self.settings.named_catalog(catalog);
        let endpoints = catalog.map(Preflight::endpoints).into_iter().flatten();
        let endpoint = { endpoints }.find(|(it, _)| *it == kind);
        let Some((_, endpoint)) = endpoint else {
            return Err("it is not in the settings".to_owned());
        };
        self.preflight.probe(&endpoint).await.map(drop)
    }

    async fn find_trial(&self, owner: OwnerId, catalog: &str) -> Result<WorkFact, Error> {
        match self.try_saving(owner, Some(catalog)).await {
            Ok(Some(trial)) => Ok(WorkFact::Trial(trial)),
            Err(ServiceError::Failed(error)) => Err(error),
            Ok(None) | Err(_) => Ok(WorkFact::NoKeys),
        }
    }

    /// Lists the tables as a query from the chat would. Reads no list that is cached.
    async fn find_tables(&self, seen: &Observed) -> Result<TablesFact, Error> {
        let sql = all_tables(&self.catalog_name(seen));
        match self.run_internal_query(seen, sql, true).await {
            Ok((listed, _room)) => Ok(TablesFact::Listed(listed.rows.len(), listed.more)),
            Err(ServiceError::Rejected(Rejection::Query(rejection))) => Ok(match rejection {
                QueryRejection::TablesUnavailable(error) => TablesFact::Failed(*error),
                QueryRejection::CredentialsGone => TablesFact::CredentialsGone,
                _ => TablesFact::Busy,
            }),
            Err(ServiceError::Failed(error)) => Err(error),
            Err(_) => Ok(TablesFact::Busy),
        }
    }

    /// Visits the session's URL as a browser that has no cookie yet.
    async fn visit(&self, seen: &Observed) -> AddressFact {
        let id = &seen.record.id;
        if !seen.route {
            return AddressFact::NoRoute;
        }
        let url = self.url(id);
        let visit = self.settings.outbound.visit(&url, ENTER_PATH);
        let fact = match visit.await {
            Visit::Answered { status: 200, page } if is_enter_page(&page) => AddressFact::Door,
            Visit::Answered { status, .. } => AddressFact::Other(status),
            Visit::Silent => AddressFact::Silent,
            Visit::NoAddress => AddressFact::NoAddress,
            Visit::Unreachable(why) => AddressFact::Unreachable(why),
            Visit::BadCertificate(CertificateProblem::UnknownIssuer(issuer)) => {
                AddressFact::UnknownIssuer(issuer)
            }
            Visit::BadCertificate(CertificateProblem::Invalid(why)) => {
                AddressFact::BadCertificate(why)
            }
        };
        if fact == AddressFact::Door {
            return fact;
        }
        let refusal = self.runtime.route_refusal(id).await;
        refusal.map_or(fact, AddressFact::RouteRefused)
    }
}

/// Place of a fact.
type Place<T> = fn(&mut Facts) -> &mut Fact<T>;

/// Finds out a fact and stores it, if it is pending.
async fn learn<T>(facts: &watch::Sender<Facts>, place: Place<T>, asking: impl Future<Output = T>) {
    let mut is_pending = false;
    facts.send_if_modified(|it| {
        is_pending = matches!(place(it), Fact::Pending);
        false
    });
    if is_pending {
        let known = timeout(FACT_TIMEOUT, asking).await;
        let known = known.map_or(Fact::TimedOut, Fact::Known);
        facts.send_modify(|it| *place(it) = known);
    }
}

fn pending_if<T>(can_be_asked: bool) -> Fact<T> {
    if can_be_asked {
        Fact::Pending
    } else {
        Fact::NotReady
    }
}

/// Returns true if the session's door should listen.
fn may_have_door(seen: &Observed) -> bool {
    let state = seen.pod.as_ref().map(|pod| &pod.state);
    let is_there = state.is_some_and(|state| *state != PodState::Terminating);
    seen.record.stage == Stage::Running && is_there
}
