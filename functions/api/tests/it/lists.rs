use api::Queue;
use evaluation::{Change, ChangeKind, Evaluator};
use http::{Method, StatusCode};
use jiff::tz::TimeZone;
use runtime::Clock;
use serde_json::{Value, json};
use store::{JobKind, JobMessage};

use crate::{NOW_MS, Reply, World};

const DAY_MS: i64 = 86_400_000;

async fn create(world: &World, name: &str) -> Reply {
    world.post("/api/lists", json!({"data": {"type": "list", "attributes": {"name": name}}})).await
}

fn named(profiles: &[&str]) -> Value {
    let data: Vec<Value> = profiles.iter().map(|id| json!({"type": "profile", "id": id})).collect();
    json!({"data": data})
}

async fn add(world: &World, list: &str, profiles: &[&str]) -> Reply {
    world.post(&format!("/api/lists/{list}/relationships/profiles"), named(profiles)).await
}

async fn remove(world: &World, list: &str, profiles: &[&str]) -> Reply {
    let path = format!("/api/lists/{list}/relationships/profiles");
    world.send(Method::DELETE, &path, named(profiles).to_string()).await
}

async fn segment(world: &World, condition: Value) -> Reply {
    let definition = json!({"condition_groups": [{"conditions": [condition]}]});
    let attributes = json!({"name": "Segment", "definition": definition});
    world.post("/api/segments", json!({"data": {"type": "segment", "attributes": attributes}})).await
}

#[tokio::test]
async fn a_list_is_made_renamed_and_deleted() {
    let world = World::new().await;
    let created = create(&world, "Newsletter").await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.id();
    assert_eq!(id.len(), 6);
    assert_eq!(created.body["data"]["type"], "list");
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "name": "Newsletter", "created": "2026-06-17T12:00:00+00:00",
            "updated": "2026-06-17T12:00:00+00:00", "opt_in_process": "double_opt_in",
        })
    );
    let path = format!("/api/lists/{id}");
    assert_eq!(created.body["data"]["links"]["self"], format!("https://api.example.com{path}/"));
    world.pass(1000);
    let change = |attributes: Value| json!({"data": {"type": "list", "id": id, "attributes": attributes}});
    let changed =
        world.patch(&path, change(json!({"name": "News", "opt_in_process": "single_opt_in"}))).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let read = world.get(&path).await;
    assert_eq!(read.body["data"], changed.body["data"]);
    let attributes = &read.body["data"]["attributes"];
    assert_eq!(
        (&attributes["name"], &attributes["opt_in_process"]),
        (&json!("News"), &json!("single_opt_in"))
    );
    assert_eq!(attributes["created"], "2026-06-17T12:00:00+00:00");
    assert_eq!(attributes["updated"], "2026-06-17T12:00:01+00:00");
    world.pass(1000);
    let same = world.patch(&path, change(json!({"name": "News"}))).await;
    assert_eq!(same.body["data"]["attributes"]["updated"], "2026-06-17T12:00:01+00:00");

    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
    let messages = world.sent(Queue::Jobs);
    let message: JobMessage = serde_json::from_str(&messages[0]).unwrap();
    let job = world.store.job(&message.job).await.unwrap().unwrap();
    assert_eq!((job.kind, messages.len()), (JobKind::EmptyList { list: id.clone() }, 1));
    for reply in
        [world.get(&path).await, world.delete(&path).await, world.patch(&path, change(json!({}))).await]
    {
        assert_eq!(reply.error().0, 404);
    }
    assert_eq!(add(&world, &id, &[]).await.error().0, 404);
}

#[tokio::test]
async fn what_makes_no_list_is_refused_where_it_does_not() {
    let world = World::new().await;
    let id = create(&world, "Newsletter").await.id();
    for (attributes, pointer) in [
        (json!({}), "/data/attributes/name"),
        (json!({"name": " "}), "/data/attributes/name"),
        (json!({"name": "x".repeat(256)}), "/data/attributes/name"),
        (json!({"name": "x", "opt_in_process": "none"}), "/data/attributes/opt_in_process"),
        (json!({"name": "x", "colour": "red"}), "/data/attributes/colour"),
    ] {
        let body = json!({"data": {"type": "list", "attributes": attributes}});
        assert_eq!(world.post("/api/lists", body).await.error(), (400, pointer));
    }
    let other = json!({"data": {"type": "list", "id": "NONE00", "attributes": {}}});
    assert_eq!(world.patch(&format!("/api/lists/{id}"), other).await.error(), (400, "/data/id"));
    assert_eq!(world.get("/api/lists?include=profiles").await.error(), (400, "include"));
}

