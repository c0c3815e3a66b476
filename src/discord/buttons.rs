//! Buttons and their custom IDs. Pure.
//!
//! Buttons of messages that an older version posted must still work, so custom IDs never change.

use chart::Choice;

use super::{
    access::Access, file_format::FileFormat, forms::Form, goals::Goal,
    schedule_buttons::ScheduleButton, start_options::StartOptions,
};
use crate::{
    history::QueryId,
    session::{OwnerId, Record, SessionId},
};

/// Button of one of the bot's messages. Its custom ID holds all its data, so it works after a
/// restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Button {
    /// Opens the credentials form. The credentials will be checked against this catalog.
    OpenForm(Option<String>),
    /// Opens the credentials form, and goes on with this goal once the credentials are stored.
    OpenFormFor(Goal),
    /// Checks the stored credentials against this catalog.
    CheckCredentials(Option<String>),
    /// Asks whether to delete the stored credentials.
    AskToForget,
    /// Deletes the stored credentials.
    Forget {
        /// True to also stop the sessions that use them.
        stop: bool,
    },
    /// Deletes all saved work.
    ForgetWork,
    /// Keeps the stored credentials.
    KeepCredentials,
    /// Restarts the sessions that use old credentials.
    Restart,
    /// Starts another session.
    StartAnother(StartOptions),
    /// Starts a session like a failed one. See [`Button::retry`].
    Retry {
        /// ID of the failed session.
        session: SessionId,
        /// Owner of the failed session. Nobody else may press the button.
        owner: OwnerId,
        /// Without a workspace, the session gets `main`.
        options: StartOptions,
    },
    /// Opens a session for its owner.
    Open(SessionId),
    /// Shows the details of a session.
    Status(SessionId),
    /// Examines a session, or the person's next start.
    Examine(Option<SessionId>),
    /// Asks whether to stop a session.
    AskToStop(SessionId),
    /// Confirms that a session is to be stopped.
    Stop(SessionId),
    /// Leaves a session running.
    Keep(SessionId),
    /// Shows the last lines that a session's DuckDB wrote.
    Log(SessionId),
    /// Shows statistics of a table, whose name is as in SQL. See [`Button::statistics`].
    Statistics(SessionId, String),
    /// Makes a key for DuckDB clients of a session.
    Connect(SessionId),
    /// Revokes the keys for DuckDB clients of a session.
    Revoke(SessionId),
    /// Saves the work of a session.
    Save(SessionId),
    /// Gives a session more time.
    Extend(SessionId),
    /// Gives a session this many seconds more.
    ExtendBy(SessionId, i64),
    /// Stops a session whose owner was warned that it will be stopped.
    StopNow(SessionId),
    /// Stops and removes everything that is due, if the list still has this digest.
    Reap(String),
    /// Stops and removes nothing.
    LeaveAll,
    /// Interrupts one of the person's queries.
    Cancel {
        /// ID of the running query.
        query: String,
        /// ID of its text, which the message with the button may shorten.
        text: Option<QueryId>,
        /// Session that the owner named.
        session: Option<SessionId>,
        /// Catalog that the owner named.
        catalog: Option<String>,
    },
    /// Posts the result above the button in the channel.
    Share,
    /// Runs a past query again.
    RunAgain(PastQueryRef),
    /// Runs a past query again, for a file with its result.
    Download(PastQueryRef, FileFormat),
    /// Runs a past query again, for a chart of its result.
    Chart(PastQueryRef),
    /// Runs the query of the message again, for this chart. An entry of the menu under a chart.
    DrawAs(Choice),
    /// Opens the query form with a past query.
    Edit(PastQueryRef),
    /// Shows one of the person's past queries. An entry of a menu.
    ShowPastQuery(QueryId),
    /// Deletes the person's past queries.
    DeleteHistory,
    /// Opens the form for a schedule with a past query.
    Schedule(PastQueryRef),
    /// Other buttons about schedules.
    Schedules(ScheduleButton),
}

