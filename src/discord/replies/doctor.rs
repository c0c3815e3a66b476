//! Replies to `/duck doctor`: a mark and a few words for each check, and the next step.

use super::{
    doctor_details::detail,
    doctor_steps::next_step,
    format::{count_of, date_time, plain, relative_time},
    part_name,
    reply::{Emphasis, MAX_MESSAGE_CHARS, Reply, message_len},
    startup::startup,
};
use crate::{
    credentials::{CredentialPart, preflight::PreflightError},
    discord::buttons::Button,
    error::Error,
    outbound::CertificateProblem,
    service::{
        StartRejection,
        doctor::{
            AddressFact, Check, CheckStatus, Facts, Finding, Subject, first_problem, is_login,
        },
    },
    session::{Restored, SessionId, WorkReport},
};

/// Shows what is known of an examination. Admins get a line of detail for each check.
pub(crate) fn examination(facts: &Facts, is_admin: bool) -> Reply {
    let findings = facts.findings();
    let is_pending = |it: &Finding| it.status() == CheckStatus::Pending;
    let id = match &facts.subject {
        Subject::Session(seen) => Some(&seen.record.id),
        Subject::Start => None,
    };
    if findings.iter().any(is_pending) {
        let of = match id {
            Some(id) => format!("Checking session `{id}`…"),
            None => "Checking what your next session needs…".to_owned(),
        };
        return Reply::new(format!("{of}{}", list(facts, &findings, |_| false)));
    }
    let reply = summary(facts, &findings, id);
    let fits = |text: &str| message_len(&reply.text) + message_len(text) <= MAX_MESSAGE_CHARS;
    let has_passed = |it: &Finding| it.status() == CheckStatus::Passed;
    // The details of what works are the first to be left out.
    let all = list(facts, &findings, |_| is_admin);
    let some = || list(facts, &findings, |it| is_admin && !has_passed(it));
    let none = || list(facts, &findings, |_| false);
    let list = [all]
        .into_iter()
        .chain([some(), none()])
        .find(|it| fits(it));
    let text = format!("{}{}", reply.text, list.unwrap_or_default());
    let reply = Reply { text, ..reply };
    reply.with(
        Emphasis::Secondary,
        "Check again",
        Button::Examine(id.cloned()),
    )
}

/// Says what to do first, with the button for it.
fn summary(facts: &Facts, findings: &[Finding], id: Option<&SessionId>) -> Reply {
    let with = |status| findings.iter().filter(|it| it.status() == status).count();
    let of = id.map_or(String::new(), |id| format!(" with session `{id}`"));
    let lead = match with(CheckStatus::Failed) {
        0 => String::new(),
        1 => format!("**I found a problem{of}.** "),
        count => format!("**I found {count} problems{of}.** The first one to solve: "),
    };
    if let Some(problem) = first_problem(findings) {
        let step = next_step(problem, facts);
        let text = format!("{lead}{}", step.text);
        return Reply { text, ..step };
    }
    let can_open = facts.is_owner && facts.checks.contains(&Check::Address);
    let text = match (id, with(CheckStatus::Unknown)) {
        (Some(id), 0) if can_open => format!("**Session `{id}` works.** `/duck open` opens it."),
        (Some(id), 0) => format!("**`{id}` works.**"),
        (None, 0) => "**You can start a session:** `/duck start`.".to_owned(),
        (_, _) => format!(
            "**I found no problem{of},** but could not check everything. If it still does not work for \
             you, show this to an admin."
        ),
    };
    Reply::new(text)
}

/// Lists the findings, with a line of detail for those that `has_detail` selects.
fn list(facts: &Facts, findings: &[Finding], has_detail: impl Fn(&Finding) -> bool) -> String {
    let lines = findings.iter().map(|it| {
        let line = format!(
            "\n{} {}: {}",
            mark(it.status()),
            label(it, facts),
            state(it, facts)
        );
        let detail = has_detail(it).then(|| detail(it, facts));
        match detail {
            Some(detail) => format!("{line}\n-# {detail}"),
            None => line,
        }
    });
    lines.collect()
}