#[tokio::test]
async fn lists_are_listed_ten_at_a_time_and_filtered() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for place in 0..12 {
        ids.push(create(&world, &format!("L{place:02}")).await.id());
        world.pass(1000);
    }
    let rename = json!({"data": {"type": "list", "id": ids[4], "attributes": {"name": "A list"}}});
    world.patch(&format!("/api/lists/{}", ids[4]), rename).await;
    let first = world.get("/api/lists").await;
    assert_eq!(first.ids(), ids[..10].iter().map(String::as_str).collect::<Vec<_>>());
    let second = world.get(&first.next().unwrap()).await;
    assert_eq!(second.ids(), ids[10..].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(second.next(), None);
    for (query, found) in [
        ("filter=equals(name,%22L05%22)".to_owned(), vec![5]),
        ("filter=any(name,['L05','L07'])".to_owned(), vec![5, 7]),
        (format!("filter=any(id,['{}'])", ids[2]), vec![2]),
        (format!("filter=equals(id,'{}')", ids[3]), vec![3]),
        ("filter=greater-than(created,2026-06-17T12:00:09Z)".to_owned(), vec![10, 11]),
        ("filter=greater-than(updated,2026-06-17T12:00:10Z)".to_owned(), vec![4, 11]),
        ("sort=-name&page[size]=2".to_owned(), vec![11, 10]),
        ("sort=name&page[size]=2".to_owned(), vec![4, 0]),
        ("sort=-updated&page[size]=2".to_owned(), vec![4, 11]),
    ] {
        let expected: Vec<&str> = found.iter().map(|place: &usize| ids[*place].as_str()).collect();
        assert_eq!(world.get(&format!("/api/lists?{query}")).await.ids(), expected, "{query}");
    }
    for query in ["filter=less-than(created,2026-01-01)", "filter=equals(colour,'red')"] {
        assert_eq!(world.get(&format!("/api/lists?{query}")).await.error(), (400, "filter"));
    }
    assert_eq!(world.get("/api/lists?page[size]=11").await.error(), (400, "page[size]"));
}

#[tokio::test]
async fn members_are_added_once_paged_by_the_time_they_joined_and_removed() {
    let world = World::new().await;
    let list = create(&world, "Newsletter").await.id();
    let mut people = Vec::new();
    for place in 0..7 {
        people.push(world.profile(&format!("p{place}@example.com")).await);
    }
    let ids: Vec<&str> = people.iter().map(String::as_str).collect();
    for id in &ids[..6] {
        assert_eq!(add(&world, &list, &[id]).await.status, StatusCode::NO_CONTENT);
        world.pass(1000);
    }
    // Again, twice in one request, and with somebody new: who is there keeps the time.
    let again = add(&world, &list, &[ids[0], ids[6], ids[0]]).await;
    assert_eq!((again.status, again.body), (StatusCode::NO_CONTENT, Value::Null));
    let path = format!("/api/lists/{list}/profiles");
    let newest_first: Vec<&str> = ids.iter().rev().copied().collect();
    assert_eq!(world.get(&path).await.ids(), newest_first);
    let first = world.get(&format!("{path}?sort=joined_group_at&page[size]=4")).await;
    assert_eq!(first.ids(), &ids[..4]);
    assert_eq!(world.get(&first.next().unwrap()).await.ids(), &ids[4..]);
    let attributes = &first.body["data"][0]["attributes"];
    assert_eq!(
        (&attributes["joined_group_at"], &attributes["email"]),
        (&json!("2026-06-17T12:00:00+00:00"), &json!("p0@example.com"))
    );
    let bare = world.get(&format!("/api/lists/{list}/relationships/profiles?page[size]=1")).await;
    assert_eq!(bare.body["data"], json!([{"type": "profile", "id": ids[6]}]));
    for (filter, found) in [
        ("equals(email,'p3@example.com')", vec![3]),
        ("any(email,['p1@example.com','p5@example.com'])", vec![5, 1]),
        ("equals(email,'none@example.com')", vec![]),
        ("greater-than(joined_group_at,2026-06-17T12:00:04Z)", vec![6, 5]),
        ("less-or-equal(joined_group_at,2026-06-17T12:00:01Z)", vec![1, 0]),
    ] {
        let expected: Vec<&str> = found.iter().map(|place: &usize| ids[*place]).collect();
        assert_eq!(world.get(&format!("{path}?filter={filter}")).await.ids(), expected, "{filter}");
    }
    let counted = format!("/api/lists/{list}?additional-fields[list]=profile_count");
    assert_eq!(world.get(&counted).await.body["data"]["attributes"]["profile_count"], 7);

    let gone = remove(&world, &list, &[ids[1], ids[2], ids[1]]).await;
    assert_eq!((gone.status, gone.body), (StatusCode::NO_CONTENT, Value::Null));
    assert_eq!(remove(&world, &list, &[ids[1]]).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&counted).await.body["data"]["attributes"]["profile_count"], 5);
    assert_eq!(world.get(&format!("/api/profiles/{}/lists", ids[1])).await.ids(), [""; 0]);

    let other = create(&world, "Other").await.id();
    add(&world, &other, &[ids[0]]).await;
    let of = world.get(&format!("/api/profiles/{}/lists", ids[0])).await;
    let mut both = [list.as_str(), other.as_str()];
    both.sort_unstable();
    assert_eq!(of.ids(), both);
    let of = world.get(&format!("/api/profiles/{}/relationships/lists", ids[3])).await;
    assert_eq!(of.body["data"], json!([{"type": "list", "id": list}]));
    let with = world.get(&format!("/api/profiles/{}?include=lists", ids[3])).await;
    assert_eq!(with.body["included"][0]["attributes"]["name"], "Newsletter");
    assert_eq!(with.body["data"]["relationships"]["lists"]["data"], json!([{"type": "list", "id": list}]));

    // Whoever comes back joins anew.
    world.pass(60_000);
    add(&world, &list, &[ids[1]]).await;
    assert_eq!(world.get(&path).await.ids()[0], ids[1]);
}