/// A past query and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastQueryRef {
    /// Person who asked. Nobody else may press the button.
    pub owner: OwnerId,
    /// Query in the owner's history. `None`: the message with the button shows it whole.
    pub stored: Option<QueryId>,
    /// Session that the owner named.
    pub session: Option<SessionId>,
    /// Catalog that the owner named.
    pub catalog: Option<String>,
}

impl PastQueryRef {
    fn custom_id(&self, action: &str) -> String {
        let Self {
            owner,
            stored,
            session,
            catalog,
        } = self;
        let stored = stored.as_ref().map(QueryId::to_string).unwrap_or_default();
        let session = session.as_ref().map(SessionId::to_string);
        format!(
            "duckbot:{action}:{owner}:{stored}:{}:{}",
            session.unwrap_or_default(),
            catalog.as_deref().unwrap_or_default()
        )
    }

    fn parse([owner, stored, session, catalog]: [&str; 4]) -> Option<Self> {
        let stored = non_empty(stored).map(|id| id.parse()).transpose();
        let session = non_empty(session).map(|id| id.parse()).transpose();
        Some(Self {
            owner: owner.parse().ok()?,
            stored: stored.ok()?,
            session: session.ok()?,
            catalog: non_empty(catalog),
        })
    }
}

const STATISTICS_PREFIX: &str = "duckbot:statistics:";
/// Maximum length of a custom ID.
const MAX_ID_CHARS: usize = 100;

impl Button {
    /// Button for statistics of a table. Returns `None` if the table's name is too long for one.
    pub fn statistics(session: &SessionId, table: &str) -> Option<Self> {
        Self::Statistics(session.clone(), table.to_owned()).if_it_fits()
    }

    /// Button that starts a session like this one, with another size. Returns `None` if the names of its
    /// size, catalog and workspace are too long for one.
    pub fn retry(record: &Record, size: &str) -> Option<Self> {
        let workspace = Some(record.workspace.clone()).filter(|it| !it.is_main());
        let button = Self::Retry {
            session: record.id.clone(),
            owner: record.owner,
            options: StartOptions {
                size: Some(size.to_owned()),
                catalog: Some(record.catalog.clone()),
                workspace,
                restore: record.next_restore(),
            },
        };
        button.if_it_fits()
    }

    fn if_it_fits(self) -> Option<Self> {
        (self.custom_id().chars().count() <= MAX_ID_CHARS).then_some(self)
    }

