//! Checks REST exchanges against Discord's own API description, an OpenAPI file that is read once.
//!
//! Neither the bot nor the loopback is trusted. Every request that was not refused, and every
//! response, must match the description. It covers HTTP only; gateway messages are checked by the
//! client that decodes them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use discord_loopback::{Observer, RestExchange};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::tools::root;

/// Variable with the path of the description. If it is unset, the file is expected next to the
/// project's folder.
const VARIABLE: &str = "DUCKBOT_TEST_DISCORD_OPENAPI";

/// Violations that one loopback Discord has seen.
pub struct Contract {
    description: &'static Description,
    found: Mutex<Vec<String>>,
}

/// API description with the schemas compiled so far, shared by all tests of a binary.
struct Description {
    openapi: Value,
    /// Compiled schemas by operation and direction, such as `post /gateway request`.
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Reads the description. Returns `None` if there is none on this machine.
    ///
    /// # Panics
    ///
    /// If there is none on CI, where the checks must not be skipped silently.
    pub fn from_env() -> Option<Arc<Self>> {
        static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
        let description = DESCRIPTION.get_or_init(Description::load).as_ref()?;
        let found = Mutex::default();
        Some(Arc::new(Self { description, found }))
    }

    /// Observer for `Discord::set_observer`.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let contract = Arc::clone(self);
        Arc::new(move |exchange| contract.check(exchange))
    }

    /// Sentence for each violation so far.
    pub fn violations(&self) -> Vec<String> {
        self.found.lock().unwrap().clone()
    }

    fn check(&self, exchange: &RestExchange) {
        let problems = self.description.problems(exchange);
        let name = format!("{} {}", exchange.method, exchange.path);
        let sentences = problems
            .into_iter()
            .map(|problem| format!("{name}: {problem}"));
        self.found.lock().unwrap().extend(sentences);
    }
}

impl Description {
    fn load() -> Option<Self> {
        let path = std::env::var_os(VARIABLE).map(PathBuf::from).or_else(|| {
            let beside = root().join("../shared/discord/openapi.json");
            Some(beside).filter(|path| path.exists())
        });
        let Some(path) = path else {
            let on_ci = std::env::var_os("CI").is_some();
            assert!(
                !on_ci,
                "CI needs {VARIABLE} to check the contract with Discord"
            );
            eprintln!("{VARIABLE} is unset: the contract with Discord is not checked");
            return None;
        };
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let openapi = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Some(Self {
            openapi,
            compiled: Mutex::default(),
        })
    }

    fn problems(&self, exchange: &RestExchange) -> Vec<String> {
        let Some(status) = exchange.status else {
            return Vec::new(); // Nothing to compare without a response.
        };
        let method = exchange.method.to_lowercase();
        let Some((template, operations)) = self.operations(&exchange.path) else {
            return vec!["Discord has no such path".to_owned()];
        };
        let Some(operation) = operations.get(&method) else {
            return vec![format!("Discord has no {method} here")];
        };
        let name = format!("{method} {template}");
        let mut problems = unknown_parameters(operations, operation, &exchange.query);
        if !(400..500).contains(&status) {
            problems.extend(self.request(&name, operation, exchange.request.as_ref()));
        }
        problems.extend(self.answer(&name, operation, status, exchange.response.as_ref()));
        problems
    }

    /// Finds the path item of a path: the matching template with the fewest placeholders.
    fn operations(&self, path: &str) -> Option<(&String, &Value)> {
        let paths = self.openapi["paths"].as_object()?;
        let fitting = paths.iter().filter(|(template, _)| fits(template, path));
        fitting.min_by_key(|(template, _)| template.matches('{').count())
    }

    fn request(&self, name: &str, operation: &Value, body: Option<&Value>) -> Vec<String> {
        let described = &operation["requestBody"];
        match body {
            None if described["required"] == true => vec!["the body is missing".to_owned()],
            None => Vec::new(),
            Some(_) if described.is_null() => vec!["there must be no body".to_owned()],
            Some(body) => {
                let schema = &described["content"]["application/json"]["schema"];
                let mut body = body.clone();
                permissions_as_numbers(&mut body);
                self.validate(&format!("{name} request"), schema, &body)
            }
        }
    }