#[tokio::test]
async fn nothing_is_added_if_anything_is_wrong() {
    let world = World::new().await;
    let list = create(&world, "Newsletter").await.id();
    let ann = world.profile("ann@example.com").await;
    assert_eq!(add(&world, &list, &[&ann, "NOBODY"]).await.error().0, 404);
    assert_eq!(remove(&world, &list, &["NOBODY"]).await.error().0, 404);
    let path = format!("/api/lists/{list}/relationships/profiles");
    let many: Vec<&str> = vec![ann.as_str(); 1001];
    assert_eq!(world.post(&path, named(&many)).await.error(), (400, "/data"));
    for (body, pointer) in [
        (json!({}), "/data"),
        (json!({"data": {"type": "profile", "id": ann}}), "/data"),
        (json!({"data": [{"type": "list", "id": ann}]}), "/data/0/type"),
        (json!({"data": [{"type": "profile"}]}), "/data/0/id"),
    ] {
        assert_eq!(world.post(&path, body).await.error(), (400, pointer));
    }
    assert_eq!(world.get(&format!("/api/lists/{list}/profiles")).await.ids(), [""; 0]);
    let many: Vec<&str> = vec![ann.as_str(); 1000];
    assert_eq!(world.post(&path, named(&many)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("/api/lists/{list}/profiles")).await.ids(), [ann.as_str()]);
}

