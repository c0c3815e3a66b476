//! The next step after a finding of `/duck doctor`.

use super::{
    credential_errors::preflight_error,
    errors::error_text,
    format::{plain, relative_time},
    part_name,
    pausing::starts_paused,
    rejections::refused,
    reply::Reply,
    stored::offer_restart,
    work::not_saved,
};
use crate::{
    credentials::CredentialPart,
    error::Error,
    service::{
        QueryRejection, StartRejection,
        doctor::{AddressFact, Check, Facts, Finding, Subject, is_login},
        summarize,
    },
};

/// Advice if time does not help.
const IF_IT_STAYS: &str = "If this does not change, tell an admin.";

/// Says how a session ends for a new one. An admin can only stop a session of another person.
fn stop_and_start(facts: &Facts) -> String {
    match &facts.subject {
        Subject::Session(seen) if !facts.is_owner => format!(
            "stop it with `/duck stop session:{}`. Its owner can start a new one.",
            seen.record.id
        ),
        _ => "run `/duck stop`, then `/duck start`.".to_owned(),
    }
}

/// Says what to do about a finding, in whole sentences, with buttons if they help.
pub(super) fn next_step(finding: &Finding, facts: &Facts) -> Reply {
    let text = match finding {
        Finding::ClusterOutdated(since) => format!(
            "The last change from the cluster came {}, so what I show may be out of date. Check again \
             in a minute. {IF_IT_STAYS}",
            relative_time(*since)
        ),
        Finding::ClusterFails(error) => error_text(&summarize(error)),
        Finding::StartsPaused(pause) => starts_paused(pause).text,
        Finding::RulesRefuse(Error::Refused { .. }) => {
            "The cluster's rules don't allow a session. Tell an admin: `/duck doctor` shows them why."
                .to_owned()
        }
        Finding::RulesRefuse(error) => error_text(&summarize(error)),
        Finding::NoRoom(rejection) => return refused(&rejection.clone().into()),
        Finding::Restarted(why, _) => format!(
            "DuckDB in this session ended and was restarted: {}. What ran at that time is lost. If a query \
             does that again, ask for fewer rows or columns, or start a larger size.",
            plain(&why.why)
        ),
        Finding::Starting(_) => {
            "The session is still starting. I post the link in the channel as soon \
            as it is ready."
                .to_owned()
        }
        Finding::Rescheduling(_) => {
            "The cluster took the session's node, so the session starts again \
            by itself. Its link stays the same. Check again in a minute."
                .to_owned()
        }
        Finding::Broken(why) => format!(
            "The session can't run: {}. It may recover by itself. If not, I stop it and post why in the \
             channel. To start again now, {}",
            plain(&why.why),
            stop_and_start(facts)
        ),
        Finding::PodGone => {
            "The session was lost on the cluster. Usually it restarts by itself, with the same link. \
             Check again in a minute."
                .to_owned()
        }
        Finding::Stopping(_) => {
            let next = if facts.is_owner {
                "start a new one with `/duck start`"
            } else {
                "its owner can start a new one"
            };
            format!("The session is being stopped. When it is gone, {next}.")
        }
        Finding::DuckDbSilent => format!(
            "DuckDB does not answer. A large query may keep it busy: wait for the query, or cancel it. If \
             nothing runs, {}",
            stop_and_start(facts)
        ),
        Finding::DoorUnreachable { is_open: true, .. } => {
            let whose = if facts.is_owner { "Your" } else { "The owner's" };
            format!(
                "{whose} link works, but I can't reach the session's door myself, so I don't see whether \
                 the session is used. Tell an admin."
            )
        }
        Finding::DoorUnreachable { is_open: false, .. } => format!(
            "I can't reach the session, so its link may not work either. Check again in a minute. \
             {IF_IT_STAYS}"
        ),
        Finding::Address(fact) => address(fact),
        Finding::CredentialsMissing
        | Finding::CredentialsDeleted
        | Finding::CredentialsExpired(_)
        | Finding::CredentialsRefused(_)
        | Finding::CredentialsOutdated
        | Finding::TablesNeedCredentials => return credentials(finding, facts),
        Finding::ServiceSilent(check, _) => {
            let service = match check {
                Check::Storage => "storage".to_owned(),
                _ => format!("catalog {}", plain(&facts.catalog)),
            };
            format!("The {service} does not answer. Check again in a minute. {IF_IT_STAYS}")
        }
        Finding::ServiceFails(_, error) => preflight_error(error),
        Finding::TablesFail(error) => {
            let rejection = QueryRejection::TablesUnavailable(Box::new(error.clone()));
            return refused(&rejection.into());
        }
        Finding::WorkFails(failure) if facts.is_owner => {
            format!(
                "Your notebooks and tables can't be saved: {}",
                not_saved(failure)
            )
        }
        // The reason is about the owner's credentials.
        Finding::WorkFails(_) => {
            "The session's work can't be saved. Its owner reads why with `/duck \
            doctor`."
                .to_owned()
        }
        Finding::Pending(_)
        | Finding::NotReady(_)
        | Finding::OwnerOnly(_)
        | Finding::TimedOut(_)
        | Finding::NotChecked(..)
        | Finding::ClusterAnswers
        | Finding::StartsAllowed
        | Finding::Room(_)
        | Finding::RulesAllow
        | Finding::Running
        | Finding::DuckDbAnswers
        | Finding::DuckDbUnknown
        | Finding::DoorAnswers
        | Finding::CredentialsValid(..)
        | Finding::StorageAnswers
        | Finding::CatalogAnswers
        | Finding::Tables(..)
        | Finding::TablesBusy
        | Finding::WorkReported(_)
        | Finding::WorkCanBeSaved
        | Finding::WorkUnknown
        | Finding::WorkUntried => String::new(),
    };
    Reply::new(text)
}

