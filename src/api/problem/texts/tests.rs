use super::*;
use crate::{
    credentials::preflight::CheckedService,
    outbound::CertificateProblem,
    service::{CredentialsRejection, QueryRejection, UnknownCatalog},
    session::{ExtensionLimit, SessionId, StartPause},
};

fn id() -> SessionId {
    "977a26".parse().expect("an id")
}

/// Formats the type and the text of each problem.
fn gallery(problems: impl IntoIterator<Item = Problem>) -> String {
    let lines = problems.into_iter().map(|problem| {
        let document = problem.document("1a2b3c4d");
        let [kind, detail] = ["type", "detail"].map(|key| document[key].as_str().expect("a text"));
        format!("{kind}\n  {detail}\n")
    });
    lines.collect()
}

#[test]
fn every_rejection() {
    let at: chrono::DateTime<chrono::Utc> = "2026-11-23T12:00:00Z".parse().expect("a time");
    let names = || vec!["small".to_owned(), "large".to_owned()];
    let given = || "**huge**".to_owned();
    let quota = |ids: &[&str], limit| StartRejection::QuotaReached {
        ids: ids.iter().map(ToString::to_string).collect(),
        limit,
    };
    let not_yours = |action| LookupRejection::NotYours {
        id: id(),
        owner: 7.into(),
        action,
    };
    let limit = |at| ExtendRejection::LimitReached {
        id: id(),
        at,
        limit: ExtensionLimit::Budget(chrono::TimeDelta::hours(48)),
    };
    let expired = |part| StartRejection::CredentialsExpired {
        part,
        catalog: "lake".into(),
        at,
    };
    let lacks = |part| StartRejection::CredentialsLack {
        part,
        catalog: "lake".into(),
    };
    let in_use = |id: &str, is_stopping| StartRejection::WorkspaceInUse {
        workspace: "sales".parse().expect("a name"),
        id: id.into(),
        is_stopping,
    };
    let paused = |reason: Option<&str>| StartRejection::Paused {
        pause: StartPause {
            until: at,
            by: 9.into(),
            reason: reason.map(str::to_owned),
        },
        left: chrono::TimeDelta::hours(2),
    };
    let rejections: [Rejection; 31] = [
        StartRejection::UnknownSize {
            given: given(),
            known: names(),
        }
        .into(),
        expired(CredentialPart::S3Keys).into(),
        expired(CredentialPart::CatalogToken).into(),
        lacks(CredentialPart::S3Keys).into(),
        lacks(CredentialPart::CatalogToken).into(),
        StartRejection::OwnCredentialsNeeded.into(),
        quota(&["977a26"], 1).into(),
        quota(&["977a26", "1b2c3d"], 2).into(),
        quota(&["977a26", "duckui-7-main-2"], 2).into(),
        quota(&["duckui-7-main"], 1).into(),
        StartRejection::TotalReached {
            total: std::num::NonZeroU32::new(40).expect("a number above 0"),
            own: Vec::new(),
            next_end: Some(at),
        }
        .into(),
        paused(Some("We upgrade the cluster.")).into(),
        paused(None).into(),
        in_use("977a26", false).into(),
        in_use("977a26", true).into(),
        in_use("duckui-7-sales", false).into(),
        StartRejection::RequestReused.into(),
        UnknownCatalog {
            given: given(),
            known: names(),
        }
        .into(),
        CredentialsRejection::NoneStored.into(),
        LookupRejection::InvalidId(given()).into(),
        LookupRejection::NoSuchSession(id()).into(),
        LookupRejection::NoSession(SessionAction::Open).into(),
        not_yours(SessionAction::Inspect).into(),
        not_yours(SessionAction::Open).into(),
        LookupRejection::NotReady(id()).into(),
        ExtendRejection::NothingStopsIt.into(),
        limit(None).into(),
        limit(Some(at)).into(),
        QueryRejection::Empty.into(),
        Rejection::NoSigningKey(id()),
        Rejection::AdminsOnly,
    ];
    insta::assert_snapshot!(gallery(rejections.map(Problem::from)));
}

#[test]
fn every_error() {
    let action = || "create pods in sessions".to_owned();
    let why = || "because".to_owned();
    let errors = [
        Error::NotAllowed {
            verb: "create".into(),
            resource: "pods".into(),
            namespace: "sessions".into(),
        },
        Error::Refused {
            action: action(),
            why: why(),
        },
        Error::QuotaExceeded {
            action: action(),
            why: why(),
        },
        Error::Unknown {
            action: action(),
            why: why(),
        },
        Error::Exists { action: action() },
        Error::Conflict { action: action() },
        Error::TimedOut {
            action: action(),
            after: RETRY_AFTER,
        },
        Error::Disk {
            action: action(),
            why: why(),
        },
        Error::Discord {
            action: action(),
            why: why(),
        },
        Error::Session {
            action: action(),
            why: why(),
        },
        Error::NotAuthenticated { action: action() },
        Error::StillStopping {
            id: "977a26".into(),
            after: RETRY_AFTER,
        },
        Error::NotInSettings {
            what: "size",
            name: "small".into(),
        },
        Error::Unreachable {
            action: action(),
            why: why(),
        },
        Error::Unavailable {
            action: action(),
            why: why(),
        },
    ];
    let lake = || "lake".to_owned();
    let strange = |who, code: &str| PreflightError::Strange {
        who,
        status: 400,
        code: code.to_owned(),
    };
    let troubles = [
        PreflightError::Unreachable(CheckedService::Storage),
        PreflightError::Unreachable(CheckedService::Catalog(lake())),
        PreflightError::BadCertificate {
            who: CheckedService::Storage,
            problem: CertificateProblem::UnknownIssuer("CN=Duck Root".into()),
        },
        PreflightError::BadCertificate {
            who: CheckedService::Catalog(lake()),
            problem: CertificateProblem::Invalid("certificate expired".into()),
        },
        PreflightError::UnknownKey,
        PreflightError::WrongSecret,
        PreflightError::ExpiredToken,
        PreflightError::WrongToken,
        PreflightError::ClockSkew,
        PreflightError::Refused,
        PreflightError::NoPermission {
            action: "s3:ListBucket",
            bucket: lake(),
        },
        PreflightError::NoBucket(lake()),
        PreflightError::OtherRegion,
        PreflightError::OtherStyle,
        PreflightError::BucketInEndpoint,
        PreflightError::InvalidStorageSettings,
        PreflightError::CatalogWantsToken(lake()),
        PreflightError::CatalogMoved {
            catalog: lake(),
            uri: "http://catalog.example/v2".into(),
        },
        PreflightError::CatalogRefuses(lake()),
        PreflightError::CatalogForbids(lake()),
        PreflightError::CatalogWantsSigV4(lake()),
        PreflightError::CatalogOtherScope(lake()),
        PreflightError::Suspended,
        PreflightError::Busy {
            who: CheckedService::Storage,
            status: 503,
        },
        PreflightError::WrongEndpoint {
            who: CheckedService::Catalog(lake()),
            status: 404,
        },
        strange(CheckedService::Storage, "InvalidRequest"),
        strange(CheckedService::Catalog(lake()), ""),
    ];
    let troubles = troubles.map(|it| ServiceError::UnusableCredentials(vec![it]).into());
    let values = [
        ValueError::Empty,
        ValueError::Space('\n', 21),
        ValueError::Strange('ü', 7),
        ValueError::TooLong(4000),
    ];
    let values = values.map(|it| format!("s3_key {}\n", value_error(&it)));
    let problems = errors.map(Problem::from).into_iter().chain(troubles);
    insta::assert_snapshot!(gallery(problems) + &values.concat());
}
