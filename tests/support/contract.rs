//! Checks REST exchanges against Discord's own description of its API. Reads one file, once.
//!
//! Neither the bot nor the loopback is trusted: every request that was not refused, and every
//! answer, has to fit the description. It covers HTTP only; what the gateway carries is checked
//! elsewhere, by the client that decodes it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use duckbot::sandbox::discord::{Observer, RestExchange};
use jsonschema::Validator;
use serde_json::{Value, json};

/// Names the description's file; where it is unset, the file is looked for beside the project.
const VARIABLE: &str = "DUCKBOT_TEST_DISCORD_OPENAPI";

/// The violations that one loopback has seen.
pub struct Contract {
    description: &'static Description,
    found: Mutex<Vec<String>>,
}

/// The description, with the schemas that were compiled so far. All tests of a binary share it.
struct Description {
    openapi: Value,
    /// By operation and side, such as `post /gateway request`.
    compiled: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Reads the description; `None` if there is none on this machine.
    ///
    /// # Panics
    ///
    /// If there is none on CI, where the checks must not be skipped in silence.
    pub fn from_env() -> Option<Arc<Self>> {
        static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
        let description = DESCRIPTION.get_or_init(Description::load).as_ref()?;
        let found = Mutex::default();
        Some(Arc::new(Self { description, found }))
    }

    /// What to give to `Discord::set_observer`.
    pub fn observer(self: &Arc<Self>) -> Observer {
        let contract = Arc::clone(self);
        Arc::new(move |exchange| contract.check(exchange))
    }

    /// A sentence for each violation so far.
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
            let beside = concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../shared/discord/openapi.json"
            );
            Some(PathBuf::from(beside)).filter(|path| path.exists())
        });
        let Some(path) = path else {
            let on_ci = std::env::var_os("CI").is_some();
            assert!(
                !on_ci,
                "CI needs {VARIABLE}: the contract with Discord is not checked"
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
            return Vec::new(); // Without an answer there is nothing to compare.
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

    /// The path item of a path: the template with the fewest placeholders that fits.
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
            Arc::new(validator.unwrap_or_else(|error| panic!("the schema of {name}: {error}")))
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

/// The description wants a number for the permissions of a command; on the wire, since v8, they
/// are a string: <https://discord.com/developers/docs/topics/permissions>.
fn permissions_as_numbers(body: &mut Value) {
    for command in body.as_array_mut().into_iter().flatten() {
        let text = command["default_member_permissions"].as_str();
        if let Some(number) = text.and_then(|text| text.parse::<u64>().ok()) {
            command["default_member_permissions"] = number.into();
        }
    }
}

/// The description wants a number for the code of a form's mistake; on the wire it is a name:
/// <https://discord.com/developers/docs/reference#error-messages>.
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
