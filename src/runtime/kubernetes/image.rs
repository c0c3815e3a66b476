//! Checks without a login whether an image is in its registry, through the pull side of the OCI
//! distribution API.

use std::time::Duration;

use crate::{
    diagnostics::Diagnostic,
    outbound::{CertificateProblem, Outbound},
};

/// Time limit of the request to a registry.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Media types of manifests that a registry may return.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// Asks the registry for the image's manifest with a HEAD request. Downloads nothing.
pub(super) async fn diagnose(outbound: &Outbound, setting: &str, image: &str) -> Diagnostic {
    let what = format!("image {image} ({setting})");
    let url = manifest_url(image);
    let client = outbound.client().timeout(REGISTRY_TIMEOUT).build();
    let asked = async {
        client?
            .head(&url)
            .header("accept", MANIFEST_TYPES)
            .send()
            .await
    };
    match asked.await.map(|answer| answer.status().as_u16()) {
        Ok(200) => Diagnostic::ok(what, "found in its registry"),
        Ok(401 | 403) => Diagnostic::ok(
            what,
            "not checked, because its registry requires a login: nodes use pod.image_pull_secrets",
        ),
        Ok(404) => Diagnostic::failed(
            what,
            "not found in its registry; check its name and tag, and that it was pushed",
        ),
        Ok(status) => Diagnostic::failed(
            what,
            format!("its registry answered HTTP {status}; try again in a minute"),
        ),
        Err(error) => match CertificateProblem::find(&error) {
            // Nodes have CA certificates of their own.
            Some(problem) => {
                Diagnostic::ok(what, format!("not checked: at its registry, {problem}"))
            }
            None => Diagnostic::failed(
                what,
                "its registry does not answer from here; start a session to see if nodes can reach it",
            ),
        },
    }
}

/// URL of an image's manifest. As in Docker, an image is on Docker Hub if its name has no dot and
/// no colon before the first slash.
fn manifest_url(image: &str) -> String {
    let (registry, path) = match image.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            (first, rest.to_owned())
        }
        Some(_) => ("registry-1.docker.io", image.to_owned()),
        None => ("registry-1.docker.io", format!("library/{image}")),
    };
    let (name, version) = match path.split_once('@') {
        // A digest takes precedence over a tag.
        Some((name, digest)) => (name.split(':').next().unwrap_or(name), digest),
        None => path.rsplit_once(':').unwrap_or((&path, "latest")),
    };
    let host = registry.split(':').next().unwrap_or(registry);
    let scheme = if host == "localhost" || host.starts_with("127.") {
        "http"
    } else {
        "https"
    };
    format!("{scheme}://{registry}/v2/{name}/manifests/{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_name_is_resolved_as_on_a_node() {
        for (image, url) in [
            (
                "duckui",
                "https://registry-1.docker.io/v2/library/duckui/manifests/latest",
            ),
            (
                "team/duckui:1",
                "https://registry-1.docker.io/v2/team/duckui/manifests/1",
            ),
            (
                "ghcr.io/a/b/duckui:1.2",
                "https://ghcr.io/v2/a/b/duckui/manifests/1.2",
            ),
            (
                "localhost:5000/duckui",
                "http://localhost:5000/v2/duckui/manifests/latest",
            ),
            (
                "r.example.com:5000/d:1@sha256:0a",
                "https://r.example.com:5000/v2/d/manifests/sha256:0a",
            ),
        ] {
            assert_eq!(manifest_url(image), url);
        }
    }
}
