//! Tests of the door: who gets in, and which requests pass.

mod entering;
pub mod flow;
mod pages;
mod passing;
mod refusing;
