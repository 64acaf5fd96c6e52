//! A stack that runs, wherever that is.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{Message, QueueAttributeName as Attribute};
use serde_json::{Value, json};
use store::Store;

use crate::api::Api;
use crate::eventually;

/// Messages that are to be received later, those that can be, and those that were.
const STATES: [Attribute; 3] = [
    Attribute::ApproximateNumberOfMessagesDelayed,
    Attribute::ApproximateNumberOfMessages,
    Attribute::ApproximateNumberOfMessagesNotVisible,
];

/// What tests reach of a stack: its API, and what is behind it.
pub struct Running {
    pub(crate) api: Api,
    pub(crate) clients: runtime::Clients,
    pub(crate) place: Place,
}

/// Where it runs.
pub(crate) enum Place {
    /// In the process of the local stack.
    Local,
    /// In the emulator.
    Deployed {
        /// The emulator, which answers for all services.
        services: Api,
        /// The stack's name.
        name: String,
        /// What CloudFormation made, by logical id.
        resources: BTreeMap<String, String>,
    },
}

impl Running {
    /// A client of the API, with the stack's first key.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What its services are asked with.
    pub fn clients(&self) -> &runtime::Clients {
        &self.clients
    }

    /// Waits until no turn of a connection and no delivery waits or is being worked on.
    pub async fn settled(&self) {
        for queue in ["PollsQueue", "RawDeliveriesQueue"] {
            eventually(queue, async || (self.depth(queue).await == 0).then_some(())).await;
        }
    }

    /// Whether all queues that are worked off become empty, however long that takes while they get shorter; `false` if
    /// they do not for so long. Jobs that are to begin later may wait.
    pub async fn quiet(&self, patience: Duration) -> bool {
        let (mut least, mut since) = (u64::MAX, Instant::now());
        loop {
            let mut depth = self.messages("JobsQueue", &STATES[1..]).await;
            for queue in ["PollsQueue", "RawDeliveriesQueue"] {
                depth += self.depth(queue).await;
            }
            if depth == 0 {
                return true;
            }
            if depth < least {
                (least, since) = (depth, Instant::now());
            }
            if since.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Messages in a queue, whatever their state.
    pub async fn depth(&self, queue: &str) -> u64 {
        self.messages(queue, &STATES).await
    }

    async fn messages(&self, queue: &str, states: &[Attribute]) -> u64 {
        let url = self.queue_url(queue).await;
        let request = self.clients.sqs.get_queue_attributes().queue_url(url);
        let reply = request.set_attribute_names(Some(states.to_vec())).send().await.unwrap();
        reply.attributes.unwrap().values().map(|count| count.parse::<u64>().unwrap()).sum()
    }

    /// Deliveries that were set aside, ten at most.
    pub async fn dead_letters(&self) -> Vec<Message> {
        let url = self.queue_url("RawDeliveriesDeadLetterQueue").await;
        let request = self.clients.sqs.receive_message().queue_url(url).max_number_of_messages(10);
        let reply = request.message_attribute_names("All").visibility_timeout(0).send().await.unwrap();
        reply.messages.unwrap_or_default()
    }

    /// Sends what was set aside through the queue again, and waits until it is worked off.
    pub async fn replay_dead_letters(&self) {
        self.replay("RawDeliveriesDeadLetterQueue").await;
        self.settled().await;
    }

    /// Sends what is in a dead-letter queue through its queue again.
    pub async fn replay(&self, queue: &str) {
        let url = self.queue_url(queue).await;
        let request = self.clients.sqs.get_queue_attributes().queue_url(url);
        let reply = request.attribute_names(Attribute::QueueArn).send().await.unwrap();
        let arn = &reply.attributes.unwrap()[&Attribute::QueueArn];
        self.clients.sqs.start_message_move_task().source_arn(arn).send().await.unwrap();
    }

    /// The tables behind the API, for what it does not tell.
    pub fn store(&self) -> Store {
        let client = self.clients.dynamodb.clone();
        let [profiles, orders, registry] =
            ["ProfilesTable", "OrdersTable", "RegistryTable"].map(|id| self.name(id));
        Store::new(client, profiles, orders, registry)
    }

    /// All items of a table.
    pub async fn items(&self, table: &str) -> Vec<HashMap<String, AttributeValue>> {
        let scan = self.clients.dynamodb.scan().table_name(self.name(table)).consistent_read(true);
        let items: Result<Vec<_>, _> = scan.into_paginator().items().send().collect().await;
        items.unwrap()
    }

    /// Lets the clock's minute come now.
    pub async fn tick(&self) -> Value {
        self.invoke("ClockFunction").await
    }

    /// Runs a function once, without an event, and returns what it answers.
    pub async fn invoke(&self, function: &str) -> Value {
        let services = match &self.place {
            Place::Local => &self.api,
            Place::Deployed { services, .. } => services,
        };
        let path = format!("/2015-03-31/functions/{}/invocations", self.name(function));
        let reply = services.post(&path, &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// How many deliveries a receiver counted with an outcome.
    pub async fn counted(&self, platform: &str, outcome: &str) -> u64 {
        let Place::Deployed { services, name, .. } = &self.place else {
            let series = format!("deliveries{{platform=\"{platform}\",outcome=\"{outcome}\"}}");
            return self.api.counter(&series).await;
        };
        let group = format!("/aws/lambda/{name}/{platform}");
        let reply = services.ask("Logs_20140328.FilterLogEvents", &json!({"logGroupName": group})).await;
        assert!(reply["nextToken"].is_null(), "more than one page");
        let lines = reply["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str());
        let records = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        // CloudWatch takes what has `_aws` for metrics.
        let counts = records.filter(|record| record["_aws"].is_object() && record["outcome"] == outcome);
        counts.filter_map(|record| record["deliveries"].as_u64()).sum()
    }

    /// The name of what has this logical id in the template.
    pub fn name(&self, id: &str) -> String {
        match &self.place {
            Place::Local => format!("tillstream-{id}"),
            // Of a queue, CloudFormation tells the address.
            Place::Deployed { resources, .. } => {
                resources[id].rsplit('/').next().unwrap_or_default().to_owned()
            }
        }
    }

    async fn queue_url(&self, id: &str) -> String {
        let request = self.clients.sqs.get_queue_url().queue_name(self.name(id));
        request.send().await.unwrap().queue_url.unwrap()
    }
}
