#![doc = include_str!("../README.md")]

mod api;
mod custom;
mod line;
mod order;
mod payload;
mod poll;
mod spelling;

use jiff::Timestamp;
use platform::reading::{self, Reader};
use platform::{
    Connection, Delivery, Description, Feed, Fetched, Mapping, Page, Period, Platform, Request, Secrets,
    Unverified, Verdict,
};
use serde_json::json;

/// The adapter for Salesforce B2C Commerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct SalesforceCommerceCloud;

impl Platform for SalesforceCommerceCloud {
    fn name(&self) -> &'static str {
        "salesforce-commerce-cloud"
    }

    fn description(&self) -> Description {
        Description {
            title: "Salesforce B2C Commerce",
            settings: json!({
                "type": "object",
                "properties": {
                    "site_id": {
                        "type": "string",
                        "title": "Site ID",
                        "description": "The site's id in Business Manager. Needed to ask for orders.",
                        "pattern": "^[A-Za-z0-9_-]{1,253}$",
                        "examples": ["RefArch"]
                    },
                    "short_code": {
                        "type": "string",
                        "title": "Short code",
                        "description": "The realm's short code, from Business Manager under Salesforce Commerce API \
                                        Settings. Needed to ask SCAPI for orders.",
                        "pattern": "^[A-Za-z0-9-]{1,63}$",
                        "examples": ["kv7kzm78"]
                    },
                    "organization_id": {
                        "type": "string",
                        "title": "Organization ID",
                        "description": "From the same page. Needed to ask SCAPI for orders.",
                        "pattern": "^[A-Za-z0-9_]{1,253}$",
                        "examples": ["f_ecom_zzte_053"]
                    },
                    "api": {
                        "type": "string",
                        "title": "API",
                        "description": "scapi: Salesforce Commerce API, Orders. ocapi: Open Commerce API, Shop, for \
                                        instances without the former.",
                        "enum": ["scapi", "ocapi"],
                        "default": "scapi"
                    },
                    "instance_host": {
                        "type": "string",
                        "title": "Instance host",
                        "description": "The instance's host name, without a scheme. Needed to ask OCAPI for orders.",
                        "pattern": "^[A-Za-z0-9.-]{1,253}$",
                        "examples": ["zzte-053.dx.commercecloud.salesforce.com"]
                    },
                    "ocapi_version": {
                        "type": "string",
                        "title": "OCAPI version",
                        "description": "The version in OCAPI's addresses.",
                        "pattern": "^v[0-9]{2}_[0-9]{1,2}$",
                        "default": "v23_2"
                    },
                    "poll": {
                        "type": "boolean",
                        "title": "Ask for orders",
                        "description": "Whether the API is asked regularly for orders that changed. Needs the \
                                        settings above and the secrets client_id and client_secret.",
                        "default": true
                    },
                    "api_url": {
                        "type": "string",
                        "title": "API address",
                        "description": "Where the API is, for proxies: replaces the address that follows from the \
                                        short code or the instance's host.",
                        "examples": ["https://proxy.example"]
                    },
                    "token_url": {
                        "type": "string",
                        "title": "Token address",
                        "description": "Where the Account Manager gives tokens, for proxies.",
                        "default": "https://account.demandware.com/dwsso/oauth2/access_token"
                    },
                    (contract::SHOP_ERASURE): contract::shop_erasure_schema()
                },
                "required": [],
                "additionalProperties": false
            }),
            secrets: json!({
                "type": "object",
                "properties": {
                    "webhook_secret": contract::webhook_secret_schema(),
                    "client_id": {
                        "type": "string",
                        "title": "Client ID",
                        "description": "The API client's id in the Account Manager.",
                        "minLength": 1,
                        "writeOnly": true
                    },
                    "client_secret": {
                        "type": "string",
                        "title": "Client secret",
                        "description": "The API client's password.",
                        "minLength": 1,
                        "writeOnly": true
                    }
                },
                "required": [],
                "additionalProperties": false
            }),
        }
    }

    fn verify(
        &self,
        request: &Request,
        body: Unverified,
        _connection: &Connection,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Verdict {
        contract::verify(request, body, secrets, now)
    }

    fn facts(&self, delivery: &Delivery, connection: &Connection, _fetched: &[Fetched]) -> Mapping {
        match delivery.topic.as_str() {
            contract::TOPIC => contract::facts(delivery, connection),
            poll::TOPIC => {
                let mut reader = Reader::new(delivery, connection);
                let reading = order::order(&mut reader);
                reading::mapping(reading, reader.dropped)
            }
            _ => Mapping::Ignore("unknown_topic"),
        }
    }

    fn feeds(&self, connection: &Connection, period: &Period) -> Vec<Feed> {
        poll::feeds(connection, period)
    }

    fn page(
        &self,
        connection: &Connection,
        feed: &Feed,
        answer: &Fetched,
        joined: &[Fetched],
    ) -> Result<Page, String> {
        poll::page(connection, feed, answer, joined)
    }
}
