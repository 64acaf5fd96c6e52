//! What must be true of every function, queue, table and bucket of the template, and of what watches them. A rule that has
//! exceptions names them, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tillstream::TEMPLATE;
use tillstream::template::Template;

/// Resources that hold a wildcard because what they name is made later, or is many.
const WILDCARDS: [(&str, &str); 6] = [
    (
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/tillstream/${AWS::StackName}/*",
        "secrets of connections, which are made through the API",
    ),
    (
        "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/tillstream/${AWS::StackName}/connections/*/grant",
        "of those secrets the one that a platform renews",
    ),
    ("${ProfilesTable.Arn}/stream/*", "a table's streams are listed, not one of them"),
    ("${FilesBucket.Arn}/drop/*", "files that are put there"),
    ("${FilesBucket.Arn}/reports/*", "a report for each of them"),
    ("${ArchiveBucket.Arn}/deliveries/*", "what is archived"),
];

/// The metrics that AWS documents, of those that are watched, with the dimensions they are watched by.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>,
/// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html>
const OF_AWS: [(&str, &str, &[&str]); 10] = [
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &["QueueName"]),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    ("AWS/Lambda", "Errors", &["FunctionName"]),
    ("AWS/Lambda", "IteratorAge", &["FunctionName"]),
    // Of the whole account and region.
    ("AWS/Lambda", "Throttles", &[]),
    ("AWS/ApiGateway", "Count", &["ApiId"]),
    ("AWS/ApiGateway", "4xx", &["ApiId"]),
    ("AWS/ApiGateway", "5xx", &["ApiId"]),
    ("AWS/ApiGateway", "Latency", &["ApiId"]),
    ("AWS/ApiGateway", "IntegrationLatency", &["ApiId"]),
];

/// The counters' own namespace.
const NAMESPACE: &str = "Tillstream/${AWS::StackName}";

fn document() -> Value {
    Template::parse(TEMPLATE, BTreeMap::new()).unwrap().document().clone()
}

/// Logical ids and declarations of a type.
fn all<'a>(document: &'a Value, kind: &'a str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let resources = document["Resources"].as_object().unwrap();
    resources.iter().filter(move |(_, resource)| resource["Type"] == kind)
}

fn functions(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    all(document, "AWS::Serverless::Function")
}

/// The resource that `!GetAtt X.Arn` means.
fn by_arn<'a>(document: &'a Value, reference: &'a Value) -> (&'a str, &'a Value) {
    let path = reference["Fn::GetAtt"].as_str().unwrap_or_else(|| panic!("{reference} is no attribute"));
    let id = path.strip_suffix(".Arn").unwrap_or_else(|| panic!("{path} is no ARN"));
    (id, &document["Resources"][id])
}

