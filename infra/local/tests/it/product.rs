//! The template that is deployed, against the code and the example events: what one has the others have, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use canonical::Fact;
use platform::receiver::{Decision, decide};
use platform::{Connection, Delivery, Headers, Mapping, Platform, Request, Secrets};
use platforms::PLATFORMS;
use runtime::Clock;
use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;
use tillstream::functions::ProductFunctions;
use tillstream::template::{Function, Model, Physical, Template};
use tillstream::{Options, Stack, TEMPLATE};

const INFRA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const FUNCTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions");
/// What the events of `infra/events` are signed with, where it is no key pair and may be short.
const SECRET: &str = "example-secret";
/// The same for the platforms whose secrets are longer.
const LONG_SECRET: &str = "example-secret-example-secret";
const WIX_KEY: &str = include_str!("../../../../functions/wix/tests/it/keys/test_key.pub.pem");

/// The template under parameters, as if everything in it had been made.
fn model(parameters: BTreeMap<String, String>) -> Model {
    let template = Template::parse(TEMPLATE, parameters).unwrap();
    let mut physical = Physical::default();
    for queue in template.queues().unwrap() {
        physical.queue_urls.insert(queue.id, format!("http://127.0.0.1/000000000000/{}", queue.name));
    }
    for table in template.tables().unwrap() {
        let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{}", table.name);
        physical.stream_arns.insert(table.id.clone(), format!("{arn}/stream/1"));
        physical.table_arns.insert(table.id, arn);
    }
    template.resolve(&physical).unwrap()
}

/// The function of a folder of code.
fn function<'a>(model: &'a Model, code: &str) -> &'a Function {
    model.functions.iter().find(|function| function.code == code).unwrap_or_else(|| panic!("{code}"))
}

/// The platforms that send something.
fn receivers() -> impl Iterator<Item = &'static dyn Platform> {
    let sends =
        |platform: &&dyn Platform| Path::new(FUNCTIONS).join(platform.name()).join("src/main.rs").exists();
    PLATFORMS.iter().copied().filter(move |platform| sends(platform))
}

/// What the resources of a platform are named after.
fn stem(function: &Function) -> &str {
    function.id.strip_suffix("Function").unwrap()
}

/// The event that `sam local invoke` is given for a function.
fn event(code: &str) -> Value {
    let path = format!("{INFRA}/events/{code}.json");
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path}"))).unwrap()
}