    /// Custom ID of the button, which Discord sends back. At most 100 characters.
    pub fn custom_id(&self) -> String {
        let or_empty = |name: &Option<String>| name.clone().unwrap_or_default();
        match self {
            Self::OpenForm(catalog) => format!("duckbot:setup:{}", or_empty(catalog)),
            Self::OpenFormFor(goal) => goal.button_id(),
            Self::CheckCredentials(catalog) => format!("duckbot:check:{}", or_empty(catalog)),
            Self::AskToForget => "duckbot:ask-to-forget".into(),
            Self::Forget { stop: true } => "duckbot:forget:stop".into(),
            Self::Forget { stop: false } => "duckbot:forget:only".into(),
            Self::ForgetWork => "duckbot:forget:work".into(),
            Self::KeepCredentials => "duckbot:keep-keys".into(),
            Self::Restart => "duckbot:restart".into(),
            Self::StartAnother(options) => format!("duckbot:start:{}", options.id()),
            Self::Retry {
                session,
                owner,
                options,
            } => format!("duckbot:retry:{session}:{owner}:{}", options.id()),
            Self::Open(id) => format!("duckbot:open:{id}"),
            Self::Status(id) => format!("duckbot:status:{id}"),
            Self::Examine(id) => {
                let id = id.as_ref().map(SessionId::to_string);
                format!("duckbot:doctor:{}", id.unwrap_or_default())
            }
            Self::AskToStop(id) => format!("duckbot:ask-to-stop:{id}"),
            Self::Stop(id) => format!("duckbot:stop:{id}"),
            Self::Keep(id) => format!("duckbot:keep:{id}"),
            Self::Log(id) => format!("duckbot:log:{id}"),
            Self::Statistics(id, table) => format!("{STATISTICS_PREFIX}{id}:{table}"),
            Self::Connect(id) => format!("duckbot:connect:{id}"),
            Self::Revoke(id) => format!("duckbot:revoke:{id}"),
            Self::Save(id) => format!("duckbot:save:{id}"),
            Self::Extend(id) => format!("duckbot:extend:{id}"),
            Self::ExtendBy(id, seconds) => format!("duckbot:extend-by:{id}:{seconds}"),
            Self::StopNow(id) => format!("duckbot:stop-now:{id}"),
            Self::Reap(digest) => format!("duckbot:reap:{digest}"),
            Self::LeaveAll => "duckbot:leave-all".into(),
            Self::Cancel {
                query, text: None, ..
            } => format!("duckbot:cancel:{query}"),
            Self::Cancel {
                query,
                text: Some(text),
                session,
                catalog,
            } => {
                let session = session.as_ref().map(SessionId::to_string);
                let session = session.unwrap_or_default();
                format!(
                    "duckbot:cancel:{query}:{text}:{session}:{}",
                    or_empty(catalog)
                )
            }
            Self::Share => "duckbot:share".into(),
            Self::RunAgain(query) => query.custom_id("again"),
            Self::Download(query, format) => query.custom_id(format.name()),
            Self::Chart(query) => query.custom_id("chart"),
            Self::DrawAs(choice) => format!("duckbot:draw-as:{choice}"),
            Self::Edit(query) => query.custom_id("edit"),
            Self::ShowPastQuery(id) => format!("duckbot:query:{id}"),
            Self::DeleteHistory => "duckbot:delete-history".into(),
            Self::Schedule(query) => query.custom_id("schedule"),
            Self::Schedules(button) => button.custom_id(),
        }
    }

