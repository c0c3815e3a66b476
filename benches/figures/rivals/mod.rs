//! Programs that people would use instead of duckbot (`benches/rivals`), measured in turns with the bot, on the same
//! cluster.

mod kubespawner;
mod original;

use test_support::{TestEnv, tools};
use tokio::process::Command;

use super::table::Row;

pub use original::serve as original;

pub async fn rows() -> Vec<Row> {
    let mut rows = original::rows().await;
    rows.extend(kubespawner::rows().await);
    rows
}

/// A Python program of `benches/rivals`, with the bot's access to the cluster.
fn program(name: &str, env: &TestEnv) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    command
        .arg(tools::rivals().join("python/bin/python"))
        .arg("-B")
        .arg(tools::root().join("benches/rivals").join(name))
        .env_clear()
        .env("KUBECONFIG", &env.variables["KUBECONFIG"])
        .env("NAMESPACE", &env.cluster.sessions)
        .kill_on_drop(true);
    command
}