#[test]
fn every_function_is_deployed_described_and_has_an_event() {
    let folders = std::fs::read_dir(FUNCTIONS).unwrap().map(|entry| entry.unwrap().path());
    // Without it the folder is the adapter of a platform that sends nothing.
    let folders: BTreeSet<String> = folders
        .filter(|path| path.join("src/main.rs").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let model = model(BTreeMap::new());
    let deployed: BTreeSet<_> = model.functions.iter().map(|function| function.code.clone()).collect();
    assert_eq!(folders, deployed);
    assert_eq!(model.functions.len(), deployed.len(), "two functions of one code");

    let document: Yaml = serde_norway::from_str(TEMPLATE).unwrap();
    for function in &model.functions {
        let code = &function.code;
        let uri = document["Resources"][function.id.as_str()]["Properties"]["CodeUri"].as_str();
        assert_eq!(uri, Some(format!("../functions/{code}").as_str()));
        let readme = std::fs::read_to_string(Path::new(FUNCTIONS).join(code).join("README.md")).unwrap();
        assert!(readme.starts_with("# "), "the README of {code} has no heading");
        event(code);
    }
}

#[test]
fn receivers_differ_in_nothing_but_their_platform() {
    let document: Yaml = serde_norway::from_str(TEMPLATE).unwrap();
    let model = model(BTreeMap::new());
    let blocks = receivers().map(|platform| {
        let receiver = function(&model, platform.name());
        let blocks = ["Function", "Role", "LogGroup", "ErrorsAlarm"].map(|kind| {
            let mut block = document["Resources"][format!("{}{kind}", stem(receiver)).as_str()].clone();
            for text in ["Description", "AlarmDescription"] {
                block["Properties"].as_mapping_mut().unwrap().remove(text);
            }
            serde_norway::to_string(&block).unwrap()
        });
        let blocks = blocks.concat().replace(stem(receiver), "Platform");
        (platform.name(), blocks.replace(&receiver.code, "platform"))
    });
    let blocks: Vec<_> = blocks.collect();
    for (name, block) in &blocks {
        assert_eq!(block, &blocks[0].1, "{name} is not as {}", blocks[0].0);
    }
}

#[test]
fn every_platform_has_routes_of_its_own_and_can_be_left_out() {
    let all = model(BTreeMap::new());
    for platform in receivers() {
        let receiver = function(&all, platform.name());
        let routes = all.routes.iter().filter(|route| route.function == receiver.id);
        let routes: BTreeSet<_> = routes.map(|route| (route.method.as_str(), route.path.clone())).collect();
        let path = format!("/webhooks/{}/{{connection_id}}", platform.name());
        assert_eq!(routes, BTreeSet::from([("GET", path.clone()), ("POST", path)]));

        let parameter = format!("Deploy{}", stem(receiver));
        let without = model(BTreeMap::from([(parameter, "false".to_owned())]));
        let left = all.functions.iter().filter(|function| *function != receiver);
        assert!(left.eq(&without.functions), "{} stays, or takes others with it", receiver.id);
    }
}

/// Making a function reads the variables it needs, so a stack that starts has them all.
#[tokio::test]
async fn every_function_starts_as_it_is_deployed_and_takes_its_event() {
    let handlers = ProductFunctions::new(Clock::system());
    let stack = Stack::start(Options::in_memory(TEMPLATE), &handlers).await.unwrap();
    for function in &stack.model.functions {
        let answer = stack.invoke(&function.id, event(&function.code)).await.unwrap();
        if let Some(status) = answer["statusCode"].as_u64() {
            // Receivers do not know the example's connection.
            let expected = if function.code == "api" { 200 } else { 404 };
            assert_eq!(status, expected, "{}: {answer}", function.id);
        }
    }
    stack.shutdown().await;
}

/// What README.md says a connection must have for the event of its platform to be taken.
fn example_connection(platform: &dyn Platform) -> (Connection, Secrets) {
    let own: &[(&str, &str)] = match platform.name() {
        "bigcommerce" => &[("header_secret", LONG_SECRET)],
        "custom" | "magento1" | "mi9" | "opencart" | "prestashop" | "salesforce-commerce-cloud" | "smile" => {
            &[("webhook_secret", LONG_SECRET)]
        }
        "magento2" => &[("token", SECRET)],
        // It takes nothing that it could not confirm.
        "shift4shop" => &[("webhook_token", LONG_SECRET), ("private_key", "any"), ("api_token", "any")],
        "volusion" => &[("webhook_token", LONG_SECRET)],
        "wix" => &[("public_key", WIX_KEY)],
        _ => &[("webhook_secret", SECRET)],
    };
    let settings = match platform.name() {
        "bigcommerce" => json!({"store_hash": "abc123def4"}),
        "shift4shop" => json!({
            "secure_url": "https://larch-and-linen.3dcartstores.com", "time_zone": "America/New_York", "currency": "EUR",
        }),
        _ => json!({}),
    };
    let mut secrets = Secrets::default();
    for (name, value) in own {
        secrets.rotate(name, (*value).to_owned());
    }
    let settings: Map<String, Value> = serde_json::from_value(settings).unwrap();
    (Connection { id: "C1".to_owned(), platform: platform.name().to_owned(), settings }, secrets)
}

#[test]
fn the_receivers_events_are_genuine_and_tell_of_an_order_or_a_member() {
    for platform in receivers() {
        let name = platform.name();
        let event = event(name);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        assert_eq!(text(&event["routeKey"]), format!("POST /webhooks/{name}/{{connection_id}}"));
        let headers = event["headers"].as_object().unwrap();
        let request = Request {
            method: text(&event["requestContext"]["http"]["method"]),
            query: text(&event["rawQueryString"]),
            headers: headers.iter().map(|(name, value)| (name, text(value))).collect::<Headers>(),
            keys: BTreeMap::new(),
        };
        let now_ms = event["requestContext"]["timeEpoch"].as_i64().unwrap();
        let now = jiff::Timestamp::from_millisecond(now_ms).unwrap();
        let (connection, secrets) = example_connection(platform);
        let body = text(&event["body"]).into_bytes();
        let Decision::Enqueue { parcel, .. } = decide(platform, &request, body, &connection, &secrets, now)
        else {
            panic!("the event of {name} is not taken")
        };
        let delivery = Delivery::from_message(&parcel.message).unwrap();
        match platform.facts(&delivery, &connection, &[]) {
            Mapping::Facts { facts, dropped } => {
                // A loyalty programme tells of its members.
                let is_told = |fact: &Fact| matches!(fact, Fact::Order(_) | Fact::Customer(_));
                assert!(facts.iter().any(is_told), "{name} says {facts:?}");
                assert!(dropped.is_empty(), "{name} drops {dropped:?}");
            }
            Mapping::Fetch(_) => {}
            other => panic!("the event of {name} says nothing: {other:?}"),
        }
    }
}
