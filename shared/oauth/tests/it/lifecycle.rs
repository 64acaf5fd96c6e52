//! One process, one grant.

use oauth::{GrantStatus, Returned};
use serde_json::json;

use crate::{SHOP, Stage, denied, later, token};

#[tokio::test]
async fn a_token_is_renewed_near_its_end_and_not_before_and_kept_before_it_is_used() {
    let stage = Stage::authorized().await;
    let grants = stage.process();
    stage.minutes(54);
    assert_eq!(stage.get(&grants).await.unwrap(), "access-1");
    assert_eq!(stage.server.asked(), 0);
    for round in 2..6 {
        // Five minutes before the end at first, and then of each that follows.
        stage.minutes(if round == 2 { 1 } else { 55 });
        let token = stage.get(&grants).await.unwrap();
        assert_eq!((token.as_str(), stage.kept()), (format!("access-{round}").as_str(), token.clone()));
        assert_eq!(stage.call(&token).await, 200);
        for _ in 0..3 {
            assert_eq!(stage.get(&grants).await.unwrap(), token);
        }
        assert_eq!(stage.server.asked(), round - 1);
    }
    let (form, authorization) = stage.server.last_asked();
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "refresh-4"));
    assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("app", "app-secret"));
    assert_eq!(authorization, None);
    stage.assert_no_secret_in_tables();
    let told = format!("{grants:?}");
    assert!(!told.contains("access-") && !told.contains("app-secret"), "{told}");
}

#[tokio::test]
async fn what_is_needed_to_prove_the_application_may_be_in_a_header() {
    let stage = Stage::authorized().await;
    stage.minutes(61);
    let oauth = platform::OAuth { client_proof: platform::ClientProof::Basic, ..stage.server.oauth() };
    let secrets = stage.process().get(SHOP, Some(oauth)).await.unwrap();
    assert_eq!(token(&secrets), "access-2");
    let (form, authorization) = stage.server.last_asked();
    // printf app:app-secret | base64
    assert_eq!(authorization.as_deref(), Some("Basic YXBwOmFwcC1zZWNyZXQ="));
    assert!(!form.contains_key("client_secret"));
}

#[tokio::test]
async fn a_grant_without_an_end_is_not_renewed_and_none_is_no_error() {
    let stage = Stage::open().await;
    let grants = stage.process();
    assert_eq!(stage.get(&grants).await.unwrap(), "");
    let grant = json!({"access_token": "for-ever", "obtained_at": "2020-01-01T00:00:00Z"});
    stage.world.put_grant(SHOP, &grant);
    stage.minutes(1);
    assert_eq!(stage.get(&grants).await.unwrap(), "for-ever");
    let secrets = grants.get(SHOP, Some(stage.server.oauth())).await.unwrap();
    assert_eq!(secrets.valid("client_id").collect::<Vec<_>>(), ["app"]);
    // Who is not authorised in a browser does not have the grant.
    assert_eq!(token(&grants.get(SHOP, None).await.unwrap()), "");
    assert_eq!(stage.server.asked(), 0);
    // One that ends and cannot be renewed is over then.
    let mut grant = stage.grant("for-an-hour", None);
    grant.as_object_mut().unwrap().remove("refresh_token");
    stage.world.put_grant(SHOP, &grant);
    stage.minutes(59);
    assert_eq!(stage.get(&grants).await.unwrap(), "for-an-hour");
    stage.minutes(1);
    assert!(denied(stage.get(&grants).await).contains("authorise the connection again"));
}

#[tokio::test]
async fn what_an_answer_leaves_out_stays() {
    let stage = Stage::authorized().await;
    stage.minutes(58);
    stage.server.say(json!({"refresh_token": null, "scope": null, "token_type": null, "expires_in": "1800"}));
    assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-2");
    let kept = stage.world.grant(SHOP).unwrap();
    assert_eq!((&kept["refresh_token"], &kept["scopes"]), (&json!("refresh-1"), &json!(["sales"])));
    let status = stage.process().status(SHOP).await.unwrap().unwrap();
    let expires_at = canonical::Instant::from_millis(stage.world.now().as_millis() + 1_800_000);
    assert_eq!(status, GrantStatus { is_authorized: true, expires_at, scopes: vec!["sales".to_owned()] });
}

#[tokio::test]
async fn a_grant_that_was_ended_is_not_asked_for_again_and_says_what_helps() {
    let stage = Stage::authorized().await;
    stage.server.end_all();
    stage.minutes(60);
    let grants = stage.process();
    for _ in 0..20 {
        let reason = denied(stage.get(&grants).await);
        assert!(reason.contains("POST /api/connections/{id}/authorize"), "{reason}");
        denied(stage.get(&stage.process()).await);
        stage.minutes(1);
    }
    assert_eq!(stage.server.asked(), 1);
    let health = stage.last_error().await;
    assert!(
        health.contains("invalid_grant") && health.contains("authorise the connection again"),
        "{health}"
    );
    assert!(!grants.status(SHOP).await.unwrap().unwrap().is_authorized);
    // Another authorisation heals it.
    let (access, refresh) = stage.server.issue();
    stage.world.put_grant(SHOP, &stage.grant(&access, Some(&refresh)));
    assert_eq!(stage.get(&grants).await.unwrap(), access);
    stage.assert_no_secret_in_tables();
}

