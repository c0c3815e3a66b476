//! Every reply, as people read it.

use super::*;
use crate::{
    credentials::{About, Field, KeyHint, Mistake, preflight::Trouble},
    door::activity::Activity,
    session::{
        Cause, Ending, Failure, Incident, Pod, PodState, Stage, Station,
        starting as starting_record,
    },
};

const URL: &str = "https://duckui-977a26.duck.example.com/";

fn record(stage: Stage) -> Record {
    Record {
        stage,
        ..starting_record()
    }
}

fn seen() -> Observed {
    Observed {
        record: record(Stage::Running),
        uid: "u".into(),
        revision: "1".into(),
        pod: Some(Pod::new(PodState::Ready)),
        service: true,
        route: true,
    }
}

fn ending(cause: Cause) -> Reply {
    let at = "2026-11-23T13:00:00Z".parse().expect("a time");
    let is_small = matches!(cause.failure(), Failure::OutOfMemory | Failure::DiskFull);
    ended(
        &record(Stage::Running),
        &Ending { at, cause },
        is_small.then_some("large"),
    )
}

fn slow() -> Fault {
    Fault::TimedOut {
        action: "create configmaps in duckbot-sessions".into(),
        after: std::time::Duration::from_secs(10),
    }
}

/// Texts under headings, buttons in brackets.
fn gallery(replies: &[(&str, Reply)]) -> String {
    let mut text = String::new();
    for (title, reply) in replies {
        text.push_str(&format!("--- {title}\n{}\n", reply.text));
        for button in &reply.buttons {
            text.push_str(&format!(
                "[{}] {}\n",
                button.label,
                button.button.custom_id()
            ));
        }
    }
    text
}

#[test]
fn setting_up() {
    let mistakes = [
        Mistake::Spaces(Field::KeyId),
        Mistake::TooLong(Field::SecretKey, 4000),
    ];
    let lake = || Some("lake".to_owned());
    let key = KeyHint("4D7Q".into());
    insta::assert_snapshot!(gallery(&[
        ("in a direct message", setup_invitation(lake())),
        ("in the channel", setup_sent(99)),
        ("direct messages are closed", setup_here(None)),
        ("stored", stored(&key, true, &[])),
        (
            "stored, short key, not tried",
            stored(&KeyHint(String::new()), false, &[])
        ),
        ("stored, with sessions", stored(&key, true, &[seen()])),
        ("not stored", not_stored(&mistakes, lake())),
        ("a key in a message", warned_of_key(setup_invitation(None))),
    ]));
}

#[test]
fn keeping_keys() {
    let noon = || starting_record().created;
    let about = |checked, expires| About {
        hint: KeyHint("4D7Q".into()),
        stored: Some(noon()),
        checked,
        expires,
    };
    let tried = about(Some(noon()), Some(noon()));
    insta::assert_snapshot!(gallery(&[
        (
            "kept, tried, expires",
            keys(&tried, true, Some("lake".into()))
        ),
        ("kept, not tried", keys(&about(None, None), false, None)),
        ("forget?", confirm_forget(&tried, &[])),
        ("forget, with a session?", confirm_forget(&tried, &[seen()])),
        ("forgotten", forgotten(&[])),
        ("forgotten, with a session", forgotten(&[seen()])),
        ("stopping", stopping_all(&[seen()])),
        ("kept after all", keys_kept()),
        ("nothing kept", nothing_kept()),
        ("restarting", restarting(&[seen()])),
        ("restarted", restarted(&[seen()])),
        ("nothing to restart", nothing_to_restart()),
        (
            "forgotten, with trouble",
            forgotten_but(failed(&slow(), "1a2b3c4d"))
        ),
        (
            "no longer welcome",
            may_forget(stranger(&Stranger::NotAMember))
        ),
        ("keys expire", keys_expire(&starting_record(), noon())),
    ]));
}

#[test]
fn keys_that_do_not_work() {
    let lake = || "lake".to_owned();
    let troubles = [
        Trouble::Unreachable("the storage".into()),
        Trouble::UnknownKey,
        Trouble::Refused,
        Trouble::WrongSecret,
        Trouble::ExpiredToken,
        Trouble::WrongToken,
        Trouble::ClockSkew,
        Trouble::NoPermission {
            action: "s3:ListBucket",
            bucket: lake(),
        },
        Trouble::NoBucket(lake()),
        Trouble::OtherRegion,
        Trouble::CatalogWantsToken(lake()),
        Trouble::CatalogRefuses(lake()),
        Trouble::Strange {
            who: "The storage".into(),
            what: "503 SlowDown".into(),
        },
    ];
    insta::assert_snapshot!(gallery(&[
        ("new ones", not_usable(&troubles, Some(lake()))),
        (
            "those that are kept",
            no_longer_usable(&troubles[..1], None)
        ),
    ]));
}

