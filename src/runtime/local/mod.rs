//! Sessions on this machine. Each is a DuckDB process behind the same door as on Kubernetes.
//! Everything that outlives the bot is a file in one folder:
//!
//! | path | content |
//! | --- | --- |
//! | `records/duckui-<owner>-<workspace>` | a session's record |
//! | `records/duckui-<owner>-query-<number>` | a query runner's record |
//! | `credentials/<owner>` | a person's credentials |
//! | `credentials/session-<session>` | a session's own credentials |
//! | `replies/<session>` | a session's reply token |
//! | `history/<owner>` | a person's past queries |
//! | `schedule-texts/<owner>-<id>` | the text of a schedule's query |
//! | `ledger` | the ledger |
//! | `schedules` | the book of schedules |
//! | `pause` | the pause of starts |
//! | `work-key` | the key from which those of people's saved work are derived |
//! | `sessions/<session>/` | DuckDB's home and temporary files; removed with its session |
//!
//! Processes end with the bot, even if it is killed: each runs only while the bot holds its input
//! open. The next bot starts the sessions again, with the files that they had.

mod credentials;
mod documents;
mod duckdb;
mod files;
mod history;
mod process;
mod schedule_texts;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io,
    net::Ipv4Addr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, process::Command, sync::watch, task::JoinHandle};
use uuid::Uuid;

pub use credentials::{CredentialFiles, ReplyFiles};
use documents::{document, ledger};
pub use duckdb::{DuckDb, UnusableDuckDb};
pub use files::lock_folder;
use files::{Folder, disk_error};
pub use history::HistoryFiles;
use process::{Launch, Process, ReservedPort, Variables};
pub use schedule_texts::ScheduleFiles;

use super::{
    AnswerRoom, AskError, BookStore, Claim, ClientsCommand, ClientsResponse, ControlCommand,
    ControlResponse, LedgerStore, PauseStore, QueryRequest, QueryResponse, Runtime, control_rpc,
    environment,
    query_pool::QueryPool,
    query_rpc::{QueryProcess, failed},
    rewrite,
};
use crate::{
    credentials::{CredentialField, CredentialStore},
    diagnostics::Diagnostic,
    door::{self, Door, activity::Activity, ticket::SigningKey},
    duckdb::{
        confine, control_socket,
        environment::{CONTROL_KEY, secret},
        exchange::EXCHANGE,
        script::fence::REMOTE_PREFIXES,
    },
    error::Error,
    outbound::CA_FILE_VARIABLE,
    session::{
        CredentialSource, Details, Failure, Incident, Observed, Orphan, OwnerId, Parts, Pod,
        Record, RecordKind, SessionId, Stage,
    },
    settings::{self, Settings},
    work::{MasterKey, WorkKey},
};

/// ID of the signing key of all doors. The key exists only while the bot runs, as the doors do.
const DOOR_KEY_ID: &str = "local";
/// Variables that DuckDB inherits from the bot: paths of programs and CA certificates.
const INHERITED_VARIABLES: [&str; 3] = ["PATH", CA_FILE_VARIABLE, "SSL_CERT_DIR"];
/// File with all CA certificates that sessions trust, if they are not those of the system.
const CA_FILE: &str = "ca.crt";
/// Note for operators of machines without Landlock.
const NO_LANDLOCK: &str = "this system has no Landlock (Linux 5.13 or later, with `landlock` among \
     its security modules), so only DuckDB's own settings keep sessions from this machine's files";
/// Maximum time for a process without saved work to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Time that a process with saved work has after its last save.
const GRACE_AFTER_SAVE: Duration = Duration::from_secs(10);
/// Maximum time for the end of a process that is killed.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// File with the key from which those of people's saved work are derived.
pub const WORK_KEY_FILE: &str = "work-key";

