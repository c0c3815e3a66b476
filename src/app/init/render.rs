//! The files that `duckbot init` writes, and the commands that follow. Pure.

use std::path::Path;

use super::answers::{Answers, Question::*};

/// The overlays of `deploy/`. The answers replace their example values.
const TRAEFIK_OVERLAY: &str = include_str!("../../../deploy/overlays/traefik/kustomization.yaml");
const GATEWAY_OVERLAY: &str = include_str!("../../../deploy/overlays/gateway/kustomization.yaml");
const INGRESS_OVERLAY: &str = include_str!("../../../deploy/overlays/ingress/kustomization.yaml");
/// IngressClass of the last overlay. Its annotations are for the controller of this class.
const NGINX: &str = "nginx";

/// Renders the values of the Helm chart.
pub(super) fn values(answers: &Answers) -> String {
    let text = |question| quoted(answers.get(question));
    let mut lines = vec![
        "image:".to_owned(),
        format!("  registry: {}", text(Registry)),
        format!("  tag: {}", text(Tag)),
        "# Settings of docs/settings.md can stand below. IDs need quotes.".to_owned(),
        "settings:".to_owned(),
        "  discord:".to_owned(),
        format!("    guild: {}", text(Guild)),
        "  routing:".to_owned(),
    ];
    if answers.has_traefik() {
        lines.push("    kind: traefik".to_owned());
    } else if answers.has_gateway() {
        lines.push("    kind: gateway".to_owned());
        let settings = gateway(answers).into_iter();
        lines.extend(settings.map(|(key, value)| format!("    {key}: {value}")));
    } else {
        lines.push("    kind: ingress".to_owned());
        lines.push(format!("    ingress_class: {}", text(Ingress)));
    }
    lines.push(format!("    domain: {}", text(Domain)));
    if !answers.has_gateway() {
        lines.push("    tls_secret: duckui-wildcard-tls".to_owned());
    }
    if answers.get(Ingress) == NGINX {
        lines.push("    annotations:".to_owned());
        let annotations = INGRESS_OVERLAY.lines().filter(|line| is_annotation(line));
        let annotations = annotations.map(|line| line.trim().replacen(" = ", ": ", 1));
        lines.extend(annotations.map(|line| format!("      {line}")));
    }
    lines.extend(["  catalogs:", "    lake:"].map(str::to_owned));
    let catalog = catalog(answers).into_iter();
    lines.extend(catalog.map(|(key, value)| format!("      {key}: {value}")));
    lines.extend([
        "      # Uncomment to keep notebooks and tables (docs/operations.md says which rights people need)."
            .to_owned(),
        "      # work: \"s3://lake/duckbot/\"".to_owned(),
    ]);
    lines.extend([
        "networkPolicy:".to_owned(),
        format!("  ingressNamespace: {}", text(IngressNamespace)),
    ]);
    if !answers.get(PrivateLake).is_empty() {
        lines.extend([
            "  # Sessions reach these networks and namespaces, at these ports of their Pods."
                .to_owned(),
            "  privateLake:".to_owned(),
            format!("    cidrs: {}", list(answers.lake_networks())),
            format!("    namespaces: {}", list(answers.lake_namespaces())),
            format!("    ports: {:?}", Vec::from_iter(answers.lake_ports())),
        ]);
    }
    answers.header() + &lines.join("\n") + "\n"
}

/// Renders the `kustomization.yaml` of an overlay.
pub(super) fn overlay(answers: &Answers) -> String {
    let example = if answers.has_traefik() {
        TRAEFIK_OVERLAY
    } else if answers.has_gateway() {
        GATEWAY_OVERLAY
    } else {
        INGRESS_OVERLAY
    };
    let keeps_annotations = answers.get(Ingress) == NGINX;
    let body = example.lines().skip_while(|line| line.starts_with('#'));
    let body = body.filter(|line| keeps_annotations || !is_about_annotations(line));
    let lines = body.flat_map(|line| overlay_line(line, answers));
    let lines: Vec<_> = lines.collect();
    answers.header() + &lines.join("\n") + "\n"
}