#[tokio::test]
async fn keys_need_the_scopes_of_lists() {
    let world = World::new().await;
    world.add_key("pk_reader", &["lists:read"]).await;
    let list = create(&world, "Newsletter").await.id();
    for (method, path, status) in [
        (Method::GET, "/api/lists".to_owned(), 200),
        (Method::POST, "/api/lists".to_owned(), 403),
        (Method::GET, format!("/api/lists/{list}"), 200),
        (Method::DELETE, format!("/api/lists/{list}"), 403),
        (Method::GET, format!("/api/lists/{list}/profiles"), 403),
        (Method::POST, format!("/api/lists/{list}/relationships/profiles"), 403),
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

#[tokio::test]
async fn a_list_that_a_segment_asks_about_stays() {
    let world = World::new().await;
    let list = create(&world, "Newsletter").await.id();
    let path = format!("/api/lists/{list}");
    let condition = json!({"type": "profile-group-membership", "is_member": true, "group_ids": [list]});
    let segment = segment(&world, condition).await.id();
    let refused = world.delete(&path).await;
    assert_eq!(refused.error().0, 409);
    assert!(refused.body["errors"][0]["detail"].as_str().unwrap().contains(&segment));
    assert_eq!(world.get(&path).await.status, StatusCode::OK);
    world.delete(&format!("/api/segments/{segment}")).await;
    assert_eq!(world.delete(&path).await.status, StatusCode::NO_CONTENT);
}

/// What the stream does after each change of a profile, and the clock.
struct Stream {
    evaluator: Evaluator,
    position: u128,
}

impl Stream {
    fn of(world: &World) -> Self {
        let now_ms = world.now_ms.clone();
        let clock = Clock::from_fn(move || {
            jiff::Timestamp::from_millisecond(now_ms.load(std::sync::atomic::Ordering::SeqCst)).unwrap()
        });
        let evaluator = Evaluator::over(world.store.clone(), clock, TimeZone::UTC);
        Self { evaluator, position: 1 }
    }

    async fn pass(&mut self, profile: &str, kind: ChangeKind) {
        let program = self.evaluator.program().await.unwrap();
        let loaded = self.evaluator.load(&[profile]).await.unwrap();
        self.position += 1;
        let change = Change { position: self.position, kind };
        self.evaluator.evaluate(&program, profile, &loaded, &[change]).await.unwrap();
    }
}

#[tokio::test]
async fn segments_follow_who_is_on_a_list_and_since_when() {
    let world = World::new().await;
    let mut stream = Stream::of(&world);
    let list = create(&world, "Newsletter").await.id();
    let ask = |is_member: bool| json!({"type": "profile-group-membership", "is_member": is_member, "group_ids": [list]});
    let mut lately = ask(true);
    lately["timeframe_filter"] =
        json!({"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 7});
    let (lately, on_it, not_on_it) = (
        segment(&world, lately).await.id(),
        segment(&world, ask(true)).await.id(),
        segment(&world, ask(false)).await.id(),
    );
    let ann = world.profile("ann@example.com").await;
    let bob = world.profile("bob@example.com").await;
    for profile in [&ann, &bob] {
        stream.pass(profile, ChangeKind::ProfileCreated).await;
    }
    let members = async |segment: &str| {
        let reply = world.get(&format!("/api/segments/{segment}/profiles?fields[profile]=email")).await;
        let data = reply.body["data"].as_array().unwrap().clone();
        let mut members: Vec<String> = data
            .iter()
            .map(|member| member["attributes"]["email"].as_str().unwrap()[..3].to_owned())
            .collect();
        members.sort();
        members
    };
    assert_eq!(members(&not_on_it).await, ["ann", "bob"]);

    world.pass(1000);
    assert_eq!(add(&world, &list, &[&ann]).await.status, StatusCode::NO_CONTENT);
    stream.pass(&ann, ChangeKind::ProfileChanged).await;
    assert_eq!(members(&lately).await, ["ann"]);
    assert_eq!(members(&on_it).await, ["ann"]);
    assert_eq!(members(&not_on_it).await, ["bob"]);
    let membership = world.store.membership(&ann, &on_it).await.unwrap().unwrap();
    assert_eq!(membership.joined_at.unwrap().as_millis(), NOW_MS + 1000);

    // Adding her again six days later does not begin the seven days anew.
    world.pass(6 * DAY_MS);
    add(&world, &list, &[&ann, &bob]).await;
    for profile in [&ann, &bob] {
        stream.pass(profile, ChangeKind::ProfileChanged).await;
    }
    assert_eq!(members(&lately).await, ["ann", "bob"]);
    assert_eq!(members(&not_on_it).await, [""; 0]);
    // Joined on 17 June: in the last 7 whole days until the midnight that begins 25 June.
    let path = format!("/api/segments/{lately}/explain?profile={ann}");
    let explained = world.get(&path).await.body["data"]["attributes"].clone();
    let next = &explained["condition_groups"][0]["conditions"][0]["next_change"];
    assert_eq!(next, "2026-06-25T00:00:00+00:00");
    world.pass(2 * DAY_MS);
    for profile in [&ann, &bob] {
        stream.pass(profile, ChangeKind::Tick { touched_ms: world.now().as_millis() }).await;
    }
    assert_eq!(members(&lately).await, ["bob"]);
    assert_eq!(members(&on_it).await, ["ann", "bob"]);
    let membership = world.store.membership(&ann, &lately).await.unwrap().unwrap();
    assert_eq!(membership.left_at.unwrap().to_utc_string(), "2026-06-25T00:00:00Z");

    remove(&world, &list, &[&bob]).await;
    stream.pass(&bob, ChangeKind::ProfileChanged).await;
    assert_eq!(members(&lately).await, [""; 0]);
    assert_eq!(members(&on_it).await, ["ann"]);
    assert_eq!(members(&not_on_it).await, ["bob"]);
}
