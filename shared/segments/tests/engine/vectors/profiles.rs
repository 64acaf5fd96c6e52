//! What the profile says: lists, permissions, where somebody lives, and the sample.

use canonical::Profile;
use canonical::fact::{Channel, ConsentStatus};
use canonical::profile::{Consent, Suppression};
use serde_json::{Value, json};

use super::{holds, instant, person};
use crate::story::window;

const NOW: &str = "2023-06-17T15:00:00Z";

fn says(profile: &Profile, condition: &Value) -> bool {
    holds(condition, "UTC", profile, &[], NOW)
}

#[test]
fn lists_are_joined_once() {
    let mut profile = person();
    profile.lists.insert("NEWS".to_owned(), instant("2023-06-14T00:00:00Z"));
    profile.lists.insert("VIP".to_owned(), instant("2023-06-17T15:00:00Z"));
    let group = |is_member: bool, ids: &[&str], timeframe: Value| {
        json!({
            "type": "profile-group-membership", "is_member": is_member, "group_ids": ids,
            "timeframe_filter": timeframe,
        })
    };
    let range = |start: &str, end: &str| json!({"type": "date", "operator": "between-static", "start": start, "end": end});
    for (is_member, ids, timeframe, expected) in [
        (true, &["NEWS"][..], json!(null), true),
        (true, &["OTHER"], json!(null), false),
        // On one of them; on none of them.
        (true, &["OTHER", "NEWS"], json!(null), true),
        (false, &["OTHER"], json!(null), true),
        (false, &["OTHER", "NEWS"], json!(null), false),
        (false, &["NEWS"], json!(null), false),
        // When it was joined.
        (true, &["NEWS"], window("in-the-last", "day", 3), true),
        (true, &["NEWS"], window("in-the-last", "day", 2), false),
        (true, &["NEWS"], window("at-least", "day", 3), false),
        (true, &["NEWS"], window("at-least", "day", 2), true),
        (true, &["NEWS", "VIP"], window("in-the-last", "day", 2), true),
        (true, &["OTHER"], window("in-the-last", "day", 30), false),
        (true, &["NEWS"], json!({"type": "date", "operator": "before", "date": "2023-06-14"}), false),
        (true, &["NEWS"], json!({"type": "date", "operator": "after", "date": "2023-06-13"}), true),
        // Both days belong to it, as for other dates.
        (true, &["NEWS"], range("2023-06-14", "2023-06-14"), true),
        (true, &["NEWS"], range("2023-06-10", "2023-06-13"), false),
    ] {
        let condition = group(is_member, ids, timeframe);
        assert_eq!(says(&profile, &condition), expected, "{condition}");
    }
}

/// What each status says of whoever decided nothing, subscribed, unsubscribed, or is suppressed, with a number.
#[test]
fn permissions_are_explicit_or_implicit() {
    let decided = |status: ConsentStatus, suppressed: bool| {
        let suppression = Suppression { reason: "USER_SUPPRESSED".to_owned(), at: instant(NOW) };
        Some(Consent {
            status,
            at: Some(instant("2023-06-15T10:00:00Z")),
            recorded_at: Some(instant("2023-06-16T10:00:00Z")),
            method: Some("checkout".to_owned()),
            suppressions: suppressed.then_some(suppression).into_iter().collect(),
            ..Consent::default()
        })
    };
    let people = [
        None,
        decided(ConsentStatus::Subscribed, false),
        decided(ConsentStatus::Unsubscribed, false),
        decided(ConsentStatus::Subscribed, true),
        decided(ConsentStatus::NeverSubscribed, true),
    ];
    for (channel, name, table) in [
        (
            Channel::WhatsappMarketing,
            "whatsapp_marketing",
            [
                ("explicitly_reachable", [false, true, false, false, false]),
                ("implicitly_reachable", [false, false, false, false, false]),
                ("implicitly_or_explicitly_reachable", [false, true, false, false, false]),
                ("explicitly_unreachable", [false, false, true, true, true]),
                ("implicitly_unreachable", [true, false, false, false, false]),
                ("implicitly_or_explicitly_unreachable", [true, false, true, true, true]),
            ],
        ),
        (
            Channel::WhatsappTransactional,
            "whatsapp_transactional",
            [
                ("explicitly_reachable", [false, true, false, false, false]),
                ("implicitly_reachable", [true, false, false, false, false]),
                ("implicitly_or_explicitly_reachable", [true, true, false, false, false]),
                ("explicitly_unreachable", [false, false, true, true, true]),
                ("implicitly_unreachable", [false, false, false, false, false]),
                ("implicitly_or_explicitly_unreachable", [false, false, true, true, true]),
            ],
        ),
    ] {
        for (status, expected) in table {
            let condition = json!({"type": "profile-permissions", "channel": name, "permission": {"reachable_status": status}});
            for (consent, expected) in people.iter().zip(expected) {
                let mut profile = person();
                profile.phone_number = Some("+33612345678".to_owned());
                profile.consent = consent.iter().map(|consent| (channel, consent.clone())).collect();
                assert_eq!(says(&profile, &condition), expected, "{condition} {consent:?}");
                // Without a number nobody can be reached.
                profile.phone_number = None;
                let unreachable = status.ends_with("unreachable");
                let undecided = consent.as_ref().is_none_or(|one| {
                    one.status != ConsentStatus::Unsubscribed && one.suppressions.is_empty()
                });
                let expected = match status {
                    "explicitly_unreachable" => expected,
                    "implicitly_unreachable" => undecided,
                    _ => unreachable,
                };
                assert_eq!(says(&profile, &condition), expected, "without a number: {condition} {consent:?}");
            }
        }
    }
}

