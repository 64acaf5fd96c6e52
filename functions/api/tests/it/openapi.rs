//! The OpenAPI document: what is declared is what is answered.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use http::{Method, StatusCode, Uri};
use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&api::openapi()).unwrap());
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Holds an answer against what its operation declares. Answers at other addresses are nobody's.
pub(crate) fn check(method: &Method, uri: &Uri, status: StatusCode, body: &Value) {
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let asked: Vec<String> = parts(uri.path());
    let is_here = |template: &str| {
        let template: Vec<String> = parts(template);
        template.len() == asked.len()
            && template.iter().zip(&asked).all(|(one, other)| one.starts_with('{') || one == other)
    };
    let method = method.as_str().to_lowercase();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    // What is said of an address word for word comes before what has an id there.
    let mut found: Vec<&String> =
        paths.keys().filter(|path| is_here(path) && !paths[*path][&method].is_null()).collect();
    found.sort_by_key(|path| path.matches('{').count());
    let Some(path) = found.first() else { return };
    let declared = &paths[*path][&method]["responses"][status.as_str()];
    assert!(!declared.is_null(), "{method} {path} answers {status}, which is not declared: {body}");
    let query = uri.query().unwrap_or_default();
    let Some((media_type, _)) = declared["content"].as_object().and_then(|content| content.iter().next())
    else {
        assert!(
            body.is_null() || declared["content"].is_object(),
            "{method} {path} answers {status} with a body that is not declared: {body}"
        );
        return;
    };
    // Some fields alone are not whole.
    if query.contains("fields[") || query.contains("fields%5B") {
        return;
    }
    // A job that is accepted may be told of or not.
    if status == StatusCode::ACCEPTED && body.is_null() {
        return;
    }
    let escaped =
        |text: &str| text.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
    let pointer = format!(
        "#/paths/{}/{method}/responses/{}/content/{}/schema",
        escaped(path),
        status.as_str(),
        escaped(media_type)
    );
    let validator = validator(&pointer);
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{method} {path} {status}: {}\n{body}", errors.join("\n"));
}

fn validator(pointer: &str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = validators.entry(pointer.to_owned()).or_insert_with(|| {
        let schema = json!({
            "$ref": pointer,
            "paths": DOCUMENT["paths"],
            "components": DOCUMENT["components"],
        });
        Arc::new(jsonschema::validator_for(&schema).unwrap())
    });
    Arc::clone(made)
}

/// `BLESS=1` writes it anew.
#[test]
fn the_document_is_the_one_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = api::openapi() + "\n";
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(
        kept == made,
        "functions/api/openapi.json is not what is served: BLESS=1 cargo test -p api openapi"
    );
}

#[test]
fn operations_have_names_of_their_own() {
    let mut names: Vec<&str> = Vec::new();
    for operations in DOCUMENT["paths"].as_object().unwrap().values() {
        names.extend(operations.as_object().unwrap().values().filter_map(|one| one["operationId"].as_str()));
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 60);
}