/// Runtime for sessions on this machine, with its state in one folder.
pub struct Local {
    settings: Arc<Settings>,
    duckdb: DuckDb,
    port: u16,
    records: Folder,
    homes: PathBuf,
    credentials: Arc<CredentialFiles>,
    replies: Arc<ReplyFiles>,
    history: Arc<HistoryFiles>,
    schedule_texts: Arc<ScheduleFiles>,
    ledger: Arc<LedgerStore>,
    pauses: Arc<PauseStore>,
    book: Arc<BookStore>,
    /// File with all CA certificates that sessions trust. `None`: those of the system.
    ca_file: Option<PathBuf>,
    key: SigningKey,
    work_master: MasterKey,
    program: PathBuf,
    queries: QueryPool,
    view: Arc<View>,
    doors: JoinHandle<()>,
    _taken: File,
}

/// Sessions, by the name of their record.
#[derive(Default)]
struct View {
    sessions: Mutex<BTreeMap<String, SessionEntry>>,
    changes: watch::Sender<u64>,
}

impl View {
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Content of a record's file.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    uid: String,
    revision: u64,
    /// Record as JSON, for [`Record::read`].
    record: String,
}

struct SessionEntry {
    uid: Arc<str>,
    revision: u64,
    record: Arc<Record>,
    process: Option<Process>,
    /// True if the Service was created. A local session needs none, so this only records the step.
    service: bool,
    /// Door to which the session's host name leads. It counts as the route.
    door: Option<Arc<Door>>,
}

impl SessionEntry {
    fn observed(&self) -> Observed {
        Observed {
            record: self.record.clone(),
            uid: self.uid.clone(),
            revision: self.revision.to_string().into(),
            pod: self.process.as_ref().map(Process::pod),
            service: self.service,
            route: self.door.is_some(),
        }
    }

    fn is(&self, seen: &Observed) -> bool {
        self.uid == seen.uid
    }
}