#[test]
fn permissions_have_filters() {
    let mut profile = person();
    profile.phone_number = Some("+33612345678".to_owned());
    let consent = Consent {
        status: ConsentStatus::Subscribed,
        at: Some(instant("2023-06-10T10:00:00Z")),
        recorded_at: Some(instant("2023-06-16T10:00:00Z")),
        method: Some("CHECKOUT".to_owned()),
        ..Consent::default()
    };
    profile.consent.insert(Channel::WhatsappMarketing, consent);
    let lately = window("in-the-last", "day", 3);
    for (filters, expected) in [
        (json!([]), true),
        (json!([{"field": "effective_date", "filter": lately}]), false),
        (json!([{"field": "recorded_date", "filter": lately}]), true),
        (json!([{"field": "subscribe_method", "method": "checkout"}]), true),
        (json!([{"field": "subscribe_method", "method": "form"}]), false),
        // All of them.
        (
            json!([{"field": "recorded_date", "filter": lately}, {"field": "subscribe_method", "method": "form"}]),
            false,
        ),
    ] {
        let condition = json!({
            "type": "profile-permissions", "channel": "whatsapp_marketing",
            "permission": {"reachable_status": "explicitly_reachable", "filters": filters},
        });
        assert_eq!(says(&profile, &condition), expected, "{condition}");
    }
}

fn living(country: Value, zip: Value) -> Profile {
    let mut profile = person();
    profile.attributes.insert("location".to_owned(), json!({"country": country, "zip": zip}));
    profile
}

#[test]
fn regions_are_those_of_the_country() {
    for (country, union, states) in [
        (json!("FR"), true, false),
        (json!("Deutschland"), true, false),
        // Klaviyo says that the UK is outside.
        (json!("GB"), false, false),
        (json!("United Kingdom"), false, false),
        (json!("Switzerland"), false, false),
        (json!("United States"), false, true),
        (json!("PR"), false, true),
    ] {
        for (region, inside) in [("european_union", union), ("united_states", states)] {
            for in_region in [true, false] {
                let condition = json!({"type": "profile-region", "in_region": in_region, "region": region});
                let profile = living(country.clone(), json!(null));
                assert_eq!(says(&profile, &condition), inside == in_region, "{condition} {country}");
            }
        }
    }
    // Of whom the country is not known nothing is said.
    for country in [json!(null), json!("Atlantis"), json!(5)] {
        for in_region in [true, false] {
            let condition =
                json!({"type": "profile-region", "in_region": in_region, "region": "european_union"});
            assert!(!says(&living(country.clone(), json!(null)), &condition), "{condition} {country}");
        }
    }
}

/// New York to Boston is some 304 km (189 miles), London to Paris some 344 km.
#[test]
fn distances_are_as_the_crow_flies() {
    let from = |country: &str, code: &str, unit: &str, operator: &str, value: Value| {
        json!({
            "type": "profile-postal-code-distance", "country_code": country, "postal_code": code, "unit": unit,
            "filter": {"type": "numeric", "operator": operator, "value": value},
        })
    };
    let boston = living(json!("United States"), json!("02108-1234"));
    let paris = living(json!("FR"), json!("75001"));
    for (profile, country, code, unit, kilometres) in [
        (&boston, "US", "10001", "kilometers", [290, 320]),
        (&boston, "US", "10001", "miles", [180, 199]),
        (&paris, "GB", "SW1A 1AA", "kilometers", [330, 360]),
    ] {
        let [near, far] = kilometres;
        for (operator, value, expected) in [
            ("less-than", near, false),
            ("less-than", far, true),
            ("greater-than", near, true),
            ("greater-than", far, false),
        ] {
            let condition = from(country, code, unit, operator, json!(value));
            assert_eq!(says(profile, &condition), expected, "{condition}");
        }
    }
    // The same place is nearer than anything.
    let same = from("FR", "75001", "kilometers", "less-than", json!(0.001));
    assert!(says(&paris, &same));
    // Who has no postal code, or one that is not known, is neither near nor far.
    for (country, zip) in [
        (json!("FR"), json!(null)),
        (json!(null), json!("75001")),
        (json!("FR"), json!("00000")),
        (json!("JP"), json!("100-0001")),
    ] {
        for operator in ["less-than", "greater-than"] {
            let condition = from("FR", "75001", "kilometers", operator, json!(100));
            assert!(!says(&living(country.clone(), zip.clone()), &condition), "{condition} {country} {zip}");
        }
    }
}

/// The first 15 digits of the SHA-256 of the parts, modulo 10 000; computed with another program.
#[test]
fn samples_stay_the_same_for_ever() {
    for (percentage, seed, expected) in [
        (json!(50), json!(null), "13568"),
        (json!(50), json!("winter"), "479"),
        (json!(10), json!(null), "8"),
        (json!(3.46), json!(null), ""),
        (json!(3.47), json!(null), "8"),
        (json!(0), json!(null), ""),
        (json!(100), json!(null), "0123456789"),
    ] {
        let condition = json!({"type": "profile-sample", "percentage": percentage, "seed": seed});
        let found: String = ('0'..='9')
            .filter(|last| {
                let mut profile = person();
                profile.id = format!("01J0000000000000000000000{last}");
                says(&profile, &condition)
            })
            .collect();
        assert_eq!(found, expected, "{condition}");
    }
}
