//! Texts of all replies, messages and forms, as pure functions. `tests` and `rejection_tests` have a
//! snapshot of each reply.

mod answer;
mod clients;
mod credential_errors;
mod credentials;
mod described;
mod doctor;
mod doctor_details;
mod doctor_steps;
mod errors;
mod extending;
mod format;
mod forms;
mod help;
mod kept;
mod life;
mod pausing;
mod picture;
mod query_errors;
mod questions;
mod reaping;
mod rejections;
mod reply;
mod report;
mod report_picture;
mod request_failures;
mod result_file;
mod runners;
mod saves;
mod schedule_draft;
mod schedule_rejections;
mod schedule_runs;
mod schedules;
mod sessions;
mod sql;
mod startup;
mod status;
mod stored;
mod tables;
mod work;
mod workspaces;

pub(super) use answer::answer;
pub(super) use clients::*;
pub(super) use credentials::*;
pub(super) use described::*;
pub(super) use doctor::examination;
pub(super) use errors::*;
pub(super) use extending::*;
pub(super) use forms::*;
pub(super) use help::*;
pub(super) use kept::with_save_trial;
pub(super) use life::*;
pub(super) use pausing::*;
pub(super) use picture::{chart_menu, unknown_chart};
pub(super) use query_errors::QueryContext;
pub(super) use questions::*;
pub(super) use reaping::*;
pub(super) use rejections::*;
pub(super) use reply::*;
pub(super) use report::report;
pub(super) use report_picture::report_picture;
pub(super) use result_file::{downloads, has_chart};
pub(super) use runners::*;
pub(super) use saves::*;
pub(super) use schedule_draft::*;
pub(super) use schedule_runs::*;
pub(super) use schedules::*;
pub(super) use sessions::*;
pub(super) use sql::*;
pub(super) use status::*;
pub(super) use stored::*;
pub(super) use tables::*;
pub(super) use workspaces::*;

#[cfg(test)]
mod client_tests;
#[cfg(test)]
mod doctor_tests;
#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod name_tests;
#[cfg(test)]
mod question_tests;
#[cfg(test)]
mod rejection_tests;
#[cfg(test)]
mod runner_tests;
#[cfg(test)]
mod save_tests;
#[cfg(test)]
mod schedule_tests;
#[cfg(test)]
mod tests;
