//! Parameters, conditions and intrinsic functions, evaluated as CloudFormation would.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{STACK_NAME, TemplateError};
use crate::{ACCOUNT_ID, REGION};

/// What is known of the resources only once they are there.
#[derive(Clone, Debug, Default)]
pub struct Physical {
    /// Queue URLs, by logical id.
    pub queue_urls: BTreeMap<String, String>,
    /// Table ARNs, by logical id.
    pub table_arns: BTreeMap<String, String>,
    /// Stream ARNs, by logical id of the table.
    pub stream_arns: BTreeMap<String, String>,
    /// The gateway's address, `http://host:port`, which takes the place of the HTTP API's own.
    pub base_url: String,
}

/// Evaluates expressions of one template.
pub(super) struct Resolver<'a> {
    document: &'a Value,
    parameters: BTreeMap<String, Value>,
    physical: &'a Physical,
}

/// The id of the emulated HTTP API.
const API_ID: &str = "local";

impl<'a> Resolver<'a> {
    /// Takes parameters from `overrides`, else their defaults.
    pub(super) fn new(
        document: &'a Value,
        overrides: &BTreeMap<String, String>,
        physical: &'a Physical,
    ) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, declaration) in object(document.get("Parameters")) {
            let value = overrides.get(name).cloned().map(Value::String);
            let value = value.or_else(|| declaration.get("Default").map(text_value));
            // One without a value is refused only where it is used.
            parameters.extend(value.map(|value| (name.clone(), value)));
        }
        let unknown = overrides.keys().find(|name| document["Parameters"].get(name.as_str()).is_none());
        if let Some(name) = unknown {
            return Err(TemplateError::Unknown(format!("parameter {name}")));
        }
        Ok(Self { document, parameters, physical })
    }

    /// The resources that exist under the parameters: logical id, type and declaration.
    pub(super) fn resources(&self) -> Result<Vec<(&'a str, &'a str, &'a Value)>, TemplateError> {
        let mut resources = Vec::new();
        for (id, resource) in object(self.document.get("Resources")) {
            let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
            let exists = match resource.get("Condition").and_then(Value::as_str) {
                Some(condition) => self.condition(condition)?,
                None => true,
            };
            if exists {
                resources.push((id.as_str(), kind, resource));
            }
        }
        Ok(resources)
    }

    /// Evaluates a value; `None` is `AWS::NoValue`, and what holds it goes with it.
    pub(super) fn value(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Object(map) => match single(map) {
                Some((function, argument)) if is_intrinsic(function) => self.intrinsic(function, argument),
                _ => {
                    let mut resolved = Map::new();
                    for (key, value) in map {
                        resolved.extend(self.value(value)?.map(|value| (key.clone(), value)));
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            Value::Array(items) => {
                let items = items.iter().map(|item| self.value(item)).collect::<Result<Vec<_>, _>>()?;
                Ok(Some(Value::Array(items.into_iter().flatten().collect())))
            }
            Value::String(text) => Ok(Some(Value::String(self.localise(text)))),
            other => Ok(Some(other.clone())),
        }
    }

    /// Evaluates a value that has to be text (a number or a truth value becomes text).
    pub(super) fn text(&self, value: &Value) -> Result<String, TemplateError> {
        match self.value(value)?.as_ref().map(text_value) {
            Some(Value::String(text)) => Ok(text),
            other => Err(TemplateError::Unsupported(format!("{other:?} where text is needed"))),
        }
    }

    fn intrinsic(&self, function: &str, argument: &Value) -> Result<Option<Value>, TemplateError> {
        let unsupported = || TemplateError::Unsupported(format!("{function} with {argument}"));
        match function {
            "Ref" => self.reference(argument.as_str().ok_or_else(unsupported)?),
            "Fn::GetAtt" => {
                let (id, attribute) = match argument {
                    Value::String(path) => path.split_once('.').ok_or_else(unsupported)?,
                    Value::Array(parts) => match parts.as_slice() {
                        [Value::String(id), Value::String(attribute)] => (id.as_str(), attribute.as_str()),
                        _ => return Err(unsupported()),
                    },
                    _ => return Err(unsupported()),
                };
                self.attribute(id, attribute).map(|text| Some(Value::String(text)))
            }
            "Fn::Sub" => match argument {
                Value::String(text) => Ok(Some(Value::String(self.substitute(text, &Map::new())?))),
                Value::Array(parts) => match parts.as_slice() {
                    [Value::String(text), Value::Object(names)] => {
                        Ok(Some(Value::String(self.substitute(text, names)?)))
                    }
                    _ => Err(unsupported()),
                },
                _ => Err(unsupported()),
            },
            "Fn::If" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(condition), then, otherwise]) => {
                    self.value(if self.condition(condition)? { then } else { otherwise })
                }
                _ => Err(unsupported()),
            },
            "Fn::Join" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(separator), parts]) => {
                    let parts = self.value(parts)?.ok_or_else(unsupported)?;
                    let parts = parts.as_array().ok_or_else(unsupported)?;
                    let parts = parts.iter().map(|part| self.text(part)).collect::<Result<Vec<_>, _>>()?;
                    Ok(Some(Value::String(self.localise(&parts.join(separator)))))
                }
                _ => Err(unsupported()),
            },
            "Fn::Split" => match argument.as_array().map(Vec::as_slice) {
                Some([Value::String(separator), text]) => {
                    let text = self.text(text)?;
                    Ok(Some(text.split(separator.as_str()).map(str::to_owned).map(Value::String).collect()))
                }
                _ => Err(unsupported()),
            },
            "Fn::Select" => match argument.as_array().map(Vec::as_slice) {
                Some([index, items]) => {
                    let index: usize = self.text(index)?.parse().map_err(|_| unsupported())?;
                    let items = self.value(items)?.ok_or_else(unsupported)?;
                    items.get(index).cloned().map(Some).ok_or_else(unsupported)
                }
                _ => Err(unsupported()),
            },
            "Fn::FindInMap" => match argument.as_array().map(Vec::as_slice) {
                Some([map, first, second]) => {
                    let (map, first, second) = (self.text(map)?, self.text(first)?, self.text(second)?);
                    let found = self.document["Mappings"][&map][&first].get(&second);
                    found.cloned().map(Some).ok_or_else(unsupported)
                }
                _ => Err(unsupported()),
            },
            _ => Err(unsupported()),
        }
    }

    fn reference(&self, name: &str) -> Result<Option<Value>, TemplateError> {
        let text = match name {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT_ID.to_owned(),
            "AWS::StackName" => STACK_NAME.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => {
                format!("arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{STACK_NAME}/local")
            }
            _ => {
                if let Some(value) = self.parameters.get(name) {
                    return Ok(Some(value.clone()));
                }
                if self.document["Parameters"].get(name).is_some() {
                    return Err(TemplateError::Unsupported(format!("parameter {name} without a value")));
                }
                // SAM names the alias and the version of a function this way.
                if let Some((function, "Alias" | "Version")) = name.split_once('.') {
                    return self.attribute(function, "Arn").map(|arn| Some(Value::String(arn)));
                }
                let resource = self.resource(name)?;
                match resource["Type"].as_str().unwrap_or_default() {
                    "AWS::SQS::Queue" => match self.physical.queue_urls.get(name) {
                        Some(url) => url.clone(),
                        None => return Err(TemplateError::NotYet(name.to_owned())),
                    },
                    "AWS::Serverless::HttpApi" | "AWS::ApiGatewayV2::Api" => API_ID.to_owned(),
                    "AWS::SNS::Topic" => self.attribute(name, "TopicArn")?,
                    _ => self.name(name)?,
                }
            }
        };
        Ok(Some(Value::String(text)))
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<String, TemplateError> {
        let resource = self.resource(id)?;
        let kind = resource["Type"].as_str().unwrap_or_default();
        let known = |map: &BTreeMap<String, String>| {
            map.get(id).cloned().ok_or_else(|| TemplateError::NotYet(id.to_owned()))
        };
        let name = self.name(id)?;
        match (kind, attribute) {
            ("AWS::SQS::Queue", "Arn") => Ok(crate::sqs::arn(&name)),
            ("AWS::SQS::Queue", "QueueName") => Ok(name),
            ("AWS::SQS::Queue", "QueueUrl") => known(&self.physical.queue_urls),
            ("AWS::DynamoDB::Table", "Arn") => known(&self.physical.table_arns),
            ("AWS::DynamoDB::Table", "StreamArn") => known(&self.physical.stream_arns),
            ("AWS::Serverless::Function" | "AWS::Lambda::Function", "Arn") => Ok(function_arn(&name)),
            ("AWS::Serverless::HttpApi" | "AWS::ApiGatewayV2::Api", "ApiEndpoint") => {
                Ok(self.physical.base_url.clone())
            }
            (_, "Arn" | "TopicArn") => {
                let service = kind.split("::").nth(1).unwrap_or_default().to_lowercase();
                Ok(format!("arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{name}"))
            }
            _ => Err(TemplateError::Unsupported(format!("the attribute {attribute} of {id} ({kind})"))),
        }
    }

    fn resource(&self, id: &str) -> Result<&'a Value, TemplateError> {
        self.document["Resources"].get(id).ok_or_else(|| TemplateError::Unknown(format!("resource {id}")))
    }

    /// The resource's physical name: what the template says, else one made from the stack's.
    pub(super) fn name(&self, id: &str) -> Result<String, TemplateError> {
        let resource = self.resource(id)?;
        let key = match resource["Type"].as_str().unwrap_or_default() {
            "AWS::SQS::Queue" => "QueueName",
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => "FunctionName",
            "AWS::S3::Bucket" => "BucketName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            _ => "Name",
        };
        match resource["Properties"].get(key) {
            Some(name) => self.text(name),
            None => Ok(format!("{STACK_NAME}-{id}")),
        }
    }

    fn substitute(&self, text: &str, names: &Map<String, Value>) -> Result<String, TemplateError> {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, after)) = after.split_once('}') else { break };
            result.push_str(before);
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
            } else if let Some(value) = names.get(name) {
                result.push_str(&self.text(value)?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                result.push_str(&self.attribute(id, attribute)?);
            } else {
                let value = self.reference(name)?;
                match value.as_ref().map(text_value) {
                    Some(Value::String(text)) => result.push_str(&text),
                    _ => return Err(TemplateError::Unsupported(format!("${{{name}}} in a text"))),
                }
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(self.localise(&result))
    }

    /// The address AWS would give the HTTP API becomes the gateway's.
    fn localise(&self, text: &str) -> String {
        text.replace(&format!("https://{API_ID}.execute-api.{REGION}.amazonaws.com"), &self.physical.base_url)
    }

    fn condition(&self, name: &str) -> Result<bool, TemplateError> {
        let condition = self.document["Conditions"].get(name);
        self.holds(condition.ok_or_else(|| TemplateError::Unknown(format!("condition {name}")))?)
    }

    fn holds(&self, condition: &Value) -> Result<bool, TemplateError> {
        let unsupported = || TemplateError::Unsupported(format!("the condition {condition}"));
        let (function, argument) = condition.as_object().and_then(single).ok_or_else(unsupported)?;
        let arguments = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        match (function, arguments) {
            ("Fn::Equals", [left, right]) => Ok(self.text(left)? == self.text(right)?),
            ("Fn::Not", [inner]) => Ok(!self.holds(inner)?),
            ("Fn::And", inner) => inner.iter().try_fold(true, |all, next| Ok(all && self.holds(next)?)),
            ("Fn::Or", inner) => inner.iter().try_fold(false, |any, next| Ok(any || self.holds(next)?)),
            ("Condition", _) => self.condition(argument.as_str().ok_or_else(unsupported)?),
            _ => Err(unsupported()),
        }
    }
}

/// The ARN of a function.
pub(crate) fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}")
}

/// The entries of an object, or none.
pub(super) fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    let (key, value) = entries.next()?;
    entries.next().is_none().then_some((key.as_str(), value))
}

fn is_intrinsic(key: &str) -> bool {
    key == "Ref" || key.starts_with("Fn::")
}

/// Scalars as text, which is how CloudFormation passes them on.
fn text_value(value: &Value) -> Value {
    match value {
        Value::Bool(value) => Value::String(value.to_string()),
        Value::Number(value) => Value::String(value.to_string()),
        other => other.clone(),
    }
}
