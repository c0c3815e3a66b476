//! Tests of the door: who gets in, and which requests pass.

mod console;
mod entering;
pub mod flow;
mod pages;
mod passing;
mod refusing;