    /// Parses a custom ID. Returns `None` if this version has no such button.
    pub fn from_custom_id(text: &str) -> Option<Self> {
        if let Some(table) = text.strip_prefix(STATISTICS_PREFIX) {
            let (id, table) = table.split_once(':')?;
            return Some(Self::Statistics(id.parse().ok()?, table.to_owned()));
        }
        if let Some(goal) = Goal::from_button_id(text) {
            return Some(Self::OpenFormFor(goal));
        }
        match text.split(':').collect::<Vec<_>>()[..] {
            ["duckbot", "setup", catalog] => Some(Self::OpenForm(non_empty(catalog))),
            ["duckbot", "check", catalog] => Some(Self::CheckCredentials(non_empty(catalog))),
            ["duckbot", "ask-to-forget"] => Some(Self::AskToForget),
            ["duckbot", "forget", "stop"] => Some(Self::Forget { stop: true }),
            ["duckbot", "forget", "only"] => Some(Self::Forget { stop: false }),
            ["duckbot", "forget", "work"] => Some(Self::ForgetWork),
            ["duckbot", "keep-keys"] => Some(Self::KeepCredentials),
            ["duckbot", "restart"] => Some(Self::Restart),
            ["duckbot", "start", ref options @ ..] => {
                StartOptions::parse(&options.join(":")).map(Self::StartAnother)
            }
            ["duckbot", "retry", session, owner, ref options @ ..] => Some(Self::Retry {
                session: session.parse().ok()?,
                owner: owner.parse().ok()?,
                options: StartOptions::parse(&options.join(":"))?,
            }),
            ["duckbot", "open", id] => Some(Self::Open(id.parse().ok()?)),
            ["duckbot", "status", id] => Some(Self::Status(id.parse().ok()?)),
            ["duckbot", "doctor", ""] => Some(Self::Examine(None)),
            ["duckbot", "doctor", id] => Some(Self::Examine(Some(id.parse().ok()?))),
            ["duckbot", "ask-to-stop", id] => Some(Self::AskToStop(id.parse().ok()?)),
            ["duckbot", "stop", id] => Some(Self::Stop(id.parse().ok()?)),
            ["duckbot", "keep", id] => Some(Self::Keep(id.parse().ok()?)),
            ["duckbot", "log", id] => Some(Self::Log(id.parse().ok()?)),
            ["duckbot", "connect", id] => Some(Self::Connect(id.parse().ok()?)),
            ["duckbot", "revoke", id] => Some(Self::Revoke(id.parse().ok()?)),
            ["duckbot", "save", id] => Some(Self::Save(id.parse().ok()?)),
            ["duckbot", "extend", id] => Some(Self::Extend(id.parse().ok()?)),
            ["duckbot", "extend-by", id, seconds] => {
                Some(Self::ExtendBy(id.parse().ok()?, seconds.parse().ok()?))
            }
            ["duckbot", "stop-now", id] => Some(Self::StopNow(id.parse().ok()?)),
            ["duckbot", "reap", digest] => Some(Self::Reap(digest.to_owned())),
            ["duckbot", "leave-all"] => Some(Self::LeaveAll),
            ["duckbot", "cancel", query] => Some(Self::Cancel {
                query: query.to_owned(),
                text: None,
                session: None,
                catalog: None,
            }),
            ["duckbot", "cancel", query, text, session, catalog] => Some(Self::Cancel {
                query: query.to_owned(),
                text: Some(text.parse().ok()?),
                session: non_empty(session).and_then(|id| id.parse().ok()),
                catalog: non_empty(catalog),
            }),
            ["duckbot", "share"] => Some(Self::Share),
            ["duckbot", "again", owner, stored, session, catalog] => {
                PastQueryRef::parse([owner, stored, session, catalog]).map(Self::RunAgain)
            }
            ["duckbot", "chart", owner, stored, session, catalog] => {
                PastQueryRef::parse([owner, stored, session, catalog]).map(Self::Chart)
            }
            ["duckbot", "draw-as", choice] => Some(Self::DrawAs(choice.parse().ok()?)),
            ["duckbot", "edit", owner, stored, session, catalog] => {
                PastQueryRef::parse([owner, stored, session, catalog]).map(Self::Edit)
            }
            [
                "duckbot",
                format @ ("csv" | "parquet"),
                owner,
                stored,
                session,
                catalog,
            ] => {
                let format = FileFormat::find(format)?;
                let query = PastQueryRef::parse([owner, stored, session, catalog])?;
                Some(Self::Download(query, format))
            }
            ["duckbot", "query", id] => Some(Self::ShowPastQuery(id.parse().ok()?)),
            ["duckbot", "delete-history"] => Some(Self::DeleteHistory),
            ["duckbot", "schedule", owner, stored, session, catalog] => {
                PastQueryRef::parse([owner, stored, session, catalog]).map(Self::Schedule)
            }
            ref parts => ScheduleButton::parse(parts).map(Self::Schedules),
        }
    }

    /// Form that the button opens.
    pub(super) fn form(&self) -> Option<Form> {
        match self {
            Self::OpenForm(catalog) => Some(Form::Credentials(catalog.clone())),
            Self::OpenFormFor(goal) => Some(Form::CredentialsFor(goal.clone())),
            _ => None,
        }
    }