#[test]
fn starting() {
    let record = record(Stage::Starting);
    let another = || Button::StartAnother {
        size: None,
        catalog: Some("lake".into()),
    };
    let one = [(seen(), URL.to_owned())];
    let usual = Some(chrono::TimeDelta::milliseconds(21_400));
    let no_room = Pod::new(PodState::Coming {
        station: Station::Queued,
        incident: Some(Incident::new(Failure::NoRoom, "asked for 4 CPU and 16Gi")),
    });
    let pulling = Station::Pulling("2026-11-23T12:00:05Z".parse().expect("a time"));
    insta::assert_snapshot!(gallery(&[
        ("asked for", progress(&record, None, None)),
        (
            "queued",
            progress(&record, Some(&Pod::at(Station::Queued)), usual)
        ),
        ("no room", progress(&record, Some(&no_room), usual)),
        (
            "placed",
            progress(&record, Some(&Pod::at(Station::Placed)), usual)
        ),
        ("pulling", progress(&record, Some(&Pod::at(pulling)), usual)),
        (
            "starting",
            progress(&record, Some(&Pod::at(Station::Starting)), usual)
        ),
        (
            "almost",
            progress(&record, Some(&Pod::new(PodState::Ready)), usual)
        ),
        ("ready, in private", ready(&record.id, URL)),
        ("ready, in the channel", announcement(&record, URL)),
        ("one runs already", already_running(&one, true, another())),
        (
            "as many as allowed",
            already_running(&one, false, another())
        ),
    ]));
}

#[test]
fn ending_sessions() {
    let record = record(Stage::Running);
    let refused = Cause::Refused {
        why: Fault::NotAllowed {
            verb: "create".into(),
            resource: "pods".into(),
            namespace: "duckbot-sessions".into(),
        }
        .for_people(),
        reference: "1a2b3c4d".into(),
    };
    insta::assert_snapshot!(gallery(&[
        ("before", confirm_stop(&record)),
        ("meanwhile", stopping(&record.id)),
        ("after", stopped(&record.id)),
        ("thought better", kept(&record.id)),
        ("by the owner", ending(Cause::Stopped { by: 7.into() })),
        (
            "restarted",
            ending(Cause::Restarted {
                by: 7.into(),
                keys_expire: None
            })
        ),
        ("by an admin", ending(Cause::Stopped { by: 8.into() })),
        ("refused", ending(refused)),
        (
            "too long",
            ending(Cause::TookTooLong { after_seconds: 300 })
        ),
        (
            "failed",
            ending(Cause::Failed(Incident::new(
                Failure::Other,
                "`OOM`\n@everyone"
            )))
        ),
        ("lost", ending(Cause::Lost)),
        ("gone", gone(&record.id)),
    ]));
}

#[test]
fn failing() {
    let all = [
        Failure::NoRoom,
        Failure::NoNode,
        Failure::ImageMissing,
        Failure::ImageRefused,
        Failure::ImageUnavailable,
        Failure::KeysMissing,
        Failure::Mount,
        Failure::Container,
        Failure::Crashed,
        Failure::OutOfMemory,
        Failure::Door,
        Failure::DiskFull,
        Failure::Evicted,
        Failure::NodeGone,
        Failure::Vanished,
        Failure::Other,
    ];
    let of = |failure| ending(Cause::Failed(Incident::new(failure, "its words")));
    let names = all.map(|failure| format!("{failure:?}"));
    let replies = all.map(of);
    let titled: Vec<_> = names.iter().map(String::as_str).zip(replies).collect();
    insta::assert_snapshot!(gallery(&titled));
}

