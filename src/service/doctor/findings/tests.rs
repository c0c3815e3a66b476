use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::{
    credentials::{CredentialMetadata, KeyHint, S3Metadata},
    service::doctor::{CheckStatus, first_problem},
    session::{Failure, Incident, starting},
};

fn facts() -> Facts {
    Facts::pending(Subject::Start, Vec::new())
}

/// Facts about a session at this stage, whose Pod is ready.
fn in_session(stage: Stage) -> Facts {
    let seen = Observed {
        record: Arc::new(Record {
            stage,
            ..starting()
        }),
        uid: "u".into(),
        revision: "1".into(),
        pod: Some(Pod::new(PodState::Ready)),
        service: true,
        route: true,
    };
    let pod = Fact::Known(Ok(seen.pod.clone()));
    Facts {
        pod,
        ..Facts::pending(Subject::Session(seen), Vec::new())
    }
}

fn running() -> Facts {
    in_session(Stage::Running)
}

/// Stored keys that expire so many hours from now, and the outcome of the preflight.
fn stored(
    hours: i64,
    tried: Option<Result<bool, Vec<PreflightError>>>,
) -> Fact<Result<CredentialsFact, Error>> {
    let now = starting().created;
    let stored = CredentialMetadata {
        s3: Some(S3Metadata {
            hint: KeyHint("4D7Q".into()),
            expires: Some(now + TimeDelta::hours(hours)),
        }),
        catalog_token: None,
        stored: Some(now),
        checked: None,
    };
    Fact::Known(Ok(CredentialsFact {
        stored: Some(stored),
        tried,
    }))
}

fn unreachable() -> Error {
    Error::Session {
        action: "asking the door".into(),
        why: "no connection".into(),
    }
}

#[test]
fn an_error_of_the_preflight_is_blamed_on_the_credentials_or_on_one_service() {
    let catalog = || CheckedService::Catalog("lake".into());
    for (error, blamed) in [
        (PreflightError::ExpiredToken, Check::Credentials),
        (
            PreflightError::CatalogForbids("lake".into()),
            Check::Credentials,
        ),
        (PreflightError::ClockSkew, Check::Storage),
        (
            PreflightError::Unreachable(CheckedService::Storage),
            Check::Storage,
        ),
        (PreflightError::Unreachable(catalog()), Check::Catalog),
        (
            PreflightError::CatalogWantsSigV4("lake".into()),
            Check::Catalog,
        ),
    ] {
        let facts = Facts {
            access: stored(1, Some(Err(vec![error.clone()]))),
            storage: Fact::Known(Ok(())),
            catalog_answer: Fact::Known(Ok(())),
            ..facts()
        };
        for check in [Check::Credentials, Check::Storage, Check::Catalog] {
            let is_failed = facts.finding(check).status() == CheckStatus::Failed;
            assert_eq!(is_failed, check == blamed, "{check:?} for {error:?}");
        }
    }
}

#[test]
fn credentials_that_are_valid_are_not_called_tried_without_a_proof() {
    let found = |access| {
        let facts = Facts { access, ..facts() };
        facts.finding(Check::Credentials)
    };
    let at = Some(starting().created + TimeDelta::hours(1));
    for (tried, works) in [
        (None, false),
        (Some(Ok(false)), false),
        (Some(Ok(true)), true),
    ] {
        assert_eq!(
            found(stored(1, tried)),
            Finding::CredentialsValid(at, works)
        );
    }
    let expired = found(stored(-1, None));
    assert!(
        matches!(expired, Finding::CredentialsExpired(_)),
        "{expired:?}"
    );
    let none = Fact::Known(Ok(CredentialsFact {
        stored: None,
        tried: None,
    }));
    assert_eq!(found(none.clone()), Finding::CredentialsMissing);
    let kept = Facts {
        access: none,
        ..running()
    };
    assert_eq!(
        kept.finding(Check::Credentials),
        Finding::CredentialsDeleted
    );
}

