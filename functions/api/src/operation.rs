//! What an operation of the API is: where it is, who may use it, what it takes, what it answers.
//!
//! Each module declares its own, with Klaviyo's names where Klaviyo has the operation. Addresses, authorisation, rate
//! limits, the reading of queries and the OpenAPI document all follow from these declarations.

use std::borrow::Cow;

use futures::future::BoxFuture;
use http::{Method, StatusCode};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::Api;
use crate::auth::Holder;
use crate::document::Answer;
use crate::error::{ApiError, ApiResult};
use crate::filter::Operator;
use crate::request::Asked;
use crate::{klaviyo, operations};

/// One operation.
pub(crate) struct Operation {
    /// Klaviyo's `operationId`, or ours.
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// With `{…}` where an id stands.
    pub(crate) path: &'static str,
    /// In Klaviyo's names; the key needs all of them.
    pub(crate) scopes: &'static [&'static str],
    /// Anybody may use it, without a key.
    pub(crate) is_open: bool,
    pub(crate) limit: Tier,
    pub(crate) query: Query,
    pub(crate) takes: Option<Taken>,
    pub(crate) gives: Given,
    /// Another status of success.
    pub(crate) or: Option<u16>,
    pub(crate) run: Run,
}

/// Does what a request wants.
pub(crate) type Run = for<'a> fn(Call<'a>) -> BoxFuture<'a, ApiResult<Answer>>;

/// A request that may be done.
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Api,
    pub(crate) asked: &'a Asked,
    /// The last `{…}` of the path.
    pub(crate) id: &'a str,
    pub(crate) body: &'a [u8],
    /// Whose key it is; nobody's if the operation is open.
    pub(crate) holder: Option<&'a Holder>,
}

/// How often an operation may be called: requests a second and a minute, as Klaviyo's tiers have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// 1 a second, 15 a minute.
    ExtraSmall,
    /// 3 and 60.
    Small,
    /// 10 and 150.
    Medium,
    /// 75 and 750.
    Large,
    /// 350 and 3500.
    ExtraLarge,
}

/// What may stand in a query.
pub(crate) struct Query {
    pub(crate) filters: &'static [(&'static str, &'static [Operator])],
    pub(crate) sorts: &'static [&'static str],
    pub(crate) includes: &'static [&'static str],
    /// `additional-fields` by kind of resource.
    pub(crate) additional: &'static [(&'static str, &'static [&'static str])],
    /// Kinds of resources of which `fields` may name some.
    pub(crate) fields: &'static [&'static str],
    /// The default and the greatest size of a page.
    pub(crate) pages: Option<(usize, usize)>,
    /// It has pages whose size is fixed.
    pub(crate) has_cursor: bool,
    /// Parameters of the operation's own.
    pub(crate) others: &'static [&'static str],
}

/// What a body is.
pub(crate) struct Taken {
    /// `type` of the resource of which the shape is `attributes`; else it is the body itself.
    pub(crate) kind: Option<&'static str>,
    pub(crate) shape: Shape,
    /// `relationships` of the resource, if there may be some.
    pub(crate) relationships: Option<Shape>,
    /// `meta` of the resource, likewise.
    pub(crate) meta: Option<Shape>,
    /// What is made may be named by its id.
    pub(crate) has_id: bool,
}

impl Taken {
    const fn new(kind: Option<&'static str>, shape: Shape) -> Self {
        Self { kind, shape, relationships: None, meta: None, has_id: false }
    }
}

/// What an answer is.
pub(crate) struct Given {
    pub(crate) status: u16,
    pub(crate) body: GivenBody,
}

