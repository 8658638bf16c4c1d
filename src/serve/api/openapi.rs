//! The OpenAPI 3.1 document of the table (<https://spec.openapis.org/oas/v3.1.1.html>). The schemas are those of the types
//! themselves: JSON Schema draft 2020-12, which is the dialect of OpenAPI 3.1.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::replay;
use super::table::{Answer, Content, Endpoint, Need, Parameter, Shape};
use crate::serve::problem::Problem;

/// The document of a table that is served below this path.
pub fn document(rows: &[Endpoint], base: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|own| own.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for row in rows {
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(row.method.as_str().to_ascii_lowercase(), operation(row, &mut generator));
        }
    }
    let tags: BTreeSet<&str> = rows.iter().map(tag).collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "camscan",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Every camera, recorder and video stream of a network, and whether frames arrive",
            "description": "Fields are added, never renamed or removed. Times are RFC 3339 in UTC. Errors are \
                application/problem+json (RFC 9457).",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": format!("{}/api/v1", base.trim_end_matches('/')) }],
        "tags": tags.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "security": [{ "token": [] }, { "session": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of a program: cs_ID_SECRET" },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "camscan_session",
                    "description": "A session of a browser: POST /session",
                },
            },
            "responses": { "Problem": {
                "description": "Why it was not done",
                "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
            } },
        },
    })
}

/// What endpoints are grouped by: the first part of the path.
fn tag(row: &Endpoint) -> &'static str {
    row.path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

fn operation(row: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut all = Map::new();
    all.insert("summary".into(), row.about.into());
    all.insert("operationId".into(), name(row).into());
    all.insert("tags".into(), json!([tag(row)]));
    match row.need {
        Need::Nobody => drop(all.insert("security".into(), json!([]))),
        Need::Login => {}
        Need::Scope(scope) => {
            all.insert("description".into(), format!("Needs the scope `{scope}`.").into());
            // OpenAPI 3.1 lets every kind of security name the roles it needs.
            all.insert("security".into(), json!([{ "token": [scope] }, { "session": [scope] }]));
        }
    }
    let parameters = parameters(row);
    if !parameters.is_empty() {
        all.insert("parameters".into(), parameters.into());
    }
    if let Some(request) = &row.request {
        let mut content = Map::new();
        content.insert(request.media.to_owned(), media(request, generator));
        all.insert("requestBody".into(), json!({ "required": !row.is_body_optional, "content": content }));
    }
    let mut responses = Map::new();
    for answer in &row.answers {
        responses.insert(answer.status.to_string(), response(row, answer, generator));
    }
    for status in row.all_problems() {
        let problem = || json!({ "$ref": "#/components/responses/Problem" });
        responses.entry(status.to_string()).or_insert_with(problem);
    }
    all.insert("responses".into(), responses.into());
    Value::Object(all)
}

/// `get_devices_id_events`.
fn name(row: &Endpoint) -> String {
    let path = row.path.replace(['{', '}'], "").replace(['/', '.', '-'], "_");
    format!("{}{path}", row.method.as_str().to_ascii_lowercase())
}

/// What the key of a request that may be sent twice is good for ([`replay`]).
const REPLAYED: &str = "The same request sent again with the same key within 24 hours is done once and answered alike. An answer too \
                        long to be kept is given the first time alone; after that, 409 (`answer-not-kept`) says that the \
                        request was done";

fn parameters(row: &Endpoint) -> Vec<Value> {
    let in_path = row.path.split('/').filter_map(|part| part.split_once('{')?.1.split_once('}'));
    let mut all: Vec<Value> = in_path.map(|(name, _)| of_path(row, name)).collect();
    all.extend(row.query.iter().map(|parameter| of_query(parameter, "query")));
    all.extend(row.headers.iter().map(|parameter| of_query(parameter, "header")));
    if row.is_replayed() {
        all.push(json!({
            "name": replay::KEY, "in": "header", "required": false,
            "description": REPLAYED,
            "schema": { "type": "string", "minLength": 1, "maxLength": 128 },
        }));
    }
    all
}

