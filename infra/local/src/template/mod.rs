//! The SAM template, read as the one source of what to emulate: functions, routes, queues, tables,
//! event source mappings and schedules.
//!
//! Reading happens in two steps, because some values exist only once others do: [`Template::parse`]
//! gives the queues and tables to create, [`Template::resolve`] everything that refers to them.

mod document;
mod resolve;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use resolve::Physical;
pub(crate) use resolve::function_arn;
use resolve::{Resolver, object};

/// The name of the emulated stack, with which unnamed resources are named.
pub const STACK_NAME: &str = "tillstream";

/// Why a template cannot be emulated.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is not YAML.
    #[error("the template is not valid YAML: {0}")]
    Yaml(String),
    /// It refers to something it does not declare.
    #[error("the template refers to an unknown {0}")]
    Unknown(String),
    /// It needs a value before the resource exists.
    #[error("the template needs a value of {0} before it is created")]
    NotYet(String),
    /// It uses something that is not emulated.
    #[error("the template uses what the local stack does not emulate: {0}")]
    Unsupported(String),
    /// A resource's properties do not have the documented shape.
    #[error("the properties of {resource} are malformed: {source}")]
    Malformed {
        /// The logical id.
        resource: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// A template with its parameters.
#[derive(Clone, Debug)]
pub struct Template {
    document: Value,
    parameters: BTreeMap<String, String>,
}

/// A queue to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The logical id.
    pub id: String,
    /// The physical name.
    pub name: String,
    /// The attributes in SQS's names.
    pub attributes: BTreeMap<String, String>,
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The physical name.
    pub name: String,
    /// Whom it tells of new objects.
    pub notifications: Vec<Notification>,
}

/// A queue that is told of new objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The queue's name.
    pub queue: String,
    /// What keys begin with.
    pub prefix: String,
}

/// A table to create.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The logical id.
    pub id: String,
    /// The physical name.
    pub name: String,
    /// The input of `CreateTable`.
    pub definition: Value,
    /// The attribute whose time, in epoch seconds, ends an item's life.
    pub ttl_attribute: Option<String>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The logical id.
    pub id: String,
    /// The physical name.
    pub name: String,
    /// The crate with its code: the last folder of `CodeUri`.
    pub code: String,
    /// The crate's binary, where it has several.
    pub binary: Option<String>,
    /// How long one invocation may last.
    pub timeout: Duration,
    /// The memory it is given, and the share of a processor with it.
    pub memory_mb: u32,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
}

/// A route of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `POST`, or `ANY`.
    pub method: String,
    /// The path with `{name}` and `{name+}`; `$default` takes what is left.
    pub path: String,
    /// The function's logical id.
    pub function: String,
}

/// A queue that feeds a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSource {
    /// The mapping's logical id.
    pub id: String,
    /// The function's logical id.
    pub function: String,
    /// The queue's name.
    pub queue: String,
    /// Messages per invocation, at most.
    pub batch_size: usize,
    /// How long to gather messages for one invocation.
    pub window: Duration,
    /// Whether the function names the messages that failed.
    pub reports_failures: bool,
    /// Concurrent invocations, at most.
    pub maximum_concurrency: Option<usize>,
}

/// A table's stream that feeds a function.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSource {
    /// The mapping's logical id, under which its position is remembered.
    pub id: String,
    /// The function's logical id.
    pub function: String,
    /// The stream's ARN.
    pub stream_arn: String,
    /// Records per invocation, at most.
    pub batch_size: usize,
    /// How long to gather records for one invocation.
    pub window: Duration,
    /// Whether the function names the record that failed.
    pub reports_failures: bool,
    /// Concurrent invocations per shard; records of one item stay in order.
    pub parallelization: usize,
    /// Whether a failed batch is cut in two.
    pub bisect: bool,
    /// Retries before records are given up; `None` is for ever.
    pub maximum_retries: Option<u32>,
    /// Age at which records are given up; `None` is never.
    pub maximum_age: Option<Duration>,
    /// The queue that is told of records given up.
    pub on_failure: Option<String>,
    /// Patterns of which a record has to match one; none at all lets everything through.
    pub filters: Vec<Value>,
    /// Whether a new mapping starts with what comes next, not with what is there.
    pub from_latest: bool,
}

/// A function invoked at a fixed rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The schedule's logical id.
    pub id: String,
    /// The function's logical id.
    pub function: String,
    /// The rate.
    pub every: Duration,
    /// The event, instead of the service's own.
    pub input: Option<Value>,
    /// Whether it is an EventBridge Scheduler schedule, not an EventBridge rule.
    pub scheduler: bool,
}