    /// Returns true if the message with the button stays as it is, and the person gets a separate
    /// private reply.
    pub(super) fn has_separate_reply(&self) -> bool {
        match self {
            Self::Retry { .. }
            | Self::StartAnother(_)
            | Self::Open(_)
            | Self::AskToStop(_)
            | Self::Log(_)
            | Self::Statistics(..)
            | Self::Extend(_)
            | Self::ExtendBy(..)
            | Self::StopNow(_)
            | Self::RunAgain(_)
            | Self::Download(..)
            | Self::Chart(_)
            | Self::DrawAs(_)
            | Self::Edit(_)
            | Self::Schedule(_) => true,
            Self::Schedules(button) => button.has_separate_reply(),
            Self::OpenForm(_)
            | Self::OpenFormFor(_)
            | Self::CheckCredentials(_)
            | Self::AskToForget
            | Self::Forget { .. }
            | Self::ForgetWork
            | Self::KeepCredentials
            | Self::Restart
            | Self::Status(_)
            | Self::Examine(_)
            | Self::Connect(_)
            | Self::Revoke(_)
            | Self::Save(_)
            | Self::Stop(_)
            | Self::Keep(_)
            | Self::Reap(_)
            | Self::LeaveAll
            | Self::Cancel { .. }
            | Self::Share
            | Self::ShowPastQuery(_)
            | Self::DeleteHistory => false,
        }
    }

    /// People who may press the button.
    pub(super) fn access(&self) -> Access {
        match self {
            // The same rule as for `/duck forget` and `/duck history`.
            Self::AskToForget
            | Self::Forget { .. }
            | Self::ForgetWork
            | Self::KeepCredentials
            | Self::ShowPastQuery(_)
            | Self::DeleteHistory => Access::Everybody,
            Self::OpenForm(_)
            | Self::OpenFormFor(_)
            | Self::CheckCredentials(_)
            | Self::Restart
            | Self::StartAnother(_)
            | Self::Retry { .. }
            | Self::Open(_)
            | Self::Status(_)
            | Self::Examine(_)
            | Self::AskToStop(_)
            | Self::Stop(_)
            | Self::Keep(_)
            | Self::Log(_)
            | Self::Statistics(..)
            | Self::Connect(_)
            | Self::Revoke(_)
            | Self::Save(_)
            | Self::Extend(_)
            | Self::ExtendBy(..)
            | Self::StopNow(_)
            | Self::Reap(_)
            | Self::LeaveAll
            | Self::Cancel { .. }
            | Self::Share
            | Self::RunAgain(_)
            | Self::Download(..)
            | Self::Chart(_)
            | Self::DrawAs(_)
            | Self::Edit(_)
            | Self::Schedule(_) => Access::Members,
            Self::Schedules(button) => button.access(),
        }
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        session::{Restore, starting},
        settings::MAX_NAME_BYTES,
    };

    fn longest() -> StartOptions {
        StartOptions {
            size: Some("n".repeat(MAX_NAME_BYTES)),
            catalog: Some("n".repeat(MAX_NAME_BYTES)),
            workspace: Some("w".repeat(20).parse().expect("a name")),
            restore: Restore::Nothing,
        }
    }

