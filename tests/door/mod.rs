//! Tests of the door: who gets in, and which requests pass.

mod entering;
mod pages;
mod passing;
mod refusing;