/// Everything that refers to created resources.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// The functions.
    pub functions: Vec<Function>,
    /// The routes of the HTTP API.
    pub routes: Vec<Route>,
    /// The mappings from queues.
    pub queue_sources: Vec<QueueSource>,
    /// The mappings from streams.
    pub stream_sources: Vec<StreamSource>,
    /// The schedules.
    pub schedules: Vec<Schedule>,
}

impl Template {
    /// Reads a template; `parameters` override the defaults.
    pub fn parse(text: &str, parameters: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let document = document::parse(text)?;
        if !document["Resources"].is_object() {
            return Err(TemplateError::Unsupported("a template without resources".to_owned()));
        }
        let template = Self { document, parameters };
        let physical = Physical::default();
        for (id, kind, _) in template.resolver(&physical)?.resources()? {
            if matches!(kind, "AWS::Serverless::Application" | "AWS::CloudFormation::Stack") {
                return Err(TemplateError::Unsupported(format!("the nested stack {id}")));
            }
        }
        Ok(template)
    }

    /// The template as it is written, with short intrinsic functions in their long form: `!Ref X` is `{"Ref": "X"}`.
    pub fn document(&self) -> &Value {
        &self.document
    }

    fn resolver<'a>(&'a self, physical: &'a Physical) -> Result<Resolver<'a>, TemplateError> {
        Resolver::new(&self.document, &self.parameters, physical)
    }

    /// The queues to create, dead-letter queues before those that use them.
    pub fn queues(&self) -> Result<Vec<Queue>, TemplateError> {
        let physical = Physical::default();
        let resolver = self.resolver(&physical)?;
        let mut queues = Vec::new();
        for (id, _, resource) in of_type(&resolver, "AWS::SQS::Queue")? {
            let mut attributes = BTreeMap::new();
            for (key, value) in object(resource.get("Properties")) {
                if matches!(key.as_str(), "QueueName" | "Tags") {
                    continue;
                }
                let Some(value) = resolver.value(value)? else { continue };
                let text = match &value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                attributes.insert(key.clone(), text);
            }
            queues.push(Queue { id: id.to_owned(), name: resolver.name(id)?, attributes });
        }
        queues.sort_by_key(|queue| queue.attributes.contains_key("RedrivePolicy"));
        Ok(queues)
    }

    /// The tables to create.
    pub fn tables(&self) -> Result<Vec<Table>, TemplateError> {
        let physical = Physical::default();
        let resolver = self.resolver(&physical)?;
        let mut tables = Vec::new();
        for (id, _, resource) in of_type(&resolver, "AWS::DynamoDB::Table")? {
            let properties: TableProperties = properties(&resolver, id, resource)?;
            let name = resolver.name(id)?;
            let mut definition = json!(properties.definition);
            definition["TableName"] = json!(name);
            if let Some(stream) = properties.stream_specification {
                definition["StreamSpecification"] =
                    json!({"StreamEnabled": true, "StreamViewType": stream.stream_view_type});
            }
            let ttl = properties.time_to_live_specification.filter(|ttl| ttl.enabled.truth());
            tables.push(Table {
                id: id.to_owned(),
                name,
                definition,
                ttl_attribute: ttl.map(|ttl| ttl.attribute_name),
            });
        }
        Ok(tables)
    }

    /// The buckets, and the queues they tell of new objects.
    pub fn buckets(&self) -> Result<Vec<Bucket>, TemplateError> {
        let physical = Physical::default();
        let resolver = self.resolver(&physical)?;
        let mut buckets = Vec::new();
        for (id, _, resource) in of_type(&resolver, "AWS::S3::Bucket")? {
            let properties: BucketProperties = properties(&resolver, id, resource)?;
            let configurations = properties.notification_configuration.unwrap_or_default();
            let mut notifications = Vec::new();
            for configuration in configurations.queue_configurations {
                let rules = configuration.filter.map(|filter| filter.s3_key.rules).unwrap_or_default();
                if configuration.event != "s3:ObjectCreated:*"
                    || rules.iter().any(|rule| rule.name != "prefix")
                {
                    return Err(TemplateError::Unsupported(format!("a notification of {id}")));
                }
                let queue = crate::sqs::queue_of_arn(&configuration.queue)
                    .ok_or_else(|| TemplateError::Unknown(format!("queue {}", configuration.queue)))?;
                let prefix = rules.into_iter().map(|rule| rule.value).collect();
                notifications.push(Notification { queue: queue.to_owned(), prefix });
            }
            buckets.push(Bucket { name: resolver.name(id)?, notifications });
        }
        Ok(buckets)
    }