fn of_path(row: &Endpoint, name: &str) -> Value {
    let (about, example) = match (tag(row), name) {
        ("devices", "id") => ("The id of a device, its address, MAC address or name", json!("d_0123456789abcdef")),
        ("streams", "id") => ("The id of a stream", json!("s_0123456789abcdef")),
        ("scans", _) => ("The number of a scan", json!("17")),
        ("subnets", _) => ("The network, with `%2F` for its slash", json!("192.0.2.0/24")),
        ("exports", _) => ("The name of a format", json!("frigate")),
        ("channels", _) => ("The name of a channel", json!("mail")),
        ("whep", _) => ("The secret part of the session's address", json!("…")),
        ("mutes", _) => ("The id of a mute", json!("m_0123456789abcdef")),
        ("tokens", _) => ("The part of a token that may be seen", json!("0123456789")),
        _ => ("Its number", json!(1)),
    };
    let schema = match &example {
        Value::String(_) => json!({ "type": "string" }),
        _ => json!({ "type": "integer", "format": "int64" }),
    };
    json!({
        "name": name, "in": "path", "required": true, "description": about, "schema": schema, "example": example,
    })
}

fn of_query(parameter: &Parameter, place: &str) -> Value {
    let one = match parameter.shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Time => json!({ "type": "string", "format": "date-time" }),
        Shape::Names(names) => json!({ "type": "string", "enum": names() }),
    };
    let schema = if parameter.is_list { json!({ "type": "array", "items": one }) } else { one };
    json!({
        "name": parameter.name, "in": place, "required": false, "description": parameter.about, "schema": schema,
    })
}

fn media(content: &Content, generator: &mut SchemaGenerator) -> Value {
    let mut media = Map::new();
    if let Some(schema) = content.schema {
        media.insert("schema".into(), schema(generator).to_value());
    }
    if let Some(example) = content.example {
        media.insert("example".into(), example());
    }
    Value::Object(media)
}

/// What a page is where `fields` leaves members of its items out: as it is otherwise, with no member but `id` that must be
/// there.
fn with_fields(page: &Value, generator: &SchemaGenerator) -> Option<Value> {
    let of = |schema: &Value| -> Option<Value> {
        let name = schema.get("$ref")?.as_str()?.rsplit('/').next()?;
        generator.definitions().get(name).cloned()
    };
    let mut page = of(page)?;
    let items = page.pointer_mut("/properties/items/items")?;
    let mut item = of(items)?;
    item.as_object_mut()?.insert("required".into(), json!(["id"]));
    *items = item;
    Some(page)
}

/// All that an answer of one media type may be.
fn any_of(row: &Endpoint, all: &[&Content], generator: &mut SchemaGenerator) -> Value {
    let has_fields = row.query.iter().any(|parameter| parameter.name == "fields");
    let mut shapes: Vec<Value> = Vec::new();
    for schema in all.iter().filter_map(|content| content.schema) {
        let whole = schema(generator).to_value();
        let partial = if has_fields { with_fields(&whole, generator) } else { None };
        shapes.extend([Some(whole), partial].into_iter().flatten());
    }
    let mut media = Map::new();
    match <[Value; 1]>::try_from(shapes) {
        Ok([only]) => drop(media.insert("schema".into(), only)),
        Err(several) if several.is_empty() => {}
        Err(several) => drop(media.insert("schema".into(), json!({ "anyOf": several }))),
    }
    if let Some(example) = all.iter().find_map(|content| content.example) {
        media.insert("example".into(), example());
    }
    Value::Object(media)
}

fn response(row: &Endpoint, answer: &Answer, generator: &mut SchemaGenerator) -> Value {
    let about = match answer.about {
        "" => StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Done"),
        about => about,
    };
    let mut response = json!({ "description": about });
    if !answer.content.is_empty() {
        let mut content = Map::new();
        for own in &answer.content {
            let alike: Vec<&Content> = answer.content.iter().filter(|other| other.media == own.media).collect();
            content.entry(own.media).or_insert_with(|| any_of(row, &alike, generator));
        }
        if let Some(response) = response.as_object_mut() {
            response.insert("content".into(), content.into());
        }
    }
    response
}
