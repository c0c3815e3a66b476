//! The loopback Discord itself: tried by a small bot on the real serenity
//! client, and by raw requests for each of Discord's refusals.

mod bot;
mod client;
mod independent;
mod raw;
mod rules;