/// One or many.
fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |many| many.iter().collect())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_function_has_a_role_of_its_own_that_allows_what_is_named() {
    let document = document();
    let mut roles = BTreeSet::new();
    let mut wildcards = BTreeSet::new();
    for (id, function) in functions(&document) {
        let (name, role) = by_arn(&document, &function["Properties"]["Role"]);
        assert!(roles.insert(name.to_owned()), "{id} shares {name}");
        assert_eq!(role["Type"], "AWS::IAM::Role");
        assert_eq!(role.get("Condition"), function.get("Condition"), "{name} is not there when {id} is");
        let role = &role["Properties"];
        assert_eq!(
            role["AssumeRolePolicyDocument"]["Statement"],
            json!([{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]),
            "{name} can be assumed by others"
        );
        assert!(role.get("ManagedPolicyArns").is_none(), "{name} has what somebody else wrote");
        let added = all(&document, "AWS::IAM::Policy").map(|(_, policy)| &policy["Properties"]);
        let added = added.filter(|policy| list(&policy["Roles"]).contains(&&json!({"Ref": name})));
        for policy in list(&role["Policies"]).into_iter().chain(added) {
            for statement in list(&policy["PolicyDocument"]["Statement"]) {
                let keys: Vec<_> = statement.as_object().unwrap().keys().map(String::as_str).collect();
                for key in keys {
                    assert!(
                        ["Sid", "Effect", "Action", "Resource", "Condition"].contains(&key),
                        "{name}: {key}"
                    );
                }
                assert_eq!(statement["Effect"], "Allow");
                for action in list(&statement["Action"]) {
                    let action = action.as_str().unwrap();
                    assert!(!action.contains(['*', '?']), "{name} allows {action}");
                }
                for resource in list(&statement["Resource"]) {
                    let text = resource.get("Fn::Sub").unwrap_or(resource).as_str();
                    let Some(text) = text.filter(|text| text.contains(['*', '?'])) else { continue };
                    assert!(
                        WILDCARDS.iter().any(|(known, _)| *known == text),
                        "{name} reaches {text}: say why in WILDCARDS"
                    );
                    wildcards.insert(text.to_owned());
                }
            }
        }
    }
    assert_eq!(wildcards.len(), WILDCARDS.len(), "WILDCARDS names more than there is");
    for (id, policy) in all(&document, "AWS::IAM::Policy") {
        let of = list(&policy["Properties"]["Roles"]);
        assert!(
            of.len() == 1 && roles.contains(of[0]["Ref"].as_str().unwrap()),
            "{id} is not one function's"
        );
    }
    assert_eq!(all(&document, "AWS::IAM::Role").count(), roles.len(), "a role is nobody's");
}

#[test]
fn every_function_logs_where_it_is_forgotten_in_time() {
    let document = document();
    let mut groups = BTreeSet::new();
    for (id, function) in functions(&document) {
        let group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"].as_str();
        let group = group.unwrap_or_else(|| panic!("{id} has no log group"));
        assert!(groups.insert(group.to_owned()), "{id} shares {group}");
        let (_, role) = by_arn(&document, &function["Properties"]["Role"]);
        let may_log = list(&role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"])
            .into_iter()
            .filter(|statement| statement["Sid"] == "Logs")
            .any(|statement| statement["Resource"] == json!({"Fn::GetAtt": format!("{group}.Arn")}));
        assert!(may_log, "{id} may not write into {group}");
    }
    for (id, group) in all(&document, "AWS::Logs::LogGroup") {
        assert_eq!(group["Properties"]["RetentionInDays"], json!({"Ref": "LogRetentionDays"}), "{id}");
        if let Some(function) = id.strip_suffix("LogGroup").map(|stem| format!("{stem}Function")) {
            assert_eq!(group.get("Condition"), document["Resources"][function].get("Condition"), "{id}");
        }
    }
    // Lambda takes lines without a level, as counters are, for INFO.
    assert_eq!(document["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"], "TRACE");
}

#[test]
fn what_fails_is_tried_again_so_often_and_not_lost() {
    let document = document();
    for (id, function) in functions(&document) {
        let function = &function["Properties"];
        let timeout = number(function.get("Timeout").unwrap_or(&document["Globals"]["Function"]["Timeout"]));
        for (name, event) in function["Events"].as_object().unwrap() {
            let (kind, event) = (event["Type"].as_str().unwrap(), &event["Properties"]);
            match kind {
                // Whoever asked hears that it failed and asks again: platforms and clients do.
                "HttpApi" => {}
                "SQS" => {
                    let (queue, source) = by_arn(&document, &event["Queue"]);
                    let source = &source["Properties"];
                    assert!(
                        (1..=10).contains(&number(&source["RedrivePolicy"]["maxReceiveCount"])),
                        "{queue}"
                    );
                    assert_eq!(
                        by_arn(&document, &source["RedrivePolicy"]["deadLetterTargetArn"]).1["Type"],
                        "AWS::SQS::Queue"
                    );
                    // AWS asks for six times the time-out: Lambda's retries end before the queue's begin.
                    assert!(number(&source["VisibilityTimeout"]) >= 6 * timeout, "{queue}");
                    assert_eq!(
                        event["FunctionResponseTypes"],
                        json!(["ReportBatchItemFailures"]),
                        "{id} {name}"
                    );
                }
                "DynamoDB" => {
                    assert!(number(&event["MaximumRetryAttempts"]) <= 100, "{id} {name}");
                    assert!(number(&event["MaximumRecordAgeInSeconds"]) <= 86_400, "{id} {name}");
                    assert_eq!(event["BisectBatchOnFunctionError"], true, "{id} {name}");
                    assert_eq!(
                        event["FunctionResponseTypes"],
                        json!(["ReportBatchItemFailures"]),
                        "{id} {name}"
                    );
                    let destination = &event["DestinationConfig"]["OnFailure"]["Destination"];
                    assert_eq!(by_arn(&document, destination).1["Type"], "AWS::SQS::Queue");
                }
                // The next run, a minute later, sees the same and more, so nothing is kept of one that fails.
                "Schedule" => {
                    assert_eq!(event["Schedule"], "rate(1 minute)", "{id} {name}");
                    for bounds in [&event["RetryPolicy"], &function["EventInvokeConfig"]] {
                        assert_eq!(number(&bounds["MaximumRetryAttempts"]), 0, "{id} {name}");
                        assert_eq!(number(&bounds["MaximumEventAgeInSeconds"]), 60, "{id} {name}");
                    }
                }
                other => panic!("{id} is invoked by {other}: say what becomes of what fails"),
            }
        }
    }
}

#[test]
fn no_invoker_can_take_the_whole_account() {
    let document = document();
    for (id, function) in functions(&document) {
        let function = &function["Properties"];
        for (name, event) in function["Events"].as_object().unwrap() {
            let properties = &event["Properties"];
            match event["Type"].as_str().unwrap() {
                "SQS" => {
                    let bound = &properties["ScalingConfig"]["MaximumConcurrency"];
                    let bound = bound["Ref"].as_str().map_or(bound, |parameter| {
                        assert!(number(&document["Parameters"][parameter]["MaxValue"]) <= 1000);
                        &document["Parameters"][parameter]["Default"]
                    });
                    assert!((2..=20).contains(&number(bound)), "{id} {name}");
                }
                // One invocation per shard.
                "DynamoDB" => assert_eq!(properties["ParallelizationFactor"], 1, "{id} {name}"),
                // Requests a second are bounded for each route; how many at once is the deployer's choice.
                "HttpApi" => assert!(function["ReservedConcurrentExecutions"]["Fn::If"].is_array(), "{id}"),
                // One invocation a minute, of a minute at most or of a few seconds.
                _ => {}
            }
        }
    }
    let settings = &document["Resources"]["HttpApi"]["Properties"]["DefaultRouteSettings"];
    assert_eq!(settings["ThrottlingRateLimit"]["Ref"], "ThrottleRate");
    assert_eq!(settings["ThrottlingBurstLimit"]["Ref"], "ThrottleBurst");
}

#[test]
fn functions_that_take_traffic_get_new_code_gradually_and_others_at_once() {
    let document = document();
    for (id, function) in functions(&document) {
        let function = &function["Properties"];
        let takes_traffic =
            function["Events"].as_object().unwrap().values().any(|event| event["Type"] == "HttpApi");
        if !takes_traffic {
            assert!(function.get("AutoPublishAlias").is_none(), "{id}");
            continue;
        }
        assert_eq!(function["AutoPublishAlias"], "live", "{id}");
        // Else a change of variables alone would not reach the alias.
        assert_eq!(function["AutoPublishAliasAllProperties"], true, "{id}");
        let alarm = format!("{}ErrorsAlarm", id.strip_suffix("Function").unwrap());
        let expected = json!({
            "Enabled": {"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "Gradual"]},
            "Type": {"Ref": "Deployment"},
            "PassthroughCondition": true,
            // While the alarm rings, a repair gets through at once only.
            "Alarms": {"Fn::If": ["IsGradual", [{"Ref": alarm}], [{"Ref": "AWS::NoValue"}]]},
        });
        assert_eq!(function["DeploymentPreference"], expected, "{id}");
    }
    let stages = document["Mappings"]["Stages"].as_object().unwrap();
    let named: Vec<_> = list(&document["Parameters"]["Stage"]["AllowedValues"]);
    assert_eq!(stages.len(), named.len());
    for stage in named {
        let gradual = if stage == "dev" { "false" } else { "true" };
        assert_eq!(stages[stage.as_str().unwrap()]["Gradual"], gradual, "{stage}");
    }
}

/// Queues to which something is moved that failed.
fn last_resorts(document: &Value) -> BTreeSet<&str> {
    let of_queues = all(document, "AWS::SQS::Queue")
        .map(|(_, queue)| &queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
        .filter(|target| !target.is_null());
    let events = functions(document).flat_map(|(_, function)| {
        function["Properties"]["Events"].as_object().into_iter().flat_map(|events| events.values())
    });
    let of_streams = events
        .map(|event| &event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])
        .filter(|destination| !destination.is_null());
    of_queues.chain(of_streams).map(|target| by_arn(document, target).0).collect()
}

#[test]
fn every_queue_is_encrypted_guarded_and_has_a_dead_letter_queue_that_keeps_longer() {
    let document = document();
    let last = last_resorts(&document);
    let mut guarded = BTreeSet::new();
    for (id, policy) in all(&document, "AWS::SQS::QueuePolicy") {
        let policy = &policy["Properties"];
        let tls_only = json!({
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        });
        assert!(list(&policy["PolicyDocument"]["Statement"]).contains(&&tls_only), "{id}");
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            let is_for_all = statement["Effect"] == "Allow" && statement["Principal"] == "*";
            assert!(!is_for_all, "{id} lets everybody in");
        }
        for queue in list(&policy["Queues"]) {
            assert!(
                guarded.insert(queue["Ref"].as_str().unwrap()),
                "{queue} has two policies; the later wins"
            );
        }
    }
    for (id, queue) in all(&document, "AWS::SQS::Queue") {
        let queue = &queue["Properties"];
        assert_eq!(queue["SqsManagedSseEnabled"], true, "{id}");
        assert!(guarded.contains(id.as_str()), "{id} admits requests in the clear");
        let kept = number(&queue["MessageRetentionPeriod"]);
        if last.contains(id.as_str()) {
            assert_eq!(kept, 14 * 86_400, "{id} does not keep for as long as a queue can");
            assert!(queue.get("RedrivePolicy").is_none(), "{id} is the last");
            continue;
        }
        let (name, dead) = by_arn(&document, &queue["RedrivePolicy"]["deadLetterTargetArn"]);
        let dead = &dead["Properties"];
        assert!(number(&dead["MessageRetentionPeriod"]) > kept, "{name} forgets before {id}");
        assert_eq!(dead.get("MaximumMessageSize"), queue.get("MaximumMessageSize"), "{name}");
    }
}

#[test]
fn every_table_outlives_mistakes() {
    let document = document();
    assert_eq!(all(&document, "AWS::DynamoDB::Table").count(), 3);
    for (id, table) in all(&document, "AWS::DynamoDB::Table") {
        assert_eq!(
            (&table["DeletionPolicy"], &table["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{id}"
        );
        let table = &table["Properties"];
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{id}");
        assert_eq!(
            table["DeletionProtectionEnabled"],
            json!({"Fn::If": ["IsProtected", true, false]}),
            "{id}"
        );
        // DynamoDB encrypts every table; this could only choose whose key it is.
        assert!(table.get("SSESpecification").is_none(), "{id}");
        // A name would keep a table from ever being replaced, or restored beside it.
        assert!(table.get("TableName").is_none(), "{id}");
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{id}");
    }
    let is_dev = json!({"Fn::Equals": [{"Ref": "Stage"}, "dev"]});
    assert_eq!(document["Conditions"]["IsProtected"], json!({"Fn::Not": [is_dev]}));
}

#[test]
fn every_bucket_is_private_encrypted_and_empties_itself() {
    let document = document();
    let mut guarded = BTreeSet::new();
    for (id, policy) in all(&document, "AWS::S3::BucketPolicy") {
        let bucket = policy["Properties"]["Bucket"]["Ref"].as_str().unwrap();
        let tls_only = json!({
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [{"Fn::GetAtt": format!("{bucket}.Arn")}, {"Fn::Sub": format!("${{{bucket}.Arn}}/*")}],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        });
        assert_eq!(list(&policy["Properties"]["PolicyDocument"]["Statement"]), [&tls_only], "{id}");
        assert_eq!(policy.get("Condition"), document["Resources"][bucket].get("Condition"), "{id}");
        guarded.insert(bucket);
    }
    for (id, bucket) in all(&document, "AWS::S3::Bucket") {
        assert!(guarded.contains(id.as_str()), "{id} admits requests in the clear");
        assert_eq!(
            (&bucket["DeletionPolicy"], &bucket["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{id}"
        );
        let bucket = &bucket["Properties"];
        for rule in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
            assert_eq!(bucket["PublicAccessBlockConfiguration"][rule], true, "{id} {rule}");
        }
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256", "{id}");
        let rules = list(&bucket["LifecycleConfiguration"]["Rules"]);
        // All that its functions may write.
        let written = WILDCARDS
            .iter()
            .filter_map(|(resource, _)| resource.strip_prefix(&format!("${{{id}.Arn}}/"))?.strip_suffix('*'));
        for prefix in written {
            let expires = |rule: &&Value| {
                let days = &rule["ExpirationInDays"];
                rule["Prefix"] == prefix && (days.is_u64() || *days == json!({"Ref": "ArchiveDays"}))
            };
            assert!(rules.iter().any(expires), "{id} keeps {prefix} for ever");
        }
        assert!(rules.iter().any(|rule| rule["AbortIncompleteMultipartUpload"].is_object()), "{id}");
    }
}

#[test]
fn whatever_fails_or_waits_has_an_alarm_that_somebody_hears() {
    let document = document();
    let mut watched = BTreeSet::new();
    for (id, alarm) in all(&document, "AWS::CloudWatch::Alarm") {
        let of = &alarm["Properties"];
        assert!(of["AlarmDescription"].as_str().is_some_and(|text| text.ends_with('.')), "{id}");
        assert_eq!(of["TreatMissingData"], "notBreaching", "{id}");
        let heard = json!({"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]});
        assert_eq!(of["AlarmActions"], heard, "{id}");
        let of_what = &of["Dimensions"][0]["Value"];
        let of_what = of_what.get("Ref").or_else(|| of_what.get("Fn::GetAtt")).and_then(Value::as_str);
        let of_what = of_what.unwrap_or_default().split('.').next().unwrap().to_owned();
        let condition = document["Resources"].get(of_what.as_str()).and_then(|of| of.get("Condition"));
        assert_eq!(alarm.get("Condition"), condition, "{id} is not there when {of_what} is");
        let metric = of.get("MetricName").and_then(Value::as_str).unwrap().to_owned();
        assert!(watched.insert((metric, of_what)), "{id} watches what another one does");
    }
    let mut expected = BTreeSet::new();
    let mut expect = |metric: &str, of: &str| expected.insert((metric.to_owned(), of.to_owned()));
    for (id, _) in functions(&document) {
        expect("Errors", id);
    }
    for queue in last_resorts(&document) {
        expect("ApproximateNumberOfMessagesVisible", queue);
    }
    expect("ApproximateAgeOfOldestMessage", "RawDeliveriesQueue");
    expect("IteratorAge", "SegmentEvaluatorFunction");
    expect("5xx", "HttpApi");
    for of_all in ["Throttles", "due_lag_ms", "event_lag_ms"] {
        expect(of_all, "");
    }
    assert_eq!(watched, expected);
}

/// A metric as it is watched: namespace, name and dimensions.
type Watched = (String, String, Vec<String>);

fn alarmed(document: &Value) -> Vec<Watched> {
    let text = |value: &Value| value.get("Fn::Sub").unwrap_or(value).as_str().unwrap().to_owned();
    let alarms = all(document, "AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]);
    let watched = alarms.map(|of| {
        let dimensions = of["Dimensions"].as_array().into_iter().flatten();
        (text(&of["Namespace"]), text(&of["MetricName"]), dimensions.map(|by| text(&by["Name"])).collect())
    });
    watched.collect()
}

/// The metrics of the dashboard's widgets, whose rows may repeat with `.` and `...` what the one before says.
fn shown(document: &Value) -> Vec<Watched> {
    let body = document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let mut shown = Vec::new();
    for widget in list(&body["widgets"]) {
        let mut before: Vec<String> = Vec::new();
        for row in list(&widget["properties"]["metrics"]) {
            if let Some(search) = row[0]["expression"].as_str() {
                shown.push(searched(search));
                continue;
            }
            let said: Vec<String> =
                list(row).into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let mut row = Vec::new();
            if said[0] == "..." {
                row.extend_from_slice(&before[..=before.len() - said.len()]);
                row.extend_from_slice(&said[1..]);
            } else {
                for (place, word) in said.into_iter().enumerate() {
                    row.push(if word == "." { before[place].clone() } else { word });
                }
            }
            let dimensions = row[2..].iter().step_by(2).cloned().collect();
            shown.push((row[0].clone(), row[1].clone(), dimensions));
            before = row;
        }
    }
    shown
}

/// What `SEARCH('{"namespace",dimension,…} MetricName="name"', 'Sum')` looks for.
fn searched(expression: &str) -> Watched {
    let (schema, rest) =
        expression.strip_prefix("SEARCH('{").and_then(|search| search.split_once("} ")).unwrap();
    let name = rest.trim().strip_prefix("MetricName=\"").and_then(|name| name.split_once('"')).unwrap().0;
    let mut parts = schema.split(',').map(|part| part.trim_matches('"').to_owned());
    (parts.next().unwrap(), name.to_owned(), parts.collect())
}

/// The Rust files of all functions and shared crates, without white space.
fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<PathBuf> = vec![root.join("functions"), root.join("shared")];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.extend(std::fs::read_to_string(path).unwrap().split_whitespace());
            }
        }
    }
    text
}

#[test]
fn every_metric_that_is_watched_or_shown_is_written() {
    let document = document();
    let sources = sources();
    let mut own = BTreeSet::new();
    for (namespace, name, dimensions) in alarmed(&document).into_iter().chain(shown(&document)) {
        let dimensions: Vec<_> = dimensions.iter().map(String::as_str).collect();
        if namespace == NAMESPACE {
            let calls: &[String] = match dimensions.as_slice() {
                [] => &[format!("gauge!(\"{name}\")"), format!("duration_ms(\"{name}\",")],
                ["outcome", "platform"] => &[format!("count(\"{name}\",")],
                other => panic!("{name} is not written by {other:?}"),
            };
            assert!(calls.iter().any(|call| sources.contains(call)), "nothing writes {name}");
            own.insert(name);
        } else {
            let known = |of: &&(&str, &str, &[&str])| (of.0, of.1, of.2) == (&namespace, &name, &dimensions);
            assert!(OF_AWS.iter().any(|of| known(&of)), "{namespace} {name} by {dimensions:?}");
        }
    }
    let expected = ["deliveries", "due_backlog", "due_lag_ms", "event_lag_ms", "mapped"];
    assert_eq!(own, expected.map(str::to_owned).into());
    let variables = &document["Globals"]["Function"]["Environment"]["Variables"];
    assert_eq!(variables["STACK"], json!({"Ref": "AWS::StackName"}), "the namespace ends with it");
}

#[test]
fn the_dashboard_shows_every_queue_and_what_was_set_aside() {
    let document = document();
    let body = document["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
    for (id, _) in all(&document, "AWS::SQS::Queue") {
        assert!(body.contains(&format!("${{{id}.QueueName}}")), "{id}");
    }
}