fn mark(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pending => "⏳",
        CheckStatus::Passed => "✅",
        CheckStatus::Notice => "⚠️",
        CheckStatus::Failed => "❌",
        CheckStatus::Unknown => "❔",
    }
}

fn label(finding: &Finding, facts: &Facts) -> String {
    match finding.check() {
        Check::Cluster => "Cluster".to_owned(),
        Check::Starts => "Starts".to_owned(),
        Check::Room => "Your sessions".to_owned(),
        Check::Rules => "Cluster's rules".to_owned(),
        Check::Session => "Session".to_owned(),
        Check::DuckDb => "DuckDB".to_owned(),
        Check::Door => match finding {
            Finding::DoorUnreachable { .. } => "Door (checks who opens the session)".to_owned(),
            _ => "Door".to_owned(),
        },
        Check::Address => "Address".to_owned(),
        Check::Credentials => match facts.part {
            CredentialPart::S3Keys => "S3 credentials".to_owned(),
            CredentialPart::CatalogToken => "Catalog token".to_owned(),
        },
        Check::Storage => "Storage".to_owned(),
        Check::Catalog => format!("Catalog {}", plain(&facts.catalog)),
        Check::Tables => "Tables".to_owned(),
        Check::Work => "Saved work".to_owned(),
    }
}

/// Says what was found, after the name of the check and a colon.
fn state(finding: &Finding, facts: &Facts) -> String {
    let is_several = facts.part == CredentialPart::S3Keys;
    let verb = |one: &str, several: &str| if is_several { several } else { one }.to_owned();
    let text = match finding {
        Finding::Pending(_) => "checking…",
        Finding::NotReady(_) => "not checked, because the session is not ready",
        Finding::OwnerOnly(_) => "not checked, because this needs the owner's credentials",
        Finding::TimedOut(_) => "not known, because there was no answer in time",
        Finding::NotChecked(..) => "could not be checked",
        Finding::ClusterAnswers | Finding::StorageAnswers | Finding::CatalogAnswers => "answers",
        Finding::ClusterOutdated(since) => {
            return format!("answers, but sends no changes since {}", date_time(*since));
        }
        Finding::ClusterFails(_) => "does not answer as it should",
        Finding::StartsAllowed => "allowed",
        Finding::StartsPaused(pause) => return format!("paused until {}", date_time(pause.until)),
        Finding::Room(room) => return format!("{} of {}", room.own, room.limit),
        Finding::NoRoom(StartRejection::TotalReached { .. }) => {
            "all sessions of the team are in use"
        }
        Finding::NoRoom(_) => "you have as many as allowed",
        Finding::RulesAllow => "allow a session",
        Finding::RulesRefuse(Error::QuotaExceeded { .. }) => "the team's share is used up",
        Finding::RulesRefuse(_) => "don't allow a session",
        Finding::Running => "running",
        Finding::Restarted(_, times) => {
            let times = count_of(*times as usize, "time");
            return format!("running, but its DuckDB was restarted {times}");
        }
        Finding::Starting(pod) => return startup("starting", pod.as_ref()),
        Finding::Rescheduling(_) => "starting again, because the cluster took its node",
        Finding::Broken(_) => "can't run",
        Finding::PodGone => "lost, and usually restarts by itself",
        Finding::Stopping(true) => "ending, and saving its work",
        Finding::Stopping(false) => "ending",
        Finding::DuckDbAnswers | Finding::DoorAnswers => "answers",
        Finding::DuckDbSilent => "does not answer",
        Finding::DuckDbUnknown => "not known, because I can't reach the door in front of it",
        Finding::DoorUnreachable { .. } => "does not answer me",
        Finding::Address(fact) => return address(fact),
        Finding::CredentialsValid(expiry, is_tried) => {
            let state = if *is_tried {
                verb("works", "work")
            } else {
                verb("is saved", "are saved")
            };
            return match expiry {
                Some(at) => format!(
                    "{state}, {} {}",
                    verb("expires", "expire"),
                    relative_time(*at)
                ),
                None => state,
            };
        }
        Finding::CredentialsMissing => return verb("is not saved", "are not saved"),
        Finding::CredentialsDeleted => return verb("was deleted", "were deleted"),
        Finding::CredentialsExpired(at) => return format!("expired {}", relative_time(*at)),
        Finding::CredentialsRefused(_) => return verb("does not work", "don't work"),
        Finding::CredentialsOutdated => "the session has older ones than those that are saved",
        Finding::ServiceSilent(..) => "does not answer",
        Finding::ServiceFails(_, error) => return service_state(error),
        Finding::Tables(0, _) => "none found",
        Finding::Tables(count, more) => {
            let found = count_of(*count, "table");
            let at_least = if *more { "at least " } else { "" };
            return format!("{at_least}{found} found");
        }
        Finding::TablesFail(_) => "can't be read",
        Finding::TablesNeedCredentials => {
            return format!("can't be read without your {}", part_name(facts.part));
        }
        Finding::TablesBusy => "not checked, because other queries of yours are running",
        Finding::WorkReported(report) => return work_state(report),
        Finding::WorkCanBeSaved => "can be saved",
        Finding::WorkFails(_) => "can't be saved",
        Finding::WorkUnknown => "not known, because the session did not answer",
        Finding::WorkUntried => "not checked, because that needs your S3 credentials",
    };
    text.to_owned()
}