    /// Functions, routes, mappings and schedules, with references resolved.
    pub fn resolve(&self, physical: &Physical) -> Result<Model, TemplateError> {
        let resolver = self.resolver(physical)?;
        let mut model = Model::default();
        for (id, kind, resource) in resolver.resources()? {
            match kind {
                "AWS::Serverless::Function" => self.function(&resolver, id, resource, &mut model)?,
                "AWS::Lambda::Function" | "AWS::Serverless::Api" => {
                    return Err(TemplateError::Unsupported(format!("{id}, a {kind}")));
                }
                _ => {}
            }
        }
        for (id, kind, resource) in resolver.resources()? {
            match kind {
                "AWS::Lambda::EventSourceMapping" => {
                    let mapping: Mapping = properties(&resolver, id, resource)?;
                    let function = Self::function_of(&resolver, mapping.function_name.as_deref(), id)?;
                    model.add_mapping(&resolver, id.to_owned(), function, mapping)?;
                }
                "AWS::Scheduler::Schedule" => {
                    let rule: SchedulerProperties = properties(&resolver, id, resource)?;
                    let function = Self::function_of(&resolver, Some(&rule.target.arn), id)?;
                    model.add_schedule(id.to_owned(), function, rule.into(), true)?;
                }
                "AWS::Events::Rule" if resource["Properties"].get("ScheduleExpression").is_some() => {
                    let rule: RuleProperties = properties(&resolver, id, resource)?;
                    for target in rule.targets {
                        let function = Self::function_of(&resolver, Some(&target.arn), id)?;
                        let event = ScheduleEvent {
                            schedule: Some(rule.schedule_expression.clone()),
                            input: target.input,
                            state: rule.state.clone(),
                            ..ScheduleEvent::default()
                        };
                        model.add_schedule(id.to_owned(), function, event, false)?;
                    }
                }
                _ => {}
            }
        }
        Ok(model)
    }

    fn function(
        &self,
        resolver: &Resolver<'_>,
        id: &str,
        resource: &Value,
        model: &mut Model,
    ) -> Result<(), TemplateError> {
        let globals = &self.document["Globals"]["Function"];
        let property = |key: &str| resource["Properties"].get(key).or_else(|| globals.get(key));
        let code_uri = resolver.text(
            property("CodeUri").ok_or_else(|| TemplateError::Unsupported(format!("{id} without CodeUri")))?,
        )?;
        let code = code_uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        // Lambda's own default is used where the template says nothing.
        let number = |key: &str, default: u32| -> Result<u32, TemplateError> {
            let Some(value) = property(key) else { return Ok(default) };
            let text = resolver.text(value)?;
            text.parse().map_err(|_| TemplateError::Unsupported(format!("{key} {text} of {id}")))
        };
        let timeout = number("Timeout", 3)?;
        let memory_mb = number("MemorySize", 128)?;
        let mut environment = BTreeMap::new();
        for source in [globals, &resource["Properties"]] {
            for (key, value) in object(source["Environment"].get("Variables")) {
                if let Some(value) = resolver.value(value)? {
                    environment.insert(key.clone(), resolver.text(&value)?);
                }
            }
        }
        let binary = resource["Metadata"]["BuildProperties"].get("Binary");
        model.functions.push(Function {
            id: id.to_owned(),
            name: resolver.name(id)?,
            code,
            binary: binary.map(|binary| resolver.text(binary)).transpose()?,
            timeout: Duration::from_secs(timeout.into()),
            memory_mb,
            environment,
        });
        for (name, event) in object(resource["Properties"].get("Events")) {
            // SAM names the resource of an event after the function and the event.
            Self::event(resolver, id, format!("{id}{name}"), event, model)?;
        }
        Ok(())
    }

    fn event(
        resolver: &Resolver<'_>,
        function: &str,
        id: String,
        event: &Value,
        model: &mut Model,
    ) -> Result<(), TemplateError> {
        let function = function.to_owned();
        match event["Type"].as_str().unwrap_or_default() {
            "HttpApi" => {
                let route: RouteEvent = properties(resolver, &id, event)?;
                let path = route.path.unwrap_or_else(|| "$default".to_owned());
                let method = route.method.unwrap_or_else(|| "ANY".to_owned()).to_uppercase();
                model.routes.push(Route { method, path, function });
                Ok(())
            }
            "SQS" | "DynamoDB" => {
                let mapping = properties(resolver, &id, event)?;
                model.add_mapping(resolver, id, function, mapping)
            }
            "Schedule" => model.add_schedule(id.clone(), function, properties(resolver, &id, event)?, false),
            "ScheduleV2" => model.add_schedule(id.clone(), function, properties(resolver, &id, event)?, true),
            other => Err(TemplateError::Unsupported(format!("the event {id} of type {other}"))),
        }
    }

