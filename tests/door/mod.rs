//! The door in front of a session: who gets in, and what passes.

mod entering;
mod pages;
mod passing;
mod refusing;
