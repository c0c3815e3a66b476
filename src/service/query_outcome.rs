//! The outcome of a query for the metrics: is it the person's own, or a failure of the team's systems? Pure.

use crate::runtime::{
    AskError, CatalogLogin, FailureCause, QueryResponse, RemoteServer, RequestFailure,
};

/// Returns `done`, `refused` for what only the person can change, or `failed`.
pub(super) fn query_outcome(answer: Result<Option<&QueryResponse>, &AskError>) -> &'static str {
    match answer {
        Ok(Some(answer)) => response_outcome(answer),
        // There is no room for a large answer.
        Ok(None) => "failed",
        Err(AskError::CredentialsGone) => "refused",
        Err(AskError::NotRunning | AskError::Failed(_)) => "failed",
    }
}

fn response_outcome(answer: &QueryResponse) -> &'static str {
    match answer {
        QueryResponse::Rows(_) | QueryResponse::Done { .. } => "done",
        QueryResponse::NotCommitted
        | QueryResponse::NotSelect
        | QueryResponse::MultipleStatements(_)
        | QueryResponse::Empty
        | QueryResponse::LineBreak
        | QueryResponse::TimedOut => "refused",
        QueryResponse::Error(error) => match &error.failure {
            Some(failure) if is_of_the_team(failure) => "failed",
            _ => "refused",
        },
        QueryResponse::NoAccess { failure, .. } => match failure {
            Some(failure) if !is_of_the_team(failure) => "refused",
            _ => "failed",
        },
        QueryResponse::Exited => "failed",
    }
}

/// Returns true if a request failed because of the team's storage or catalog, or of the team's own login.
fn is_of_the_team(failure: &RequestFailure) -> bool {
    let is_rejection = matches!(
        failure.cause,
        FailureCause::Unauthorized | FailureCause::Forbidden
    );
    // Another person's change, or most often a table that does not exist.
    if matches!(
        failure.cause,
        FailureCause::Conflict | FailureCause::Unreadable
    ) {
        return false;
    }
    match &failure.server {
        RemoteServer::Storage { .. } => !is_rejection,
        RemoteServer::Catalog { login, .. } => !is_rejection || *login == CatalogLogin::Client,
        RemoteServer::Other { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::Error,
        runtime::{QueryError, StorageLogin},
    };

    #[test]
    fn only_failures_of_the_team_count_as_failed() {
        let error = |failure| {
            QueryResponse::Error(QueryError {
                failure,
                ..QueryError::default()
            })
        };
        let storage = |cause| {
            Some(RequestFailure {
                server: RemoteServer::Storage {
                    bucket: None,
                    login: StorageLogin::OwnKeys,
                },
                cause,
            })
        };
        let catalog = |login| {
            Some(RequestFailure {
                server: RemoteServer::Catalog {
                    name: "lake".into(),
                    login,
                },
                cause: FailureCause::Unauthorized,
            })
        };
        let other = Some(RequestFailure {
            server: RemoteServer::Other {
                host: "example.com".into(),
            },
            cause: FailureCause::Unreachable,
        });
        let no_access = |failure| QueryResponse::NoAccess {
            what: String::new(),
            error: String::new(),
            failure,
        };
        for (answer, outcome) in [
            (QueryResponse::Done { milliseconds: 1 }, "done"),
            (error(None), "refused"),
            (error(storage(FailureCause::Unauthorized)), "refused"),
            (error(storage(FailureCause::Unreachable)), "failed"),
            (error(other), "refused"),
            (no_access(catalog(CatalogLogin::Token)), "refused"),
            (no_access(catalog(CatalogLogin::Client)), "failed"),
            (no_access(None), "failed"),
            (QueryResponse::TimedOut, "refused"),
            (QueryResponse::Exited, "failed"),
        ] {
            assert_eq!(query_outcome(Ok(Some(&answer))), outcome, "{answer:?}");
        }
        assert_eq!(query_outcome(Ok(None)), "failed");
        assert_eq!(query_outcome(Err(&AskError::CredentialsGone)), "refused");
        let failed = Error::Session {
            action: String::new(),
            why: String::new(),
        };
        assert_eq!(query_outcome(Err(&failed.into())), "failed");
    }
}
