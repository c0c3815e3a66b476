//! Snapshots of the replies to saving and restoring work.

use chrono::TimeDelta;

use super::{
    tests::{gallery, record},
    *,
};
use crate::{
    discord::start_options::StartOptions,
    service::Saves,
    session::{
        Cause, Ending, Record, Restore, Rule, SaveFailure, SaveFailureReason, SaveSummary, Stage,
        Warning, WorkOutcome, Workspace, starting,
    },
};

fn save(number: u32) -> SaveSummary {
    SaveSummary {
        number,
        at: starting().created,
        tables: 2,
        notebooks: 3,
        bytes: 13_400_000,
        is_partial: false,
    }
}

fn failure() -> SaveFailure {
    SaveFailure {
        at: starting().created,
        reason: SaveFailureReason::KeysRefused,
        error: "ExpiredToken".into(),
    }
}

fn sales() -> Workspace {
    "sales".parse().expect("a name")
}

#[test]
fn a_save_is_confirmed_or_explained() {
    let main = record(Stage::Running);
    let other = Record {
        workspace: sales(),
        ..main.clone()
    };
    let partial = SaveSummary {
        is_partial: true,
        ..save(3)
    };
    let not_saved = |last| WorkOutcome::NotSaved {
        failure: failure(),
        last,
    };
    let reply = |record, outcome: Option<WorkOutcome>| save_outcome(record, outcome.as_ref()).0;
    let saved = |save| Some(WorkOutcome::Saved(save));
    insta::assert_snapshot!(gallery(&[
        ("progress", saving(&main)),
        ("saved", reply(&main, saved(save(3)))),
        ("saved, in another workspace", reply(&other, saved(save(3)))),
        ("only notebooks", reply(&main, saved(partial))),
        ("nothing to save", reply(&main, Some(WorkOutcome::Nothing))),
        (
            "not saved, as before",
            reply(&main, Some(not_saved(Some(starting().created))))
        ),
        ("never saved", reply(&other, Some(not_saved(None)))),
        ("no answer", reply(&main, Some(WorkOutcome::NoAnswer))),
        ("keeps nothing", reply(&main, None)),
    ]));
    let is_saved = |outcome| save_outcome(&main, Some(&outcome)).1;
    assert!(is_saved(WorkOutcome::Saved(save(3))) && !is_saved(not_saved(None)));
}

#[test]
fn a_session_is_called_by_its_workspace() {
    let record = Record {
        workspace: sales(),
        ..record(Stage::Running)
    };
    let at = record.created;
    let warning = Warning {
        rule: Rule::Lifetime,
        since: at,
        at,
    };
    let stopped = Cause::Stopped { by: record.owner };
    let ending = Ending { at, cause: stopped };
    insta::assert_snapshot!(gallery(&[
        ("progress", progress(&record, None, None)),
        ("ready", ready(&record, None)),
        ("announcement", announcement(&record, "https://duck/", None)),
        (
            "warning",
            stop_warning(&record, &warning, TimeDelta::hours(1))
        ),
        ("stop?", confirm_stop(&record)),
        ("ended", ended(&record, &ending, None)),
    ]));
}

#[test]
fn saves_are_listed_with_a_button_for_each() {
    let options = StartOptions {
        catalog: Some("lake".into()),
        workspace: Some(sales()),
        restore: Restore::Save(9),
        ..StartOptions::default()
    };
    let listed = |found: &Saves, wanted| saves(found, &sales(), wanted, &options);
    let found = Saves::Found(vec![save(12), save(11)]);
    insta::assert_snapshot!(gallery(&[
        ("saves", listed(&found, None)),
        ("another number", listed(&found, Some(9))),
        ("no saves", listed(&Saves::Found(Vec::new()), None)),
        (
            "nothing is kept",
            listed(&Saves::NotKept("lake".into()), None)
        ),
        ("not readable", listed(&Saves::Failed(failure()), None)),
        ("not a number", invalid_save("`last`")),
    ]));
    assert_eq!(
        describe_save(&save(12)),
        "12: 2026-11-23 12:00 UTC, 3 notebooks, 2 tables, 14 MB"
    );
}