pub(crate) enum GivenBody {
    Nothing,
    /// A resource of a kind, with its attributes.
    One(&'static str, Shape),
    Page(&'static str, Shape),
    /// A kind and an id.
    OneId(&'static str),
    Ids(&'static str),
    /// No document of JSON:API.
    Other(Shape),
    /// Plain text.
    Text(Shape),
}

/// A type that says what something looks like.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: fn() -> Cow<'static, str>,
    pub(crate) schema: fn() -> RefOr<Schema>,
    /// The types it is made of.
    pub(crate) parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    pub(crate) const fn of<T: ToSchema>() -> Self {
        Self { name: T::name, schema: T::schema, parts: T::schemas }
    }
}

/// `equals`
pub(crate) const EQUALS: &[Operator] = &[Operator::Equals];
/// `equals` one, or `any` of some
pub(crate) const ANY: &[Operator] = &[Operator::Any, Operator::Equals];
/// `has`
pub(crate) const HAS: &[Operator] = &[Operator::Has];
/// Later than.
pub(crate) const AFTER: &[Operator] = &[Operator::GreaterThan];
/// All four comparisons.
pub(crate) const COMPARED: &[Operator] =
    &[Operator::GreaterOrEqual, Operator::GreaterThan, Operator::LessOrEqual, Operator::LessThan];

impl Operation {
    const fn new(
        method: Method,
        name: &'static str,
        path: &'static str,
        scopes: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            method,
            path,
            scopes,
            is_open: false,
            limit: Tier::Large,
            query: Query {
                filters: &[],
                sorts: &[],
                includes: &[],
                additional: &[],
                fields: &[],
                pages: None,
                has_cursor: false,
                others: &[],
            },
            takes: None,
            gives: Given { status: 200, body: GivenBody::Nothing },
            or: None,
            run: |_| Box::pin(async { Ok(Answer::empty(StatusCode::OK)) }),
        }
    }

    pub(crate) const fn get(name: &'static str, path: &'static str, scopes: &'static [&'static str]) -> Self {
        Self::new(Method::GET, name, path, scopes)
    }

    pub(crate) const fn post(
        name: &'static str,
        path: &'static str,
        scopes: &'static [&'static str],
    ) -> Self {
        Self::new(Method::POST, name, path, scopes)
    }

    pub(crate) const fn patch(
        name: &'static str,
        path: &'static str,
        scopes: &'static [&'static str],
    ) -> Self {
        Self::new(Method::PATCH, name, path, scopes)
    }

    pub(crate) const fn delete(
        name: &'static str,
        path: &'static str,
        scopes: &'static [&'static str],
    ) -> Self {
        Self::new(Method::DELETE, name, path, scopes)
    }

    /// Without a key.
    pub(crate) const fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// How often it may be called; [`Tier::Large`] unless this says something else.
    pub(crate) const fn limited(mut self, limit: Tier) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) const fn filters(mut self, filters: &'static [(&'static str, &'static [Operator])]) -> Self {
        self.query.filters = filters;
        self
    }

    pub(crate) const fn sorts(mut self, sorts: &'static [&'static str]) -> Self {
        self.query.sorts = sorts;
        self
    }

    pub(crate) const fn includes(mut self, includes: &'static [&'static str]) -> Self {
        self.query.includes = includes;
        self
    }

    pub(crate) const fn additional(
        mut self,
        additional: &'static [(&'static str, &'static [&'static str])],
    ) -> Self {
        self.query.additional = additional;
        self
    }

    pub(crate) const fn fields(mut self, fields: &'static [&'static str]) -> Self {
        self.query.fields = fields;
        self
    }

    pub(crate) const fn pages(mut self, default: usize, greatest: usize) -> Self {
        self.query.pages = Some((default, greatest));
        self
    }

    /// Pages whose size nobody chooses.
    pub(crate) const fn cursor(mut self) -> Self {
        self.query.has_cursor = true;
        self
    }

    /// Parameters of its own.
    pub(crate) const fn parameters(mut self, others: &'static [&'static str]) -> Self {
        self.query.others = others;
        self
    }

    /// A resource of this kind, whose attributes have this shape.
    pub(crate) const fn takes<T: ToSchema>(mut self, kind: &'static str) -> Self {
        self.takes = Some(Taken::new(Some(kind), Shape::of::<T>()));
        self
    }

    /// The resource that it takes may have relationships of this shape.
    pub(crate) const fn related_to<T: ToSchema>(mut self) -> Self {
        if let Some(taken) = &mut self.takes {
            taken.relationships = Some(Shape::of::<T>());
        }
        self
    }

    /// The resource that it takes may have a `meta` of this shape.
    pub(crate) const fn with_meta<T: ToSchema>(mut self) -> Self {
        if let Some(taken) = &mut self.takes {
            taken.meta = Some(Shape::of::<T>());
        }
        self
    }

    /// The resource that it takes may have an id, though it need not be there.
    pub(crate) const fn with_id(mut self) -> Self {
        if let Some(taken) = &mut self.takes {
            taken.has_id = true;
        }
        self
    }

    /// A body of this shape.
    pub(crate) const fn takes_body<T: ToSchema>(mut self) -> Self {
        self.takes = Some(Taken::new(None, Shape::of::<T>()));
        self
    }

    const fn gives(mut self, status: u16, body: GivenBody) -> Self {
        self.gives = Given { status, body };
        self
    }

    /// A resource of this kind, whose attributes have this shape.
    pub(crate) const fn gives_one<T: ToSchema>(self, status: u16, kind: &'static str) -> Self {
        self.gives(status, GivenBody::One(kind, Shape::of::<T>()))
    }

    /// A page of them.
    pub(crate) const fn gives_page<T: ToSchema>(self, kind: &'static str) -> Self {
        self.gives(200, GivenBody::Page(kind, Shape::of::<T>()))
    }

    /// A kind and an id.
    pub(crate) const fn gives_id(self, kind: &'static str) -> Self {
        self.gives(200, GivenBody::OneId(kind))
    }

    /// A page of them.
    pub(crate) const fn gives_ids(self, kind: &'static str) -> Self {
        self.gives(200, GivenBody::Ids(kind))
    }

    /// No body.
    pub(crate) const fn gives_nothing(self, status: u16) -> Self {
        self.gives(status, GivenBody::Nothing)
    }

    /// What is no document of JSON:API.
    pub(crate) const fn gives_other<T: ToSchema>(self, status: u16) -> Self {
        self.gives(status, GivenBody::Other(Shape::of::<T>()))
    }

    /// Plain text.
    pub(crate) const fn gives_text<T: ToSchema>(self, status: u16) -> Self {
        self.gives(status, GivenBody::Text(Shape::of::<T>()))
    }

    /// Another status of success.
    pub(crate) const fn or(mut self, status: u16) -> Self {
        self.or = Some(status);
        self
    }

    pub(crate) const fn by(mut self, run: Run) -> Self {
        self.run = run;
        self
    }
}

