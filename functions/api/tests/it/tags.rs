use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{Reply, World};

async fn group(world: &World, name: &str, exclusive: bool) -> String {
    let attributes = json!({"name": name, "exclusive": exclusive});
    let body = json!({"data": {"type": "tag-group", "attributes": attributes}});
    let reply = world.post("/api/tag-groups", body).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    reply.id()
}

async fn create(world: &World, name: &str, group: Option<&str>) -> Reply {
    let mut data = json!({"type": "tag", "attributes": {"name": name}});
    if let Some(id) = group {
        data["relationships"] = json!({"tag-group": {"data": {"type": "tag-group", "id": id}}});
    }
    world.post("/api/tags", json!({"data": data})).await
}

async fn tag(world: &World, name: &str, group: Option<&str>) -> String {
    let reply = create(world, name, group).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    reply.id()
}

async fn list(world: &World, name: &str) -> String {
    let body = json!({"data": {"type": "list", "attributes": {"name": name}}});
    world.post("/api/lists", body).await.id()
}

async fn segment(world: &World, name: &str) -> String {
    let condition = json!({"type": "profile-property", "property": "email",
        "filter": {"type": "existence", "operator": "is-set"}});
    let definition = json!({"condition_groups": [{"conditions": [condition]}]});
    let attributes = json!({"name": name, "definition": definition});
    let reply =
        world.post("/api/segments", json!({"data": {"type": "segment", "attributes": attributes}})).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.body);
    reply.id()
}

fn named(kind: &str, ids: &[&str]) -> Value {
    let data: Vec<Value> = ids.iter().map(|id| json!({"type": kind, "id": id})).collect();
    json!({"data": data})
}

async fn put(world: &World, tag: &str, kind: &str, ids: &[&str]) -> Reply {
    world.post(&format!("/api/tags/{tag}/relationships/{kind}s"), named(kind, ids)).await
}

async fn take(world: &World, tag: &str, kind: &str, ids: &[&str]) -> Reply {
    let path = format!("/api/tags/{tag}/relationships/{kind}s");
    world.send(Method::DELETE, &path, named(kind, ids).to_string()).await
}

