use canonical::fact::{Channel, ConsentChange, ConsentStatus};
use canonical::profile::{Suppression, consent_event};
use canonical::{Event, Person, Profile, Source};
use proptest::prelude::*;
use serde_json::json;

use crate::{ada, minute, source};

fn change(status: ConsentStatus, minutes: i64) -> ConsentChange {
    ConsentChange {
        person: ada(),
        channel: Channel::Email,
        status,
        at: minute(minutes),
        method: "checkout".into(),
        double_opt_in: false,
    }
}

fn yes(minutes: i64) -> ConsentChange {
    change(ConsentStatus::Subscribed, minutes)
}

fn no(minutes: i64) -> ConsentChange {
    change(ConsentStatus::Unsubscribed, minutes)
}

fn profile() -> Profile {
    Profile::new("p".into(), minute(0))
}

fn reasons(profile: &Profile) -> Vec<&str> {
    let suppressions = &profile.consent[&Channel::Email].suppressions;
    suppressions.iter().map(|suppression| suppression.reason.as_str()).collect()
}

#[test]
fn the_newest_decision_is_in_force() {
    let mut profile = profile();
    assert_eq!(profile.apply_consent(&yes(10)), Some(ConsentStatus::NeverSubscribed));
    assert_eq!(profile.apply_consent(&no(20)), Some(ConsentStatus::Subscribed));
    assert_eq!(profile.apply_consent(&yes(15)), None);
    assert_eq!(profile.apply_consent(&no(20)), None);
    let consent = &profile.consent[&Channel::Email];
    assert_eq!((consent.status, consent.at), (ConsentStatus::Unsubscribed, Some(minute(20))));
    assert_eq!(consent.method.as_deref(), Some("checkout"));
    assert!(!profile.consent.contains_key(&Channel::Sms));
}

#[test]
fn a_no_suppresses_and_a_newer_yes_lifts_what_a_person_can_lift() {
    let mut profile = profile();
    profile.apply_consent(&no(10));
    profile.apply_consent(&no(11));
    assert_eq!(reasons(&profile), ["UNSUBSCRIBE"]);
    let suppressions = &mut profile.consent.get_mut(&Channel::Email).unwrap().suppressions;
    for (reason, minutes) in
        [("HARD_BOUNCE", 1), ("INVALID_EMAIL", 1), ("USER_SUPPRESSED", 1), ("SPAM_COMPLAINT", 30)]
    {
        suppressions.push(Suppression { reason: reason.into(), at: minute(minutes) });
    }
    profile.apply_consent(&yes(20));
    assert_eq!(reasons(&profile), ["HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT"]);
    profile.apply_consent(&yes(40));
    assert_eq!(reasons(&profile), ["HARD_BOUNCE", "INVALID_EMAIL"]);
}

#[test]
fn what_the_owner_suppresses_changes_no_decision_and_only_that_is_taken_back() {
    let mut profile = Profile { email: Some("ada@example.com".into()), ..profile() };
    assert!(profile.can_receive(Channel::Email) && !profile.can_receive(Channel::Sms));
    assert!(!profile.unsuppress());
    assert!(profile.suppress(minute(1)) && !profile.suppress(minute(2)));
    assert_eq!(profile.consent[&Channel::Email].status, ConsentStatus::NeverSubscribed);
    assert!(!profile.can_receive(Channel::Email));
    profile.apply_consent(&no(3));
    assert!(profile.unsuppress() && !profile.unsuppress());
    assert_eq!(reasons(&profile), ["UNSUBSCRIBE"]);
    profile.suppress(minute(4));
    profile.apply_consent(&yes(5));
    assert!(profile.can_receive(Channel::Email));
    let push = ConsentChange { channel: Channel::Push, ..yes(1) };
    assert!(!profile.can_receive(Channel::Push));
    profile.apply_consent(&push);
    assert!(profile.can_receive(Channel::Push));
}