/// Lines for one line of an overlay of `deploy/`.
fn overlay_line(line: &str, answers: &Answers) -> Vec<String> {
    let indent = &line[..line.len() - line.trim_start().len()];
    let set = |key: &str, value: String| vec![format!("{indent}{key} = {value}")];
    let key = line.split_once(" = ").map(|(key, _)| key.trim());
    match key {
        Some("guild") => return set("guild", quoted(answers.get(Guild))),
        Some("domain") => return set("domain", quoted(answers.get(Domain))),
        Some("ingress_class") => return set("ingress_class", quoted(answers.get(Ingress))),
        // The other values of the Gateway and the catalog follow the first ones.
        Some("gateway") => {
            let lines = gateway(answers).into_iter();
            return lines.flat_map(|(key, value)| set(key, value)).collect();
        }
        Some("endpoint") => {
            let lines = catalog(answers).into_iter();
            return lines.flat_map(|(key, value)| set(key, value)).collect();
        }
        Some("gateway_namespace" | "gateway_listener" | "warehouse" | "s3_region") => {
            return Vec::new();
        }
        _ => {}
    }
    let has_private_lake = !answers.get(PrivateLake).is_empty();
    let is_for_private_lake = line.contains("components/private-lake")
        || line.starts_with("  # - target: ")
        || line.starts_with("  #   ");
    let line = match line {
        line if has_private_lake && is_for_private_lake => line.replacen("# ", "", 1),
        line => line.to_owned(),
    };
    let trimmed = line.trim_start();
    if trimmed.starts_with("newTag: ") {
        return vec![format!("{indent}newTag: {}", quoted(answers.get(Tag)))];
    }
    if has_private_lake && trimmed.starts_with("- to: [{ ipBlock") {
        let networks = answers.lake_networks().into_iter();
        let networks = networks.map(|cidr| format!("{{ ipBlock: {{ cidr: {} }} }}", quoted(cidr)));
        let namespaces = answers.lake_namespaces().into_iter().map(|name| {
            let label = format!("kubernetes.io/metadata.name: {}", quoted(name));
            format!("{{ namespaceSelector: {{ matchLabels: {{ {label} }} }} }}")
        });
        let to: Vec<_> = networks.chain(namespaces).collect();
        return vec![format!("          - to: [{}]", to.join(", "))];
    }
    if has_private_lake && trimmed.starts_with("ports: [{ port: ") {
        let ports = answers.lake_ports().into_iter();
        let ports: Vec<_> = ports.map(|port| format!("{{ port: {port} }}")).collect();
        return vec![format!("            ports: [{}]", ports.join(", "))];
    }
    let examples = ["traefik", "ingress-nginx"].map(|it| format!("value: {it}"));
    if examples.iter().any(|it| it == trimmed) {
        return vec![format!(
            "{indent}value: {}",
            quoted(answers.get(IngressNamespace))
        )];
    }
    let line = line
        .replace("registry.example.com", answers.get(Registry))
        .replace("*.duck.example.com", &format!("*.{}", answers.get(Domain)));
    vec![line]
}

fn is_annotation(line: &str) -> bool {
    line.trim_start().starts_with("\"nginx.")
}

fn is_about_annotations(line: &str) -> bool {
    is_annotation(line)
        || line.trim() == "[routing.annotations]"
        || [
            "# Settings of ingress-nginx",
            "# large bodies.",
            "# other annotations.",
        ]
        .iter()
        .any(|it| line.contains(it))
}

/// Settings of the Gateway, with values that are the same in YAML and TOML.
fn gateway(answers: &Answers) -> Vec<(&'static str, String)> {
    let (namespace, name, listener) = answers.gateway();
    let mut settings = vec![
        ("gateway", quoted(name)),
        ("gateway_namespace", quoted(namespace)),
    ];
    if !listener.is_empty() {
        settings.push(("gateway_listener", quoted(listener)));
    }
    settings
}

/// Settings of the catalog, with values that are the same in YAML and TOML.
fn catalog(answers: &Answers) -> Vec<(&'static str, String)> {
    let mut settings = vec![("endpoint", quoted(answers.get(Catalog)))];
    if !answers.get(Warehouse).is_empty() {
        settings.push(("warehouse", quoted(answers.get(Warehouse))));
    }
    settings.push(("s3_region", quoted(answers.get(Region))));
    if !answers.get(Storage).is_empty() {
        settings.push(("s3_endpoint", quoted(answers.get(Storage))));
        // Storages other than AWS have no host name for each bucket, unless somebody made them.
        settings.push(("s3_path_style", "true".to_owned()));
    }
    settings
}

/// Quotes a text, as YAML, TOML and JSON all read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a list in YAML.
fn list(parts: Vec<&str>) -> String {
    serde_json::Value::from(parts).to_string()
}

/// A file, and the commands that use it.
pub(super) enum Output<'a> {
    /// A file with values of the Helm chart.
    Values(&'a Path),
    /// The folder of an overlay.
    Overlay(&'a Path),
}

impl Output<'_> {
    pub(super) fn render(&self, answers: &Answers) -> String {
        match self {
            Self::Values(_) => values(answers),
            Self::Overlay(_) => overlay(answers),
        }
    }

    /// Commands that install the bot with the file. Their order lets the bot's Pod start at once: a
    /// Pod that waits for a Secret tries again only after up to two minutes.
    pub(super) fn next_commands(&self, answers: &Answers) -> String {
        let install = match self {
            Self::Values(path) => format!(
                "helm upgrade --install duckbot deploy/chart --namespace duckbot --values {}",
                path.display()
            ),
            Self::Overlay(path) => format!("kubectl apply --server-side -k {}", path.display()),
        };
        let domain = answers.get(Domain);
        let (secret, certificate) = if answers.has_gateway() {
            let (namespace, name, _) = answers.gateway();
            let says = format!(
                "It must be in the Gateway {name} of the namespace {namespace}, which must allow routes from \
                 duckbot-sessions.\ndeploy/examples/gateway.yaml is such a Gateway."
            );
            ("", says)
        } else {
            let command = "  kubectl create secret tls duckui-wildcard-tls --namespace duckbot-sessions \
                           --cert=tls.crt --key=tls.key\n";
            let says = "Skip its command if cert-manager creates the Secret.";
            (command, says.to_owned())
        };
        format!(
            "\
Next, the bot's token from https://discord.com/developers/applications (Bot, Reset Token). The second
command reads it from the keyboard: paste it, press Enter, then Ctrl-D.

  kubectl create namespace duckbot
  kubectl create secret generic duckbot-discord --namespace duckbot --from-file=token=/dev/stdin
  {install}
{secret}  kubectl rollout status deployment/duckbot --namespace duckbot
  kubectl exec deployment/duckbot --namespace duckbot -- duckbot check --session

The certificate is for *.{domain}. {certificate}
Then type /duck start in Discord. docs/operations.md explains each step.
"
        )
    }
}
