use canonical::identity::{
    Identifier, Identifiers, may_merge, may_merge_found_by, normalize_email, normalize_phone, profile_id,
};
use canonical::{Person, Profile};
use proptest::prelude::*;

use crate::{ada, minute};

#[test]
fn e_mail_addresses_are_trimmed_and_lower_cased_and_nothing_else() {
    for (raw, normalized) in [
        (" Ada@Example.COM ", Some("ada@example.com")),
        ("ada+shop@example.com", Some("ada+shop@example.com")),
        ("a.d.a@mail.example.co.uk", Some("a.d.a@mail.example.co.uk")),
        ("o'hara@example.com", Some("o'hara@example.com")),
        ("jürgen@bücher.example", Some("jürgen@bücher.example")),
        ("", None),
        ("ada", None),
        ("@example.com", None),
        ("ada@", None),
        ("ada@localhost", None),
        ("ada@@example.com", None),
        ("ada@example..com", None),
        ("ada@example.com.", None),
        ("ada@-example.com", None),
        ("ada lovelace@example.com", None),
        ("Ada <ada@example.com>", None),
        ("ada@example.com, bob@example.com", None),
        ("ada\n@example.com", None),
    ] {
        assert_eq!(normalize_email(raw).as_deref(), normalized, "{raw:?}");
    }
}

#[test]
fn an_e_mail_address_has_at_most_254_bytes() {
    let of_length = |length: usize| format!("{}@example.com", "a".repeat(length - "@example.com".len()));
    assert!(normalize_email(&of_length(254)).is_some());
    assert!(normalize_email(&of_length(255)).is_none());
}

#[test]
fn phone_numbers_become_e164() {
    for (raw, country, normalized) in [
        ("+1 (613) 612-0707", None, Some("+16136120707")),
        ("+16136120707", Some("DE"), Some("+16136120707")),
        ("613-612-0707", Some("CA"), Some("+16136120707")),
        ("613-612-0707", Some("ca"), Some("+16136120707")),
        ("030 901820", Some("DE"), Some("+4930901820")),
        ("0049 30 901820", Some("DE"), Some("+4930901820")),
        ("+49 (0) 30 901820", None, Some("+4930901820")),
        ("+15551234567", None, Some("+15551234567")),
        ("+1 613 612 0707 ext. 5", None, Some("+16136120707")),
        ("613-612-0707", None, None),
        ("613-612-0707", Some("XX"), None),
        ("612-0707", Some("US"), None),
        ("555-1234", Some("US"), None),
        ("+1234", None, None),
        ("+00000000000", None, None),
        ("+11111111111", None, None),
        ("+999999999999", None, None),
        ("+1234567890123456", None, None),
        ("call me", Some("US"), None),
        ("", Some("US"), None),
        ("n/a", None, None),
        // Read as if 24 were a country's code.
        ("-+24 30 901820", Some("DE"), None),
    ] {
        assert_eq!(normalize_phone(raw, country).as_deref(), normalized, "{raw:?} {country:?}");
    }
}

#[test]
fn a_bad_field_is_dropped_by_name_and_an_empty_one_is_absent() {
    let person = Person {
        external_id: Some("  ".into()),
        email: Some("nobody".into()),
        phone: Some("12".into()),
        anonymous_id: Some(" device-1 ".into()),
        customer_id: Some("c-7".into()),
        ..Person::default()
    };
    let (identifiers, dropped) = Identifiers::of(&person, "conn1");
    assert_eq!(dropped, ["email", "phone_number"]);
    assert_eq!(
        identifiers,
        Identifiers {
            anonymous_id: Some("device-1".into()),
            customer: Some(("conn1".into(), "c-7".into())),
            ..Identifiers::default()
        }
    );
    let (identifiers, dropped) = Identifiers::of(&Person::default(), "conn1");
    assert_eq!((identifiers, dropped), (Identifiers::default(), Vec::new()));
}

#[test]
fn a_phone_number_is_read_by_the_persons_country() {
    let person =
        Person { phone: Some("613-612-0707".into()), phone_country: Some("CA".into()), ..Person::default() };
    assert_eq!(Identifiers::of(&person, "").0.phone_number.as_deref(), Some("+16136120707"));
}