fn address(fact: &AddressFact) -> String {
    let text = match fact {
        AddressFact::Door => "leads to the session",
        AddressFact::Silent => "gets no answer from the session",
        AddressFact::NoAddress => "has no DNS entry",
        AddressFact::Unreachable(_) => "could not be checked from here",
        AddressFact::UnknownIssuer(_) => "has a certificate that I don't trust",
        AddressFact::BadCertificate(_) => "has a certificate that is not valid",
        AddressFact::RouteRefused(_) => "was refused by the cluster's gateway",
        AddressFact::NoRoute => "is being set up",
        AddressFact::Other(404) => return "leads nowhere yet (HTTP 404)".to_owned(),
        AddressFact::Other(status) if is_login(*status) => {
            return format!("asks for another login first (HTTP {status})");
        }
        AddressFact::Other(status @ 502..=504) => {
            return format!("does not reach the session (HTTP {status})");
        }
        AddressFact::Other(status) => {
            return format!("leads to another server (HTTP {status})");
        }
    };
    text.to_owned()
}

fn service_state(error: &PreflightError) -> String {
    let text = match error {
        PreflightError::Unreachable(_) => "does not answer",
        PreflightError::BadCertificate {
            problem: CertificateProblem::UnknownIssuer(_),
            ..
        } => "has a certificate that I don't trust",
        PreflightError::BadCertificate {
            problem: CertificateProblem::Invalid(_),
            ..
        } => "has a certificate that is not valid",
        PreflightError::Busy { status, .. } => {
            return format!("is overloaded or has a problem (HTTP {status})");
        }
        _ => "does not work with my settings",
    };
    text.to_owned()
}

fn work_state(report: &WorkReport) -> String {
    let last = match (&report.saved, &report.restored) {
        (Some(save), _) | (None, Restored::Save(save)) => Some(save.at),
        (None, _) => None,
    };
    match (last, report.is_changed) {
        (Some(at), true) => format!("saved {}, and changed since", relative_time(at)),
        (Some(at), false) => format!("saved {}", relative_time(at)),
        (None, true) => "not saved yet".to_owned(),
        (None, false) => "nothing to save".to_owned(),
    }
}
