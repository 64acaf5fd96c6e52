//! The tables, in a database of the test's own.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, LocalSecondaryIndex,
    Projection, ProjectionType, ScalarAttributeType,
};
use runtime::{Clients, Endpoints};
use store::Store;

const GLOBAL_INDEXES: [(&str, &str, &str, ProjectionType); 9] = [
    ("events-by-metric", "ms", "at", ProjectionType::KeysOnly),
    ("members-by-segment", "seg", "joined", ProjectionType::All),
    ("due", "due", "due_at", ProjectionType::KeysOnly),
    ("profiles-by-id", "ps", "id", ProjectionType::KeysOnly),
    ("profiles-by-created", "ps", "created", ProjectionType::KeysOnly),
    ("profiles-by-updated", "ps", "updated", ProjectionType::KeysOnly),
    ("profiles-by-email", "ps", "email", ProjectionType::KeysOnly),
    ("profiles-by-suppressed", "ps", "suppressed", ProjectionType::KeysOnly),
    ("profiles-by-unlisted", "ps", "unlisted", ProjectionType::KeysOnly),
];

/// An embedded DynamoDB with empty tables.
pub(crate) async fn store() -> Store {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    let endpoints = Endpoints { dynamodb: address.clone(), sqs: address.clone(), ssm: address };
    let client = Clients::local(&endpoints).await.dynamodb;
    create(&client, "profiles", true).await;
    create(&client, "orders", false).await;
    create(&client, "registry", false).await;
    Store::new(client, "profiles".into(), "orders".into(), "registry".into())
}

async fn create(client: &Client, name: &str, is_profiles: bool) {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema("pk", "sk")))
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"));
    if is_profiles {
        let of_events_and_members = ["at", "ms", "seg", "joined", "due", "due_at"];
        let of_profiles = ["ps", "id", "created", "updated", "email", "suppressed", "unlisted"];
        for name in of_events_and_members.into_iter().chain(of_profiles) {
            request = request.attribute_definitions(attribute(name));
        }
        request = request.local_secondary_indexes(
            LocalSecondaryIndex::builder()
                .index_name("events-by-time")
                .set_key_schema(Some(schema("pk", "at")))
                .projection(projection(ProjectionType::KeysOnly))
                .build()
                .unwrap(),
        );
        for (name, partition, sort, projected) in GLOBAL_INDEXES {
            request = request.global_secondary_indexes(
                GlobalSecondaryIndex::builder()
                    .index_name(name)
                    .set_key_schema(Some(schema(partition, sort)))
                    .projection(projection(projected))
                    .build()
                    .unwrap(),
            );
        }
    }
    request.send().await.unwrap();
}

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

fn schema(partition: &str, sort: &str) -> Vec<KeySchemaElement> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap())
        .to_vec()
}

fn projection(kind: ProjectionType) -> Projection {
    Projection::builder().projection_type(kind).build()
}
