//! The specification as it is read: operations, their examples, and whether an answer fits.

use serde_json::{Map, Value, json};

use crate::specification::whole;
use crate::specification::world::Answer;

/// Schemas refer to each other in circles; no example is as deep as this.
const DEPTH: usize = 16;
const NO_PAGE: [&str; 2] = ["/links/next", "/links/prev"];

/// What `cut.py` left.
pub(super) struct Specification {
    operations: Vec<Operation>,
    components: Value,
}

/// One operation.
pub(super) struct Operation {
    /// `operationId`.
    pub(super) id: String,
    /// In capitals.
    pub(super) method: String,
    /// With `{…}` where ids go.
    pub(super) path: String,
    /// Required parameters of the path and the query.
    pub(super) parameters: Vec<Parameter>,
    /// The schema of the body, if it takes one.
    pub(super) request: Option<Value>,
    /// The statuses of success, and the content type and the schema of each one's body.
    responses: Vec<(u16, Option<(String, Value)>)>,
}

/// A required parameter.
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: String,
    /// Else it is part of the path.
    pub(super) in_query: bool,
    /// An example.
    pub(super) example: Value,
}

impl Operation {
    /// Whether it lists everything of a kind.
    pub(super) fn is_collection(&self) -> bool {
        self.method == "GET" && !self.path.contains('{')
    }
}

impl Specification {
    /// Reads the file beside this one.
    pub(super) fn read() -> Self {
        let whole = whole();
        let mut specification = Self { operations: Vec::new(), components: whole["components"].clone() };
        for (path, methods) in whole["paths"].as_object().unwrap() {
            for (method, declared) in methods.as_object().unwrap() {
                let operation = specification.declared(path, method, declared);
                specification.operations.push(operation);
            }
        }
        specification
    }

    fn declared(&self, path: &str, method: &str, declared: &Value) -> Operation {
        let parameter = |parameter: &Value| Parameter {
            name: parameter["name"].as_str().unwrap().to_owned(),
            in_query: parameter["in"] == "query",
            example: self.example(&parameter["schema"]),
        };
        let media = |content: &Value| {
            let (kind, media) = content.as_object()?.iter().next()?;
            Some((kind.clone(), media["schema"].clone()))
        };
        Operation {
            id: declared["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase(),
            path: path.to_owned(),
            parameters: declared["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["required"] == true)
                .map(parameter)
                .collect(),
            request: media(&declared["requestBody"]).map(|(_, schema)| schema),
            responses: declared["responses"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(status, content)| (status.parse().unwrap(), media(content)))
                .collect(),
        }
    }

    /// All of them, by their paths.
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The one with this id.
    pub(super) fn operation(&self, id: &str) -> &Operation {
        self.operations.iter().find(|operation| operation.id == id).unwrap_or_else(|| panic!("no {id}"))
    }

    /// The one at this address, if there is one.
    pub(super) fn at(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.method == method && operation.path == path)
    }

    /// A value after the examples of its schema: everything that is required or has an example.
    pub(super) fn example(&self, schema: &Value) -> Value {
        self.example_at(schema, DEPTH)
    }

    fn example_at(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        for named in ["example", "default"] {
            if let Some(value) = schema.get(named) {
                return value.clone();
            }
        }
        if let Some(value) = schema.get("enum") {
            return value[0].clone();
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            if let Some(schemas) = schema.get(choice) {
                return self.example_at(&schemas[0], depth - 1);
            }
        }
        match schema["type"].as_str() {
            Some("array") => json!([self.example_at(&schema["items"], depth - 1)]),
            Some("object") => self.object(schema, depth),
            Some("integer" | "number") => json!(1),
            Some("boolean") => json!(true),
            _ if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
            _ => json!("example"),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required =
            |name: &String| schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none).iter();
        let wanted =
            properties.filter(|(name, property)| required(name) || self.has_example(property, depth - 1));
        wanted.map(|(name, property)| (name.clone(), self.example_at(property, depth - 1))).collect()
    }

    fn has_example(&self, schema: &Value, depth: usize) -> bool {
        let schema = self.resolved(schema);
        if depth == 0 || schema.get("example").is_some() {
            return depth > 0;
        }
        let choices =
            ["oneOf", "anyOf", "allOf"].iter().filter_map(|choice| schema[choice].as_array()).flatten();
        let properties = schema["properties"].as_object().into_iter().flat_map(Map::values);
        choices.chain(properties).chain(schema.get("items")).any(|inner| self.has_example(inner, depth - 1))
    }

    fn resolved<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema["$ref"].as_str() {
            schema = &self.components["schemas"][name.rsplit('/').next().unwrap()];
        }
        schema
    }

    /// What is wrong with an answer to an operation.
    pub(super) fn complaints(&self, operation: &Operation, answer: &Answer) -> Vec<String> {
        let declared = operation.responses.iter().find(|(status, _)| *status == answer.status);
        let Some((_, response)) = declared else {
            return vec![format!("{}: {}\n    {}", answer.status, answer.body, answer.asked)];
        };
        let Some((kind, schema)) = response else {
            return if answer.body.is_null() { Vec::new() } else { vec![format!("a body: {}", answer.body)] };
        };
        let mut wrong = Vec::new();
        if answer.content_type.as_ref() != Some(kind) {
            wrong.push(format!("{:?} instead of {kind}", answer.content_type));
        }
        let schema = json!({"allOf": [schema], "components": self.components});
        let validator =
            jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap();
        for error in validator.iter_errors(&answer.body) {
            let place = error.instance_path().to_string();
            // Where there is no further page Klaviyo says null, though it declares a text.
            let no_page =
                answer.body.pointer(&place) == Some(&Value::Null) && NO_PAGE.contains(&place.as_str());
            if !no_page {
                wrong.push(format!("{place}: {error}"));
            }
        }
        wrong
    }
}
