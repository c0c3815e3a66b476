//! The state of the loopback: created from the configuration, and looked up. No I/O.
//!
//! REST handlers, the gateway and people's actions share one `State` behind one lock.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::config::{ADMINISTRATOR, DiscordConfig, MEMBER_PERMISSIONS, SEND_MESSAGES};
use crate::faults::Controls;
use crate::gateway_session::{GatewaySession, SessionLimit, SocketCommand};
use crate::model::{
    Access, Application, Channel, Guild, InteractionState, Message, PersonState, Role, Upload,
};
use crate::presence::Presence;
use crate::snowflake::{Snowflake, SnowflakeGenerator, random_hex};
use crate::transcript::Transcript;

/// Complete state of the loopback.
#[derive(Debug)]
pub(crate) struct State {
    pub ids: SnowflakeGenerator,
    pub application: Application,
    pub guild: Guild,
    pub people: Vec<PersonState>,
    /// Guild channels, and DM channels opened so far.
    pub channels: Vec<Channel>,
    /// Commands of the guild, as returned to the bot.
    pub commands: Vec<Value>,
    /// Messages by ID, which is the order in which they were posted. Deleted ones stay, marked.
    pub messages: BTreeMap<Snowflake, Message>,
    pub interactions: BTreeMap<Snowflake, InteractionState>,
    /// Files that people uploaded for options of commands.
    pub uploads: BTreeMap<Snowflake, Upload>,
    /// Gateway sessions, connected or waiting to be resumed.
    pub sessions: Vec<GatewaySession>,
    pub session_limit: SessionLimit,
    /// Maximum number of sessions that were connected at a time.
    pub most_connected: usize,
    pub controls: Controls,
    pub transcript: Transcript,
    /// Gateway URL in READY and in the response of `/gateway`.
    pub gateway_url: String,
    /// URL of the gateway for bots, if it is behind another server.
    pub gateway_front: Option<String>,
    pub first_response_timeout: Duration,
    pub token_lifetime: Duration,
}

impl State {
    /// Creates the state for a configuration.
    pub(crate) fn new(config: &DiscordConfig) -> Self {
        let mut ids = SnowflakeGenerator::default();
        let application = Application {
            id: ids.next(),
            token: format!("loopback.{}", random_hex()),
            name: config.bot.clone(),
        };
        let guild = guild(config, &mut ids);
        let people = config.people.iter().map(|person| PersonState {
            id: person.id.unwrap_or_else(|| ids.next()),
            name: person.name.clone(),
            roles: person
                .roles
                .iter()
                .map(|name| guild.role(name).id)
                .collect(),
            in_guild: person.member,
            dms_open: true,
        });
        let people = people.collect();
        let channels = config.channels.iter().map(|name| Channel {
            id: ids.next(),
            name: name.clone(),
            recipient: None,
            access: Access::Full,
            denied: 0,
        });
        let channels = channels.collect();
        Self {
            ids,
            application,
            guild,
            people,
            channels,
            commands: Vec::new(),
            messages: BTreeMap::new(),
            interactions: BTreeMap::new(),
            uploads: BTreeMap::new(),
            sessions: Vec::new(),
            session_limit: SessionLimit::default(),
            most_connected: 0,
            controls: Controls::default(),
            transcript: Transcript::default(),
            gateway_url: String::new(),
            gateway_front: None,
            first_response_timeout: config.first_response_timeout,
            token_lifetime: config.token_lifetime,
        }
    }

    pub(crate) fn person(&self, id: Snowflake) -> Option<&PersonState> {
        self.people.iter().find(|person| person.id == id)
    }

    pub(crate) fn person_mut(&mut self, id: Snowflake) -> Option<&mut PersonState> {
        self.people.iter_mut().find(|person| person.id == id)
    }

