//! Tags and their groups.

use http::StatusCode;
use serde_json::Value;
use store::{Error, Tag, TagBook, TagGroup, Versioned};

use crate::Api;
use crate::body::{self, Fields, Node};
use crate::document::{Answer, Resource, collection, identifier, page_of, single};
use crate::error::{ApiError, ApiResult};
use crate::filter::{Filter, Operator};
use crate::operation::{EQUALS, Operation, Tier};
use crate::request::{Asked, bad_value, filter_texts, unsupported};
use crate::shapes;

/// Klaviyo's limits.
const MAX_TAGS: usize = 500;
const MAX_GROUPS: usize = 50;
/// The longest name, in characters: so all tags fit into one item of the table.
const MAX_NAME: usize = 100;
/// How often a write that lost a race is tried again.
const ATTEMPTS: u32 = 8;
const DEFAULT_GROUP: &str = "00000000-0000-8000-8000-000000000001";
const READ: &[&str] = &["tags:read"];
const WRITE: &[&str] = &["tags:read", "tags:write"];
/// How names can be searched.
const NAMED: &[Operator] = &[Operator::Contains, Operator::EndsWith, Operator::Equals, Operator::StartsWith];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_tags", "/api/tags", READ)
        .limited(Tier::Small)
        .filters(&[("name", NAMED)])
        .sorts(&["id", "name"])
        .includes(&["tag-group"])
        .fields(&["tag", "tag-group"])
        .pages(50, 50)
        .gives_page::<shapes::Tag>("tag")
        .by(|call| Box::pin(call.api.list_tags(call.asked))),
    Operation::post("create_tag", "/api/tags", WRITE)
        .limited(Tier::Small)
        .fields(&["tag"])
        .takes::<shapes::Tag>("tag")
        .related_to::<shapes::InTagGroup>()
        .gives_one::<shapes::Tag>(201, "tag")
        .by(|call| Box::pin(call.api.create_tag(call.asked, call.body))),
    Operation::get("get_tag", "/api/tags/{id}", READ)
        .limited(Tier::Small)
        .includes(&["tag-group"])
        .fields(&["tag", "tag-group"])
        .gives_one::<shapes::Tag>(200, "tag")
        .by(|call| Box::pin(call.api.get_tag(call.asked, call.id))),
    Operation::patch("update_tag", "/api/tags/{id}", WRITE)
        .limited(Tier::Small)
        .takes::<shapes::Tag>("tag")
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.update_tag(call.id, call.body))),
    Operation::delete("delete_tag", "/api/tags/{id}", WRITE)
        .limited(Tier::Small)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_tag(call.id))),
    Operation::get("get_tag_group_for_tag", "/api/tags/{id}/tag-group", READ)
        .limited(Tier::Small)
        .fields(&["tag-group"])
        .gives_one::<shapes::TagGroup>(200, "tag-group")
        .by(|call| Box::pin(call.api.group_of_tag(call.asked, call.id, false))),
    Operation::get("get_tag_group_id_for_tag", "/api/tags/{id}/relationships/tag-group", READ)
        .limited(Tier::Small)
        .gives_id("tag-group")
        .by(|call| Box::pin(call.api.group_of_tag(call.asked, call.id, true))),
    Operation::get("get_tag_groups", "/api/tag-groups", READ)
        .limited(Tier::Small)
        .filters(&[("name", NAMED), ("exclusive", EQUALS), ("default", EQUALS)])
        .sorts(&["id", "name"])
        .fields(&["tag-group"])
        .pages(25, 25)
        .gives_page::<shapes::TagGroup>("tag-group")
        .by(|call| Box::pin(call.api.list_tag_groups(call.asked))),
    Operation::post("create_tag_group", "/api/tag-groups", WRITE)
        .limited(Tier::Small)
        .fields(&["tag-group"])
        .takes::<shapes::NewTagGroup>("tag-group")
        .gives_one::<shapes::TagGroup>(201, "tag-group")
        .by(|call| Box::pin(call.api.create_tag_group(call.asked, call.body))),
    Operation::get("get_tag_group", "/api/tag-groups/{id}", READ)
        .limited(Tier::Small)
        .fields(&["tag-group"])
        .gives_one::<shapes::TagGroup>(200, "tag-group")
        .by(|call| Box::pin(call.api.get_tag_group(call.asked, call.id))),
    Operation::patch("update_tag_group", "/api/tag-groups/{id}", WRITE)
        .limited(Tier::Small)
        .takes::<shapes::ChangedTagGroup>("tag-group")
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.update_tag_group(call.id, call.body))),
    Operation::delete("delete_tag_group", "/api/tag-groups/{id}", WRITE)
        .limited(Tier::Small)
        .gives_nothing(204)
        .by(|call| Box::pin(call.api.delete_tag_group(call.id))),
    Operation::get("get_tags_for_tag_group", "/api/tag-groups/{id}/tags", READ)
        .limited(Tier::Small)
        .fields(&["tag"])
        .gives_page::<shapes::Tag>("tag")
        .by(|call| Box::pin(call.api.tags_of_group(call.asked, call.id, false))),
    Operation::get("get_tag_ids_for_tag_group", "/api/tag-groups/{id}/relationships/tags", READ)
        .limited(Tier::Small)
        .gives_ids("tag")
        .by(|call| Box::pin(call.api.tags_of_group(call.asked, call.id, true))),
];