impl Local {
    /// Starts a process that answers queries.
    fn start_query_process(&self) -> Result<QueryProcess, Error> {
        let mut child = Command::new(&self.program)
            .args(["duckdb", "--ask"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|why| failed(&why.to_string()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| failed("the process has no input and output"))?;
        // The process ends by itself when its input is closed.
        tokio::spawn(async move { child.wait().await });
        Ok(QueryProcess::new(input, output))
    }

    /// Locks the folder, reads the records, and listens for browsers.
    ///
    /// # Errors
    /// If another bot uses the folder, a record can't be read, DuckDB can't be run, or the folder
    /// or the port can't be used.
    pub async fn start(
        settings: Arc<Settings>,
        local_settings: settings::Local,
    ) -> anyhow::Result<Self> {
        let folder = |name: &str| Folder::open(local_settings.folder.join(name));
        let records = folder("records")?;
        let taken = files::lock_folder(&local_settings.folder)?;
        let homes = local_settings.folder.join("sessions");
        let duckdb = find_duckdb(&local_settings, &[]).await?;
        if !confine::is_supported() {
            tracing::warn!("{NO_LANDLOCK}");
        }
        let port = local_settings.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| {
            format!("can't listen on port {port}; set local.port to another one")
        })?;
        let port = listener.local_addr()?.port();
        let held = load(&records)?;
        remove_old_homes(&homes, &held)?;
        let view = Arc::new(View {
            sessions: Mutex::new(held),
            ..View::default()
        });
        let all = view.clone();
        let doors = tokio::spawn(door::serve_browsers(listener, move |host| {
            find(&all, host?)
        }));
        let (credentials, replies) = (folder("credentials")?, folder("replies")?);
        let history = folder("history")?;
        credentials.tidy()?;
        replies.tidy()?;
        history.tidy()?;
        let schedules = folder("schedule-texts")?;
        schedules.tidy()?;
        let home = Folder::open(local_settings.folder.clone())?;
        let work_master = find_work_master(&home)?;
        let ca_file = if settings.has_own_authorities() {
            home.write(CA_FILE, settings.outbound.authorities.bundle().as_bytes())?;
            Some(home.path(CA_FILE))
        } else {
            None
        };
        Ok(Self {
            ca_file,
            work_master,
            credentials: Arc::new(CredentialFiles(credentials)),
            replies: Arc::new(ReplyFiles(replies)),
            history: Arc::new(HistoryFiles::new(history)),
            schedule_texts: Arc::new(ScheduleFiles(schedules)),
            ledger: Arc::new(ledger(home)),
            pauses: Arc::new(document(Folder::open(local_settings.folder.clone())?)),
            book: Arc::new(document(Folder::open(local_settings.folder)?)),
            key: SigningKey::read(DOOR_KEY_ID, &SigningKey::generate())
                .context("the signing key can't be created")?,
            program: std::env::current_exe().context("the path of duckbot's program is unknown")?,
            queries: QueryPool::new(settings.linger()),
            settings,
            duckdb,
            port,
            records,
            homes,
            view,
            doors,
            _taken: taken,
        })
    }

    /// Returns the storage of credentials.
    pub fn credentials(&self) -> Arc<CredentialFiles> {
        self.credentials.clone()
    }

    /// Returns the storage of reply tokens.
    pub fn replies(&self) -> Arc<ReplyFiles> {
        self.replies.clone()
    }

    /// Returns the storage of past queries.
    pub fn history(&self) -> Arc<HistoryFiles> {
        self.history.clone()
    }

    /// Returns the storage of the texts of schedules.
    pub fn schedule_texts(&self) -> Arc<ScheduleFiles> {
        self.schedule_texts.clone()
    }

    pub fn book(&self) -> Arc<BookStore> {
        self.book.clone()
    }

    pub fn ledger(&self) -> Arc<LedgerStore> {
        self.ledger.clone()
    }

    pub fn pauses(&self) -> Arc<PauseStore> {
        self.pauses.clone()
    }

    /// Kills the DuckDB processes of `owner`, to try out a crash in the sandbox.
    pub fn kill(&self, owner: OwnerId) {
        let held = self.view.sessions.lock();
        let theirs = held.values().filter(|held| held.record.owner == owner);
        theirs
            .filter_map(|held| held.process.as_ref())
            .for_each(Process::kill);
    }

    /// Stops all processes and doors. The records remain, and the files of the sessions. A session whose work
    /// has changed saves it first.
    pub async fn end(&self) {
        self.doors.abort();
        let stop = |held: &SessionEntry| {
            let process = held.process.as_ref()?;
            Some(process.stop(self.grace(&held.record)))
        };
        let ended: Vec<_> = self
            .view
            .sessions
            .lock()
            .values()
            .filter_map(stop)
            .collect();
        for one in ended {
            one.cancelled().await;
        }
    }

    fn store(&self, name: &str, held: &SessionEntry) -> Result<(), Error> {
        let record = serde_json::to_string(&*held.record).expect("a record serializes to JSON");
        let stored = StoredSession {
            uid: held.uid.to_string(),
            revision: held.revision,
            record,
        };
        let text = serde_json::to_vec(&stored).expect("a stored session serializes to JSON");
        self.records.write(name, &text)
    }

    /// Changes the entry of `seen`, if it still exists.
    fn change(&self, seen: &Observed, change: impl FnOnce(&mut SessionEntry)) {
        let mut held = self.view.sessions.lock();
        if let Some(held) = held.get_mut(&seen.record.name()).filter(|it| it.is(seen)) {
            change(held);
        }
        drop(held);
        self.view.changed();
    }

    /// Returns the door of a session, to do this with it.
    fn find_door(&self, seen: &Observed, action: &str) -> Result<Arc<Door>, Error> {
        let held = self.view.sessions.lock();
        let held = held.get(&seen.record.name()).filter(|it| it.is(seen));
        let door = held.and_then(|held| held.door.clone());
        door.ok_or_else(|| Error::Session {
            action: format!("{action} of session {}", seen.record.id),
            why: "its door is gone".into(),
        })
    }

    fn origin(&self, id: &SessionId) -> String {
        format!("http://{}.localhost:{}", id.object_name(), self.port)
    }

    async fn start_process(&self, seen: &Observed) -> Result<(Process, Option<Arc<Door>>), Error> {
        let record = &seen.record;
        let home = self.home(record);
        // Nobody else may reach the socket for the bot's commands.
        let mut folder = fs::DirBuilder::new();
        let folder = folder.recursive(true).mode(0o700).create(&home);
        folder.map_err(|why| disk_error("creating", &home, &why))?;
        let port = ReservedPort::reserve();
        let port = port.map_err(|why| disk_error("reserving a port for", &home, &why))?;
        let door = match record.kind {
            RecordKind::Session => Some(Arc::new(self.door(record, port.number)?)),
            RecordKind::QueryRunner => None,
        };
        let Some(variables) = self.variables(record).await? else {
            let why = Incident::new(Failure::CredentialsMissing, "its credentials are gone");
            return Ok((Process::stuck(why), door));
        };
        let launch = Launch {
            program: self.program.clone(),
            variables: Mutex::new(self.with_home(record, variables)),
            port,
        };
        let view = self.view.clone();
        let process = Process::start(launch, door.clone(), move || view.changed());
        Ok((process, door))
    }

    /// Maximum time for a session's process to end by itself.
    fn grace(&self, record: &Record) -> Duration {
        match self.settings.work_location(record) {
            Some(_) if !record.has_tried_to_save() => {
                self.settings.work.deadline + GRACE_AFTER_SAVE
            }
            _ => STOP_GRACE,
        }
    }

    fn home(&self, record: &Record) -> PathBuf {
        self.homes.join(record.id.to_string())
    }

    fn with_home(&self, record: &Record, mut variables: Variables) -> Variables {
        let home = self.home(record).to_string_lossy().into_owned();
        variables.push(("HOME", home.into()));
        variables
    }

    fn door(&self, record: &Record, port: u16) -> Result<Door, Error> {
        let path = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut told = HashMap::from([
            (door::variable::SESSION, record.id.to_string()),
            (door::variable::ORIGIN, self.origin(&record.id)),
            (door::variable::KEY, self.key.public()),
            (door::variable::OWNER, record.display_name.clone()),
            (
                door::variable::UI,
                self.settings.duckdb.ui.name().to_owned(),
            ),
            (
                door::variable::FILES,
                path(self.home(record).join(EXCHANGE)),
            ),
        ]);
        let local = self.settings.local.as_ref();
        if let Some(editor) = local.and_then(|local| local.editor.clone()) {
            told.insert(door::variable::EDITOR, path(editor));
        }
        let door = Door::read(|name| told.get(name).cloned(), port);
        door.map_err(|why| Error::Refused {
            action: "configuring the door".into(),
            why: why.to_string(),
        })
    }

    /// Returns the environment of DuckDB, or None if the session's credentials are gone.
    async fn variables(&self, record: &Record) -> Result<Option<Variables>, Error> {
        // This happens only if the settings changed while the session was starting.
        let gone = |what: &'static str, name: &str| Error::NotInSettings {
            what,
            name: name.to_owned(),
        };
        let size = self.settings.size_of(record);
        let size = size.ok_or_else(|| gone("size", &record.size))?;
        let catalog = self.settings.catalog(&record.catalog);
        let catalog = catalog.ok_or_else(|| gone("catalog", &record.catalog))?;
        let Some(credentials) = self.credentials.read_for(record).await? else {
            return Ok(None);
        };
        let plain = environment::plain(&self.settings, record, size, &catalog);
        let plain = plain.into_iter().map(|(name, value)| (name, value.into()));
        let own = CredentialField::ALL.into_iter();
        let own = own.filter_map(|field| {
            Some((
                environment::variable(field),
                credentials.value(field)?.clone(),
            ))
        });
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut all: Vec<_> = plain.chain(own).collect();
        if self.settings.work_location(record).is_some() {
            let key = WorkKey::derive(&self.work_master, record.owner).to_hex();
            all.push((secret::WORK_KEY, key.as_str().into()));
        }
        if self.settings.duckdb.folders.is_empty() {
            // Allow no local paths, because this machine holds everybody's credentials.
            all.push(("DUCKDB_FOLDERS", REMOTE_PREFIXES.to_owned().into()));
        }
        all.push((confine::CONFINED, "true".to_owned().into()));
        all.push((CONTROL_KEY, self.key.public().into()));
        all.push(("DUCKDB_PROGRAM", path(&self.duckdb.program).into()));
        all.push(("DUCKDB_EXTENSIONS", path(&self.duckdb.extensions).into()));
        for name in INHERITED_VARIABLES {
            all.extend(std::env::var(name).ok().map(|value| (name, value.into())));
        }
        if let Some(file) = &self.ca_file {
            all.retain(|(name, _)| *name != CA_FILE_VARIABLE);
            all.push((CA_FILE_VARIABLE, path(file).into()));
        }
        Ok(Some(all))
    }
}