    pub(crate) fn channel(&self, id: Snowflake) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.id == id)
    }

    /// Finds a guild channel by name, with or without `#`.
    pub(crate) fn channel_named(&self, name: &str) -> Option<&Channel> {
        let name = name.trim_start_matches('#');
        let mut guild = self
            .channels
            .iter()
            .filter(|channel| channel.recipient.is_none());
        guild.find(|channel| channel.name == name)
    }

    /// Returns the DM channel with a person, and opens it if there is none.
    pub(crate) fn open_dm(&mut self, person: Snowflake) -> Snowflake {
        if let Some(open) = self.channels.iter().find(|c| c.recipient == Some(person)) {
            return open.id;
        }
        let id = self.ids.next();
        let name = format!("@{}", self.name_of(person));
        self.channels.push(Channel {
            id,
            name,
            recipient: Some(person),
            access: Access::Full,
            denied: 0,
        });
        id
    }

    /// Permission bits of a person in the guild.
    pub(crate) fn permissions(&self, person: &PersonState) -> u64 {
        let held = self
            .guild
            .roles
            .iter()
            .filter(|role| person.roles.contains(&role.id));
        let bits = held.fold(MEMBER_PERMISSIONS, |bits, role| bits | role.permissions);
        if bits & ADMINISTRATOR == 0 {
            bits
        } else {
            u64::MAX >> 11
        }
    }

    /// Permission bits of a person in a channel.
    pub(crate) fn permissions_in(&self, person: &PersonState, channel: &Channel) -> u64 {
        let held = self.permissions(person);
        if held & ADMINISTRATOR != 0 {
            return held;
        }
        let denied = match channel.access {
            // The overwrite denies it to everyone.
            Access::ReadOnly => channel.denied | SEND_MESSAGES,
            Access::Full | Access::Hidden => channel.denied,
        };
        held & !denied
    }

    /// Display name of a person or the bot.
    pub(crate) fn name_of(&self, id: Snowflake) -> &str {
        match self.person(id) {
            Some(person) => &person.name,
            None if id == self.application.id => &self.application.name,
            None => "an unknown user",
        }
    }

    /// Display name of a channel.
    pub(crate) fn channel_label(&self, id: Snowflake) -> String {
        match self.channel(id) {
            Some(channel) if channel.recipient.is_some() => format!("DM with {}", channel.name),
            Some(channel) => format!("#{}", channel.name),
            None => "an unknown channel".to_owned(),
        }
    }
}

impl State {
    /// Sends an event to every session with one of the intents, or to all sessions if 0.
    pub(crate) fn dispatch(&mut self, event: &str, data: &Value, intents: u64) {
        for session in &mut self.sessions {
            if intents == 0 || session.intents & intents != 0 {
                session.dispatch(event, data);
            }
        }
    }

    /// Returns true if a bot is connected and ready.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected() > 0
    }

    /// Number of connected sessions.
    pub(crate) fn connected(&self) -> usize {
        let connected = self.sessions.iter().filter(|it| it.outbox.is_some());
        connected.count()
    }

    /// Notes that a session has connected.
    pub(crate) fn note_connection(&mut self) {
        self.most_connected = self.most_connected.max(self.connected());
    }

    /// Presence of the connected bot. `None`: it is offline.
    pub(crate) fn presence(&self) -> Option<&Presence> {
        let mut connected = self.sessions.iter().filter(|it| it.outbox.is_some());
        connected.next_back().map(|session| &session.presence)
    }

    /// Closes all sockets without a close frame; the sessions can be resumed.
    pub(crate) fn cut_sockets(&mut self) {
        for session in &mut self.sessions {
            session.send(SocketCommand::Cut);
            session.outbox = None;
        }
    }

    /// Sets whether REST and the gateway are unreachable, and notes an outage.
    pub(crate) fn set_offline(&mut self, offline: bool) {
        self.controls.offline = offline;
        if offline {
            self.transcript.note("Discord goes offline".to_owned());
            self.cut_sockets();
        }
    }
}

impl Guild {
    /// Returns the role with this name.
    ///
    /// # Panics
    ///
    /// If there is no role with this name, which is a mistake in the test.
    pub(crate) fn role(&self, name: &str) -> &Role {
        let role = self.roles.iter().find(|role| role.name == name);
        role.unwrap_or_else(|| panic!("the config has no role {name:?}"))
    }
}

fn guild(config: &DiscordConfig, ids: &mut SnowflakeGenerator) -> Guild {
    let id = ids.next();
    // `@everyone` is a role with the ID of its guild.
    let mut roles = vec![Role {
        id,
        name: "@everyone".to_owned(),
        permissions: MEMBER_PERMISSIONS,
    }];
    roles.extend(config.roles.iter().map(|(name, permissions)| Role {
        id: ids.next(),
        name: name.clone(),
        permissions: *permissions,
    }));
    Guild {
        id,
        name: config.guild.clone(),
        roles,
    }
}