fn address(fact: &AddressFact) -> String {
    match fact {
        AddressFact::Other(404) => format!(
            "The cluster's web server does not know the session's address yet. Open the link again in \
             a minute. {IF_IT_STAYS}"
        ),
        AddressFact::Other(status) if is_login(*status) => format!(
            "Another server answers before the session (HTTP {status}), perhaps a login page of your \
             company. Log in there, then open the link again."
        ),
        AddressFact::Other(status @ 502..=504) => format!(
            "The cluster's web server can't reach the session (HTTP {status}). Open the link again in a \
             minute. {IF_IT_STAYS}"
        ),
        AddressFact::Silent => format!(
            "The cluster's web server gets no answer from the session. Open the link again in a minute. \
             {IF_IT_STAYS}"
        ),
        AddressFact::Other(status) => format!(
            "Another server answers at the session's address (HTTP {status}). Tell an admin."
        ),
        AddressFact::NoAddress => {
            "The session's address has no DNS entry, so browsers can't find it. Tell an admin."
                .to_owned()
        }
        AddressFact::UnknownIssuer(_) => {
            "I don't trust the certificate of the session's address. If your browser warns you too, \
             don't go on, and tell an admin."
                .to_owned()
        }
        AddressFact::BadCertificate(_) => {
            "The certificate of the session's address is not valid, so browsers refuse it. Tell an \
             admin."
                .to_owned()
        }
        AddressFact::RouteRefused(_) => {
            "The cluster's gateway refused the session's address. Tell an admin.".to_owned()
        }
        AddressFact::NoRoute => {
            format!("The session's address is being set up. Check again in a minute. {IF_IT_STAYS}")
        }
        AddressFact::Door | AddressFact::Unreachable(_) => String::new(),
    }
}

/// Says what to do about credentials. Only their owner gets buttons.
fn credentials(finding: &Finding, facts: &Facts) -> Reply {
    let name = part_name(facts.part);
    let them = match facts.part {
        CredentialPart::S3Keys => "new ones",
        CredentialPart::CatalogToken => "a new one",
    };
    if !facts.is_owner {
        let what = match finding {
            Finding::CredentialsExpired(at) => format!("expired {}", relative_time(*at)),
            Finding::CredentialsOutdated => "are older than those that the owner saved".to_owned(),
            _ => "are no longer saved".to_owned(),
        };
        return Reply::new(format!(
            "The {name} of the session {what}. Its owner can enter {them} with `/duck setup`."
        ));
    }
    let (part, catalog) = (facts.part, facts.catalog.clone());
    match (finding, &facts.subject) {
        (Finding::CredentialsMissing, _) => {
            refused(&StartRejection::CredentialsLack { part, catalog }.into())
        }
        (Finding::CredentialsExpired(at), _) => {
            let at = *at;
            refused(&StartRejection::CredentialsExpired { part, catalog, at }.into())
        }
        (Finding::CredentialsRefused(error), _) => {
            Reply::new(preflight_error(error)).with_form(Some(catalog))
        }
        (Finding::CredentialsOutdated, Subject::Session(seen)) => offer_restart(
            format!("This session still has older {name} than those that you saved."),
            [&*seen.record],
        ),
        (Finding::TablesNeedCredentials, _) => refused(&QueryRejection::CredentialsGone.into()),
        _ => Reply::new(format!(
            "You deleted your {name}. This session keeps what it has, but `/duck sql` and your next \
             session need {them}."
        ))
        .with_form(Some(catalog)),
    }
}
