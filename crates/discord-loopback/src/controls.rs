//! Methods that control a loopback Discord. They change state only.

use std::{sync::Arc, time::Duration};

use crate::faults::{FaultButton, Interceptor, RestFault};
use crate::gateway::AUTHENTICATION_FAILED;
use crate::gateway_session::{SessionLimit, SocketCommand};
use crate::model::{Access, PersonState};
use crate::people::Person;
use crate::server::Discord;
use crate::snowflake::Snowflake;

impl Discord {
    /// Injects a fault into the next matching calls.
    pub fn inject_fault(&self, fault: RestFault) {
        self.shared.change(|state| state.controls.add_fault(fault));
    }

    /// Removes all faults that were not used up.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.controls.clear_faults());
    }

    /// Sets the interceptor that runs before and after every call.
    pub fn set_interceptor(&self, interceptor: Arc<dyn Interceptor>) {
        self.shared
            .change(|state| state.controls.interceptor = Some(interceptor));
    }

    /// Removes the interceptor.
    pub fn clear_interceptor(&self) {
        self.shared
            .change(|state| state.controls.interceptor = None);
    }

    /// Forgets the nonces of all messages, as Discord does after a few minutes.
    pub fn forget_nonces(&self) {
        self.shared.change(|state| {
            let messages = state.messages.values_mut();
            messages.for_each(|message| message.nonce_enforced = false);
        });
    }

    /// Closes the gateway's sockets without a close frame. The bot may reconnect and resume.
    pub fn drop_gateway(&self) {
        self.shared.change(|state| {
            state
                .transcript
                .note("gateway: all sockets are cut".to_owned());
            state.cut_sockets();
        });
    }

    /// Refuses the next RESUME, so that the bot must IDENTIFY again and loses the missed events.
    pub fn refuse_next_resume(&self) {
        self.shared
            .change(|state| state.controls.refuse_resume = true);
    }

    /// Sets whether new gateway connections are closed immediately.
    pub fn close_gateway(&self, closed: bool) {
        self.shared
            .change(|state| state.controls.gateway_closed = closed);
    }

    /// Sets the heartbeat interval of new gateway connections.
    pub fn set_heartbeat_interval(&self, every: Duration) {
        self.shared
            .change(|state| state.controls.heartbeat_interval = Some(every));
    }

    /// Lets the bot open only so many further sessions, for this time after it first looks at the limit. With
    /// none left, a session is refused as if Discord had reset the bot's token.
    pub fn set_session_limit(&self, remaining: u64, reset_after: Duration) {
        self.shared.change(|state| {
            state.session_limit = SessionLimit {
                remaining,
                period: reset_after,
                resets_at: None,
            };
        });
    }

    /// Gives the bot another token, as a reset in the developer portal does, and ends its sessions.
    pub fn replace_token(&self, token: &str) {
        self.shared.change(|state| {
            token.clone_into(&mut state.application.token);
            for session in state.sessions.drain(..) {
                session.send(SocketCommand::Close(AUTHENTICATION_FAILED));
            }
            state.transcript.note("the token is replaced".to_owned());
        });
    }

    /// Deletes a message, as a moderator can.
    pub fn delete_message(&self, id: Snowflake) {
        self.shared.change(|state| state.delete(id));
    }

    /// Deletes a channel of the guild.
    pub fn delete_channel(&self, channel: &str) {
        let id = self.channel(channel);
        self.shared
            .change(|state| state.channels.retain(|it| it.id != id));
    }

    /// Adds a new person to the guild.
    pub fn add_person(&self, name: &str, roles: &[&str]) -> Person {
        let roles = roles.iter().map(|role| self.role(role)).collect();
        self.shared.change(|state| {
            let id = state.ids.next();
            state.people.push(PersonState {
                id,
                name: name.to_owned(),
                roles,
                in_guild: true,
                dms_open: true,
            });
        });
        self.person(name)
    }

    /// Gives a person a role.
    pub fn grant(&self, person: &str, role: &str) {
        let (id, role) = (self.person(person).id, self.role(role));
        self.shared
            .change(|state| state.person_mut(id).map(|person| person.roles.push(role)));
    }

    /// Takes a role away from a person.
    pub fn revoke(&self, person: &str, role: &str) {
        let (id, role) = (self.person(person).id, self.role(role));
        self.shared.change(|state| {
            state
                .person_mut(id)
                .map(|person| person.roles.retain(|held| *held != role))
        });
    }

    /// Removes a person from the guild, with all their roles.
    pub fn leave_guild(&self, person: &str) {
        let id = self.person(person).id;
        self.shared.change(|state| {
            state.person_mut(id).map(|person| {
                person.in_guild = false;
                person.roles.clear();
            })
        });
    }

    /// Adds a person to the guild.
    pub fn join_guild(&self, person: &str) {
        let id = self.person(person).id;
        self.shared
            .change(|state| state.person_mut(id).map(|person| person.in_guild = true));
    }

    /// Tells bots this URL of the gateway, of a server in front of this one.
    pub fn set_gateway_front(&self, url: &str) {
        self.shared
            .change(|state| state.gateway_front = Some(url.to_owned()));
    }

    /// Sets the bot's access to a channel.
    pub fn set_access(&self, channel: &str, access: Access) {
        let id = self.channel(channel);
        self.shared.change(|state| {
            let channels = state.channels.iter_mut();
            channels
                .filter(|channel| channel.id == id)
                .for_each(|channel| channel.access = access);
        });
    }

    /// Takes permission bits from everybody in a channel, except from the bot and administrators.
    /// With 0, they have all of their permissions again.
    pub fn deny_in(&self, channel: &str, permissions: u64) {
        let id = self.channel(channel);
        self.shared.change(|state| {
            let channels = state.channels.iter_mut();
            channels
                .filter(|channel| channel.id == id)
                .for_each(|channel| channel.denied = permissions);
        });
    }

    /// Simulates an outage: while offline, every REST and gateway connection is closed.
    pub fn set_offline(&self, offline: bool) {
        self.shared.change(|state| state.set_offline(offline));
    }

    /// Adds a button to the page's panel of faults.
    pub fn add_fault_button(&self, button: FaultButton) {
        self.shared
            .change(|state| state.controls.fault_buttons.push(button));
    }

    /// Lets all further interactions come from another guild that also has the bot.
    pub fn move_to_another_guild(&self) {
        self.shared
            .change(|state| state.controls.other_guild = Some(state.ids.next()));
    }

    /// Delivers the next interactions twice, as Discord's gateway may do after a resume.
    pub fn deliver_twice(&self, interactions: usize) {
        self.shared
            .change(|state| state.controls.deliver_twice = interactions);
    }
}
