//! Parameter Store through the SDK's client.

use aws_sdk_ssm::types::ParameterType;

use crate::support::{ssm_client, start_in};

#[tokio::test]
async fn parameters_have_versions_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let stack = start_in(directory.path(), vec![]).await;
    let client = ssm_client(&stack.endpoints.ssm);
    let name = "/tillstream/dev/c1/webhook_secret";
    let put = |value: &str| {
        client.put_parameter().name(name).value(value).r#type(ParameterType::SecureString).overwrite(true)
    };
    assert_eq!(put("old").send().await.unwrap().version, 1);
    assert_eq!(put("new").send().await.unwrap().version, 2);
    let again = put("third").overwrite(false).send().await.unwrap_err().into_service_error();
    assert!(again.is_parameter_already_exists());
    stack.shutdown().await;

    let stack = start_in(directory.path(), vec![]).await;
    let client = ssm_client(&stack.endpoints.ssm);
    let get = async |name: &str, decrypt: bool| {
        let output = client.get_parameter().name(name).with_decryption(decrypt).send().await.unwrap();
        output.parameter.unwrap().value.unwrap()
    };
    assert_eq!(get(name, true).await, "new");
    assert_eq!(get(&format!("{name}:1"), true).await, "old");
    assert_ne!(get(name, false).await, "new");
    let history = client.get_parameter_history().name(name).with_decryption(true).send().await.unwrap();
    assert_eq!(history.parameters().len(), 2);

    let many = client.get_parameters().names(name).names("/none").send().await.unwrap();
    assert_eq!((many.parameters().len(), many.invalid_parameters()), (1, &["/none".to_owned()][..]));
    client.delete_parameter().name(name).send().await.unwrap();
    let gone = client.get_parameter().name(name).send().await.unwrap_err().into_service_error();
    assert!(gone.is_parameter_not_found());
    stack.shutdown().await;
}

#[tokio::test]
async fn a_path_is_listed_page_by_page() {
    let directory = tempfile::tempdir().unwrap();
    let stack = start_in(directory.path(), vec![]).await;
    let client = ssm_client(&stack.endpoints.ssm);
    for name in ["/a/1", "/a/2", "/a/b/3", "/ab/4"] {
        client.put_parameter().name(name).value("v").r#type(ParameterType::String).send().await.unwrap();
    }
    let page =
        client.get_parameters_by_path().path("/a").max_results(2).recursive(true).send().await.unwrap();
    assert_eq!(page.parameters().len(), 2);
    let rest = client
        .get_parameters_by_path()
        .path("/a")
        .recursive(true)
        .next_token(page.next_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(rest.parameters()[0].name(), Some("/a/b/3"));
    assert_eq!((rest.parameters().len(), rest.next_token()), (1, None));
    let flat = client.get_parameters_by_path().path("/a/").send().await.unwrap();
    assert_eq!(flat.parameters().len(), 2);
    stack.shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let stack = start_in(directory.path(), vec![]).await;
    let mode = std::fs::metadata(directory.path().join("state.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stack.shutdown().await;
}
