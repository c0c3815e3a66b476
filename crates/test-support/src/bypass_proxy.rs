//! Access to the API server without the tests' proxy, with HTTP/2 as in production.

use crate::{cluster::Cluster, test_env::TestEnv};

/// Makes the bot bypass the proxy from its next start on.
pub async fn bypass_proxy(env: &TestEnv) {
    let server = Cluster::shared().config().await.cluster_url;
    let authority = Cluster::shared().authority();
    let authority = authority.display();
    env.kubeconfig_for(&format!(
        "{{server: \"{server}\", certificate-authority: \"{authority}\"}}"
    ));
}
