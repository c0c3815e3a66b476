//! Snapshots of what people are told about the work of a session.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    tests::{gallery, outcome, seen, with_keys},
    *,
};
use crate::{
    credentials::CredentialPart,
    service::{SaveTrial, SetupOutcome, WorkDeletion},
    session::{
        Cause, Failure, Incident, Observed, PutAside, Record, Renewal, Restore, Restored, Rule,
        SaveFailure, SaveFailureReason, SaveSummary, Warning, WorkOutcome, WorkReport, starting,
    },
};

const URL: &str = "https://duckui-977a26.duck.example.com/";

fn noon() -> DateTime<Utc> {
    starting().created
}

/// A running session whose work is saved.
fn running() -> Record {
    let record = Record {
        keeps_work: true,
        ..starting()
    };
    record.with_announcement(Some(99.into()), noon(), 0)
}

fn save() -> SaveSummary {
    SaveSummary {
        number: 4,
        at: noon(),
        tables: 2,
        notebooks: 3,
        bytes: 13_400_000,
        is_partial: false,
    }
}

fn failure(reason: SaveFailureReason) -> SaveFailure {
    SaveFailure {
        at: noon(),
        reason,
        error: "its `words` @everyone".into(),
    }
}

fn report(restored: Restored) -> WorkReport {
    WorkReport {
        restored,
        put_aside: Vec::new(),
        saved: None,
        failure: None,
        is_changed: false,
    }
}

#[test]
fn a_session_says_what_it_begins_with() {
    let drained = Incident::new(Failure::Evicted, "Eviction API: evicting");
    let restarted = Incident::new(Failure::BotEnded, "");
    let again = |why: &Incident| {
        let record = running().with_reschedule(why.clone());
        record.with_restart(None, noon())
    };
    let fresh = Record {
        restore: Restore::Nothing,
        ..running()
    };
    let failed = |reason| Restored::Failed {
        number: Some(4),
        failure: failure(reason),
    };
    let put_aside = WorkReport {
        put_aside: vec![
            PutAside {
                is_notebooks: false,
                path: "work-unreadable-20261123-120000.duckdb".into(),
            },
            PutAside {
                is_notebooks: true,
                path: ".duckdb/extension_data/ui/ui-unreadable-20261123-120000.duckdb".into(),
            },
        ],
        ..report(Restored::Nothing)
    };
    let restored_in_vain = WorkReport {
        restored: Restored::Save(save()),
        ..put_aside.clone()
    };
    let says = |record: &Record, report: &WorkReport| announcement(record, URL, Some(report));
    insta::assert_snapshot!(gallery(&[
        ("first", says(&running(), &report(Restored::Nothing))),
        (
            "restored",
            says(&running(), &report(Restored::Save(save())))
        ),
        ("fresh", says(&fresh, &report(Restored::Nothing))),
        (
            "not restored",
            says(&running(), &report(failed(SaveFailureReason::NoRoom)))
        ),
        (
            "a wrong save",
            says(&running(), &report(failed(SaveFailureReason::NotGenuine)))
        ),
        ("damaged", says(&running(), &put_aside)),
        ("restored, and damaged", says(&running(), &restored_in_vain)),
        ("no answer", announcement(&running(), URL, None)),
        ("is rescheduled", rescheduled(&running(), &drained)),
        (
            "rescheduled",
            says(&again(&drained), &report(Restored::Save(save())))
        ),
        (
            "rescheduled without a save",
            says(&again(&drained), &report(Restored::Nothing))
        ),
        (
            "rescheduled, no answer",
            announcement(&again(&drained), URL, None)
        ),
        ("restarts with the bot", rescheduled(&running(), &restarted)),
        (
            "restarted with the bot",
            says(&again(&restarted), &report(Restored::Kept))
        ),
    ]));
}