    /// The logical id of the function that a name, ARN or alias means.
    fn function_of(
        resolver: &Resolver<'_>,
        reference: Option<&str>,
        by: &str,
    ) -> Result<String, TemplateError> {
        let unknown =
            || TemplateError::Unknown(format!("function {} in {by}", reference.unwrap_or_default()));
        let reference = reference.ok_or_else(unknown)?;
        let name = reference.rsplit_once(":function:").map_or(reference, |(_, name)| name);
        let name = name.split(':').next().unwrap_or_default();
        for (id, _, _) in of_type(resolver, "AWS::Serverless::Function")? {
            if resolver.name(id)? == name {
                return Ok(id.to_owned());
            }
        }
        Err(unknown())
    }

    fn queue_of(resolver: &Resolver<'_>, arn: &str, by: &str) -> Result<String, TemplateError> {
        let unknown = || TemplateError::Unknown(format!("queue {arn} in {by}"));
        let name = crate::sqs::queue_of_arn(arn).ok_or_else(unknown)?;
        for (id, _, _) in of_type(resolver, "AWS::SQS::Queue")? {
            if resolver.name(id)? == name {
                return Ok(name.to_owned());
            }
        }
        Err(unknown())
    }
}

impl Model {
    fn add_mapping(
        &mut self,
        resolver: &Resolver<'_>,
        id: String,
        function: String,
        mapping: Mapping,
    ) -> Result<(), TemplateError> {
        if !mapping.enabled.as_ref().is_none_or(Flag::truth) {
            return Ok(());
        }
        let source = mapping.source.as_deref().unwrap_or_default();
        let window = Duration::from_secs(mapping.maximum_batching_window_in_seconds.unwrap_or(0));
        let reports_failures =
            mapping.function_response_types.iter().any(|kind| kind == "ReportBatchItemFailures");
        let filters = mapping.filter_criteria.map(FilterCriteria::patterns).transpose();
        let filters = filters.map_err(|source| TemplateError::Malformed { resource: id.clone(), source })?;
        let filters = filters.unwrap_or_default();
        if source.contains(":sqs:") {
            if !filters.is_empty() {
                return Err(TemplateError::Unsupported(format!("the filter of the queue mapping {id}")));
            }
            self.queue_sources.push(QueueSource {
                queue: Template::queue_of(resolver, source, &id)?,
                id,
                function,
                batch_size: mapping.batch_size.unwrap_or(10),
                window,
                reports_failures,
                maximum_concurrency: mapping.scaling_config.and_then(|scaling| scaling.maximum_concurrency),
            });
            return Ok(());
        }
        if !source.contains(":dynamodb:") || !source.contains("/stream/") {
            return Err(TemplateError::Unsupported(format!("the source {source} of {id}")));
        }
        if mapping.tumbling_window_in_seconds.is_some_and(|window| window > 0) {
            return Err(TemplateError::Unsupported(format!("the tumbling window of {id}")));
        }
        let destination = mapping.destination_config.and_then(|config| config.on_failure);
        let destination =
            destination.map(|to| Template::queue_of(resolver, &to.destination, &id)).transpose()?;
        // A negative number stands for no bound.
        let bound = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok());
        self.stream_sources.push(StreamSource {
            stream_arn: source.to_owned(),
            function,
            batch_size: mapping.batch_size.unwrap_or(100).max(1),
            window,
            reports_failures,
            parallelization: mapping.parallelization_factor.unwrap_or(1).clamp(1, 10),
            bisect: mapping.bisect_batch_on_function_error.as_ref().is_some_and(Flag::truth),
            maximum_retries: bound(mapping.maximum_retry_attempts),
            maximum_age: bound(mapping.maximum_record_age_in_seconds)
                .filter(|seconds| *seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.into())),
            on_failure: destination,
            filters,
            from_latest: mapping.starting_position.as_deref() == Some("LATEST"),
            id,
        });
        Ok(())
    }

    fn add_schedule(
        &mut self,
        id: String,
        function: String,
        event: ScheduleEvent,
        scheduler: bool,
    ) -> Result<(), TemplateError> {
        let disabled = event.state.as_deref() == Some("DISABLED");
        if disabled || !event.enabled.as_ref().is_none_or(Flag::truth) {
            return Ok(());
        }
        let expression = event.schedule.or(event.schedule_expression).unwrap_or_default();
        let every = rate(&expression)
            .ok_or_else(|| TemplateError::Unsupported(format!("the schedule {expression} of {id}")))?;
        let input = event.input.map(|text| match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(_) => Value::String(text),
        });
        self.schedules.push(Schedule { id, function, every, input, scheduler });
        Ok(())
    }
}

