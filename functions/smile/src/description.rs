//! What is needed to connect an account.

use platform::Description;
use serde_json::{Value, json};

use crate::access::{API_URL, AUTH_URL};
use crate::proof::SIGNATURE_HEADER;

pub(crate) fn description() -> Description {
    Description { title: "Smile: Loyalty & Rewards", settings: settings(), secrets: secrets() }
}

fn settings() -> Value {
    json!({
        "type": "object",
        "properties": {
            "credentials": {
                "type": "string",
                "title": "Credentials",
                "description": "oauth: an app's access, granted in a browser. api_key: the merchant's own key, which \
                                some plans have.",
                "enum": ["oauth", "api_key"],
                "default": "oauth"
            },
            "poll": {
                "type": "boolean",
                "title": "Ask Smile",
                "description": "Whether there are credentials: Smile is then asked regularly for what changed, and for \
                                what a delivery leaves out.",
                "default": true
            },
            "proof": {
                "type": "string",
                "title": "Proof",
                "description": "What proves deliveries genuine. hmac: an HMAC-SHA256 of the body in a header, made with \
                                the secret webhook_secret. token: the secret webhook_token in the address, as ?token=….",
                "enum": ["hmac", "token"],
                "default": "hmac"
            },
            "signature_header": {
                "type": "string",
                "title": "Signature header",
                "description": "The header that holds the signature, in base64 or hexadecimal.",
                "pattern": "^[A-Za-z0-9-]{1,64}$",
                "default": SIGNATURE_HEADER
            },
            "account_id": {
                "type": "string",
                "title": "Account id",
                "description": "The account's id. Deliveries of other accounts are then ignored. Needed where one app \
                                serves several accounts.",
                "examples": ["40512"]
            },
            "earned_words": words("Points earned on orders", "added points", "[\"order\"]"),
            "redeemed_words": words("Points redeemed", "taken points", "[\"spent points\", \"redeemed\", \"reward\"]"),
            "birthday_words": words("Birthday rewards", "rewards, by their name,", "[\"birthday\"]"),
            "redemptions": {
                "type": "string",
                "title": "Redemptions",
                "description": "What Points Redeemed is told by: points transactions, which are asked for, or points \
                                purchases, which only come if somebody pushes them.",
                "enum": ["transactions", "purchases"],
                "default": "transactions"
            },
            "tier_changes": {
                "type": "string",
                "title": "Tier changes",
                "description": "What VIP Tier Achieved is told by: compared, by the tier that was stored of the customer, \
                                or pushed, by changes that only come if somebody pushes them.",
                "enum": ["compared", "pushed"],
                "default": "compared"
            },
            "reward_expiring_days": {
                "type": "integer",
                "title": "Reward expiring",
                "description": "How many days before its end a reward that is not used yet becomes a Reward Expiring. 0 \
                                for never.",
                "minimum": 0,
                "maximum": 365,
                "default": 7
            },
            "api_url": {
                "type": "string",
                "pattern": "^https?://",
                "title": "API address",
                "description": "Where the API is, version included. Only for tests and proxies: the access token is \
                                sent there.",
                "default": API_URL
            },
            "auth_url": {
                "type": "string",
                "pattern": "^https?://",
                "title": "Authorisation address",
                "description": "Where apps are authorised, without /authorize and /token. Only for tests and proxies: \
                                the client secret is sent there.",
                "default": AUTH_URL
            }
        },
        "required": [],
        "additionalProperties": false
    })
}

fn words(title: &str, what: &str, default: &str) -> Value {
    json!({
        "type": "array",
        "items": { "type": "string" },
        "title": title,
        "description": format!(
            "Which {what} count: those whose text has one of these words, in any case. Set it where the shop's texts are \
             not English. Without it: {default}."
        )
    })
}

fn secrets() -> Value {
    let secret = |title: &str, description: &str| {
        json!({
            "type": "string", "title": title, "description": description, "minLength": 1, "writeOnly": true
        })
    };
    json!({
        "type": "object",
        "properties": {
            "client_id": secret("Client id", "The app's client id, to be authorised with."),
            "client_secret": secret("Client secret", "The app's client secret, to be authorised with."),
            "access_token": secret("Access token", "The app's access to the account. Authorisation sets it."),
            "api_key": secret("API key", "The merchant's own key, with the setting credentials: api_key."),
            "webhook_secret": secret("Webhook secret", "What deliveries are signed with, with the setting proof: hmac."),
            "webhook_token": secret(
                "Webhook token",
                "What stands in the address as ?token=…, with the setting proof: token. Letters and digits."
            )
        },
        "required": [],
        "additionalProperties": false
    })
}