#[test]
fn a_service_waits_for_the_preflight_unless_it_is_silent() {
    let with = |storage, access| {
        let facts = Facts {
            storage: Fact::Known(storage),
            access,
            ..facts()
        };
        facts.finding(Check::Storage)
    };
    assert_eq!(
        with(Ok(()), Fact::Pending),
        Finding::Pending(Check::Storage)
    );
    assert_eq!(with(Ok(()), Fact::TimedOut), Finding::StorageAnswers);
    let silent = Finding::ServiceSilent(Check::Storage, "no connection".into());
    assert_eq!(with(Err("no connection".into()), Fact::Pending), silent);
}

#[test]
fn a_door_that_only_the_bot_can_not_reach_is_no_failure() {
    let with = |address| {
        let facts = Facts {
            door: Fact::Known(Err(unreachable())),
            address,
            ..running()
        };
        assert_eq!(facts.finding(Check::DuckDb), Finding::DuckDbUnknown);
        facts.finding(Check::Door).status()
    };
    assert_eq!(with(Fact::Known(AddressFact::Door)), CheckStatus::Notice);
    assert_eq!(
        with(Fact::Known(AddressFact::Other(504))),
        CheckStatus::Failed
    );
}

#[test]
fn an_address_that_can_not_be_reached_from_the_bot_is_not_called_broken() {
    let status = |fact| Finding::Address(fact).status();
    let why = || "no connection".to_owned();
    assert_eq!(
        status(AddressFact::Unreachable(why())),
        CheckStatus::Unknown
    );
    assert_eq!(
        status(AddressFact::UnknownIssuer(why())),
        CheckStatus::Notice
    );
    assert_eq!(status(AddressFact::Other(302)), CheckStatus::Notice);
    assert_eq!(status(AddressFact::Silent), CheckStatus::Failed);
    for answer in [200, 404, 500, 502, 503, 504] {
        assert_eq!(
            status(AddressFact::Other(answer)),
            CheckStatus::Failed,
            "{answer}"
        );
    }
}

#[test]
fn a_session_is_judged_by_its_pod_as_the_cluster_knows_it() {
    let with = |pod: Option<Pod>| {
        let facts = Facts {
            pod: Fact::Known(Ok(pod)),
            ..running()
        };
        facts.finding(Check::Session)
    };
    let why = Incident::new(Failure::OutOfMemory, "it used too much memory");
    assert_eq!(with(Some(Pod::new(PodState::Ready))), Finding::Running);
    assert_eq!(with(None), Finding::PodGone);
    let stuck = PodState::Stuck(why.clone());
    assert_eq!(with(Some(Pod::new(stuck))), Finding::Broken(why.clone()));
    let restarted = Pod {
        restarts: 2,
        last_end: Some(why.clone()),
        ..Pod::new(PodState::Ready)
    };
    assert_eq!(with(Some(restarted)), Finding::Restarted(why, 2));

    // Without an answer of the cluster, the view has to do.
    let silent = Facts {
        pod: Fact::Known(Err(unreachable())),
        ..running()
    };
    assert_eq!(silent.finding(Check::Session), Finding::Running);
    assert_eq!(
        silent.finding(Check::Cluster),
        Finding::ClusterFails(unreachable())
    );
    let starting = in_session(Stage::Starting);
    assert!(matches!(
        starting.finding(Check::Session),
        Finding::Starting(Some(_))
    ));
}

#[test]
fn a_failure_comes_before_an_earlier_notice() {
    let notice = Finding::Rescheduling(Incident::new(Failure::Evicted, ""));
    let failure = Finding::DuckDbSilent;
    let all = [Finding::ClusterAnswers, notice.clone(), failure.clone()];
    assert_eq!(first_problem(&all), Some(&failure));
    assert_eq!(first_problem(&all[..2]), Some(&notice));
    assert_eq!(first_problem(&all[..1]), None);
}
