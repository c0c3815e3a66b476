#![doc = include_str!("../README.md")]
#![warn(missing_docs, unreachable_pub)]

mod api_error;
mod body;
mod chat;
mod command_line;
mod config;
mod controls;
mod faults;
mod forms;
mod gateway;
mod gateway_session;
mod inspect;
mod interaction;
mod interactions;
mod json;
mod model;
mod people;
mod post;
mod presence;
mod rest;
mod rules;
mod server;
mod shared;
mod snowflake;
mod state;
mod transcript;
mod view;

pub use config::{
    ADMINISTRATOR, ATTACH_FILES, DiscordConfig, MEMBER_PERMISSIONS, PersonConfig, SEND_MESSAGES,
};
pub use faults::{BoxFuture, FaultButton, Interception, Interceptor, RestCall, RestFault};
pub use interaction::{Acknowledgement, Interaction};
pub use model::{Access, ResponseKind};
pub use people::Person;
pub use presence::Presence;
pub use server::Discord;
pub use shared::Observer;
pub use snowflake::Snowflake;
pub use transcript::RestExchange;
pub use view::{Attachment, Button, Input, Menu, MenuOption, MessageView, ModalView};