impl Tier {
    /// Requests a second.
    pub(crate) const fn burst(self) -> u32 {
        match self {
            Self::ExtraSmall => 1,
            Self::Small => 3,
            Self::Medium => 10,
            Self::Large => 75,
            Self::ExtraLarge => 350,
        }
    }

    /// Requests a minute.
    pub(crate) const fn steady(self) -> u32 {
        match self {
            Self::ExtraSmall => 15,
            Self::Small => 60,
            Self::Medium => 150,
            Self::Large => 750,
            Self::ExtraLarge => 3500,
        }
    }
}

/// The operation that a request wants, and the id in its path. 404 for a path nobody knows or of which nothing is covered,
/// 405 for a method that its path does not have.
pub(crate) fn find<'a>(method: &Method, path: &'a [String]) -> ApiResult<(&'static Operation, &'a str)> {
    let mut allowed: Vec<&str> = Vec::new();
    for operation in operations::all() {
        let Some(id) = matches(operation.path, path) else { continue };
        if operation.method == *method {
            return Ok((operation, id));
        }
        allowed.push(operation.method.as_str());
    }
    Err(nothing_for(method, path, &allowed))
}

/// Why there is nothing for a request at a path, which has these methods.
fn nothing_for(method: &Method, path: &[String], allowed: &[&str]) -> ApiError {
    let here = || klaviyo::operations().filter(|known| matches(known.path, path).is_some());
    let known = here().find(|known| known.method == method.as_str());
    let uncovered =
        known.map(|known| format!("This operation of Klaviyo's API ({}) is not covered.", known.name));
    if !allowed.is_empty() {
        let detail = uncovered.unwrap_or_else(|| format!("{method} is not allowed here."));
        return ApiError::method_not_allowed(allowed, detail);
    }
    if let [api, version, ..] = path
        && api == "api"
        && ["v1", "v2"].contains(&version.as_str())
    {
        let detail = "Versions 1 and 2 of Klaviyo's API are retired: use the one with a revision, such as POST /api/events.";
        return ApiError::new(StatusCode::GONE, "gone", "Gone.", detail);
    }
    // Whatever the method: of this address nothing is covered.
    let other = || {
        here().next().map(|known| format!("This address of Klaviyo's API ({}) is not covered.", known.name))
    };
    let (code, detail) = match uncovered.or_else(other) {
        Some(detail) => ("not_covered", detail),
        None => ("not_found", "There is nothing at this address.".to_owned()),
    };
    ApiError::new(StatusCode::NOT_FOUND, code, "Not found.", detail)
}

/// The last id in the path, empty if the operation has none; `None` if it is another operation's path.
fn matches<'a>(operation: &str, path: &'a [String]) -> Option<&'a str> {
    let mut id = "";
    let mut parts = path.iter();
    for wanted in operation.split('/').filter(|part| !part.is_empty()) {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            id = part;
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(id)
}