/// `rate(5 minutes)` and the like.
fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    let count: u64 = count.trim().parse().ok()?;
    (count > 0).then(|| Duration::from_secs(count * seconds))
}

fn of_type<'a>(
    resolver: &Resolver<'a>,
    kind: &str,
) -> Result<Vec<(&'a str, &'a str, &'a Value)>, TemplateError> {
    let mut resources = resolver.resources()?;
    resources.retain(|(_, other, _)| *other == kind);
    Ok(resources)
}

/// A resource's or an event's properties, resolved and typed.
fn properties<T: DeserializeOwned>(
    resolver: &Resolver<'_>,
    id: &str,
    resource: &Value,
) -> Result<T, TemplateError> {
    let value = resource.get("Properties").map(|value| resolver.value(value)).transpose()?.flatten();
    serde_json::from_value(value.unwrap_or_else(|| json!({})))
        .map_err(|source| TemplateError::Malformed { resource: id.to_owned(), source })
}

/// A truth value, which a parameter turns into text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Text(String),
}

impl Flag {
    fn truth(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Text(text) => text == "true",
        }
    }
}

/// What `CreateTable` takes over unchanged.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableDefinition {
    attribute_definitions: Value,
    key_schema: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    global_secondary_indexes: Vec<Index>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    local_secondary_indexes: Vec<Index>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_throughput: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_mode: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    #[serde(rename = "IndexName")]
    name: String,
    key_schema: Value,
    projection: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_throughput: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BucketProperties {
    notification_configuration: Option<NotificationConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NotificationConfiguration {
    #[serde(default)]
    queue_configurations: Vec<QueueConfiguration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueConfiguration {
    event: String,
    queue: String,
    filter: Option<NotificationFilter>,
}

#[derive(Deserialize)]
struct NotificationFilter {
    #[serde(rename = "S3Key")]
    s3_key: KeyFilter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyFilter {
    rules: Vec<KeyRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyRule {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableProperties {
    #[serde(flatten)]
    definition: TableDefinition,
    stream_specification: Option<StreamSpecification>,
    time_to_live_specification: Option<TimeToLive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StreamSpecification {
    stream_view_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: Flag,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RouteEvent {
    path: Option<String>,
    method: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mapping {
    #[serde(alias = "Queue", alias = "Stream", rename = "EventSourceArn")]
    source: Option<String>,
    function_name: Option<String>,
    enabled: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    batch_size: Option<usize>,
    #[serde(default, deserialize_with = "lenient")]
    maximum_batching_window_in_seconds: Option<u64>,
    #[serde(default)]
    function_response_types: Vec<String>,
    scaling_config: Option<ScalingConfig>,
    filter_criteria: Option<FilterCriteria>,
    #[serde(default, deserialize_with = "lenient")]
    parallelization_factor: Option<usize>,
    bisect_batch_on_function_error: Option<Flag>,
    #[serde(default, deserialize_with = "lenient")]
    maximum_retry_attempts: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    maximum_record_age_in_seconds: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    tumbling_window_in_seconds: Option<u64>,
    destination_config: Option<DestinationConfig>,
    starting_position: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScalingConfig {
    #[serde(default, deserialize_with = "lenient")]
    maximum_concurrency: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterCriteria {
    #[serde(default)]
    filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    pattern: String,
}

impl FilterCriteria {
    fn patterns(self) -> Result<Vec<Value>, serde_json::Error> {
        self.filters.iter().map(|filter| serde_json::from_str(&filter.pattern)).collect()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationConfig {
    on_failure: Option<OnFailure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OnFailure {
    destination: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleEvent {
    schedule: Option<String>,
    schedule_expression: Option<String>,
    input: Option<String>,
    enabled: Option<Flag>,
    state: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    input: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SchedulerProperties {
    schedule_expression: String,
    state: Option<String>,
    target: Target,
}

impl From<SchedulerProperties> for ScheduleEvent {
    fn from(rule: SchedulerProperties) -> Self {
        Self {
            schedule: Some(rule.schedule_expression),
            input: rule.target.input,
            state: rule.state,
            ..Self::default()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleProperties {
    schedule_expression: String,
    state: Option<String>,
    #[serde(default)]
    targets: Vec<Target>,
}

/// A number, or one that a parameter turned into text.
fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr,
{
    let value = Option::<Value>::deserialize(deserializer)?;
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    text.parse().map(Some).map_err(|_| serde::de::Error::custom(format!("{text} is not a number")))
}

#[cfg(test)]
mod tests;
