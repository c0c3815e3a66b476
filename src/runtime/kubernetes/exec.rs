//! The end of a command in a container, as its node reports it.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

/// Maximum time to learn how a program in a container has ended.
const EXIT_STATUS_TIMEOUT: Duration = Duration::from_secs(2);
/// Reason in the status of a program that ran and ended with an error.
const EXIT_CODE_REASON: &str = "NonZeroExitCode";

/// Returns true if the program of a session image does not know its arguments, because it is too
/// old. clap's exit code for that is 2.
pub(super) async fn is_usage_error(status: Option<impl Future<Output = Option<Status>>>) -> bool {
    let details = end(status).await.and_then(|status| status.details);
    let mut causes = details
        .into_iter()
        .flat_map(|it| it.causes.into_iter().flatten());
    causes.any(|cause| {
        cause.reason.as_deref() == Some("ExitCode") && cause.message.as_deref() == Some("2")
    })
}

/// Returns why a program did not start, or `None` if it did: its container does not run, or its
/// node does not answer.
pub(super) async fn not_started(
    status: Option<impl Future<Output = Option<Status>>>,
) -> Option<String> {
    let ended = end(status).await?;
    let is_failure = ended.status.as_deref() == Some("Failure");
    let ran = ended.reason.as_deref() == Some(EXIT_CODE_REASON);
    (is_failure && !ran).then(|| ended.message.unwrap_or_default())
}

async fn end(status: Option<impl Future<Output = Option<Status>>>) -> Option<Status> {
    tokio::time::timeout(EXIT_STATUS_TIMEOUT, status?)
        .await
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_program_that_did_not_start_is_told_from_one_that_failed() {
        let end = async |status: &str, reason: &str| {
            let ended = Status {
                status: Some(status.into()),
                reason: Some(reason.into()),
                message: Some("container not found (\"duckdb\")".into()),
                ..Status::default()
            };
            not_started(Some(ready(Some(ended)))).await
        };
        let why = end("Failure", "InternalError").await;
        assert_eq!(why.as_deref(), Some("container not found (\"duckdb\")"));
        assert_eq!(end("Failure", EXIT_CODE_REASON).await, None);
        assert_eq!(end("Success", "").await, None);
    }
}