impl Api {
    /// `GET /api/tags`.
    pub(crate) async fn list_tags(&self, asked: &Asked) -> ApiResult<Answer> {
        let TagBook { groups, mut tags } = self.tag_book().await?.value;
        for filter in asked.filters() {
            keep_named(&mut tags, filter, |tag| &tag.name)?;
        }
        let (key, descending) = sorted(asked, |tag: &Tag| (&tag.name, &tag.id));
        let (page, next) = page_of(asked, tags, key, descending, asked.page_size())?;
        let data = page.iter().map(|tag| tag_resource(asked, tag)).collect();
        let included = included_groups(asked, &groups, &page);
        Ok(Answer::ok(collection(asked, data, next.as_deref(), included)))
    }

    /// `POST /api/tags`.
    pub(crate) async fn create_tag(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "tag")?;
        data.only(&["type", "attributes", "relationships"])?;
        let name = name_of(&data)?;
        let group = match data.optional("relationships") {
            Some(relationships) => {
                let relationships = relationships.object()?;
                relationships.only(&["tag-group"])?;
                let named = relationships.optional("tag-group").map(|node| node.object()).transpose()?;
                match named.and_then(|named| named.optional("data")) {
                    Some(data) => Some(data.resource("tag-group")?.required("id")?),
                    None => None,
                }
            }
            None => None,
        };
        let wanted = group.as_ref().map(Node::text).transpose()?;
        let id = self.uuid();
        let tag = self
            .change_tags(|book| {
                let is_wanted =
                    |group: &&TagGroup| wanted.map_or(group.is_default, |wanted| group.id == wanted);
                let group = match (book.groups.iter().find(is_wanted), &group) {
                    (Some(found), _) => found.id.clone(),
                    (None, Some(node)) => return Err(node.invalid("There is no such tag group.")),
                    (None, None) => return Err(ApiError::unavailable("there is no default group of tags")),
                };
                if book.tags.len() >= MAX_TAGS {
                    return Err(data.invalid(format!("An account has at most {MAX_TAGS} tags.")));
                }
                let tag = Tag { id: id.clone(), name: name.to_owned(), group };
                book.tags.push(tag.clone());
                Ok(tag)
            })
            .await?;
        Ok(Answer::created(single(asked, tag_resource(asked, &tag), None)))
    }

    /// `GET /api/tags/{id}`.
    pub(crate) async fn get_tag(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        let tag = tag_in(&book, id)?;
        let included = included_groups(asked, &book.groups, std::slice::from_ref(tag));
        Ok(Answer::ok(single(asked, tag_resource(asked, tag), included)))
    }

    /// `PATCH /api/tags/{id}`: only the name can change.
    pub(crate) async fn update_tag(&self, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "tag")?;
        let name = new_name_of(&data, id, &["name"])?;
        self.change_tags(|book| {
            tag_in(book, id)?;
            let renamed = book.tags.iter_mut().filter(|tag| tag.id == id);
            renamed.for_each(|tag| name.clone_into(&mut tag.name));
            Ok(())
        })
        .await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `DELETE /api/tags/{id}`: nothing has it any more.
    pub(crate) async fn delete_tag(&self, id: &str) -> ApiResult<Answer> {
        self.change_tags(|book| {
            tag_in(book, id)?;
            book.tags.retain(|tag| tag.id != id);
            Ok(())
        })
        .await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `GET /api/tags/{id}/tag-group` and its relationship.
    pub(crate) async fn group_of_tag(&self, asked: &Asked, id: &str, only_id: bool) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        let group = group_in(&book, &tag_in(&book, id)?.group)?;
        let data = if only_id { identifier("tag-group", &group.id) } else { group_resource(asked, group) };
        Ok(Answer::ok(single(asked, data, None)))
    }

    /// `GET /api/tag-groups`.
    pub(crate) async fn list_tag_groups(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut groups = self.tag_book().await?.value.groups;
        for filter in asked.filters() {
            let flag: fn(&TagGroup) -> bool = match filter.field.as_str() {
                "exclusive" => |group| group.exclusive,
                "default" => |group| group.is_default,
                _ => {
                    keep_named(&mut groups, filter, |group| &group.name)?;
                    continue;
                }
            };
            let wanted = filter.value.text().and_then(|text| text.parse::<bool>().ok());
            let wanted = wanted.ok_or_else(|| bad_value(filter, "true or false"))?;
            groups.retain(|group| flag(group) == wanted);
        }
        let (key, descending) = sorted(asked, |group: &TagGroup| (&group.name, &group.id));
        let (page, next) = page_of(asked, groups, key, descending, asked.page_size())?;
        let data = page.iter().map(|group| group_resource(asked, group)).collect();
        Ok(Answer::ok(collection(asked, data, next.as_deref(), None)))
    }

    /// `POST /api/tag-groups`.
    pub(crate) async fn create_tag_group(&self, asked: &Asked, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "tag-group")?;
        data.only(&["type", "attributes"])?;
        let attributes = data.required("attributes")?.object()?;
        attributes.only(&["name", "exclusive"])?;
        let group = TagGroup {
            id: self.uuid(),
            name: attributes.required("name")?.text_of(MAX_NAME)?.to_owned(),
            exclusive: attributes.flag("exclusive")?.unwrap_or_default(),
            is_default: false,
        };
        self.change_tags(|book| {
            if book.groups.len() >= MAX_GROUPS {
                return Err(data.invalid(format!("An account has at most {MAX_GROUPS} tag groups.")));
            }
            book.groups.push(group.clone());
            Ok(())
        })
        .await?;
        Ok(Answer::created(single(asked, group_resource(asked, &group), None)))
    }

    /// `GET /api/tag-groups/{id}`.
    pub(crate) async fn get_tag_group(&self, asked: &Asked, id: &str) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        Ok(Answer::ok(single(asked, group_resource(asked, group_in(&book, id)?), None)))
    }

    /// `PATCH /api/tag-groups/{id}`: only the name can change.
    pub(crate) async fn update_tag_group(&self, id: &str, bytes: &[u8]) -> ApiResult<Answer> {
        let body = body::parse(bytes)?;
        let data = body::data(&body, "tag-group")?;
        let name = new_name_of(&data, id, &["name", "return_fields"])?;
        self.change_tags(|book| {
            group_in(book, id)?;
            let renamed = book.groups.iter_mut().filter(|group| group.id == id);
            renamed.for_each(|group| name.clone_into(&mut group.name));
            Ok(())
        })
        .await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `DELETE /api/tag-groups/{id}`, with the tags in it.
    pub(crate) async fn delete_tag_group(&self, id: &str) -> ApiResult<Answer> {
        self.change_tags(|book| {
            if group_in(book, id)?.is_default {
                let detail = "The default tag group cannot be deleted.";
                return Err(ApiError::conflict("default_tag_group", detail));
            }
            book.tags.retain(|tag| tag.group != id);
            book.groups.retain(|group| group.id != id);
            Ok(())
        })
        .await?;
        Ok(Answer::empty(StatusCode::NO_CONTENT))
    }

    /// `GET /api/tag-groups/{id}/tags` and its relationship.
    pub(crate) async fn tags_of_group(&self, asked: &Asked, id: &str, only_ids: bool) -> ApiResult<Answer> {
        let book = self.tag_book().await?.value;
        let group = group_in(&book, id)?;
        let tags = book.tags.iter().filter(|tag| tag.group == group.id);
        let data = tags.map(|tag| tag_data(asked, tag, only_ids)).collect();
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// All tags and groups, among them the default one, which nobody has to make.
    pub(crate) async fn tag_book(&self) -> ApiResult<Versioned<TagBook>> {
        let mut book = self.store.tag_book().await?;
        if !book.value.groups.iter().any(|group| group.is_default) {
            let id = DEFAULT_GROUP.to_owned();
            let name = "Default Tag Group".to_owned();
            book.value.groups.insert(0, TagGroup { id, name, exclusive: false, is_default: true });
        }
        Ok(book)
    }

    /// Changes all tags and groups as one.
    async fn change_tags<T>(&self, change: impl Fn(&mut TagBook) -> ApiResult<T>) -> ApiResult<T> {
        for _ in 0..ATTEMPTS {
            let Versioned { value: mut book, version } = self.tag_book().await?;
            let outcome = change(&mut book)?;
            match self.store.put_tag_book(&book, version).await {
                Ok(()) => return Ok(outcome),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ApiError::unavailable("too many tags change at once"))
    }

    fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes((self.random)().to_be_bytes()).into_uuid().to_string()
    }
}

/// The tag of an id, or 404.
pub(crate) fn tag_in<'a>(book: &'a TagBook, id: &str) -> ApiResult<&'a Tag> {
    book.tags.iter().find(|tag| tag.id == id).ok_or_else(|| ApiError::not_found("tag", id))
}