#[async_trait]
impl Runtime for Local {
    fn sessions(&self) -> Vec<Observed> {
        let held = self.view.sessions.lock();
        let mut all: Vec<_> = held.values().map(SessionEntry::observed).collect();
        all.sort_by_key(|seen| seen.record.created);
        all
    }

    fn session(&self, id: &SessionId) -> Option<Observed> {
        let held = self.view.sessions.lock();
        let found = held.values().find(|held| held.record.id == *id);
        found.map(SessionEntry::observed)
    }

    fn stale_since(&self) -> Option<DateTime<Utc>> {
        None
    }

    fn unreadable(&self) -> usize {
        // The bot does not start with an unreadable record.
        0
    }

    fn orphans(&self) -> Vec<Orphan> {
        // There are none: a process belongs to a record's entry, and a folder is removed with its
        // process.
        Vec::new()
    }

    async fn remove_orphan(&self, _: &Orphan) -> Result<(), Error> {
        Ok(())
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.view.changes.subscribe()
    }

    fn url(&self, id: &SessionId) -> String {
        format!("{}/", self.origin(id))
    }

    async fn ticket(&self, seen: &Observed) -> Result<Option<SecretString>, Error> {
        let session = seen.record.id.to_string();
        Ok(Some(self.key.ticket(&session, Utc::now()).into()))
    }

