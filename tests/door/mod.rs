//! The door in front of a session: who gets in, and what passes.

mod entering;
mod passing;
mod refusing;
