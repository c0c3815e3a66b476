//! Methods that control a loopback Discord. They change state only.

use std::{sync::Arc, time::Duration};

use super::model::PersonState;
use super::{Discord, FaultButton, Interceptor, Person, RestFault, Snowflake, State};

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

impl State {
    /// See [`Discord::set_offline`].
    pub(super) fn set_offline(&mut self, offline: bool) {
        self.controls.offline = offline;
        if offline {
            self.transcript.note("Discord goes offline".to_owned());
            self.cut_sockets();
        }
    }
}