    fn answer(
        &self,
        name: &str,
        operation: &Value,
        status: u16,
        body: Option<&Value>,
    ) -> Vec<String> {
        let responses = &operation["responses"];
        let exact = &responses[status.to_string()];
        let described = match exact {
            Value::Null if (400..500).contains(&status) => &responses["4XX"],
            Value::Null => return vec![format!("Discord does not answer {status}")],
            exact => exact,
        };
        let described = self.resolved(described);
        let schema = &described["content"]["application/json"]["schema"];
        match body {
            None if schema.is_null() => Vec::new(),
            None => vec![format!("{status} comes with a body")],
            Some(_) if schema.is_null() => vec![format!("{status} comes without a body")],
            Some(body) => {
                let mut body = body.clone();
                codes_as_numbers(&mut body);
                self.validate(&format!("{name} {status}"), schema, &body)
            }
        }
    }

    fn resolved<'a>(&'a self, described: &'a Value) -> &'a Value {
        let pointer = described["$ref"]
            .as_str()
            .and_then(|text| text.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.openapi.pointer(pointer))
            .unwrap_or(described)
    }

    fn validate(&self, name: &str, schema: &Value, body: &Value) -> Vec<String> {
        let validator = self.compiled(name, schema);
        let problems = validator.iter_errors(body);
        problems
            .map(|one| format!("{name}: {one} at {:?}", one.instance_path().as_str()))
            .collect()
    }

    fn compiled(&self, name: &str, schema: &Value) -> Arc<Validator> {
        let mut compiled = self.compiled.lock().unwrap();
        let validator = compiled.entry(name.to_owned()).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = json!({ "schemas": self.openapi["components"]["schemas"] });
            let validator = jsonschema::validator_for(&schema);
            Arc::new(
                validator
                    .unwrap_or_else(|error| panic!("can't compile the schema of {name}: {error}")),
            )
        });
        Arc::clone(validator)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, actual) = (template.split('/'), path.split('/'));
    wanted.clone().count() == actual.clone().count()
        && wanted
            .zip(actual)
            .all(|(wanted, actual)| wanted.starts_with('{') || wanted == actual)
}

fn unknown_parameters(operations: &Value, operation: &Value, query: &str) -> Vec<String> {
    let lists = [&operations["parameters"], &operation["parameters"]];
    let known = |name: &str| {
        let all = lists.iter().filter_map(|list| list.as_array()).flatten();
        all.into_iter()
            .any(|one| one["in"] == "query" && one["name"] == name)
    };
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or(""));
    let unknown = names.filter(|name| !name.is_empty() && !known(name));
    unknown
        .map(|name| format!("Discord knows no parameter {name:?} here"))
        .collect()
}

/// Converts the permissions of commands to numbers, as the description requires. Since v8 they are
/// strings in requests: <https://discord.com/developers/docs/topics/permissions>.
fn permissions_as_numbers(body: &mut Value) {
    for command in body.as_array_mut().into_iter().flatten() {
        let text = command["default_member_permissions"].as_str();
        if let Some(number) = text.and_then(|text| text.parse::<u64>().ok()) {
            command["default_member_permissions"] = number.into();
        }
    }
}

/// Replaces error codes of form fields by numbers, as the description requires. In responses they
/// are names: <https://discord.com/developers/docs/reference#error-messages>.
fn codes_as_numbers(body: &mut Value) {
    match body {
        Value::Object(parts) => {
            for mistake in parts
                .get_mut("_errors")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                mistake["code"] = 0.into();
            }
            parts.values_mut().for_each(codes_as_numbers);
        }
        Value::Array(list) => list.iter_mut().for_each(codes_as_numbers),
        _ => {}
    }
}