    async fn work_key(&self, owner: OwnerId) -> Result<WorkKey, Error> {
        Ok(WorkKey::derive(&self.work_master, owner))
    }

    async fn activity(&self, seen: &Observed) -> Result<Activity, Error> {
        Ok(self.find_door(seen, "getting the activity")?.activity())
    }

    async fn is_answering(&self, seen: &Observed) -> Result<bool, Error> {
        let door = self.find_door(seen, "asking the door")?;
        Ok(door.is_ready().await)
    }

    async fn ask(
        &self,
        seen: &Observed,
        question: &QueryRequest,
        room: &mut AnswerRoom,
    ) -> Result<Option<QueryResponse>, AskError> {
        let (door, stopping) = {
            let held = self.view.sessions.lock();
            let held = held.get(&seen.record.name()).filter(|it| it.is(seen));
            let running =
                held.and_then(|it| Some((it.door.clone(), it.process.as_ref()?.stopping())));
            running.ok_or(AskError::NotRunning)?
        };
        let note_use = || door.iter().for_each(|door| door.record_use());
        let variables = self.variables(&seen.record).await?;
        let variables = variables.ok_or(AskError::CredentialsGone)?;
        let variables = self.with_home(&seen.record, variables);
        let told = variables.iter();
        let variables: HashMap<_, _> = told
            .map(|(name, value)| ((*name).to_owned(), value.expose_secret().to_owned()))
            .collect();
        let credentials = fingerprint(&variables);
        let question = QueryRequest {
            keep: self.queries.is_on(),
            variables,
            ..question.clone()
        };
        let id = &seen.record.id;
        let mut process = match self.queries.take(id, credentials).await {
            Some(process) => process,
            None => self.start_query_process()?,
        };
        note_use();
        let answer = process.ask(&question, room);
        let answer = stopping.run_until_cancelled(answer).await;
        note_use();
        // Dropping the process ends the query, as the end of a Pod does.
        let Some(answer) = answer.transpose()? else {
            return Ok(Some(QueryResponse::Exited));
        };
        // Of a session that has ended meanwhile, nothing is kept.
        let is_running = !stopping.is_cancelled();
        if is_running && answer.is_some() && answer != Some(QueryResponse::Exited) {
            self.queries.keep(id, credentials, process);
        }
        Ok(answer)
    }

