//! Runs the steps of a script in DuckDB.

use super::{
    script::{self, ScriptStep},
    shell::{Answer, Exited, Shell},
};

/// The reason why a session could not be prepared.
pub(super) enum Unprepared {
    Exited(Exited),
    /// A required step failed, with DuckDB's error.
    StepFailed {
        what: String,
        error: String,
    },
}

impl From<Exited> for Unprepared {
    fn from(ended: Exited) -> Self {
        Self::Exited(ended)
    }
}

pub(super) async fn run_required(
    shell: &mut Shell,
    steps: &[ScriptStep],
) -> Result<(), Unprepared> {
    for step in steps {
        let what = step.what.clone();
        match run_step(shell, step).await? {
            Answer::Done(()) => eprintln!("duckbot: {what}: done"),
            Answer::Failed(error) => return Err(Unprepared::StepFailed { what, error }),
        }
    }
    Ok(())
}

/// Runs chains of optional steps, and stores failures in the table `memory.problems`. Returns their number.
pub(super) async fn run_optional(
    shell: &mut Shell,
    chains: impl IntoIterator<Item = &[ScriptStep]>,
) -> Result<usize, Exited> {
    let mut problems = 0;
    for chain in chains {
        for step in chain {
            let Answer::Failed(error) = run_step(shell, step).await? else {
                continue;
            };
            record_problem(shell, step, &error).await?;
            problems += 1;
            // The next steps depend on this one, and would only fail later.
            break;
        }
    }
    Ok(problems)
}

/// Stores a failed step in the table `memory.problems`.
pub(super) async fn record_problem(
    shell: &mut Shell,
    step: &ScriptStep,
    error: &str,
) -> Result<(), Exited> {
    eprintln!("duckbot: {} failed: {error}", step.what);
    for statement in script::record_problem(step, error) {
        if let Answer::Failed(error) = shell.execute(&statement).await? {
            eprintln!("duckbot: can't store the problem in the table `memory.problems`: {error}");
        }
    }
    Ok(())
}

/// Runs the statements of `step` until one fails.
pub(super) async fn run_step(shell: &mut Shell, step: &ScriptStep) -> Result<Answer<()>, Exited> {
    for statement in &step.statements {
        let answer = shell.execute(statement).await?;
        if answer != Answer::Done(()) {
            return Ok(answer);
        }
    }
    Ok(Answer::Done(()))
}