#[test]
fn identifiers_rank_from_external_id_to_device() {
    let person = Person {
        external_id: Some("x".into()),
        phone: Some("+16136120707".into()),
        anonymous_id: Some("d".into()),
        ..ada()
    };
    let ranked = Identifiers::of(&person, "conn1").0.ranked();
    let keys: Vec<_> = ranked.iter().map(Identifier::key).collect();
    assert_eq!(keys, ["external_id#x", "email#ada@example.com", "phone#+16136120707", "anonymous#d"]);
    assert!(ranked.is_sorted());
}

#[test]
fn a_profile_id_is_made_from_its_first_identifier_and_its_generation() {
    let ada = Identifier::Email("ada@example.com".into());
    assert_eq!(profile_id(&ada, 0), profile_id(&ada.clone(), 0));
    assert_eq!(profile_id(&ada, 0).len(), 26);
    assert_ne!(profile_id(&ada, 0), profile_id(&ada, 1));
    assert_ne!(profile_id(&ada, 0), profile_id(&Identifier::Phone("ada@example.com".into()), 0));
}

fn profile(id: &str, external_id: &str, email: &str, phone: &str, device: &str) -> Profile {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Profile {
        external_id: given(external_id),
        email: given(email),
        phone_number: given(phone),
        anonymous_id: given(device),
        ..Profile::new(id.to_owned(), minute(0))
    }
}

#[test]
fn profiles_merge_unless_a_stronger_identifier_speaks_against_it() {
    let phone = Identifier::Phone("+1".into());
    let email = Identifier::Email("a@x".into());
    let device = Identifier::Anonymous("d".into());
    for (what, found_by, lower, higher, expected) in [
        ("a device gets an e-mail", &device, ["", "", "", "d"], ["", "b@x", "", ""], true),
        ("a shared phone", &phone, ["", "a@x", "+1", ""], ["", "b@x", "", ""], false),
        ("a shared device", &device, ["", "a@x", "", "d"], ["", "b@x", "", ""], false),
        ("a shared device, two phones", &device, ["", "", "+1", "d"], ["", "b@x", "+2", ""], false),
        ("a new phone", &phone, ["", "", "+1", ""], ["", "b@x", "+2", ""], true),
        ("a new e-mail of a known customer", &email, ["", "a@x", "", ""], ["7", "b@x", "", ""], true),
        ("two customers", &email, ["8", "a@x", "", ""], ["7", "", "", ""], false),
        ("the same e-mail on both", &phone, ["", "a@x", "+1", ""], ["7", "a@x", "", ""], true),
    ] {
        let [a, b, c, d] = lower;
        let lower = profile("1", a, b, c, d);
        let [a, b, c, d] = higher;
        let higher = profile("2", a, b, c, d);
        assert_eq!(may_merge_found_by(found_by, &lower, &higher), expected, "{what}");
        assert_eq!(may_merge(&lower, &higher), expected, "{what}, found by the weakest");
    }
}

#[test]
fn a_profile_does_not_merge_into_itself() {
    let ada = profile("1", "", "a@x", "", "");
    assert!(!may_merge(&ada, &ada));
}

#[test]
fn what_is_not_known_to_have_been_found_by_a_strong_identifier_merges_less() {
    let lower = profile("1", "", "a@x", "+1", "");
    let higher = profile("2", "7", "b@x", "", "");
    assert!(may_merge_found_by(&Identifier::Email("a@x".into()), &lower, &higher));
    assert!(!may_merge(&lower, &higher));
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(raw in "\\PC{0,12}@\\PC{0,12}|[a-zA-Z.+]{1,8}@[a-zA-Z]{1,8}\\.com") {
        if let Some(email) = normalize_email(&raw) {
            let again = normalize_email(&email);
            prop_assert_eq!(again, Some(email));
        }
    }

    #[test]
    fn no_text_makes_a_phone_number_panic(raw in "\\PC{0,40}|[+]?[-0-9 ().;x#*]{0,40}", country in "[A-Za-z]{0,3}") {
        if let Some(phone) = normalize_phone(&raw, Some(&country)) {
            prop_assert!(phone.starts_with('+'));
            prop_assert!(phone[1..].bytes().all(|digit| digit.is_ascii_digit()), "{}", phone);
            prop_assert!(phone.len() <= 16);
        }
    }
}
