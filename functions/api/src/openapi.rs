//! The OpenAPI document of what is served, made from the declarations of the operations.

use http::Method;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ComponentsBuilder, ObjectBuilder, OneOfBuilder, Ref, Type,
};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, HttpMethod, InfoBuilder, OpenApiBuilder, Paths, RefOr, Required, Schema};

use crate::document::MEDIA_TYPE;
use crate::filter::Operator;
use crate::operation::{GivenBody, Operation, Shape, Taken};
use crate::operations;
use crate::shapes::{Errors, Links, PageLinks, Relationship, relationships};

const KEY: &str = "Klaviyo-API-Key";
/// What any operation may answer instead.
const REFUSALS: [(u16, &str); 9] = [
    (400, "Something in the request is wrong: the error says where."),
    (401, "No key, or not a good one."),
    (403, "The key lacks a scope."),
    (404, "There is no such thing."),
    (409, "It is there already, or something else needs it."),
    (413, "The request is too large."),
    (422, "It is more than a request has time or room for: ask for less."),
    (429, "Too many requests: `Retry-After` says when to come back."),
    (503, "Something it needs cannot be reached: try again."),
];

/// The document, as JSON.
pub fn openapi() -> String {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new();
    for shape in [Shape::of::<Errors>(), Shape::of::<Links>(), Shape::of::<PageLinks>()] {
        components = with_shape(components, shape);
    }
    for operation in operations::all() {
        if let Some(taken) = &operation.takes {
            let shapes = [Some(taken.shape), taken.relationships, taken.meta];
            components = shapes.into_iter().flatten().fold(components, with_shape);
        }
        if let GivenBody::One(_, shape)
        | GivenBody::Page(_, shape)
        | GivenBody::Other(shape)
        | GivenBody::Text(shape) = operation.gives.body
        {
            components = with_shape(components, shape);
        }
        paths.add_path_operation(operation.path, vec![method(&operation.method)], described(operation));
    }
    let description = "Revision of Klaviyo's API that it speaks: 2026-07-15. Header: `Authorization: \
                       Klaviyo-API-Key <key>`.";
    let info = InfoBuilder::new()
        .title("Tillstream")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description));
    let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("Authorization")));
    let components = components.security_scheme(KEY, key).build();
    let document = OpenApiBuilder::new().info(info.build()).paths(paths).components(Some(components)).build();
    document.to_pretty_json().unwrap_or_default()
}

fn with_shape(components: ComponentsBuilder, shape: Shape) -> ComponentsBuilder {
    let mut parts = Vec::new();
    (shape.parts)(&mut parts);
    components.schema((shape.name)(), (shape.schema)()).schemas_from_iter(parts)
}

fn method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn described(operation: &Operation) -> utoipa::openapi::path::Operation {
    let parts = operation.path.split('/').filter(|part| !part.is_empty());
    let tag = parts.clone().find(|part| *part != "api").unwrap_or_default();
    let ids = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut described = OperationBuilder::new().operation_id(Some(operation.name)).tag(tag);
    if !operation.is_open {
        described = described.security(SecurityRequirement::new(KEY, operation.scopes.iter().copied()));
    }
    for id in ids {
        described = described.parameter(path_id(id));
    }
    for parameter in parameters(operation) {
        described = described.parameter(parameter);
    }
    if let Some(taken) = &operation.takes {
        let required = if operation.method == Method::GET { Required::False } else { Required::True };
        let body = RequestBodyBuilder::new()
            .required(Some(required))
            .content(MEDIA_TYPE, Content::new(Some(body_taken(taken, &operation.method))))
            .content("application/json", Content::new(Some(body_taken(taken, &operation.method))));
        described = described.request_body(Some(body.build()));
    }
    for status in [Some(operation.gives.status), operation.or].into_iter().flatten() {
        described = described.response(status.to_string(), success(operation));
    }
    for (status, meaning) in REFUSALS {
        described = described.response(status.to_string(), refusal(meaning));
    }
    described.build()
}

fn path_id(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(text()))
        .build()
}

fn parameters(operation: &Operation) -> Vec<Parameter> {
    let query = &operation.query;
    let mut parameters = Vec::new();
    if !query.filters.is_empty() {
        let operators = |operators: &[Operator]| {
            operators.iter().map(|operator| operator.name()).collect::<Vec<_>>().join(", ")
        };
        let fields = query.filters.iter().map(|(field, known)| format!("`{field}`: {}", operators(known)));
        let described = format!("Conditions, with commas. {}", fields.collect::<Vec<_>>().join("; "));
        parameters.push(in_query("filter", text()).description(Some(described)).build());
    }
    if !query.sorts.is_empty() {
        let both = query.sorts.iter().flat_map(|sort| [(*sort).to_owned(), format!("-{sort}")]);
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(both));
        parameters.push(in_query("sort", schema).build());
    }
    if !query.includes.is_empty() {
        parameters.push(some_of("include", query.includes));
    }
    for (kind, known) in query.additional {
        parameters.push(some_of(&format!("additional-fields[{kind}]"), known));
    }
    for kind in query.fields {
        let names = ArrayBuilder::new().items(text());
        parameters.push(with_commas(in_query(&format!("fields[{kind}]"), names)).build());
    }
    if let Some((default, greatest)) = query.pages {
        let size = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(u32::try_from(greatest).unwrap_or(u32::MAX)))
            .default(Some(default.into()));
        parameters.push(in_query("page[size]", size).build());
    }
    if query.pages.is_some() || query.has_cursor {
        parameters.push(in_query("page[cursor]", text()).build());
    }
    parameters.extend(query.others.iter().map(|name| in_query(name, text()).build()));
    parameters
}

