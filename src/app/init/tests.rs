use std::{collections::HashMap, path::Path};

use super::{
    answers::{Answers, Question, Question::*},
    render::Output,
};
use crate::settings::Settings;

/// Answers of the installation in the examples.
fn example(more: &[(Question, &str)]) -> Answers {
    let answers = [
        (Guild, "1029384756102938475"),
        (Domain, "duck.example.com"),
        (Catalog, "https://iceberg.example.com/catalog"),
        (Warehouse, "analytics"),
        (Storage, ""),
        (Region, "eu-central-1"),
        (Ingress, "traefik"),
        (IngressNamespace, "traefik"),
        (PrivateLake, ""),
        (Registry, "registry.example.com"),
        (Tag, "0.1.0"),
    ];
    let answers = answers.iter().chain(more);
    let read = |(question, text): &(Question, &str)| {
        let answer = question.parse(text);
        (
            *question,
            answer.unwrap_or_else(|why| panic!("{text}: {why}")),
        )
    };
    answers.map(read).collect()
}

/// Answers of a team with its own storage and another ingress controller.
fn private() -> Answers {
    example(&[
        (Domain, "duck.team.example"),
        (Catalog, "http://catalog.lake.svc:8181/iceberg/v1/"),
        (Warehouse, "a \"quoted\" one"),
        (Storage, "https://minio.team.example:9000"),
        (Ingress, "nginx"),
        (IngressNamespace, "ingress-nginx"),
        (PrivateLake, "10.20.30.40/32, lake, 2024"),
        (Registry, "registry.team.example:5000/data"),
        (Tag, "0.2.0"),
    ])
}

/// Answers of a team whose cluster has a Gateway.
fn with_gateway(gateway: &str, proxies: &str) -> Answers {
    let answers = [
        (Ingress, "gateway"),
        (Gateway, gateway),
        (IngressNamespace, proxies),
    ];
    example(&answers)
}

fn overlay() -> Output<'static> {
    Output::Overlay(Path::new("deploy/overlays/mine"))
}

fn values() -> Output<'static> {
    Output::Values(Path::new("duckbot-values.yaml"))
}

#[test]
fn the_examples_answers_make_the_shipped_overlays() {
    let body = |text: &str| {
        let lines = text.lines().skip_while(|line| line.starts_with('#'));
        let lines = lines.map(|line| line.replace("newTag: \"0.1.0\"", "newTag: 0.1.0"));
        let lines = lines.map(|line| line.replace("value: \"traefik\"", "value: traefik"));
        lines.collect::<Vec<_>>()
    };
    for (answers, shipped) in [
        (
            example(&[]),
            include_str!("../../../deploy/overlays/traefik/kustomization.yaml"),
        ),
        (
            with_gateway("gateways/duckui/https", "traefik"),
            include_str!("../../../deploy/overlays/gateway/kustomization.yaml"),
        ),
    ] {
        assert_eq!(body(&overlay().render(&answers)), body(shipped));
    }
}

#[test]
fn every_answer_stands_in_each_file() {
    for output in [overlay(), values()] {
        let text = output.render(&private());
        let body: Vec<_> = text
            .lines()
            .skip_while(|line| line.starts_with('#'))
            .collect();
        let body = body.join("\n");
        for answer in [
            "1029384756102938475",
            "\"duck.team.example\"",
            "\"http://catalog.lake.svc:8181/iceberg\"",
            r#""a \"quoted\" one""#,
            "\"https://minio.team.example:9000\"",
            "\"eu-central-1\"",
            "\"nginx\"",
            "\"ingress-nginx\"",
            "10.20.30.40/32",
            "\"lake\"",
            "\"2024\"",
            "8181",
            "9000",
            "registry.team.example:5000/data",
            "0.2.0",
            "proxy-read-timeout",
        ] {
            assert!(body.contains(answer), "{answer} in\n{text}");
        }
        assert!(!body.contains("example.com"), "{text}");
    }
    insta::assert_snapshot!("private_values", values().render(&private()));
    insta::assert_snapshot!("example_values", values().render(&example(&[])));
}

#[test]
fn a_gateway_is_named_and_has_its_own_certificate() {
    let answers = with_gateway("infra/web", "envoy");
    for output in [overlay(), values()] {
        let text = output.render(&answers);
        assert!(
            text.contains("\"envoy\"") && !text.contains("tls_secret"),
            "{text}"
        );
        assert!(!text.contains("gateway_listener"), "{text}");
        let commands = output.next_commands(&answers);
        assert!(!commands.contains("create secret tls"), "{commands}");
    }
    insta::assert_snapshot!("gateway_values", values().render(&answers));
}