    async fn control(
        &self,
        seen: &Observed,
        command: ControlCommand,
    ) -> Result<ControlResponse, Error> {
        let record = &seen.record;
        let session = record.id.to_string();
        let is_renewal = matches!(command, ControlCommand::RenewCredentials { .. });
        let limit = command.timeout();
        let signed = self.key.sign(command, &session, Utc::now());
        let home = self.home(record);
        let sent = control_socket::send(&home, &signed);
        let answer = tokio::time::timeout(limit, sent)
            .await
            .map_err(|_| control_rpc::timed_out(limit))?;
        // A process that is restarted begins with the present credentials, as a container does.
        if is_renewal && let Some(variables) = self.variables(record).await? {
            let variables = self.with_home(record, variables);
            self.change(seen, |held| {
                if let Some(process) = &held.process {
                    process.set_variables(variables);
                }
            });
        }
        Ok(answer)
    }

    async fn command_clients(
        &self,
        seen: &Observed,
        command: ClientsCommand,
    ) -> Result<ClientsResponse, Error> {
        let door = self.find_door(seen, "sending a command to the door")?;
        let signed = self
            .key
            .sign(command, &seen.record.id.to_string(), Utc::now());
        Ok(door.command_clients(&signed).await)
    }

    async fn details(&self, _: &Observed) -> Details {
        // There is only one machine, and no source of Events or metrics.
        Details::default()
    }

    async fn pod(&self, seen: &Observed) -> Result<Option<Pod>, Error> {
        Ok(self.session(&seen.record.id).and_then(|seen| seen.pod))
    }

    async fn recent_log(&self, seen: &Observed) -> Result<String, Error> {
        let held = self.view.sessions.lock();
        let held = held.get(&seen.record.name()).filter(|it| it.is(seen));
        let process = held.and_then(|held| held.process.as_ref());
        Ok(process.map(Process::recent_log).unwrap_or_default())
    }

    async fn claim(&self, record: &Record) -> Result<Claim, Error> {
        let name = record.name();
        let record = Arc::new(record.clone());
        let mut all = self.view.sessions.lock();
        match all.get(&name) {
            Some(held) if held.record.request == record.request => {
                // The earlier attempt was told which records came before.
                return Ok(Claim::Made {
                    record: held.record.clone(),
                    earlier: Vec::new(),
                });
            }
            Some(held) => return Ok(Claim::Taken(held.record.id.to_string())),
            None => {}
        }
        let held = SessionEntry {
            uid: Uuid::new_v4().to_string().into(),
            revision: 1,
            record: record.clone(),
            process: None,
            service: false,
            door: None,
        };
        self.store(&name, &held)?;
        let earlier = all.values().map(|held| held.record.clone()).collect();
        all.insert(name, held);
        drop(all);
        self.view.changed();
        Ok(Claim::Made { record, earlier })
    }

    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Error> {
        let name = record.name();
        let mut all = self.view.sessions.lock();
        let held = all.get_mut(&name).filter(|held| held.is(seen));
        let held = held.filter(|held| held.revision.to_string() == *seen.revision);
        let held = held.ok_or_else(|| Error::Conflict {
            action: format!("writing the record {name}"),
        })?;
        let before = std::mem::replace(&mut held.record, Arc::new(record.clone()));
        held.revision += 1;
        if let Err(error) = self.store(&name, held) {
            held.record = before;
            held.revision -= 1;
            return Err(error);
        }
        drop(all);
        self.view.changed();
        Ok(())
    }