fn in_query(name: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .schema(Some(schema))
}

/// `name=a,b`, of what is known.
fn some_of(name: &str, known: &[&str]) -> Parameter {
    let one = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(known.iter().copied()));
    with_commas(in_query(name, ArrayBuilder::new().items(one))).build()
}

fn with_commas(parameter: ParameterBuilder) -> ParameterBuilder {
    parameter.style(Some(ParameterStyle::Form)).explode(Some(false))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn named(shape: Shape) -> Ref {
    Ref::from_schema_name((shape.name)())
}

fn kind_of(kind: &'static str) -> ObjectBuilder {
    text().enum_values(Some([kind]))
}

fn body_taken(taken: &Taken, method: &Method) -> RefOr<Schema> {
    let Some(kind) = taken.kind else { return named(taken.shape).into() };
    let mut data = ObjectBuilder::new()
        .property("type", kind_of(kind))
        .property("attributes", named(taken.shape))
        .required("type")
        .required("attributes");
    if let Some(relationships) = taken.relationships {
        data = data.property("relationships", named(relationships));
    }
    if let Some(meta) = taken.meta {
        data = data.property("meta", named(meta));
    }
    if taken.has_id {
        data = data.property("id", text());
    }
    if *method == Method::PATCH {
        data = data.property("id", text()).required("id");
    }
    ObjectBuilder::new().property("data", data).required("data").into()
}

fn success(operation: &Operation) -> Response {
    let (one, page) = (Shape::of::<Links>(), Shape::of::<PageLinks>());
    let (schema, media_type): (RefOr<Schema>, &str) = match &operation.gives.body {
        GivenBody::Nothing => return ResponseBuilder::new().description("Done, or under way.").build(),
        GivenBody::One(kind, shape) => {
            (document(resource(kind, *shape), one, included(operation, kind)), MEDIA_TYPE)
        }
        GivenBody::Page(kind, shape) => {
            let resources = ArrayBuilder::new().items(resource(kind, *shape));
            (document(resources, page, included(operation, kind)), MEDIA_TYPE)
        }
        GivenBody::OneId(kind) => (document(identified(kind), one, None), MEDIA_TYPE),
        GivenBody::Ids(kind) => {
            (document(ArrayBuilder::new().items(identified(kind)), page, None), MEDIA_TYPE)
        }
        GivenBody::Other(shape) => (named(*shape).into(), "application/schema+json"),
        GivenBody::Text(shape) => (named(*shape).into(), "text/plain"),
    };
    ResponseBuilder::new().description("Done.").content(media_type, Content::new(Some(schema))).build()
}

fn document(data: impl Into<RefOr<Schema>>, links: Shape, included: Option<ArrayBuilder>) -> RefOr<Schema> {
    let mut document = ObjectBuilder::new()
        .property("data", data)
        .property("links", named(links))
        .required("data")
        .required("links");
    if let Some(included) = included {
        document = document.property("included", included);
    }
    document.into()
}

/// The resources that a resource of this kind may bring along. Of some kinds there are none.
fn included(operation: &Operation, kind: &str) -> Option<ArrayBuilder> {
    if operation.query.includes.is_empty() {
        return None;
    }
    let kinds = relationships(kind).iter().filter(|related| operation.query.includes.contains(&related.name));
    let known = kinds.filter_map(|related| Some(resource(related.kind, shape_of(related.kind)?)));
    let one_of = known.fold(OneOfBuilder::new(), OneOfBuilder::item);
    Some(ArrayBuilder::new().items(one_of))
}

/// What resources of a kind look like, as another operation gives them.
fn shape_of(kind: &str) -> Option<Shape> {
    operations::all().find_map(|operation| match operation.gives.body {
        GivenBody::One(given, shape) | GivenBody::Page(given, shape) if given == kind => Some(shape),
        _ => None,
    })
}

fn identified(kind: &'static str) -> ObjectBuilder {
    ObjectBuilder::new()
        .property("type", kind_of(kind))
        .property("id", text())
        .required("type")
        .required("id")
}

fn resource(kind: &'static str, shape: Shape) -> ObjectBuilder {
    let links = ObjectBuilder::new().property("self", text()).required("self");
    let resource =
        identified(kind).property("attributes", named(shape)).property("links", links).required("attributes");
    match relationships(kind) {
        [] => resource,
        known => resource.property("relationships", known.iter().fold(closed(), with_relationship)),
    }
}

/// An object that has no other fields than those that are declared.
fn closed() -> ObjectBuilder {
    ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn with_relationship(relationships: ObjectBuilder, related: &Relationship) -> ObjectBuilder {
    let links = closed().property("self", text()).property("related", text());
    let relationship = closed().property("links", links);
    let relationship = if related.is_many {
        relationship.property("data", ArrayBuilder::new().items(identified(related.kind)))
    } else {
        relationship.property("data", identified(related.kind))
    };
    relationships.property(related.name, relationship)
}

fn refusal(meaning: &str) -> Response {
    let schema = named(Shape::of::<Errors>());
    ResponseBuilder::new().description(meaning).content(MEDIA_TYPE, Content::new(Some(schema))).build()
}
