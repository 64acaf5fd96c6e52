use super::*;

const SAMPLE: &str = include_str!("../../tests/sample.yaml");

fn physical() -> Physical {
    Physical {
        queue_urls: [("Deliveries", "http://127.0.0.1:9/000000000000/tillstream-Deliveries")]
            .map(|(id, url)| (id.to_owned(), url.to_owned()))
            .into(),
        table_arns: [(
            "Items".to_owned(),
            "arn:aws:dynamodb:x:000000000000:table/tillstream-items".to_owned(),
        )]
        .into(),
        stream_arns: [(
            "Items".to_owned(),
            "arn:aws:dynamodb:x:000000000000:table/tillstream-items/stream/1".to_owned(),
        )]
        .into(),
        base_url: "http://127.0.0.1:8080".to_owned(),
    }
}

fn resolve(text: &str) -> Result<Model, TemplateError> {
    Template::parse(text, BTreeMap::new())?.resolve(&physical())
}

#[test]
fn queues_come_dead_letters_first_with_their_policies_as_json() {
    let template = Template::parse(SAMPLE, BTreeMap::new()).unwrap();
    let queues = template.queues().unwrap();
    let names: Vec<_> = queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["tillstream-DeadLetters", "tillstream-StreamFailures", "tillstream-Deliveries"]);
    let deliveries = &queues[2].attributes;
    assert_eq!(deliveries["VisibilityTimeout"], "1");
    let policy: Value = serde_json::from_str(&deliveries["RedrivePolicy"]).unwrap();
    assert_eq!(policy["deadLetterTargetArn"], "arn:aws:sqs:us-east-1:000000000000:tillstream-DeadLetters");
    assert_eq!(policy["maxReceiveCount"], 2);
}

#[test]
fn tables_keep_their_keys_indexes_stream_and_ttl() {
    let tables = Template::parse(SAMPLE, BTreeMap::new()).unwrap().tables().unwrap();
    let items = &tables[0];
    assert_eq!(
        (items.name.as_str(), items.ttl_attribute.as_deref()),
        ("tillstream-items", Some("expires_at"))
    );
    assert_eq!(items.definition["StreamSpecification"]["StreamEnabled"], true);
    assert_eq!(items.definition["GlobalSecondaryIndexes"][0]["IndexName"], "by_kind");
    assert!(items.definition["GlobalSecondaryIndexes"][0].get("WarmThroughput").is_none());
}

#[test]
fn functions_get_their_code_time_out_and_variables() {
    let model = resolve(SAMPLE).unwrap();
    let receiver = model.functions.iter().find(|function| function.id == "ReceiverFunction").unwrap();
    assert_eq!((receiver.code.as_str(), receiver.timeout), ("receiver", Duration::from_secs(5)));
    let variable = |name: &str| receiver.environment.get(name).map(String::as_str);
    assert_eq!(variable("STAGE"), Some("dev"));
    assert_eq!(variable("QUEUE_URL"), Some("http://127.0.0.1:9/000000000000/tillstream-Deliveries"));
    assert_eq!(variable("TABLE_NAME"), Some("tillstream-items"));
    assert_eq!(variable("PARAMETER_PATH"), Some("/tillstream/dev/"));
    assert_eq!(variable("PUBLIC_URL"), Some("http://127.0.0.1:8080"));
    assert_eq!(variable("AWS_ENDPOINT_URL"), None, "AWS::NoValue takes the variable away");
    assert!(model.functions.iter().all(|function| function.id != "ProductionOnlyFunction"));
}

#[test]
fn events_and_mappings_keep_every_setting() {
    let model = resolve(SAMPLE).unwrap();
    let routes: Vec<_> =
        model.routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(routes, ["POST /hooks/{shop}", "ANY /files/{proxy+}"]);
    let queue = &model.queue_sources[0];
    assert_eq!((queue.function.as_str(), queue.queue.as_str()), ("WorkerFunction", "tillstream-Deliveries"));
    assert_eq!((queue.batch_size, queue.maximum_concurrency, queue.reports_failures), (10, Some(4), true));
    let stream = &model.stream_sources[0];
    assert_eq!(stream.function, "WatcherFunction");
    assert_eq!((stream.batch_size, stream.parallelization, stream.bisect), (100, 2, true));
    assert_eq!((stream.maximum_retries, stream.maximum_age), (Some(2), Some(Duration::from_hours(1))));
    assert_eq!(stream.on_failure.as_deref(), Some("tillstream-StreamFailures"));
    assert_eq!(stream.filters.len(), 1);
    let schedule = &model.schedules[0];
    assert_eq!((schedule.function.as_str(), schedule.every), ("TickerFunction", Duration::from_mins(1)));
}

#[test]
fn a_parameter_changes_what_its_conditions_guard() {
    let parameters = BTreeMap::from([("Stage".to_owned(), "prod".to_owned())]);
    let model = Template::parse(SAMPLE, parameters).unwrap().resolve(&physical()).unwrap();
    assert!(model.functions.iter().any(|function| function.id == "ProductionOnlyFunction"));
    let unknown = BTreeMap::from([("Stagee".to_owned(), "prod".to_owned())]);
    assert!(Template::parse(SAMPLE, unknown).unwrap_err().to_string().contains("parameter Stagee"));
}

#[test]
fn what_is_missing_or_not_emulated_is_named() {
    let function = |events: &str| {
        format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: ../functions/f/\n      Events:\n        E: {events}\n"
        )
    };
    let nested = "Resources: {Data: {Type: 'AWS::Serverless::Application'}}";
    for (text, message) in [
        (function("{Type: SQS, Properties: {Queue: !GetAtt Gone.Arn}}"), "resource Gone"),
        (function("{Type: Kafka}"), "the event FE of type Kafka"),
        (function("{Type: Schedule, Properties: {Schedule: cron(0 12 * * ? *)}}"), "cron(0 12 * * ? *)"),
        (function("{Type: HttpApi, Properties: {Path: !ImportValue X}}"), "Fn::ImportValue"),
        (
            "Resources: {M: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: gone}}}"
                .to_owned(),
            "function gone in M",
        ),
        (nested.to_owned(), "the nested stack Data"),
    ] {
        let error = resolve(&text).unwrap_err().to_string();
        assert!(error.contains(message), "{error} does not name {message}");
    }
}

#[test]
fn rates_are_read_in_every_unit() {
    for (expression, seconds) in [
        ("rate(1 minute)", Some(60)),
        ("rate(15 minutes)", Some(900)),
        ("rate(2 days)", Some(172_800)),
        ("rate(0 hours)", None),
    ] {
        assert_eq!(rate(expression), seconds.map(Duration::from_secs), "{expression}");
    }
}