#[test]
fn going_on() {
    let record = record(Stage::Running);
    let oom = Incident::new(Failure::OutOfMemory, "OOMKilled");
    let crashed = Incident::new(Failure::Crashed, "Error, exit code 1");
    let drained = Incident::new(Failure::Evicted, "Eviction API: evicting");
    let at = record.created;
    let again = record
        .announced(None, at, 0)
        .moving(drained.clone())
        .resumed(None, at);
    let not_again = |cause| ended(&again, &Ending { at, cause }, None);
    let stuck = Cause::Failed(Incident::new(Failure::ImageMissing, "not found"));
    insta::assert_snapshot!(gallery(&[
        ("out of memory", came_back(&record, &oom, Some("large"))),
        (
            "out of memory, largest size",
            came_back(&record, &oom, None)
        ),
        (
            "ended by itself",
            came_back(&record, &crashed, Some("large"))
        ),
        ("moved", moved(&record, &drained)),
        ("starts again", progress(&again, None, None)),
        ("ready again", announcement(&again, URL)),
        (
            "not ready again",
            not_again(Cause::TookTooLong { after_seconds: 300 })
        ),
        ("can't start again", not_again(stuck)),
        ("for admins", last_words(&record)),
        ("the way in", opening(&record)),
    ]));
}

#[test]
fn listing_and_helping() {
    let one = [((seen(), URL.to_owned()), None)];
    let used = |queries, last_query| {
        let activity = Activity {
            queries,
            last_query,
            tabs: 1,
        };
        [((seen(), URL.to_owned()), Some(activity))]
    };
    let noon = starting_record().created;
    insta::assert_snapshot!(gallery(&[
        ("none of theirs", list(&[], false, None)),
        ("none at all", list(&[], true, None)),
        ("one", list(&one, false, None)),
        ("one, long ago", list(&one, false, Some(noon))),
        ("not used", list(&used(0, None), false, None)),
        ("used before", list(&used(0, Some(noon)), false, None)),
        ("in use", list(&used(1, Some(noon)), false, None)),
        (
            "everybody's",
            list(&[one[0].clone(), one[0].clone()], true, None)
        ),
        ("help", help()),
        ("outdated", outdated()),
    ]));
}

#[test]
fn a_long_list_says_how_many_it_leaves_out() {
    let many = vec![((seen(), URL.to_owned()), None); 60];
    let text = list(&many, true, None).text;
    assert!(text.chars().count() <= MOST_CHARACTERS);
    let shown = text.matches("\n- ").count();
    assert!(text.starts_with("60 sessions"), "{text}");
    assert!(text.ends_with(&format!(
        "…and {} more, which don't fit into one message.",
        60 - shown
    )));
}

#[test]
fn turning_down() {
    let id = || "977a26".parse().expect("an id");
    let fault = slow();
    let names = || vec!["small".to_owned(), "large".to_owned()];
    let given = || "`huge` @everyone".to_owned();
    let refusal = |refusal| refused(&refusal);
    insta::assert_snapshot!(gallery(&[
        (
            "size",
            refusal(Refusal::UnknownSize {
                given: given(),
                known: names()
            })
        ),
        (
            "catalog",
            refusal(Refusal::UnknownCatalog {
                given: given(),
                known: names()
            })
        ),
        ("credentials", refusal(Refusal::NoCredentials)),
        (
            "expired",
            refusal(Refusal::KeysExpired(starting_record().created))
        ),
        ("nothing kept", refusal(Refusal::NothingKept)),
        ("checking is off", refusal(Refusal::CheckingIsOff)),
        (
            "quota",
            refusal(Refusal::QuotaReached {
                ids: vec!["977a26".into()],
                limit: 1
            })
        ),
        ("no id", refusal(Refusal::NotAnId("../../x".repeat(9)))),
        ("no such session", refusal(Refusal::NoSuchSession(id()))),
        ("not theirs", refusal(Refusal::NotYours(id()))),
        ("nothing to stop", refusal(Refusal::NothingToStop)),
        (
            "which",
            refusal(Refusal::SayWhich {
                ids: vec!["977a26".into(), "1b2c3d".into()],
                command: "stop",
            })
        ),
        ("nothing to open", refusal(Refusal::NothingToOpen)),
        (
            "not theirs to open",
            refusal(Refusal::NotYoursToOpen(7.into()))
        ),
        ("not ready", refusal(Refusal::NotReady(id()))),
        ("no key", refusal(Refusal::NoKey(id()))),
        ("other guild", stranger(&Stranger::OtherGuild)),
        ("not a member", stranger(&Stranger::NotAMember)),
        (
            "other channel",
            stranger(&Stranger::OtherChannel(vec![5, 6]))
        ),
        ("no role", stranger(&Stranger::NoRole(vec![8]))),
        ("fault", failed(&fault, "1a2b3c4d")),
        ("fault of start", start_failed(&fault, "1a2b3c4d")),
    ]));
}