#[test]
fn who_leaves_a_list_for_good_is_still_subscribed_to_everything_else() {
    let mut profile = Profile { email: Some("ada@example.com".into()), ..profile() };
    profile.apply_consent(&yes(1));
    assert!(profile.suppress_list("L1", minute(2)));
    assert!(profile.can_receive(Channel::Email));
    let left = |profile: &Profile| {
        let lists = &profile.consent[&Channel::Email].list_suppressions;
        lists.iter().map(|(list, one)| (list.clone(), one.reason.clone(), one.at)).collect::<Vec<_>>()
    };
    let once = vec![("L1".to_owned(), "UNSUBSCRIBE".to_owned(), minute(2))];
    assert_eq!(left(&profile), once);
    // Decisions about everything leave it alone, and so do merges, of which the later one stays.
    profile.apply_consent(&no(3));
    profile.apply_consent(&yes(4));
    assert_eq!(left(&profile), once);
    let mut other = Profile::new("q".into(), minute(0));
    other.suppress_list("L1", minute(1));
    other.suppress_list("L2", minute(1));
    other.merge(&profile);
    assert_eq!(other.consent[&Channel::Email].status, ConsentStatus::Subscribed);
    assert_eq!(left(&other).iter().map(|(_, _, at)| *at).collect::<Vec<_>>(), [minute(2), minute(1)]);
    profile.unsuppress_list("L1");
    assert!(left(&profile).is_empty());
    for number in 0..canonical::profile::MAX_LISTS {
        assert!(profile.suppress_list(&number.to_string(), minute(5)));
    }
    assert!(!profile.suppress_list("one too many", minute(5)));
    assert!(profile.suppress_list("0", minute(6)));
}

#[test]
fn the_absence_of_a_decision_takes_none_back() {
    let mut profile = profile();
    assert_eq!(profile.apply_consent(&change(ConsentStatus::NeverSubscribed, 1)), None);
    assert!(profile.consent.is_empty());
    profile.apply_consent(&no(2));
    assert_eq!(profile.apply_consent(&change(ConsentStatus::NeverSubscribed, 3)), None);
    assert_eq!(profile.consent[&Channel::Email].status, ConsentStatus::Unsubscribed);
}

#[test]
fn a_decision_becomes_an_event_of_its_channel() {
    for (channel, status, metric) in [
        (Channel::Email, ConsentStatus::Subscribed, Some("Subscribed to Email Marketing")),
        (Channel::Email, ConsentStatus::Unsubscribed, Some("Unsubscribed from Email Marketing")),
        (Channel::Sms, ConsentStatus::Subscribed, Some("Subscribed to SMS Marketing")),
        (Channel::Sms, ConsentStatus::Unsubscribed, Some("Unsubscribed from SMS Marketing")),
        (Channel::Email, ConsentStatus::NeverSubscribed, None),
    ] {
        let event = consent_event(&ConsentChange { channel, ..change(status, 1) }, &source());
        assert_eq!(event.as_ref().map(|event| event.metric.as_str()), metric);
        if let Some(event) = event {
            assert_eq!(event.occurred_at, minute(1));
            assert_eq!(event.properties["Method"], json!("checkout"));
            assert_eq!(event.properties["Double Opt-In"], json!(false));
        }
    }
}

#[test]
fn the_event_of_a_decision_is_named_by_person_status_and_time() {
    let id = |change: &ConsentChange| consent_event(change, &source()).map(|event: Event| event.id);
    assert_eq!(id(&yes(1)), id(&ConsentChange { method: "form".into(), ..yes(1) }));
    assert_ne!(id(&yes(1)), id(&yes(2)));
    assert_ne!(id(&yes(1)), id(&no(1)));
    let by_mail = |email: &str| ConsentChange {
        person: Person { email: Some(email.into()), ..Person::default() },
        ..yes(1)
    };
    assert_eq!(id(&by_mail("ada@example.com")), id(&by_mail(" ADA@example.com")));
    assert_ne!(id(&by_mail("ada@example.com")), id(&by_mail("bob@example.com")));
    assert_eq!(id(&by_mail("")), None);
    let redelivered = Source { delivery_id: "d-2".into(), ..source() };
    assert_eq!(consent_event(&yes(1), &redelivered).unwrap().id, id(&yes(1)).unwrap());
}

proptest! {
    #[test]
    fn consent_ends_the_same_in_any_order(
        (ordered, shuffled) in prop::collection::vec((0..10_i64, any::<bool>()), 1..8)
            .prop_flat_map(|changes| (Just(changes.clone()), Just(changes).prop_shuffle()))
    ) {
        let end = |changes: &[(i64, bool)]| {
            let mut profile = profile();
            for (minutes, subscribe) in changes {
                profile.apply_consent(&if *subscribe { yes(*minutes) } else { no(*minutes) });
            }
            let suppressed = reasons(&profile) == ["UNSUBSCRIBE"];
            (profile.consent[&Channel::Email].clone(), suppressed)
        };
        let (consent, suppressed) = end(&ordered);
        prop_assert_eq!(suppressed, consent.status == ConsentStatus::Unsubscribed);
        prop_assert_eq!((consent, suppressed), end(&shuffled));
    }
}
