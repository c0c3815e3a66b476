//! Changes of the tokens file, so that a token can be revoked without a restart.

use std::{path::Path, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};
use tracing::{info, warn};

use super::auth::Authenticator;
use crate::settings::{ApiToken, read_tokens};

/// Pause between two looks at the file. The kubelet takes up to a minute to change the file of a Secret.
const INTERVAL: Duration = Duration::from_secs(2);

/// Keeps the tokens of `authenticator` those of the file, which held `tokens` at the start. Never ends.
pub(super) async fn follow(file: &Path, tokens: Vec<ApiToken>, authenticator: &Authenticator) {
    let mut latest = Ok(tokens);
    loop {
        sleep(INTERVAL).await;
        let path = file.to_owned();
        let Ok(found) = spawn_blocking(move || read_tokens(&path)).await else {
            continue;
        };
        if found == latest {
            continue;
        }
        match &found {
            Ok(tokens) => {
                info!(
                    "api.tokens_file has changed: {} tokens are valid",
                    tokens.len()
                );
                authenticator.replace_tokens(tokens);
            }
            Err(problems) => warn!(
                "api.tokens_file has changed and can't be used, so the earlier tokens stay valid: {}",
                problems.join("; ")
            ),
        }
        latest = found;
    }
}