fn group_in<'a>(book: &'a TagBook, id: &str) -> ApiResult<&'a TagGroup> {
    book.groups.iter().find(|group| group.id == id).ok_or_else(|| ApiError::not_found("tag group", id))
}

/// The name in a new tag's attributes.
fn name_of<'a>(data: &Fields<'a>) -> ApiResult<&'a str> {
    let attributes = data.required("attributes")?.object()?;
    attributes.only(&["name"])?;
    attributes.required("name")?.text_of(MAX_NAME)
}

/// The new name of what has this id.
fn new_name_of<'a>(data: &Fields<'a>, id: &str, known: &[&str]) -> ApiResult<&'a str> {
    data.only(&["type", "id", "attributes"])?;
    let named = data.required("id")?;
    if named.text()? != id {
        return Err(named.invalid("The id must be that of the address."));
    }
    let attributes = data.required("attributes")?.object()?;
    attributes.only(known)?;
    attributes.required("name")?.text_of(MAX_NAME)
}

pub(crate) fn tag_data(asked: &Asked, tag: &Tag, only_id: bool) -> Value {
    if only_id { identifier("tag", &tag.id) } else { tag_resource(asked, tag) }
}

fn tag_resource(asked: &Asked, tag: &Tag) -> Value {
    Resource::new(asked, "tag", "tags", &tag.id)
        .attribute("name", tag.name.as_str())
        .related("tag-group", identifier("tag-group", &tag.group))
        .linked("lists")
        .linked("segments")
        .build()
}