#[tokio::test]
async fn an_application_that_is_refused_is_left_alone_until_somebody_has_put_it_right() {
    for body in [r#"{"error":"invalid_client"}"#, r#"{"message":"no"}"#, ""] {
        let stage = Stage::authorized().await;
        stage.minutes(60);
        stage.server.refuse(Some((401, body)));
        let (reason, after) = later(stage.get(&stage.process()).await);
        assert!(reason.contains("check the application's secrets"), "{reason}");
        assert_eq!(after, Some(300));
        stage.minutes(2);
        let (_, after) = later(stage.get(&stage.process()).await);
        assert_eq!((after, stage.server.asked()), (Some(180), 1));
        assert!(stage.last_error().await.contains("check the application's secrets"));
        stage.server.refuse(None);
        stage.minutes(3);
        assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-2");
        assert!(!stage.has_ended());
    }
}

#[tokio::test]
async fn a_token_that_still_is_good_is_used_while_it_cannot_be_renewed() {
    for refusal in [(503, "down"), (429, ""), (200, "<html>"), (200, r#"{"access_token":"a\nb"}"#)] {
        let stage = Stage::authorized().await;
        let grants = stage.process();
        stage.server.refuse(Some(refusal));
        stage.minutes(57);
        assert_eq!(stage.get(&grants).await.unwrap(), "access-1", "{refusal:?}");
        assert_eq!(stage.get(&stage.process()).await.unwrap(), "access-1");
        assert_eq!(stage.server.asked(), 1);
        stage.minutes(3);
        let (reason, after) = later(stage.get(&grants).await);
        assert!(reason.contains("cannot be renewed") && after == Some(60), "{reason}");
        stage.server.refuse(None);
        stage.minutes(1);
        assert_eq!(stage.get(&grants).await.unwrap(), "access-2");
    }
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_not_again_and_again() {
    let stage = Stage::authorized().await;
    let grants = stage.process();
    let used = grants.get(SHOP, Some(stage.server.oauth())).await.unwrap();
    // It was just had: another would be refused as well.
    assert!(
        denied(grants.denied(SHOP, Some(stage.server.oauth()), &used).await)
            .contains("authorise the connection again")
    );
    stage.minutes(10);
    let newer = grants.denied(SHOP, Some(stage.server.oauth()), &used).await.unwrap();
    assert_eq!((token(&newer).as_str(), stage.server.asked()), ("access-2", 1));
    // Who used the old one gets the new one for nothing.
    let other = stage.process().denied(SHOP, Some(stage.server.oauth()), &used).await.unwrap();
    assert_eq!((token(&other).as_str(), stage.server.asked()), ("access-2", 1));
    denied(grants.denied(SHOP, Some(stage.server.oauth()), &newer).await);
    assert_eq!(stage.server.asked(), 1);
    // Without a grant, only other secrets help.
    let used = grants.get("C2", Some(stage.server.oauth())).await.unwrap();
    assert_eq!(
        denied(grants.denied("C2", Some(stage.server.oauth()), &used).await),
        "the credentials are refused"
    );
    stage.world.put_secrets("C2", &json!({"token": {"current": "new"}}));
    stage.minutes(1);
    let newer = grants.denied("C2", None, &used).await.unwrap();
    assert_eq!(newer.valid("token").collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn a_grant_is_given_back_and_forgotten() {
    let stage = Stage::authorized().await;
    let grants = stage.process();
    assert_eq!(stage.get(&grants).await.unwrap(), "access-1");
    assert_eq!(grants.give_back(SHOP, Some(&stage.server.oauth())).await.unwrap(), Returned::Everywhere);
    let revoked = stage.server.revoked();
    assert_eq!(revoked.len(), 1);
    assert_eq!(
        (
            revoked[0]["token"].as_str(),
            revoked[0]["token_type_hint"].as_str(),
            revoked[0]["client_secret"].as_str()
        ),
        ("refresh-1", "refresh_token", "app-secret")
    );
    assert_eq!(stage.world.grant(SHOP), None);
    assert_eq!(stage.get(&grants).await.unwrap(), "");
    assert_eq!(grants.give_back(SHOP, Some(&stage.server.oauth())).await.unwrap(), Returned::Nothing);

    // Wherever the platform takes nothing back, it is forgotten here all the same.
    let nowhere = platform::OAuth { revoke_url: None, ..stage.server.oauth() };
    let gone = platform::OAuth { revoke_url: Some(stage.server.url("/gone")), ..stage.server.oauth() };
    for oauth in [Some(&nowhere), Some(&gone), None] {
        stage.world.put_grant(SHOP, &stage.grant("a", Some("r")));
        assert_eq!(grants.give_back(SHOP, oauth).await.unwrap(), Returned::Here);
        assert_eq!(stage.world.grant(SHOP), None);
    }
}
