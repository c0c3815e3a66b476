//! For trying the bot, and for the tests.
