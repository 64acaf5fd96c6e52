//! `FilterCriteria`: which records reach a function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>

use serde_json::Value;

/// A pattern, checked when it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    root: Node,
}

/// Why a pattern is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FilterError {
    /// A pattern is an object whose leaves are lists.
    #[error("{0} is neither an object nor a list of rules")]
    Shape(String),
    /// A rule that is not emulated; numeric ones do not work on DynamoDB's numbers either.
    #[error("the rule {0} is not emulated")]
    Rule(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// Every field has to match, and one of the alternatives where there are any.
    Object { fields: Vec<(String, Node)>, alternatives: Vec<Node> },
    /// One of the rules has to match.
    Leaf(Vec<Rule>),
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    Equals(Value),
    EqualsIgnoringCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Rule>),
    Exists(bool),
}

impl Filter {
    /// Reads a pattern.
    pub fn parse(pattern: &Value) -> Result<Self, FilterError> {
        Ok(Self { root: node(pattern)? })
    }

    /// Whether the event matches.
    pub fn matches(&self, event: &Value) -> bool {
        node_matches(&self.root, Some(event))
    }
}

fn node(pattern: &Value) -> Result<Node, FilterError> {
    match pattern {
        Value::Object(map) => {
            let (mut fields, mut alternatives) = (Vec::new(), Vec::new());
            for (key, value) in map {
                match value {
                    Value::Array(items) if key == "$or" => {
                        alternatives = items.iter().map(node).collect::<Result<_, _>>()?;
                    }
                    _ => fields.push((key.clone(), node(value)?)),
                }
            }
            Ok(Node::Object { fields, alternatives })
        }
        Value::Array(rules) => Ok(Node::Leaf(rules.iter().map(rule).collect::<Result<_, _>>()?)),
        other => Err(FilterError::Shape(other.to_string())),
    }
}

fn rule(value: &Value) -> Result<Rule, FilterError> {
    let Value::Object(map) = value else { return Ok(Rule::Equals(value.clone())) };
    let unknown = || FilterError::Rule(value.to_string());
    let mut entries = map.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else { return Err(unknown()) };
    let text = || argument.as_str().map(str::to_owned).ok_or_else(unknown);
    match name.as_str() {
        "prefix" => text().map(Rule::Prefix),
        "suffix" => text().map(Rule::Suffix),
        "equals-ignore-case" => text().map(Rule::EqualsIgnoringCase),
        "exists" => argument.as_bool().map(Rule::Exists).ok_or_else(unknown),
        "anything-but" => {
            let rules = argument.as_array().map_or(std::slice::from_ref(argument), Vec::as_slice);
            rules.iter().map(rule).collect::<Result<_, _>>().map(Rule::AnythingBut)
        }
        _ => Err(unknown()),
    }
}

fn node_matches(node: &Node, value: Option<&Value>) -> bool {
    match node {
        Node::Object { fields, alternatives } => {
            let field = |key: &str| value.and_then(|value| value.get(key));
            fields.iter().all(|(key, node)| node_matches(node, field(key)))
                && (alternatives.is_empty() || alternatives.iter().any(|node| node_matches(node, value)))
        }
        Node::Leaf(rules) => rules.iter().any(|rule| leaf_matches(rule, value)),
    }
}

fn leaf_matches(rule: &Rule, value: Option<&Value>) -> bool {
    match (rule, value) {
        (Rule::Exists(wanted), value) => value.is_some() == *wanted,
        // Of a list, one element has to match.
        (_, Some(Value::Array(items))) => items.iter().any(|item| leaf_matches(rule, Some(item))),
        (Rule::Equals(wanted), Some(value)) => wanted == value,
        (Rule::AnythingBut(rules), Some(value)) => !rules.iter().any(|rule| leaf_matches(rule, Some(value))),
        (rule, Some(Value::String(text))) => match rule {
            Rule::Prefix(prefix) => text.starts_with(prefix),
            Rule::Suffix(suffix) => text.ends_with(suffix),
            Rule::EqualsIgnoringCase(wanted) => text.to_lowercase() == wanted.to_lowercase(),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pattern_matches_what_lambda_would_pass_on() {
        let event = json!({
            "eventName": "MODIFY",
            "dynamodb": {"Keys": {"pk": {"S": "p#1"}, "sk": {"S": "e#17"}}, "NewImage": {"tags": {"SS": ["a", "b"]}}},
        });
        for (pattern, expected) in [
            (json!({}), true),
            (json!({"eventName": ["INSERT", "MODIFY"]}), true),
            (json!({"eventName": ["INSERT"]}), false),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "e#"}, {"prefix": "t#"}]}}}}), true),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"prefix": "s#"}]}}}}), false),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"suffix": "17"}]}}}}), true),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"equals-ignore-case": "E#17"}]}}}}), true),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"anything-but": ["state", "tick"]}]}}}}), true),
            (json!({"dynamodb": {"Keys": {"sk": {"S": [{"anything-but": {"prefix": "e#"}}]}}}}), false),
            (json!({"dynamodb": {"OldImage": {"pk": {"S": [{"exists": false}]}}}}), true),
            (json!({"dynamodb": {"NewImage": {"tags": {"SS": [{"exists": true}]}}}}), true),
            (json!({"dynamodb": {"NewImage": {"tags": {"SS": ["b"]}}}}), true),
            (
                json!({"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"Keys": {"pk": {"S": ["p#1"]}}}}]}),
                true,
            ),
            (json!({"eventName": ["MODIFY"], "$or": [{"eventName": ["REMOVE"]}]}), false),
        ] {
            assert_eq!(Filter::parse(&pattern).unwrap().matches(&event), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_followed_is_refused() {
        assert!(matches!(Filter::parse(&json!({"eventName": "INSERT"})), Err(FilterError::Shape(_))));
        let numeric = json!({"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 1]}]}}}});
        assert!(matches!(Filter::parse(&numeric), Err(FilterError::Rule(_))));
    }
}