    #[test]
    fn a_button_is_read_back_from_its_id() {
        let id: SessionId = "977a26".parse().expect("a valid ID");
        let name = || Some("n".repeat(MAX_NAME_BYTES));
        for button in [
            Button::OpenForm(None),
            Button::OpenForm(name()),
            Button::OpenFormFor(Goal::Start(longest())),
            Button::CheckCredentials(name()),
            Button::AskToForget,
            Button::Forget { stop: true },
            Button::Forget { stop: false },
            Button::ForgetWork,
            Button::KeepCredentials,
            Button::Restart,
            Button::StartAnother(longest()),
            Button::StartAnother(StartOptions::default()),
            Button::Retry {
                session: id.clone(),
                owner: u64::MAX.into(),
                options: StartOptions {
                    workspace: None,
                    restore: Restore::Latest,
                    ..longest()
                },
            },
            Button::Open(id.clone()),
            Button::Status(id.clone()),
            Button::Examine(Some(id.clone())),
            Button::Examine(None),
            Button::AskToStop(id.clone()),
            Button::Stop(id.clone()),
            Button::Keep(id.clone()),
            Button::Log(id.clone()),
            Button::Statistics(id.clone(), "\"a:b\".places".into()),
            Button::Connect(id.clone()),
            Button::Revoke(id.clone()),
            Button::Save(id.clone()),
            Button::Extend(id.clone()),
            Button::ExtendBy(id.clone(), i64::MAX),
            Button::StopNow(id.clone()),
            Button::Reap("0123456789abcdef".into()),
            Button::LeaveAll,
            Button::Cancel {
                query: "0123456789abcdef0123456789abcdef".into(),
                text: Some(QueryId::of("SELECT 42")),
                session: Some(id.clone()),
                catalog: name(),
            },
            Button::Share,
            Button::RunAgain(PastQueryRef {
                owner: u64::MAX.into(),
                stored: Some(QueryId::of("SELECT 1")),
                session: Some(id),
                catalog: Some("l".repeat(28)),
            }),
            Button::Download(
                PastQueryRef {
                    owner: u64::MAX.into(),
                    stored: Some(QueryId::of("SELECT 1")),
                    session: Some("977a26".parse().expect("a valid ID")),
                    catalog: Some("l".repeat(28)),
                },
                FileFormat::Parquet,
            ),
            Button::Edit(PastQueryRef {
                owner: u64::MAX.into(),
                stored: None,
                session: None,
                catalog: None,
            }),
            Button::Chart(PastQueryRef {
                owner: u64::MAX.into(),
                stored: Some(QueryId::of("SELECT 1")),
                session: Some("977a26".parse().expect("a valid ID")),
                catalog: Some("l".repeat(28)),
            }),
            Button::DrawAs(
                "line.1000.1001+1002+1003+1004+1005+1006+1007+1008.-"
                    .parse()
                    .expect("a choice"),
            ),
            Button::ShowPastQuery(QueryId::of("SELECT 1")),
            Button::DeleteHistory,
            Button::Schedule(PastQueryRef {
                owner: u64::MAX.into(),
                stored: Some(QueryId::of("SELECT 1")),
                session: Some("977a26".parse().expect("a valid ID")),
                catalog: Some("l".repeat(28)),
            }),
            Button::Schedules(ScheduleButton::List(0)),
        ] {
            let custom_id = button.custom_id();
            assert!(custom_id.len() <= 100, "{custom_id}");
            assert_eq!(Button::from_custom_id(&custom_id), Some(button));
        }
    }

    #[test]
    fn a_table_with_a_long_name_has_no_statistics_button() {
        let id: SessionId = "977a26".parse().expect("a valid ID");
        assert!(Button::statistics(&id, "pond.sightings").is_some());
        assert!(Button::statistics(&id, &"é".repeat(80)).is_none());
    }

    #[test]
    fn a_session_is_retried_in_its_workspace_if_all_names_fit() {
        let mut record = Record {
            workspace: "sales".parse().expect("a name"),
            ..starting()
        };
        let id = |record: &Record| Button::retry(record, &record.size).map(|it| it.custom_id());
        assert_eq!(
            id(&record).as_deref(),
            Some("duckbot:retry:977a26:7:small:lake:sales:")
        );
        assert_eq!(
            id(&starting()).as_deref(),
            Some("duckbot:retry:977a26:7:small:lake")
        );
        record.owner = u64::MAX.into();
        record.size = "n".repeat(MAX_NAME_BYTES);
        record.catalog = "n".repeat(MAX_NAME_BYTES);
        assert_eq!(id(&record), None);
    }

    #[test]
    fn other_ids_are_no_buttons() {
        for text in [
            "",
            "duckbot",
            "duckbot:stop",
            "duckbot:stop:../x",
            "other:setup",
            "duckbot:setup:x:y",
            "duckbot:retry:977a26:0:small:lake",
            "duckbot:edit:1:odd::",
            "duckbot:again:0:::",
        ] {
            assert_eq!(Button::from_custom_id(text), None, "{text:?}");
        }
    }
}
