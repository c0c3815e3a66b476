//! The bot's commands to a session: receives them, and renews the session's credentials.

use std::{collections::HashMap, time::Duration};

use chrono::Utc;
use tokio::sync::mpsc;

use super::{
    confine,
    control::{self, ControlGate, ControlResponse},
    control_socket::{self, Pending, Renewed},
    environment::{CONTROL_KEY, CatalogAuth, SessionConfig, secret},
    names::literal,
    script::{SHORT_TIMEOUTS, ScriptStep, renewal},
    shell::{Answer, Exited, Shell},
    steps::{run_optional, run_step},
    work::state::State,
};

/// Pauses before a detached catalog is attached again.
const ATTACH_PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// The bot's commands to a session.
pub(super) struct Control {
    /// `None` if the session takes no commands.
    commands: Option<mpsc::Receiver<Pending>>,
    renewed: Renewed,
    /// Environment of the session, with the present credentials.
    pub variables: HashMap<String, String>,
    /// True if the last renewal could not attach the catalog again.
    is_detached: bool,
}

impl Control {
    pub(super) fn start(
        config: &SessionConfig,
        variables: HashMap<String, String>,
        work: State,
    ) -> Self {
        let renewed = Renewed::default();
        let gate = ControlGate::new(config, Utc::now());
        if gate.is_none() && config.control.is_some() {
            eprintln!("duckbot: {CONTROL_KEY} is not a key, so the bot's commands are refused");
        }
        let listening =
            gate.map(|gate| control_socket::listen(&config.home, gate, renewed.clone(), work));
        let commands = listening.and_then(|listening| {
            let failed = |why| eprintln!("duckbot: can't take commands of the bot: {why}");
            listening.map_err(failed).ok()
        });
        Self {
            commands,
            renewed,
            variables,
            is_detached: false,
        }
    }

    /// Waits for the next command.
    pub(super) async fn next(&mut self) -> Pending {
        if let Some(commands) = &mut self.commands
            && let Some(pending) = commands.recv().await
        {
            return pending;
        }
        std::future::pending().await
    }

    /// Replaces the credentials in DuckDB's secrets. Attaches the catalog again if its token is
    /// another one, or if it is detached. A running query keeps the catalog that it began with.
    pub(super) async fn renew(
        &mut self,
        shell: &mut Shell,
        renewed: &HashMap<String, String>,
    ) -> Result<ControlResponse, Exited> {
        let variables = control::with_credentials(&self.variables, renewed);
        let config = match control::renewed_config(&variables) {
            Ok(config) => config,
            Err(error) => return Ok(ControlResponse::Refused(error.to_string())),
        };
        shell.add_secrets(renewed);
        let token = |variables: &HashMap<_, _>| variables.get(secret::CATALOG_TOKEN).cloned();
        let is_signed = matches!(config.catalog.auth, CatalogAuth::Signature { .. });
        let is_new_token = !is_signed && token(&variables) != token(&self.variables);
        let is_to_attach = self.is_detached || is_new_token;
        let value = |name: &str| literal_of(&variables, name);
        // An admin's SQL may have locked the configuration.
        let _ = shell.execute(SHORT_TIMEOUTS).await?;
        if is_to_attach {
            // Nothing is changed if the catalog refuses the new token.
            let step = renewal::try_token(&config, &value);
            let tried = run_step(shell, &step).await?;
            let _ = shell.execute(&renewal::forget_token()).await?;
            if let Answer::Failed(error) = tried {
                let what = step.what;
                return Ok(ControlResponse::Failed { what, error });
            }
        }
        let step = renewal::replace_s3_secret(&config, &value);
        if let Answer::Failed(error) = run_step(shell, &step).await? {
            let what = step.what;
            return Ok(ControlResponse::Failed { what, error });
        }
        if is_to_attach {
            let step = renewal::detach(&config, &value);
            if let Answer::Failed(error) = run_step(shell, &step).await? {
                self.restore_secrets(shell).await?;
                let what = step.what;
                return Ok(ControlResponse::Failed { what, error });
            }
        }
        // Landlock does not keep other sessions from this one's socket, and the local runtime sends
        // the credentials with each query.
        if !confine::is_demanded(&variables) {
            (*self.renewed.lock()).clone_from(renewed);
        }
        self.variables = variables;
        let answer = if is_to_attach {
            attach_again(shell, &renewal::attach(&config.catalog)).await?
        } else {
            ControlResponse::Done
        };
        self.is_detached = answer != ControlResponse::Done;
        Ok(answer)
    }

    /// Puts the present credentials back into DuckDB's secrets.
    async fn restore_secrets(&self, shell: &mut Shell) -> Result<(), Exited> {
        // The session uses these variables already.
        let Ok(config) = control::renewed_config(&self.variables) else {
            return Ok(());
        };
        let step = renewal::restore_secrets(&config, &|name| literal_of(&self.variables, name));
        if let Answer::Failed(error) = run_step(shell, &step).await? {
            eprintln!("duckbot: {} failed: {error}", step.what);
        }
        Ok(())
    }
}

/// Returns the value of a variable as an SQL literal.
fn literal_of(variables: &HashMap<String, String>, name: &str) -> String {
    literal(variables.get(name).map_or("", String::as_str))
}

/// Attaches the catalog that was just detached. A failure that lasts is shown to the owner.
async fn attach_again(shell: &mut Shell, step: &ScriptStep) -> Result<ControlResponse, Exited> {
    let mut error = String::new();
    for pause in ATTACH_PAUSES {
        match run_step(shell, step).await? {
            Answer::Done(()) => return Ok(ControlResponse::Done),
            Answer::Failed(why) => error = why,
        }
        tokio::time::sleep(pause).await;
    }
    let problems = run_optional(shell, [std::slice::from_ref(step)]).await?;
    Ok(match problems {
        0 => ControlResponse::Done,
        _ => ControlResponse::Detached(error),
    })
}
