//! Sessions on this machine: a DuckDB process for each, behind the same door as on
//! Kubernetes. Everything that outlives the bot is a file in one folder:
//!
//! | | |
//! | --- | --- |
//! | `records/duckui-<owner>-<place>` | the record of a session |
//! | `keys/<owner>` | a person's credentials |
//! | `keys/session-<session>` | those that a session has alone |
//! | `replies/<session>` | what it takes to go on with a private reply |
//! | `ledger` | what the next report says of sessions that are gone |
//! | `sessions/<session>/` | what DuckDB keeps and spills; goes with its process |
//!
//! Processes end with the bot, even if that is killed: each runs as long as the bot
//! holds its input open. The next bot sees records without processes, which are
//! sessions whose machine is gone, and starts them again.

mod credentials;
mod files;
mod ledger;
mod process;

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, process::Command, sync::watch, task::JoinHandle};
use uuid::Uuid;

pub use credentials::{CredentialFiles, ReplyFiles};
pub use files::lock_folder;
use files::{Folder, disk_error};
use ledger::LedgerFile;
use process::{Launch, Process, ReservedPort};

use super::{Claim, LedgerStore, QueryRequest, QueryResponse, Runtime, environment, query_rpc};
use crate::{
    credentials::{CredentialField, CredentialStore},
    diagnostics::Diagnostic,
    door::{self, Door, activity::Activity, ticket::SigningKey},
    duckdb::script::REMOTE_PREFIXES,
    error::Error,
    session::{
        Details, Failure, Incident, Observed, Orphan, OwnerId, Parts, Pod, Record, SessionId,
    },
    settings::{self, Settings},
};

/// What the key of all doors is called: it lives as long as they do.
const DOOR_KEY_ID: &str = "local";
/// What DuckDB takes from the bot's environment: where programs and the certificates of
/// authorities are.
const INHERITED_VARIABLES: [&str; 3] = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"];
/// How long processes may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Sessions in one folder of this machine.
pub struct Local {
    settings: Arc<Settings>,
    place: settings::Local,
    port: u16,
    records: Folder,
    homes: PathBuf,
    credentials: Arc<CredentialFiles>,
    replies: Arc<ReplyFiles>,
    ledger: Arc<LedgerStore>,
    key: SigningKey,
    program: PathBuf,
    view: Arc<View>,
    doors: JoinHandle<()>,
    _taken: File,
}

/// All sessions, by the names of their records.
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

/// What is stored of a session.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    uid: String,
    revision: u64,
    /// [`Record::read`] reads it.
    record: String,
}