fn group_resource(asked: &Asked, group: &TagGroup) -> Value {
    Resource::new(asked, "tag-group", "tag-groups", &group.id)
        .attribute("name", group.name.as_str())
        .attribute("exclusive", group.exclusive)
        .attribute("default", group.is_default)
        .linked("tags")
        .build()
}

/// The groups of tags, each once, if they are asked for.
fn included_groups(asked: &Asked, groups: &[TagGroup], tags: &[Tag]) -> Option<Vec<Value>> {
    let has_tag = |group: &&TagGroup| tags.iter().any(|tag| tag.group == group.id);
    let wanted = !asked.include().is_empty();
    wanted.then(|| groups.iter().filter(has_tag).map(|group| group_resource(asked, group)).collect())
}

/// The key by which tags or groups are sorted as asked, by name unless something else is, and whether backwards.
fn sorted<T>(asked: &Asked, of: fn(&T) -> (&String, &String)) -> (impl Fn(&T) -> String, bool) {
    let (field, descending) = asked.sort().unwrap_or(("name", false));
    let by_name = field == "name";
    let key = move |record: &T| {
        let (name, id) = of(record);
        if by_name { format!("{name}#{id}") } else { id.clone() }
    };
    (key, descending)
}

fn keep_named<T>(records: &mut Vec<T>, filter: &Filter, name: fn(&T) -> &String) -> ApiResult<()> {
    let wanted = filter_texts_of_any(filter)?;
    let fits: fn(&str, &str) -> bool = match filter.operator {
        Operator::Equals => |name, wanted| name == wanted,
        Operator::Contains => |name, wanted| name.contains(wanted),
        Operator::StartsWith => |name, wanted| name.starts_with(wanted),
        Operator::EndsWith => |name, wanted| name.ends_with(wanted),
        _ => return Err(unsupported(filter)),
    };
    records.retain(|record| wanted.iter().any(|wanted| fits(name(record), wanted)));
    Ok(())
}

/// The one text of a comparison, or those of an `equals`.
fn filter_texts_of_any(filter: &Filter) -> ApiResult<Vec<&str>> {
    if filter.operator == Operator::Equals {
        return filter_texts(filter);
    }
    filter.value.text().map(|text| vec![text]).ok_or_else(|| bad_value(filter, "a text"))
}
