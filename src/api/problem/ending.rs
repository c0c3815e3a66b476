//! Reasons why sessions end, for people.

use super::texts::error_text;
use crate::session::{Cause, Ending, Failure, Rule};

/// Explains why a session ends.
pub(crate) fn ending_reason(ending: &Ending) -> String {
    match &ending.cause {
        Cause::Stopped { .. } => "It was stopped.".to_owned(),
        Cause::OverQuota => {
            "It was not started, because another start took the last place. Try again later."
                .to_owned()
        }
        Cause::Restarted { .. } => "Its owner restarted it with new credentials.".to_owned(),
        Cause::Refused { error, .. } => format!("It could not be created. {}", error_text(error)),
        Cause::TookTooLong { after_seconds } => {
            format!("It was not ready within {after_seconds} s.")
        }
        Cause::Failed(incident) => {
            let failure = failure_text(incident.failure);
            match incident.why.as_str() {
                "" => failure.to_owned(),
                why => format!("{failure} Message from the cluster: {why}"),
            }
        }
        Cause::Lost => "Its Pod was deleted on the cluster.".to_owned(),
        Cause::Reaped { rule, .. } => match rule {
            Rule::Idle => "It was stopped for being idle.",
            Rule::Lifetime => "It was stopped at the end of its lifetime.",
            Rule::MaxAge => "It was stopped at the maximum session age.",
            Rule::OwnerLeft => "It was stopped because its owner left the Discord server.",
        }
        .to_owned(),
    }
}

fn failure_text(failure: Failure) -> &'static str {
    match failure {
        Failure::NoRoom => {
            "The cluster has no room for it. Try again later, or choose a smaller size."
        }
        Failure::NoNode => "No cluster node can run it as configured. An admin has to fix this.",
        Failure::ImageMissing => {
            "The session image was not found (sessions.image). An admin has to fix this."
        }
        Failure::ImageRefused => {
            "The registry does not let the cluster download the session image. An admin has to fix \
             this."
        }
        Failure::ImageUnavailable => {
            "The session image could not be downloaded in time. Try again later."
        }
        Failure::CredentialsMissing => "Its credentials are gone. Send a new request.",
        Failure::Mount => {
            "One of its disks could not be attached in time. An admin has to fix this."
        }
        Failure::Container => {
            "The cluster can't run its containers as configured. An admin has to fix this."
        }
        Failure::Crashed => "DuckDB crashed repeatedly. Tell an admin.",
        Failure::OutOfMemory => "DuckDB ran out of memory repeatedly. Choose a larger size.",
        Failure::Door => {
            "The proxy that checks who opens it crashed repeatedly. An admin has to fix this."
        }
        Failure::DiskFull => "It filled its disk. Choose a larger size.",
        Failure::Evicted => "The cluster took its node away. Start a new session.",
        Failure::NodeGone => "Its cluster node failed. Start a new session.",
        Failure::Vanished => {
            "It disappeared from the cluster; the cause is unknown. Start a new session."
        }
        Failure::BotEnded => "The bot was restarted. Start a new session.",
        Failure::Other => "It has failed. Try again. If this happens again, tell an admin.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ErrorSummary, Incident, starting};

    #[test]
    fn every_ending() {
        let record = starting();
        let failed = Failure::ALL.map(|failure| Cause::Failed(Incident::new(failure, "its words")));
        let rules = [Rule::Idle, Rule::Lifetime, Rule::MaxAge, Rule::OwnerLeft];
        let reaped = rules.map(|rule| Cause::Reaped {
            rule,
            since: record.created,
        });
        let mut causes = vec![
            Cause::Stopped { by: record.owner },
            Cause::Restarted {
                by: record.owner,
                credentials_expire: None,
            },
            Cause::Refused {
                error: ErrorSummary::Refused,
                reference: "1a2b3c4d".into(),
            },
            Cause::TookTooLong { after_seconds: 600 },
            Cause::Failed(Incident::new(Failure::NodeGone, "")),
            Cause::Lost,
            Cause::OverQuota,
        ];
        causes.extend(failed);
        causes.extend(reaped);
        let reasons = causes.into_iter().map(|cause| {
            let ended = record.with_ending(cause, record.created);
            ending_reason(ended.ending().expect("an ending")) + "\n"
        });
        insta::assert_snapshot!(reasons.collect::<String>());
    }
}