#[test]
fn a_stop_says_what_is_saved_and_what_is_lost() {
    let stopped = |outcome: Option<WorkOutcome>, cause: Cause| {
        let record = running().with_ending(cause.clone(), noon());
        let record = outcome.map_or(record.clone(), |outcome| record.with_work_outcome(outcome));
        let ending = record.ending().expect("it ends").clone();
        ended(&record, &ending, None)
    };
    let idle = || Cause::Reaped {
        rule: Rule::Idle,
        since: noon(),
    };
    let not_saved = |last| WorkOutcome::NotSaved {
        failure: failure(SaveFailureReason::NotAllowed),
        last,
    };
    let by = |by: u64| Cause::Stopped { by: by.into() };
    let partial = SaveSummary {
        is_partial: true,
        ..save()
    };
    let warning = Warning {
        rule: Rule::MaxAge,
        since: noon(),
        at: noon() + TimeDelta::hours(1),
    };
    let ending = running().with_ending(by(7), noon());
    let saved = ending.with_work_outcome(WorkOutcome::Saved(save()));
    insta::assert_snapshot!(gallery(&[
        ("before", confirm_stop(&running())),
        (
            "before the maximum age",
            stop_warning(&running(), &warning, TimeDelta::hours(4))
        ),
        ("after, in private", stopped_reply(&saved, 7)),
        ("after, to an admin", stopped_reply(&saved, 8)),
        (
            "by the owner",
            stopped(Some(WorkOutcome::Saved(save())), by(7))
        ),
        (
            "by an admin",
            stopped(Some(WorkOutcome::Saved(save())), by(8))
        ),
        (
            "nothing to save",
            stopped(Some(WorkOutcome::Nothing), by(7))
        ),
        ("idle", stopped(Some(WorkOutcome::Saved(save())), idle())),
        (
            "only notebooks",
            stopped(Some(WorkOutcome::Saved(partial)), idle())
        ),
        ("not saved", stopped(Some(not_saved(Some(noon()))), idle())),
        ("never saved", stopped(Some(not_saved(None)), by(7))),
        ("no answer", stopped(Some(WorkOutcome::NoAnswer), idle())),
        ("lost", stopped(None, Cause::Lost)),
    ]));
}

fn stopped_reply(record: &Record, who: u64) -> Reply {
    stopped(&record.id, Some(record), who.into())
}

#[test]
fn people_learn_whether_their_keys_can_save_and_delete_their_work() {
    let stored = |trial: SaveTrial| {
        let outcome = SetupOutcome {
            saves_work: Some(trial),
            ..outcome(true, &[Renewal::Done])
        };
        saved(&outcome, None, CredentialPart::S3Keys)
    };
    let not_allowed = || failure(SaveFailureReason::NotAllowed);
    let about = with_keys("4D7Q", None);
    let live = Observed {
        record: Arc::new(running()),
        ..seen()
    };
    insta::assert_snapshot!(gallery(&[
        ("may save", stored(Ok(()))),
        ("may not save", stored(Err(not_allowed()))),
        (
            "no answer",
            stored(Err(failure(SaveFailureReason::Unavailable)))
        ),
        ("delete?", confirm_forget(&about, &[], true)),
        (
            "delete, with a session?",
            confirm_forget(&about, std::slice::from_ref(&live), true)
        ),
        ("deleted", work_deletion(&WorkDeletion::Deleted(7))),
        ("nothing saved", work_deletion(&WorkDeletion::Deleted(0))),
        (
            "a session runs",
            work_deletion(&WorkDeletion::InUse(vec![live]))
        ),
        ("no keys", work_deletion(&WorkDeletion::NoKeys)),
        (
            "not deleted",
            work_deletion(&WorkDeletion::Failed(not_allowed()))
        ),
    ]));
}

#[test]
fn the_status_says_when_work_was_last_saved() {
    let changed = |report: WorkReport| WorkReport {
        is_changed: true,
        ..report
    };
    let saved = WorkReport {
        saved: Some(save()),
        ..report(Restored::Nothing)
    };
    let not_saved = WorkReport {
        failure: Some(failure(SaveFailureReason::KeysRefused)),
        ..changed(saved.clone())
    };
    let lines = [
        report(Restored::Nothing),
        changed(report(Restored::Kept)),
        report(Restored::Save(save())),
        changed(report(Restored::Save(save()))),
        saved.clone(),
        changed(saved),
        not_saved.clone(),
    ];
    let to_admin = kept::state_of_work(&not_saved, false);
    assert!(to_admin.ends_with("The last save failed: its owner reads why with `/duck status`."));
    let lines = lines.map(|report| kept::state_of_work(&report, true));
    insta::assert_snapshot!(lines.join("\n"), @r"
    It has no work to save.
    Its work is not saved yet.
    Its work was restored from the save of <t:1795435200:R> (3 notebooks, 2 tables).
    Its work was restored from the save of <t:1795435200:R> (3 notebooks, 2 tables), and has changed since.
    Its work was saved <t:1795435200:R> (3 notebooks, 2 tables).
    Its work was saved <t:1795435200:R> (3 notebooks, 2 tables), and has changed since.
    Its work was saved <t:1795435200:R> (3 notebooks, 2 tables), and has changed since. The last save failed: the storage refused your S3 credentials, or they have expired. Enter new ones with `/duck setup`.
    ");
}

#[test]
fn each_reason_says_what_to_do() {
    use SaveFailureReason::*;
    let all = [
        KeysRefused,
        NotAllowed,
        Unavailable,
        NoRoom,
        TimedOut,
        NotCopied,
        NewerDuckDb,
        NotGenuine,
        NotFound,
        Other,
    ];
    let all = all.map(|reason| format!("{reason:?}: {}", work::not_saved(&failure(reason))));
    insta::assert_snapshot!(all.join("\n"));
}
