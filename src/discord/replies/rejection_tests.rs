//! Snapshots of every rejection, denial and error.

use std::num::NonZeroU32;

use chrono::TimeDelta;

use super::{
    request_failures::request_failure,
    tests::{gallery, in_use, seen},
    *,
};
use crate::{
    credentials::CredentialPart,
    credentials::{
        CredentialField, InputError, ValueError,
        preflight::{CheckedService, PreflightError},
    },
    discord::{access::DenialReason, buttons::Button},
    outbound::CertificateProblem,
    runtime::{CatalogLogin, FailureCause, QueryError, RemoteServer, RequestFailure, StorageLogin},
    service::{
        CredentialsRejection, ExtendRejection, LookupRejection, QueryRejection, Rejection,
        SessionAction, StartRejection, TablesError, UnknownCatalog,
    },
    session::{ErrorSummary, ExtensionLimit, SessionId, StartPause, starting},
};

const ACTIONS: [SessionAction; 8] = [
    SessionAction::Inspect,
    SessionAction::Examine,
    SessionAction::Open,
    SessionAction::Connect,
    SessionAction::Query,
    SessionAction::Save,
    SessionAction::Extend,
    SessionAction::Stop,
];

fn id() -> SessionId {
    "977a26".parse().expect("an id")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn every_rejection() {
    let at = starting().created;
    let quota = |ids, limit| StartRejection::QuotaReached { ids, limit };
    let paused = |reason: Option<&str>| StartRejection::Paused {
        pause: StartPause {
            until: at,
            by: 9.into(),
            reason: reason.map(str::to_owned),
        },
        left: TimeDelta::hours(2),
    };
    let full = |total, own, next_end| StartRejection::TotalReached {
        total: NonZeroU32::new(total).expect("a number above 0"),
        own,
        next_end,
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
    let mut rejections: Vec<Rejection> = vec![
        StartRejection::UnknownSize {
            given: "`huge` @everyone".repeat(4),
            known: names(&["small", "large"]),
        }
        .into(),
        expired(CredentialPart::S3Keys).into(),
        expired(CredentialPart::CatalogToken).into(),
        lacks(CredentialPart::S3Keys).into(),
        lacks(CredentialPart::CatalogToken).into(),
        StartRejection::OwnCredentialsNeeded.into(),
        quota(names(&["977a26"]), 1).into(),
        quota(names(&["977a26", "duckui-7-main-2"]), 2).into(),
        quota(names(&["duckui-7-main"]), 1).into(),
        paused(Some("We upgrade the @everyone `cluster`.")).into(),
        paused(None).into(),
        full(40, vec![id()], Some(at)).into(),
        full(1, Vec::new(), None).into(),
        in_use("977a26", false).into(),
        StartRejection::RequestReused.into(),
        UnknownCatalog {
            given: "sea".into(),
            known: names(&["lake"]),
        }
        .into(),
        CredentialsRejection::NoneStored.into(),
        CredentialsRejection::PreflightDisabled.into(),
        LookupRejection::InvalidId("../../x".into()).into(),
        LookupRejection::NoSuchSession(id()).into(),
        LookupRejection::NotReady(id()).into(),
        LookupRejection::IsRunner(id()).into(),
    ];
    for action in ACTIONS {
        rejections.push(LookupRejection::NoSession(action).into());
        // A query takes the session that was started last.
        if action != SessionAction::Query {
            let sessions = vec![seen(), seen()];
            rejections.push(LookupRejection::Ambiguous { sessions, action }.into());
        }
        let (id, owner) = (id(), 7.into());
        rejections.push(LookupRejection::NotYours { id, owner, action }.into());
    }
    let table = |nearest| QueryRejection::UnknownTable {
        given: "ordrs".into(),
        nearest,
    };
    let limit = |at| ExtendRejection::LimitReached {
        id: id(),
        at,
        limit: ExtensionLimit::MaxAge(TimeDelta::days(3)),
    };
    rejections.extend([
        ExtendRejection::NothingStopsIt.into(),
        limit(None).into(),
        limit(Some(at)).into(),
        QueryRejection::Disabled.into(),
        QueryRejection::Empty.into(),
        QueryRejection::InvisibleCharacter('\u{1}').into(),
        QueryRejection::TooMany(2).into(),
        QueryRejection::NoRoom.into(),
        table(Vec::new()).into(),
        table(names(&["sales.orders", "old.orders"])).into(),
        QueryRejection::UnreadableTable("sales.orders".into()).into(),
        QueryRejection::CredentialsGone.into(),
        QueryRejection::OtherCatalog {
            id: id(),
            catalog: "lake".into(),
        }
        .into(),
        QueryRejection::RunnersBusy(1).into(),
        QueryRejection::RunnersBusy(2).into(),
    ]);
    let no_access = TablesError::NoAccess {
        what: "Attaching the catalog lake".into(),
        error: "**HTTP** `401`".into(),
        failure: Some(RequestFailure {
            server: RemoteServer::Catalog {
                name: "lake".into(),
                login: CatalogLogin::Token,
            },
            cause: FailureCause::Unauthorized,
        }),
    };
    let wrong = TablesError::Query(QueryError {
        kind: "IO".into(),
        message: "no such host".into(),
        ..QueryError::default()
    });
    let tables = [no_access, wrong, TablesError::TimedOut, TablesError::Exited];
    let tables = tables.map(Box::new);
    rejections.extend(tables.map(|error| QueryRejection::TablesUnavailable(error).into()));
    rejections.extend([Rejection::NoSigningKey(id()), Rejection::AdminsOnly]);
    let rejections = rejections.iter().map(|it| ("rejection", refused(it)));
    let denials = [
        DenialReason::OtherGuild,
        DenialReason::NotAMember,
        DenialReason::OtherChannel(vec![5, 6]),
        DenialReason::NoRole(vec![8]),
        DenialReason::NoRole(vec![8, 9]),
    ];
    let denials = denials.iter().map(|it| ("denial", access_denied(it)));
    insta::assert_snapshot!(gallery(&rejections.chain(denials).collect::<Vec<_>>()));
}

#[test]
fn every_error() {
    let mut mistakes: Vec<_> = CredentialField::ALL
        .map(|field| InputError::Value(field, ValueError::Empty))
        .into();
    let key = CredentialField::KeyId;
    mistakes.extend([
        InputError::Value(key, ValueError::Space(' ', 5)),
        InputError::Value(key, ValueError::Space('\n', 21)),
        InputError::Value(key, ValueError::Space('\t', 1)),
        InputError::Value(key, ValueError::Strange('\u{fc}', 7)),
        InputError::Value(key, ValueError::Strange('\u{1f986}', 7)),
        InputError::Value(key, ValueError::TooLong(4000)),
        InputError::NoKeyId('/', 6),
        InputError::Wrapped(key, '\\', 9),
        InputError::Wrapped(key, '`', 1),
        InputError::Broken(CredentialField::SessionToken, 76),
        InputError::Placeholder(CredentialField::SecretKey),
        InputError::Cut(CredentialField::SessionToken),
        InputError::Twice(key, Vec::new()),
        InputError::Twice(key, vec!["lake".into(), "prod".into()]),
        InputError::Halves(CredentialField::SecretKey, "lake".into(), "prod".into()),
        InputError::NoNames,
        InputError::NoSessionToken,
        InputError::NoTime(CredentialPart::S3Keys),
        InputError::Past(CredentialPart::CatalogToken),
    ]);
    let lake = || "lake".to_owned();
    let services = || [CheckedService::Storage, CheckedService::Catalog(lake())];
    let strange = |code: &'static str| {
        services().map(|who| PreflightError::Strange {
            who,
            status: 400,
            code: code.to_owned(),
        })
    };
    let mut troubles: Vec<_> = services().map(PreflightError::Unreachable).into();
    troubles.extend([
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
    ]);
    troubles.extend(services().map(|who| PreflightError::Busy { who, status: 503 }));
    troubles.extend(services().map(|who| PreflightError::WrongEndpoint { who, status: 404 }));
    troubles.extend(strange(""));
    troubles.extend(strange("InvalidRequest"));
    let errors = [
        ErrorSummary::NotAllowed {
            verb: "create".into(),
            resource: "pods".into(),
            namespace: "duckbot-sessions".into(),
        },
        ErrorSummary::Refused,
        ErrorSummary::QuotaExceeded {
            why: "requested: cpu=4, used: cpu=8, limited: cpu=10".into(),
        },
        ErrorSummary::NotFound,
        ErrorSummary::Conflict,
        ErrorSummary::Disk {
            why: "No space left on device".into(),
        },
        ErrorSummary::Discord,
        ErrorSummary::NotAuthenticated,
        ErrorSummary::TimedOut,
        ErrorSummary::Unreachable,
        ErrorSummary::Session,
        ErrorSummary::StillStopping {
            id: "977a26".into(),
        },
        ErrorSummary::NotInSettings {
            what: "size".into(),
            name: "small".into(),
        },
        ErrorSummary::Other,
    ];
    let errors = errors
        .iter()
        .map(|it| ("error", Reply::new(error_text(it))));
    let mut replies: Vec<_> = errors.collect();
    replies.extend([
        (
            "mistakes in the form",
            not_stored(&mistakes, Button::OpenForm(None), CredentialPart::S3Keys),
        ),
        (
            "credentials don't work",
            not_usable(&troubles, Button::OpenForm(None), CredentialPart::S3Keys),
        ),
        ("not shared", share_refused("42", Some(50013))),
        ("not shared, no code", share_refused("42", None)),
        ("not shared, the file is gone", share_without_file("42")),
    ]);
    insta::assert_snapshot!(gallery(&replies));
}

#[test]
fn every_failed_request() {
    use FailureCause::*;
    let catalog = |login| RemoteServer::Catalog {
        name: "lake".into(),
        login,
    };
    let storage = |bucket: Option<&str>, login| RemoteServer::Storage {
        bucket: bucket.map(str::to_owned),
        login,
    };
    let mut servers = vec![
        storage(Some("finance"), StorageLogin::OwnKeys),
        storage(None, StorageLogin::OwnKeys),
        storage(Some("finance"), StorageLogin::Vended),
        RemoteServer::Other {
            host: "data.example".into(),
        },
    ];
    servers.extend(
        [
            CatalogLogin::None,
            CatalogLogin::Token,
            CatalogLogin::Client,
            CatalogLogin::Signature,
        ]
        .map(catalog),
    );
    let causes = [
        Unauthorized,
        Forbidden,
        Misconfigured,
        Busy,
        Unreachable,
        Conflict,
        QuotaExceeded,
        Archived,
        NoTls,
        Redirects,
        Unreadable,
    ];
    let texts = servers.iter().flat_map(|server| {
        let is_storage = matches!(server, RemoteServer::Storage { .. });
        // Only a storage says that its region or the clock is another one.
        let is_possible = move |cause: &FailureCause| is_storage || *cause != Misconfigured;
        let causes = causes.into_iter().filter(is_possible);
        causes.map(move |cause| {
            let server = server.clone();
            request_failure(&RequestFailure { server, cause }) + "\n"
        })
    });
    insta::assert_snapshot!(texts.collect::<String>());
}
