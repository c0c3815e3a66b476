//! The way to the API server without the tests' proxy: by HTTP/2, as in production.

use crate::support::{Cluster, TestEnv};

/// From its next start on the bot asks the API server itself.
pub async fn bypass_proxy(env: &TestEnv) {
    let server = Cluster::shared().config().await.cluster_url;
    let authority = Cluster::shared().authority();
    let authority = authority.display();
    env.kubeconfig_for(&format!(
        "{{server: \"{server}\", certificate-authority: \"{authority}\"}}"
    ));
}