    async fn note_own_credentials(&self, id: &SessionId) -> Result<Option<Record>, Error> {
        rewrite(self, id, Record::with_own_credentials).await
    }

    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
        if parts.pod {
            let (process, door) = self.start_process(seen).await?;
            self.change(seen, |held| {
                held.process = Some(process);
                held.door = door;
            });
        }
        self.change(seen, |held| held.service |= parts.service);
        Ok(())
    }

    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
        let grace = self.grace(&seen.record);
        let mut ended = None;
        self.change(seen, |held| {
            held.service &= !parts.service;
            if parts.route {
                held.door = None;
            }
            ended = held
                .process
                .as_ref()
                .filter(|_| parts.pod)
                .map(|process| process.stop(grace));
        });
        let Some(ended) = ended else {
            return Ok(());
        };
        self.queries.end(&seen.record.id);
        let limit = grace + KILL_TIMEOUT;
        if tokio::time::timeout(limit, ended.cancelled())
            .await
            .is_err()
        {
            return Err(Error::Session {
                action: format!("stopping DuckDB of session {}", seen.record.id),
                why: format!("it still ran after {limit:?}"),
            });
        }
        let home = self.home(&seen.record);
        remove_folder(&home).map_err(|why| disk_error("removing", &home, &why))?;
        self.change(seen, |held| held.process = None);
        Ok(())
    }

    async fn remove(&self, seen: &Observed) -> Result<(), Error> {
        let name = seen.record.name();
        // A session that ended while no bot ran has no process, but files.
        let home = self.home(&seen.record);
        remove_folder(&home).map_err(|why| disk_error("removing", &home, &why))?;
        let mut all = self.view.sessions.lock();
        if all.get(&name).is_some_and(|held| held.is(seen)) {
            self.replies.0.remove(&seen.record.id.to_string())?;
            self.credentials.forget_own(&seen.record)?;
            self.records.remove(&name)?;
            all.remove(&name);
        }
        drop(all);
        self.view.changed();
        Ok(())
    }
}

fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

/// Removes the folders of sessions without a record. The others keep their files.
fn remove_old_homes(homes: &Path, held: &BTreeMap<String, SessionEntry>) -> anyhow::Result<()> {
    let kept = |name: &str| held.values().any(|it| it.record.id.to_string() == name);
    let folders = match fs::read_dir(homes) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        folders => folders.with_context(|| format!("{} can't be read", homes.display()))?,
    };
    for folder in folders {
        let folder = folder?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !kept(&name) {
            let removed = remove_folder(&folder);
            removed.with_context(|| format!("the folder {} can't be removed", folder.display()))?;
        }
    }
    Ok(())
}

/// Reads the key from which those of people's saved work are derived. Creates it if there is none.
fn find_work_master(folder: &Folder) -> anyhow::Result<MasterKey> {
    if let Some(stored) = folder.read(WORK_KEY_FILE)?.map(Zeroizing::new) {
        return WorkKey::read_master(&stored).with_context(|| {
            let path = folder.path(WORK_KEY_FILE);
            format!("the key of saved work in {} is damaged", path.display())
        });
    }
    let master = WorkKey::generate_master().context("the system has no random numbers")?;
    folder.write(WORK_KEY_FILE, &*master)?;
    Ok(master)
}

/// Identifies the variables of a session, with its credentials.
fn fingerprint(variables: &HashMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    variables
        .iter()
        .collect::<BTreeMap<_, _>>()
        .hash(&mut hasher);
    hasher.finish()
}

/// Checks everything that sessions on this machine need.
pub async fn diagnose(settings: &Settings, local_settings: &settings::Local) -> Vec<Diagnostic> {
    let folder = Folder::open(local_settings.folder.clone());
    let folder = folder.and_then(|_| lock_folder(&local_settings.folder).map(drop));
    vec![
        match find_duckdb(local_settings, &settings.duckdb.extensions).await {
            Ok(found) => Diagnostic::ok(
                "DuckDB",
                format!("{} loads its extensions", found.program.display()),
            ),
            Err(why) => Diagnostic::failed("DuckDB", format!("{why:#}")),
        },
        match folder {
            Ok(()) => Diagnostic::ok("folder", local_settings.folder.display().to_string()),
            Err(why) => Diagnostic::failed("folder", format!("{why:#}")),
        },
        // Sessions run without it, so this is never a failure.
        Diagnostic::ok(
            "fence",
            if confine::is_supported() {
                "DuckDB's settings and Landlock keep sessions from this machine's files"
            } else {
                NO_LANDLOCK
            },
        ),
    ]
}