#[test]
fn the_next_commands_are_those_of_the_manual() {
    let manual = include_str!("../../../docs/operations.md");
    for output in [overlay(), values()] {
        let text = output.next_commands(&example(&[]));
        let mut commands = text.lines().filter_map(|line| line.strip_prefix("  "));
        let missing = commands.find(|command| !manual.contains(command));
        assert_eq!(missing, None, "{text}");
    }
    insta::assert_snapshot!("next_commands", values().next_commands(&example(&[])));
}

#[test]
fn annotations_are_only_for_the_controller_that_knows_them() {
    let answers = example(&[(Ingress, "haproxy"), (IngressNamespace, "haproxy")]);
    for output in [overlay(), values()] {
        let text = output.render(&answers);
        assert!(
            !text.contains("nginx") && !text.contains("annotations"),
            "{text}"
        );
        assert!(text.contains("\"haproxy\""), "{text}");
    }
}

#[test]
fn the_bot_accepts_the_settings_of_an_overlay() {
    for answers in [example(&[]), private(), with_gateway("infra/web", "infra")] {
        let text = overlay().render(&answers);
        let begin = text.find("        [discord]").expect("the settings begin");
        let end = text.find("\npatches:").expect("the settings end");
        let toml = text[begin..end].replace("\n        ", "\n");
        let variables = [
            ("DUCKBOT_DISCORD_TOKEN", "token"),
            ("DUCKBOT_SESSIONS__DOOR_IMAGE", "duckbot:1"),
            ("DUCKBOT_SESSIONS__IMAGE", "duckui:1"),
        ];
        let variables = variables.map(|(name, it)| (name.to_owned(), it.to_owned()));
        let file = Some((Path::new("duckbot.toml"), toml.trim()));
        let settings = Settings::read(file, HashMap::from(variables));
        let settings = settings.unwrap_or_else(|why| panic!("{why}\n{toml}"));
        assert_eq!(settings.routing.domain, answers.get(Domain));
        let lake = &settings.catalogs[0];
        assert_eq!(lake.warehouse.as_deref(), Some(answers.get(Warehouse)));
        assert_eq!(lake.endpoint, answers.get(Catalog));
    }
}

#[test]
fn a_file_gives_its_answers_back() {
    for answers in [example(&[]), private(), with_gateway("infra/web", "infra")] {
        for output in [overlay(), values()] {
            let text = output.render(&answers);
            assert_eq!(Answers::in_header(&text), Some(answers.clone()), "{text}");
        }
    }
    assert_eq!(Answers::in_header("# My values\nimage: {}\n"), None);
}

#[test]
fn secrets_are_refused_for_every_question_and_not_repeated() {
    for secret in [
        "MTU3NTQ2MjgzNzU1MDA1NTQyOA.GquACk.not-a-real-token-but-as-long-as-1",
        "AKIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkdWNrIn0.c2lnbmF0dXJl",
        "3f1c9a2b3f1c9a2b3f1c9a2b3f1c9a2b3f1c9a2b",
        "https://ana:quack@catalog.example.com/api",
        "-----BEGIN PRIVATE KEY-----",
    ] {
        let is_commit = |question| question == Tag && secret.starts_with("3f1c");
        for question in Question::ALL.into_iter().filter(|it| !is_commit(*it)) {
            let refused = question.parse(secret).expect_err(secret);
            assert!(
                refused.starts_with("This looks like a token or a key."),
                "{refused}"
            );
            assert!(!refused.contains(secret), "{refused}");
        }
    }
    for warehouse in [
        "analytics",
        "arn:aws:s3tables:eu-central-1:111122223333:bucket/Ducks2026",
        "s3://team-Warehouse-2026/production/iceberg",
        "0193f0a2-8a3c-7c54-9d6b-3f1c9a2b7e11",
        "111122223333",
    ] {
        assert_eq!(Warehouse.parse(warehouse), Ok(warehouse.to_owned()));
    }
}

#[test]
fn answers_that_can_not_be_are_refused_with_an_example() {
    for (question, text) in [
        (Guild, "42"),
        (Guild, "duckbot"),
        (Domain, "Duck.example.com"),
        (Domain, "duck"),
        (Domain, "*.duck.example.com"),
        (Catalog, ""),
        (Catalog, "iceberg.example.com"),
        (Catalog, "https://iceberg.example.com/?a=b"),
        (Storage, "minio:9000"),
        (Region, "Frankfurt"),
        (Ingress, "my controller"),
        (Gateway, "duckui"),
        (Gateway, "gateways/"),
        (Gateway, "gateways/duckui/https/more"),
        (IngressNamespace, ""),
        (PrivateLake, "10.0.0.1/33"),
        (PrivateLake, "10.0.0.1"),
        (Registry, "https://registry.example.com"),
        (Registry, "registry.example.com/duckbot:0.1.0"),
        (Registry, ""),
        (Tag, "0.1 .0"),
    ] {
        let refused = question.parse(text).expect_err(text);
        assert!(refused.starts_with("This "), "{refused}");
        assert!(refused.ends_with('.'), "{refused}");
    }
}