struct SessionEntry {
    uid: Arc<str>,
    revision: u64,
    record: Arc<Record>,
    process: Option<Process>,
    /// There is nothing to make, but whoever asks is told what they did.
    service: bool,
    /// Whether its host leads to its door.
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
    /// Reads what is there, and listens for browsers.
    ///
    /// # Errors
    /// If another bot has the folder, or it or the port can't be used.
    pub async fn start(settings: Arc<Settings>, place: settings::Local) -> anyhow::Result<Self> {
        let folder = |name: &str| Folder::open(place.folder.join(name));
        let records = folder("records")?;
        let taken = files::lock_folder(&place.folder)?;
        let homes = place.folder.join("sessions");
        // Of a bot that was killed.
        match fs::remove_dir_all(&homes) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                let what = format!("{} can't be removed", homes.display());
                return Err(why).context(what);
            }
            _ => {}
        }
        is_there(&place.duckdb).await?;
        let port = place.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| {
            format!("I can't listen on port {port}; name another one in the setting local.port")
        })?;
        let port = listener.local_addr()?.port();
        let held = load(&records)?;
        let view = Arc::new(View {
            sessions: Mutex::new(held),
            ..View::default()
        });
        let all = view.clone();
        let doors = tokio::spawn(door::accept(listener, move |host| find(&all, host?)));
        let (credentials, replies) = (folder("credentials")?, folder("replies")?);
        credentials.tidy()?;
        replies.tidy()?;
        Ok(Self {
            credentials: Arc::new(CredentialFiles(credentials)),
            replies: Arc::new(ReplyFiles(replies)),
            ledger: Arc::new(LedgerStore::new(LedgerFile(Folder::open(
                place.folder.clone(),
            )?))),
            key: SigningKey::read(DOOR_KEY_ID, &SigningKey::generate())
                .context("no key for the doors")?,
            program: std::env::current_exe().context("I don't know where my program is")?,
            settings,
            place,
            port,
            records,
            homes,
            view,
            doors,
            _taken: taken,
        })
    }

    /// Where people's credentials are.
    pub fn credentials(&self) -> Arc<CredentialFiles> {
        self.credentials.clone()
    }

    /// Where replies that go on are.
    pub fn replies(&self) -> Arc<ReplyFiles> {
        self.replies.clone()
    }

    /// The ledger.
    pub fn ledger(&self) -> Arc<LedgerStore> {
        self.ledger.clone()
    }

    /// Kills somebody's DuckDBs as the system might, to try out what comes then.
    pub fn kill(&self, owner: OwnerId) {
        let held = self.view.sessions.lock();
        let theirs = held.values().filter(|held| held.record.owner == owner);
        theirs
            .filter_map(|held| held.process.as_ref())
            .for_each(Process::kill);
    }

    /// Ends all processes; the records stay.
    pub async fn end(&self) {
        self.doors.abort();
        let stop = |held: &SessionEntry| held.process.as_ref().map(Process::stop);
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
        let record = serde_json::to_string(&*held.record).expect("it has no map with odd keys");
        let stored = StoredSession {
            uid: held.uid.to_string(),
            revision: held.revision,
            record,
        };
        let text = serde_json::to_vec(&stored).expect("it is plain text");
        self.records.write(name, &text)
    }

    /// Changes what is held for `seen`, if that is still there.
    fn change(&self, seen: &Observed, change: impl FnOnce(&mut SessionEntry)) {
        let mut held = self.view.sessions.lock();
        if let Some(held) = held.get_mut(&name(&seen.record)).filter(|it| it.is(seen)) {
            change(held);
        }
        drop(held);
        self.view.changed();
    }

    fn origin(&self, id: &SessionId) -> String {
        format!("http://{}.localhost:{}", id.object_name(), self.port)
    }

    async fn start_process(&self, seen: &Observed) -> Result<(Process, Arc<Door>), Error> {
        let record = &seen.record;
        let home = self.homes.join(record.id.to_string());
        fs::create_dir_all(&home).map_err(|why| disk_error("making", &home, &why))?;
        let port = ReservedPort::reserve();
        let port = port.map_err(|why| disk_error("looking for a port in", &home, &why))?;
        let door = Arc::new(self.door(record, port.number)?);
        let Some(mut variables) = self.variables(record).await? else {
            let why = Incident::new(Failure::CredentialsMissing, "its owner's keys are gone");
            return Ok((Process::stuck(why), door));
        };
        variables.push(("HOME", home.to_string_lossy().into_owned().into()));
        let launch = Launch {
            program: self.program.clone(),
            variables,
            port,
        };
        let view = self.view.clone();
        let process = Process::start(launch, door.clone(), move || view.changed());
        Ok((process, door))
    }

    fn door(&self, record: &Record, port: u16) -> Result<Door, Error> {
        let told = HashMap::from([
            (door::variable::SESSION, record.id.to_string()),
            (door::variable::ORIGIN, self.origin(&record.id)),
            (door::variable::KEY, self.key.public()),
            (door::variable::OWNER, record.display_name.clone()),
        ]);
        let door = Door::read(|name| told.get(name).cloned(), port);
        door.map_err(|why| Error::Refused {
            action: "making a door".into(),
            why: why.to_string(),
        })
    }

    /// What DuckDB is told; none if its owner's keys are gone.
    async fn variables(
        &self,
        record: &Record,
    ) -> Result<Option<Vec<(&'static str, SecretString)>>, Error> {
        // Only a change of the settings while the session starts leads here.
        let gone = |what: &str, name: &str| Error::Refused {
            action: "starting DuckDB".into(),
            why: format!("the settings no longer have the {what} {name:?}"),
        };
        let size = self.settings.size(&record.size);
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
        let program = self.place.duckdb.to_string_lossy().into_owned();
        let mut all: Vec<_> = plain.chain(own).collect();
        if self.settings.duckdb.folders.is_empty() {
            // On this machine are everybody's keys.
            all.push(("DUCKDB_FOLDERS", REMOTE_PREFIXES.to_owned().into()));
        }
        all.push(("DUCKDB_PROGRAM", program.into()));
        for name in INHERITED_VARIABLES {
            all.extend(std::env::var(name).ok().map(|value| (name, value.into())));
        }
        if let Some(folder) = &self.place.extensions {
            all.push(("DUCKDB_EXTENSIONS", folder.clone().into()));
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
        // The bot does not start with one.
        0
    }

    fn orphans(&self) -> Vec<Orphan> {
        // A process is held by its record, and a folder goes with its process.
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

    async fn activity(&self, seen: &Observed) -> Result<Activity, Error> {
        let held = self.view.sessions.lock();
        let held = held.get(&name(&seen.record)).filter(|it| it.is(seen));
        let door = held.and_then(|held| held.door.as_ref());
        door.map(|door| door.activity())
            .ok_or_else(|| Error::Unavailable {
                action: format!("asking the door of session {}", seen.record.id),
                why: "it is gone".into(),
            })
    }

    async fn ask(&self, seen: &Observed, question: &QueryRequest) -> Result<QueryResponse, Error> {
        let unavailable = |why: String| Error::Unavailable {
            action: "asking DuckDB".into(),
            why,
        };
        let door = {
            let held = self.view.sessions.lock();
            let held = held.get(&name(&seen.record)).filter(|it| it.is(seen));
            held.and_then(|held| held.door.clone())
        };
        let door = door.ok_or_else(|| unavailable("the session is gone".into()))?;
        let variables = self.variables(&seen.record).await?;
        let variables = variables.ok_or_else(|| unavailable("its owner's keys are gone".into()))?;
        let mut question = question.clone();
        let told = variables.iter();
        question.variables = told
            .map(|(name, value)| ((*name).to_owned(), value.expose_secret().to_owned()))
            .collect();
        // It has no home: it keeps nothing.
        question.variables.insert("HOME".into(), "/".into());
        let mut child = Command::new(&self.program)
            .args(["duckdb", "--ask"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|why| unavailable(why.to_string()))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| unavailable("it has no pipes".into()))?;
        // It ends by itself, when its input does.
        tokio::spawn(async move { child.wait().await });
        door.record_use();
        let answer = query_rpc::call(&question, input, output).await;
        door.record_use();
        answer
    }

    async fn details(&self, _: &Observed) -> Details {
        // There is one machine, and nobody else who says anything.
        Details::default()
    }

    async fn pod(&self, seen: &Observed) -> Result<Option<Pod>, Error> {
        Ok(self.session(&seen.record.id).and_then(|seen| seen.pod))
    }

    async fn recent_log(&self, seen: &Observed) -> Result<String, Error> {
        let held = self.view.sessions.lock();
        let held = held.get(&name(&seen.record)).filter(|it| it.is(seen));
        let process = held.and_then(|held| held.process.as_ref());
        Ok(process.map(Process::recent_log).unwrap_or_default())
    }

    async fn claim(&self, record: &Record) -> Result<Claim, Error> {
        let name = name(record);
        let record = Arc::new(record.clone());
        let mut all = self.view.sessions.lock();
        match all.get(&name) {
            Some(held) if held.record.request == record.request => {
                return Ok(Claim::Made(held.record.clone()));
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
        all.insert(name, held);
        drop(all);
        self.view.changed();
        Ok(Claim::Made(record))
    }

    async fn save(&self, seen: &Observed, record: &Record) -> Result<(), Error> {
        let name = name(record);
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

    async fn create(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
        if parts.pod {
            let (process, door) = self.start_process(seen).await?;
            self.change(seen, |held| {
                held.process = Some(process);
                held.door = Some(door);
            });
        }
        self.change(seen, |held| held.service |= parts.service);
        Ok(())
    }

    async fn delete(&self, seen: &Observed, parts: Parts) -> Result<(), Error> {
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
                .map(Process::stop);
        });
        let Some(ended) = ended else {
            return Ok(());
        };
        if tokio::time::timeout(STOP_TIMEOUT, ended.cancelled())
            .await
            .is_err()
        {
            return Err(Error::TimedOut {
                action: format!("ending the DuckDB of {}", seen.record.id),
                after: STOP_TIMEOUT,
            });
        }
        let home = self.homes.join(seen.record.id.to_string());
        match fs::remove_dir_all(&home) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                return Err(disk_error("removing", &home, &why));
            }
            _ => {}
        }
        self.change(seen, |held| held.process = None);
        Ok(())
    }

    async fn remove(&self, seen: &Observed) -> Result<(), Error> {
        let name = name(&seen.record);
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

/// Looks at everything that sessions on this machine need.
pub async fn diagnose(place: &settings::Local) -> Vec<Diagnostic> {
    let folder = Folder::open(place.folder.clone());
    let folder = folder.and_then(|_| lock_folder(&place.folder).map(drop));
    vec![
        match is_there(&place.duckdb).await {
            Ok(()) => Diagnostic::ok("DuckDB", place.duckdb.display().to_string()),
            Err(why) => Diagnostic::failed("DuckDB", format!("{why:#}")),
        },
        match folder {
            Ok(()) => Diagnostic::ok("folder", place.folder.display().to_string()),
            Err(why) => Diagnostic::failed("folder", format!("{why:#}")),
        },
    ]
}

/// Whether DuckDB can be run at all: better said now than to the first who asks for one.
async fn is_there(duckdb: &Path) -> anyhow::Result<()> {
    let mut asked = Command::new(duckdb);
    asked.arg("--version").stdin(Stdio::null());
    let asked = asked.output().await;
    let asked = asked.map(|answer| answer.status.success());
    let what = format!(
        "{} (the setting local.duckdb) can't be run",
        duckdb.display()
    );
    match asked {
        Ok(true) => Ok(()),
        Ok(false) => anyhow::bail!("{what}: it does not know its version"),
        Err(why) => Err(why).context(what),
    }
}

/// The name of a record: an owner's place is free exactly if there is none of it.
fn name(record: &Record) -> String {
    format!("duckui-{}-{}", record.owner, record.slot)
}

/// The door that a host leads to.
fn find(view: &View, host: &str) -> Option<Arc<Door>> {
    let (label, _) = host.split_once('.')?;
    let held = view.sessions.lock();
    let mut all = held.values();
    all.find(|held| held.record.id.object_name() == label)?
        .door
        .clone()
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
                "the record {} can't be read (its session ended with the bot that wrote it: \
                 remove the file)",
                records.path(&name).display()
            )
        })?;
        let held = SessionEntry {
            uid: stored.uid.into(),
            revision: stored.revision,
            record: Arc::new(record),
            process: None,
            service: false,
            door: None,
        };
        all.insert(name, held);
    }
    Ok(all)
}
