//! Turning the knobs of a loopback Discord. Changes state only.

use std::{sync::Arc, time::Duration};

use super::model::PersonState;
use super::{Discord, FaultButton, Interceptor, Person, RestFault, Snowflake, State};

impl Discord {
    /// Lets something go wrong with the next calls that match.
    pub fn inject_fault(&self, fault: RestFault) {
        self.shared.change(|state| state.controls.add_fault(fault));
    }

    /// Takes back all faults that were not used up.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.controls.clear_faults());
    }

    /// Puts a gate before and after every call.
    pub fn set_interceptor(&self, interceptor: Arc<dyn Interceptor>) {
        self.shared
            .change(|state| state.controls.interceptor = Some(interceptor));
    }

    /// Takes the gate away.
    pub fn clear_interceptor(&self) {
        self.shared
            .change(|state| state.controls.interceptor = None);
    }

    /// Minutes pass: a nonce of a message that was posted before means nothing any more.
    pub fn forget_nonces(&self) {
        self.shared.change(|state| {
            let messages = state.messages.values_mut();
            messages.for_each(|message| message.nonce_enforced = false);
        });
    }

    /// Cuts the gateway's sockets without a word. The bot may come back and resume.
    pub fn drop_gateway(&self) {
        self.shared.change(|state| {
            state
                .transcript
                .note("gateway: the sockets are cut".to_owned());
            state.cut_sockets();
        });
    }

    /// Refuses the next RESUME, so that the bot has to IDENTIFY anew and has lost its events.
    pub fn refuse_next_resume(&self) {
        self.shared
            .change(|state| state.controls.refuse_resume = true);
    }

    /// While closed, new gateway connections end at once.
    pub fn close_gateway(&self, closed: bool) {
        self.shared
            .change(|state| state.controls.gateway_closed = closed);
    }

    /// From now on new gateway connections must be heard from that often.
    pub fn set_heartbeat_interval(&self, every: Duration) {
        self.shared
            .change(|state| state.controls.heartbeat_interval = Some(every));
    }

    /// Somebody deletes a message of the bot.
    pub fn delete_message(&self, id: Snowflake) {
        self.shared.change(|state| state.delete(id));
    }

    /// Somebody deletes a channel of the guild.
    pub fn delete_channel(&self, channel: &str) {
        let id = self.channel(channel);
        self.shared
            .change(|state| state.channels.retain(|it| it.id != id));
    }

    /// One more person comes into the guild.
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

    /// An outage: while offline every connection is cut, REST and gateway alike.
    pub fn set_offline(&self, offline: bool) {
        self.shared.change(|state| state.set_offline(offline));
    }

    /// Offers one more button among the trouble that the page can make.
    pub fn add_fault_button(&self, button: FaultButton) {
        self.shared
            .change(|state| state.controls.fault_buttons.push(button));
    }

    /// From now on what people do comes from another guild that has the bot, too.
    pub fn move_to_another_guild(&self) {
        self.shared
            .change(|state| state.controls.other_guild = Some(state.ids.next()));
    }

    /// Delivers the next interactions twice, as a gateway may do after a resume.
    pub fn deliver_twice(&self, interactions: usize) {
        self.shared
            .change(|state| state.controls.deliver_twice = interactions);
    }
}

impl State {
    /// As [`Discord::set_offline`].
    pub fn set_offline(&mut self, offline: bool) {
        self.controls.offline = offline;
        if offline {
            self.transcript.note("Discord goes offline".to_owned());
            self.cut_sockets();
        }
    }
}