#[tokio::test]
async fn a_tag_is_made_read_renamed_and_deleted() {
    let world = World::new().await;
    let made = create(&world, "VIP", None).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.id();
    let path = format!("/api/tags/{id}");
    let read = world.get(&path).await;
    assert_eq!(read.body["data"], made.body["data"]);
    assert_eq!(read.body["data"]["attributes"], json!({"name": "VIP"}));
    assert_eq!(read.body["data"]["links"]["self"], format!("https://api.example.com/api/tags/{id}/"));
    assert!(read.body.get("included").is_none());

    let rename = json!({"data": {"type": "tag", "id": id, "attributes": {"name": "Very important"}}});
    let reply = world.patch(&path, rename.clone()).await;
    assert_eq!((reply.status, reply.body), (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(world.get(&path).await.body["data"]["attributes"]["name"], "Very important");

    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    for reply in [world.get(&path).await, world.delete(&path).await, world.patch(&path, rename).await] {
        assert_eq!(reply.error().0, 404);
    }
    assert_eq!(world.get("/api/tags").await.ids(), [""; 0]);
}

#[tokio::test]
async fn an_account_has_a_default_group_that_stays() {
    let world = World::new().await;
    let groups = world.get("/api/tag-groups").await;
    let [default] = groups.ids()[..] else { panic!("{}", groups.body) };
    let attributes = &groups.body["data"][0]["attributes"];
    assert_eq!((&attributes["default"], &attributes["exclusive"]), (&json!(true), &json!(false)));
    let tag = tag(&world, "VIP", None).await;
    let of = world.get(&format!("/api/tags/{tag}/tag-group")).await;
    assert_eq!(of.body["data"], groups.body["data"][0]);
    let of = world.get(&format!("/api/tags/{tag}/relationships/tag-group")).await;
    assert_eq!(of.body["data"], json!({"type": "tag-group", "id": default}));

    let path = format!("/api/tag-groups/{default}");
    assert_eq!(world.delete(&path).await.error().0, 409);
    let rename = json!({"data": {"type": "tag-group", "id": default, "attributes": {"name": "Mine", "return_fields": []}}});
    assert_eq!(world.patch(&path, rename).await.status, StatusCode::NO_CONTENT);
    let read = world.get(&path).await;
    let attributes = json!({"name": "Mine", "exclusive": false, "default": true});
    assert_eq!(read.body["data"]["attributes"], attributes);
    assert_eq!(world.get("/api/tag-groups").await.ids(), [default]);
}

#[tokio::test]
async fn a_group_goes_with_its_tags() {
    let world = World::new().await;
    let season = group(&world, "Season", true).await;
    let (summer, vip) = (tag(&world, "Summer", Some(&season)).await, tag(&world, "VIP", None).await);
    let list = list(&world, "Newsletter").await;
    put(&world, &summer, "list", &[&list]).await;
    put(&world, &vip, "list", &[&list]).await;
    let path = format!("/api/tag-groups/{season}");
    assert_eq!(world.get(&format!("{path}/tags")).await.ids(), [summer.as_str()]);
    let ids = world.get(&format!("{path}/relationships/tags")).await;
    assert_eq!(ids.body["data"], json!([{"type": "tag", "id": summer}]));
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/api/tags/{summer}")).await.error().0, 404);
    assert_eq!(world.get("/api/tags").await.ids(), [vip.as_str()]);
    assert_eq!(world.get(&format!("/api/lists/{list}/tags")).await.ids(), [vip.as_str()]);
    for path in [path.clone(), format!("{path}/tags"), format!("{path}/relationships/tags")] {
        assert_eq!(world.get(&path).await.error().0, 404);
    }
}

#[tokio::test]
async fn tags_and_groups_are_filtered_sorted_and_paged() {
    let world = World::new().await;
    let season = group(&world, "Season", true).await;
    let kind = group(&world, "Kind", false).await;
    for number in 0..52 {
        tag(&world, &format!("tag {number:02}"), Some(&kind)).await;
    }
    let summer = tag(&world, "High summer", Some(&season)).await;
    let first = world.get("/api/tags").await;
    assert_eq!(first.ids().len(), 50);
    let second = world.get(&first.next().unwrap()).await;
    assert_eq!((second.ids().len(), second.next()), (3, None));
    for (filter, count) in [
        ("equals(name,'tag%2007')", 1),
        ("equals(name,['tag%2007','tag%2008'])", 2),
        ("contains(name,'g%200')", 10),
        ("starts-with(name,'tag%205')", 2),
        ("ends-with(name,'mer')", 1),
        ("starts-with(name,'g')", 0),
    ] {
        assert_eq!(world.get(&format!("/api/tags?filter={filter}")).await.ids().len(), count, "{filter}");
    }
    let names = |reply: &Reply| -> Vec<String> {
        let data = reply.body["data"].as_array().unwrap();
        data.iter().map(|tag| tag["attributes"]["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&world.get("/api/tags?sort=-name&page[size]=2").await), ["tag 51", "tag 50"]);
    assert_eq!(names(&world.get("/api/tags?sort=name&page[size]=1").await), ["High summer"]);
    for sort in ["id", "-id"] {
        let reply = world.get(&format!("/api/tags?sort={sort}")).await;
        assert!(reply.ids().is_sorted_by(|a, b| if sort == "id" { a < b } else { a > b }));
    }
    let with =
        world.get("/api/tags?include=tag-group&filter=ends-with(name,'r')&fields[tag-group]=name").await;
    assert_eq!(with.ids(), [summer.as_str()]);
    assert_eq!(with.body["included"][0]["attributes"], json!({"name": "Season"}));
    let related = &with.body["data"][0]["relationships"]["tag-group"]["data"];
    assert_eq!(related, &json!({"type": "tag-group", "id": season}));
    let one = world.get(&format!("/api/tags/{summer}?include=tag-group")).await;
    assert_eq!(one.body["included"].as_array().unwrap().len(), 1);

    for (filter, expected) in [
        ("equals(exclusive,true)", vec!["Season"]),
        ("equals(exclusive,false)", vec!["Default Tag Group", "Kind"]),
        ("equals(default,true)", vec!["Default Tag Group"]),
        ("contains(name,'a')", vec!["Default Tag Group", "Season"]),
        ("equals(default,false),starts-with(name,'K')", vec!["Kind"]),
    ] {
        assert_eq!(
            names(&world.get(&format!("/api/tag-groups?filter={filter}")).await),
            expected,
            "{filter}"
        );
    }
    let page = world.get("/api/tag-groups?sort=-name&page[size]=2").await;
    assert_eq!(names(&page), ["Season", "Kind"]);
    assert_eq!(names(&world.get(&page.next().unwrap()).await), ["Default Tag Group"]);
    for (query, parameter) in [
        ("tags?page[size]=51", "page[size]"),
        ("tag-groups?page[size]=26", "page[size]"),
        ("tags?sort=created", "sort"),
        ("tags?filter=any(name,['a'])", "filter"),
        ("tags?include=lists", "include"),
        ("tags?filter=contains(name,['a'])", "filter"),
        ("tag-groups?filter=equals(exclusive,'maybe')", "filter"),
        ("tag-groups?filter=contains(default,true)", "filter"),
    ] {
        assert_eq!(world.get(&format!("/api/{query}")).await.error(), (400, parameter), "{query}");
    }
}

#[tokio::test]
async fn lists_and_segments_have_tags_until_these_or_they_are_deleted() {
    let world = World::new().await;
    let (vip, old) = (tag(&world, "VIP", None).await, tag(&world, "Old", None).await);
    let lists = [list(&world, "A").await, list(&world, "B").await];
    let segment = segment(&world, "S").await;
    let both: Vec<&str> = lists.iter().map(String::as_str).collect();
    for reply in [
        put(&world, &vip, "list", &[both[0], both[1], both[0]]).await,
        put(&world, &vip, "list", &both).await,
        put(&world, &old, "list", &[both[0]]).await,
        put(&world, &vip, "segment", &[&segment]).await,
    ] {
        assert_eq!((reply.status, reply.body), (StatusCode::NO_CONTENT, Value::Null));
    }
    let of_tag = world.get(&format!("/api/tags/{vip}/relationships/lists")).await;
    let mut expected = both.clone();
    expected.sort_unstable();
    assert_eq!(of_tag.ids(), expected);
    assert_eq!(of_tag.body["data"][0]["type"], "list");
    let of_tag = world.get(&format!("/api/tags/{vip}/relationships/segments")).await;
    assert_eq!(of_tag.body["data"], json!([{"type": "segment", "id": segment}]));
    let on_list = world.get(&format!("/api/lists/{}/tags", both[0])).await;
    assert_eq!(on_list.ids(), [vip.as_str(), old.as_str()]);
    assert_eq!(on_list.body["data"][0]["attributes"]["name"], "VIP");
    let ids = world.get(&format!("/api/segments/{segment}/relationships/tags")).await;
    assert_eq!(ids.body["data"], json!([{"type": "tag", "id": vip}]));
    assert_eq!(world.get(&format!("/api/segments/{segment}/tags")).await.ids(), [vip.as_str()]);

    let reply = take(&world, &vip, "list", &[both[1]]).await;
    assert_eq!((reply.status, reply.body), (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(take(&world, &vip, "list", &[both[1]]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/api/lists/{}/tags", both[1])).await.ids(), [""; 0]);

    world.delete(&format!("/api/tags/{old}")).await;
    let ids = world.get(&format!("/api/lists/{}/relationships/tags", both[0])).await;
    assert_eq!(ids.body["data"], json!([{"type": "tag", "id": vip}]));
    for path in [format!("/api/lists/{}", both[0]), format!("/api/segments/{segment}")] {
        assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
        assert_eq!(world.get(&format!("{path}/tags")).await.error().0, 404);
    }
    for kind in ["lists", "segments"] {
        assert_eq!(world.get(&format!("/api/tags/{vip}/relationships/{kind}")).await.ids(), [""; 0]);
    }
}

#[tokio::test]
async fn lists_and_segments_include_their_tags() {
    let world = World::new().await;
    let (vip, old) = (tag(&world, "VIP", None).await, tag(&world, "Old", None).await);
    let (a, b) = (list(&world, "A").await, list(&world, "B").await);
    let segment = segment(&world, "S").await;
    put(&world, &vip, "list", &[&a, &b]).await;
    put(&world, &old, "list", &[&b]).await;
    put(&world, &old, "segment", &[&segment]).await;
    let all = world.get("/api/lists?include=tags&sort=name&fields[tag]=name").await;
    let tags = |place: usize| all.body["data"][place]["relationships"]["tags"]["data"].clone();
    assert_eq!(tags(0), json!([{"type": "tag", "id": vip}]));
    assert_eq!(tags(1), json!([{"type": "tag", "id": vip}, {"type": "tag", "id": old}]));
    let mut included: Vec<&str> =
        all.body["included"].as_array().unwrap().iter().map(|tag| tag["id"].as_str().unwrap()).collect();
    included.sort_unstable();
    let mut expected = [vip.as_str(), old.as_str()];
    expected.sort_unstable();
    assert_eq!(included, expected);
    for path in ["/api/segments".to_owned(), format!("/api/segments/{segment}")] {
        let reply = world.get(&format!("{path}?include=tags")).await;
        assert_eq!(reply.body["included"][0]["attributes"], json!({"name": "Old"}), "{path}");
    }
    let one = world.get(&format!("/api/lists/{a}?include=tags")).await;
    assert_eq!(one.body["data"]["relationships"]["tags"]["data"], json!([{"type": "tag", "id": vip}]));
    let plain = world.get(&format!("/api/lists/{a}")).await;
    assert!(plain.body["data"]["relationships"]["tags"].get("data").is_none());
    assert!(plain.body.get("included").is_none());
}

#[tokio::test]
async fn of_an_exclusive_group_there_is_one_tag() {
    let world = World::new().await;
    let season = group(&world, "Season", true).await;
    let (summer, winter) =
        (tag(&world, "Summer", Some(&season)).await, tag(&world, "Winter", Some(&season)).await);
    let (a, b) = (list(&world, "A").await, list(&world, "B").await);
    assert_eq!(put(&world, &summer, "list", &[&b]).await.status, StatusCode::NO_CONTENT);
    let refused = put(&world, &winter, "list", &[&a, &b]).await;
    assert_eq!(refused.error(), (409, "/data/1/id"));
    assert!(refused.body["errors"][0]["detail"].as_str().unwrap().contains(&summer));
    // Nothing is written if anything is wrong.
    assert_eq!(world.get(&format!("/api/lists/{a}/tags")).await.ids(), [""; 0]);
    take(&world, &summer, "list", &[&b]).await;
    assert_eq!(put(&world, &winter, "list", &[&a, &b]).await.status, StatusCode::NO_CONTENT);

    // Two that race: one of them stays.
    let c = list(&world, "C").await;
    let ids = [c.as_str()];
    let (first, second) =
        tokio::join!(put(&world, &summer, "list", &ids), put(&world, &winter, "list", &ids));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    assert_eq!(world.get(&format!("/api/lists/{c}/tags")).await.ids().len(), 1);
}

#[tokio::test]
async fn limits_are_told_where_they_are_met() {
    let world = World::new().await;
    let list = list(&world, "A").await;
    let first = tag(&world, "0", None).await;
    let store::Versioned { value: mut book, version } = world.store.tag_book().await.unwrap();
    for number in 1..499 {
        book.tags.push(store::Tag { id: format!("T{number}"), ..book.tags[0].clone() });
    }
    for number in 1..49 {
        book.groups.push(store::TagGroup {
            id: format!("G{number}"),
            is_default: false,
            ..book.groups[0].clone()
        });
    }
    world.store.put_tag_book(&book, version).await.unwrap();
    tag(&world, "the last", None).await;
    assert_eq!(create(&world, "one too many", None).await.error(), (400, "/data"));
    group(&world, "the last", false).await;
    let body = json!({"data": {"type": "tag-group", "attributes": {"name": "one too many"}}});
    assert_eq!(world.post("/api/tag-groups", body).await.error(), (400, "/data"));
    assert_eq!(world.get("/api/tag-groups?page[size]=25").await.ids().len(), 25);

    let others: Vec<String> =
        world.store.tag_book().await.unwrap().value.tags[1..].iter().map(|tag| tag.id.clone()).collect();
    world.store.put_tags_of(store::Taggable::List, &list, &others[..100], 0).await.unwrap();
    assert_eq!(put(&world, &first, "list", &[&list]).await.error(), (400, "/data/0/id"));
    assert_eq!(put(&world, &others[0], "list", &[&list]).await.status, StatusCode::NO_CONTENT);
    // Tags that are gone do not count.
    world.delete(&format!("/api/tags/{}", others[0])).await;
    assert_eq!(put(&world, &first, "list", &[&list]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/api/lists/{list}/tags")).await.ids().len(), 100);
    let many: Vec<&str> = vec![list.as_str(); 1001];
    assert_eq!(put(&world, &first, "list", &many).await.error(), (400, "/data"));
}

#[tokio::test]
async fn what_is_no_tag_is_refused_where_it_is_not() {
    let world = World::new().await;
    let vip = tag(&world, "VIP", None).await;
    for (attributes, pointer) in [
        (json!({}), "/data/attributes/name"),
        (json!({"name": ""}), "/data/attributes/name"),
        (json!({"name": "x".repeat(101)}), "/data/attributes/name"),
        (json!({"name": "x", "colour": "red"}), "/data/attributes/colour"),
    ] {
        for (path, kind) in [("/api/tags", "tag"), ("/api/tag-groups", "tag-group")] {
            let body = json!({"data": {"type": kind, "attributes": attributes}});
            assert_eq!(world.post(path, body).await.error(), (400, pointer));
        }
    }
    let unknown = create(&world, "x", Some("NONE")).await;
    assert_eq!(unknown.error(), (400, "/data/relationships/tag-group/data/id"));
    let body = json!({"data": {"type": "tag-group", "attributes": {"name": "x", "exclusive": "yes"}}});
    assert_eq!(world.post("/api/tag-groups", body).await.error(), (400, "/data/attributes/exclusive"));
    let other = json!({"data": {"type": "tag", "id": "OTHER", "attributes": {"name": "x"}}});
    assert_eq!(world.patch(&format!("/api/tags/{vip}"), other).await.error(), (400, "/data/id"));
    assert_eq!(put(&world, &vip, "list", &["NONE00"]).await.error(), (404, "/data/0/id"));
    assert_eq!(take(&world, &vip, "segment", &["NONE00"]).await.error(), (404, "/data/0/id"));
    assert_eq!(put(&world, "NONE", "list", &[]).await.error().0, 404);
    let path = format!("/api/tags/{vip}/relationships/lists");
    let wrong = json!({"data": [{"type": "segment", "id": "A"}]});
    assert_eq!(world.post(&path, wrong).await.error(), (400, "/data/0/type"));
    for path in ["/api/lists/NONE00/tags", "/api/segments/NONE00/relationships/tags"] {
        assert_eq!(world.get(path).await.error().0, 404, "{path}");
    }
}

#[tokio::test]
async fn keys_need_the_scopes_of_tags() {
    let world = World::new().await;
    world.add_key("pk_reader", &["tags:read", "lists:read"]).await;
    let vip = tag(&world, "VIP", None).await;
    let list = list(&world, "A").await;
    for (method, path, status) in [
        (Method::GET, "/api/tags".to_owned(), 200),
        (Method::POST, "/api/tags".to_owned(), 403),
        (Method::DELETE, format!("/api/tags/{vip}"), 403),
        (Method::GET, format!("/api/lists/{list}/tags"), 200),
        (Method::GET, format!("/api/tags/{vip}/relationships/lists"), 200),
        (Method::POST, format!("/api/tags/{vip}/relationships/lists"), 403),
        (Method::GET, format!("/api/tags/{vip}/relationships/segments"), 403),
        (Method::POST, "/api/tag-groups".to_owned(), 403),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header("host", "api.example.com")
            .header("authorization", "Klaviyo-API-Key pk_reader");
        let reply = world.request(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(reply.status.as_u16(), status, "{path}");
    }
}