/// Finds DuckDB with its extensions, so that a wrong setting shows before the first session starts.
async fn find_duckdb(
    local_settings: &settings::Local,
    further: &[String],
) -> anyhow::Result<DuckDb> {
    let program = &local_settings.duckdb;
    let folder = local_settings.extensions.as_deref().map(Path::new);
    let found = DuckDb::find(program, folder, further).await;
    found.map_err(|unusable| {
        let program = program.display();
        match unusable {
            UnusableDuckDb::Folder(..) => anyhow::anyhow!("{program} can't be tried: {unusable}"),
            UnusableDuckDb::Program(why) => anyhow::anyhow!(
                "can't run {program}; install DuckDB's command line, or correct local.duckdb: {why}"
            ),
            UnusableDuckDb::Version(version) => anyhow::anyhow!(
                "{program} is DuckDB {version}; install DuckDB 1.5, or set local.duckdb to its path"
            ),
            UnusableDuckDb::Extensions(why) => anyhow::anyhow!(
                "{program} can't load its extensions; install them, or set local.extensions to the \
                 folder that contains them: {why}"
            ),
        }
    })
}

/// Returns the door of the session with this host name.
fn find(view: &View, host: &str) -> Option<Arc<Door>> {
    let (label, _) = host.split_once('.')?;
    let held = view.sessions.lock();
    let mut all = held.values();
    all.find(|held| held.record.id.object_name() == label)?
        .door
        .clone()
}

/// Returns the record of a session whose process ended with the bot that wrote the record.
fn interrupted(record: Record) -> Record {
    let is_interrupted = match record.stage {
        Stage::Running => true,
        Stage::Starting => record.credentials != CredentialSource::Awaited,
        _ => false,
    };
    if is_interrupted && !record.is_runner() {
        record.with_reschedule(Incident::new(Failure::BotEnded, ""))
    } else {
        record
    }
}

fn load(records: &Folder) -> anyhow::Result<BTreeMap<String, SessionEntry>> {
    let mut all = BTreeMap::new();
    records.tidy()?;
    for name in records.names()? {
        let Some(text) = records.read(&name)? else {
            continue;
        };
        let read = serde_json::from_slice(&text).map_err(|why| why.to_string());
        let read =
            read.and_then(|stored: StoredSession| Ok((Record::read(&stored.record)?, stored)));
        let (record, stored) = read.map_err(anyhow::Error::msg).with_context(|| {
            format!(
                "the record {} can't be read; remove the file, because its session ended with the \
                 bot that wrote it",
                records.path(&name).display()
            )
        })?;
        let held = SessionEntry {
            uid: stored.uid.into(),
            revision: stored.revision,
            record: Arc::new(interrupted(record)),
            process: None,
            service: false,
            door: None,
        };
        all.insert(name, held);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::session::starting;

    #[test]
    fn a_session_that_starts_again_keeps_its_files() {
        let place = tempfile::tempdir().expect("a folder");
        let homes = place.path().join("sessions");
        for id in ["977a26", "1b2c3d"] {
            fs::create_dir_all(homes.join(id)).expect("a folder");
        }
        let entry = SessionEntry {
            uid: "u".into(),
            revision: 1,
            record: Arc::new(starting()),
            process: None,
            service: false,
            door: None,
        };
        let held = BTreeMap::from([(starting().name(), entry)]);
        remove_old_homes(&homes, &held).expect("removed");
        let left: Vec<_> = fs::read_dir(&homes).expect("a folder").collect();
        assert_eq!(left.len(), 1);
        assert!(homes.join("977a26").exists());
        remove_old_homes(&place.path().join("none"), &held).expect("nothing to do");
    }

    #[test]
    fn the_key_of_saved_work_stays_and_only_the_bots_user_can_read_it() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(place.path().to_owned()).expect("a folder");
        let first = find_work_master(&folder).expect("a key");
        assert_eq!(*find_work_master(&folder).expect("a key"), *first);
        assert_ne!(*first, [0; WorkKey::BYTES]);
        let file = fs::metadata(folder.path(WORK_KEY_FILE)).expect("a file");
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        folder.write(WORK_KEY_FILE, b"short").expect("written");
        assert!(
            find_work_master(&folder).is_err(),
            "a new one would lose all saves"
        );
    }
}
