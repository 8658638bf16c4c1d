//! What the OpenAPI document says, and whether the answers keep to it.

use super::*;

#[tokio::test]
async fn nobody_gets_anything_without_a_login_or_with_the_wrong_scope() {
    let site = Site::of(3);
    for row in rows() {
        let request = || {
            let uri = format!("/api/v1{}", site.path(&row));
            Request::builder().method(row.method.clone()).uri(uri).body(Body::empty()).unwrap()
        };
        if row.need != Need::Nobody {
            let answer = site.send(Caller::default(), request()).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (401, "login-needed"),
                "{} {}",
                row.method,
                row.path
            );
        }
        let Need::Scope(scope) = row.need else { continue };
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let answer = site.send(who(&others), request()).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{} {}", row.method, row.path);
        assert!(answer.json()["detail"].as_str().unwrap().contains(scope.as_str()));
    }
}

#[test]
fn the_document_is_openapi_and_every_reference_leads_somewhere() {
    fn walk(value: &Value, seen: &mut BTreeSet<String>) {
        match value {
            Value::Object(all) => {
                if let Some(Value::String(to)) = all.get("$ref") {
                    seen.insert(to.clone());
                }
                all.values().for_each(|value| walk(value, seen));
            }
            Value::Array(all) => all.iter().for_each(|value| walk(value, seen)),
            _ => {}
        }
    }
    let document = document(&rows(), "/cameras/");
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document["servers"][0]["url"], "/cameras/api/v1");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut references = BTreeSet::new();
    walk(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let mut ids = BTreeSet::new();
    for row in rows() {
        let operation = operation(&document, &row);
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{} {}", row.method, row.path);
        assert!(!row.answers.is_empty() && !row.about.ends_with('.'), "{} {}", row.method, row.path);
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!((100..600).contains(&status.parse::<u16>().unwrap()));
            assert!(response["description"].is_string() || response["$ref"].is_string(), "{}", row.path);
        }
        let given: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(given.len(), row.path.matches('{').count(), "{}", row.path);
    }
}

/// An answer that is too long to be kept is not given again: the document says so where the key is described.
#[test]
fn the_document_says_which_answers_are_not_given_again() {
    let document = document(&rows(), "/");
    let mut count = 0;
    for row in rows().iter().filter(|row| row.is_replayed()) {
        let operation = operation(&document, row);
        let parameters = operation["parameters"].as_array().unwrap();
        let key = parameters.iter().find(|parameter| parameter["name"] == "idempotency-key").unwrap();
        assert!(key["description"].as_str().unwrap().contains("409 (`answer-not-kept`)"), "{key}");
        assert!(operation["responses"]["409"].is_object(), "{}", row.path);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn every_example_is_what_its_schema_says() {
    let document = document(&rows(), "/");
    let mut count = 0;
    for row in rows() {
        let operation = operation(&document, &row);
        let contents = operation["responses"].as_object().unwrap().values().chain([&operation["requestBody"]]);
        for content in contents.filter_map(|one| one["content"].as_object()).flat_map(|content| content.values()) {
            let Some(example) = content.get("example") else { continue };
            check(&document, &content["schema"], example, &format!("{} {}", row.method, row.path));
            count += 1;
        }
        if row.request.as_ref().is_some_and(|request| request.media == "application/json") {
            assert!(operation["requestBody"]["content"]["application/json"]["example"].is_object(), "{}", row.path);
        }
    }
    assert!(count >= 20, "{count}");
}

#[tokio::test]
async fn what_is_answered_is_what_the_document_says() {
    let site = Site::of(60);
    let document = document(&rows(), "/");
    for row in rows().into_iter().filter(|row| row.method == Method::GET) {
        let (path, what) = (site.path(&row), format!("{} {}", row.method, row.path));
        let answer = site.get(&path).await;
        let described = &operation(&document, &row)["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{what}: {} is not described", answer.status);
        if answer.status >= 400 {
            // Only what this site does not have: live view, pictures; and a WebSocket that was not asked for as one.
            let not_had = ["/live", "/stream.mjpeg", "/picture.jpg", "/ws"];
            let is_missing = not_had.iter().any(|end| row.path.ends_with(end));
            assert!(is_missing, "{what}: {}", String::from_utf8_lossy(&answer.body));
            answer.problem();
            continue;
        }
        let schema = &described["content"]["application/json"]["schema"];
        if answer.header("content-type") == "application/json" && schema.is_object() {
            check(&document, schema, &answer.json(), &what);
        }
    }
}
