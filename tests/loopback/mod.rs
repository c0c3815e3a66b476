//! Tests of the loopback Discord: with a small bot on the real serenity client, and with raw
//! requests for each of Discord's refusals.

mod bot;
mod client;
mod commands;
mod independent;
mod page;
mod people;
mod raw;
mod rules;
