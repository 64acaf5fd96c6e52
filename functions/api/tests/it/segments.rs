use std::sync::atomic::Ordering;

use api::Queue;
use http::StatusCode;
use segments::{Cause, Definition, Program, Segment, State};
use serde_json::{Value, json};
use store::{Choice, Evaluation, Job, JobKind, JobMessage, MembershipChange, PROFILE_SHARDS};

use crate::{NOW_MS, Reply, World};

pub(crate) fn at_least(count: u32) -> Value {
    json!({"condition_groups": [{"conditions": [{
        "type": "profile-metric",
        "metric_id": store::metric_id("api", "Placed Order"),
        "measurement": "count",
        "measurement_filter": {"type": "numeric", "operator": "greater-than-or-equal", "value": count},
        "timeframe_filter": {"type": "date", "operator": "in-the-last", "unit": "day", "quantity": 30},
    }]}]})
}

pub(crate) async fn create(world: &World, name: &str, definition: Value) -> Reply {
    let attributes = json!({"name": name, "definition": definition});
    world.post("/api/segments", json!({"data": {"type": "segment", "attributes": attributes}})).await
}

pub(crate) async fn change(world: &World, id: &str, attributes: Value) -> Reply {
    let body = json!({"data": {"type": "segment", "id": id, "attributes": attributes}});
    world.patch(&format!("/api/segments/{id}"), body).await
}

fn messages(world: &World) -> Vec<JobMessage> {
    world.sent(Queue::Jobs).iter().map(|message| serde_json::from_str(message).unwrap()).collect()
}

/// Makes somebody a member, as the evaluator would.
pub(crate) async fn join(world: &World, segment: &str, profile: &str, at_ms: i64, entered: bool) {
    let read = world.store.state(profile).await.unwrap();
    let change = MembershipChange {
        segment_id: segment.to_owned(),
        entered,
        at_ms,
        cause: "time".to_owned(),
        staged: None,
    };
    let evaluation = Evaluation {
        profile_id: profile,
        read: read.as_ref(),
        state: State::new().encode(),
        due_ms: None,
        changes: vec![change],
    };
    world.store.save_evaluation(&evaluation).await.unwrap();
}

#[tokio::test]
async fn a_segment_comes_back_as_it_was_given_and_its_job_is_announced() {
    let world = World::new().await;
    let definition = at_least(2);
    let created = create(&world, "Repeat buyers", definition.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.id();
    assert_eq!(id.len(), 6);
    assert_eq!(
        created.body["data"]["attributes"],
        json!({
            "name": "Repeat buyers", "definition": definition, "created": "2026-06-17T12:00:00+00:00",
            "updated": "2026-06-17T12:00:00+00:00", "is_active": true, "is_processing": true, "is_starred": false,
        })
    );
    assert_eq!(created.body["data"]["attributes"]["definition"].to_string(), definition.to_string());
    let messages = messages(&world);
    let parts: Vec<u32> = messages.iter().map(|message| message.part).collect();
    assert_eq!(parts, (0..PROFILE_SHARDS).collect::<Vec<_>>());
    let job = world.store.job(&messages[0].job).await.unwrap().unwrap();
    assert_eq!(job.kind, JobKind::Backfill { segment: id.clone(), version: 1 });
    assert_eq!(job.status.parts_left.len(), parts.len());
    assert_eq!(world.store.program_version().await.unwrap(), 1);
    world.store.segment_is_ready(&id, 1).await.unwrap();
    let read = world.get(&format!("/api/segments/{id}")).await;
    assert_eq!(read.body["data"]["attributes"]["is_processing"], false);
    assert_eq!(read.body["data"]["links"]["self"], format!("https://api.example.com/api/segments/{id}/"));
}

#[tokio::test]
async fn a_segment_whose_job_could_not_be_announced_keeps_its_job() {
    let world = World::new().await;
    world.outbox.broken.store(true, Ordering::SeqCst);
    let created = create(&world, "Buyers", at_least(1)).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert!(messages(&world).is_empty());
    let jobs = world.store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].kind, JobKind::Backfill { segment: created.id(), version: 1 });
}

#[tokio::test]
async fn a_definition_that_cannot_be_evaluated_is_refused_where_it_cannot() {
    let world = World::new().await;
    for (definition, pointer) in [
        (json!(null), "/data/attributes/definition"),
        (json!({}), "/data/attributes/definition/condition_groups"),
        (
            json!({"condition_groups": [{"conditions": [{"type": "profile-shoe-size"}]}]}),
            "/data/attributes/definition/condition_groups/0/conditions/0/type",
        ),
    ] {
        let reply = create(&world, "Bad", definition).await;
        let (status, place) = reply.error();
        assert_eq!(status, 400);
        assert!(place.starts_with(pointer), "{place} for {pointer}");
    }
    assert_eq!(create(&world, " ", at_least(1)).await.error(), (400, "/data/attributes/name"));
    assert!(messages(&world).is_empty());
    assert_eq!(world.store.program_version().await.unwrap(), 0);
}

#[tokio::test]
async fn a_new_definition_moves_the_program_and_a_new_name_does_not() {
    let world = World::new().await;
    let id = create(&world, "Buyers", at_least(1)).await.id();
    world.pass(1000);
    let renamed = change(&world, &id, json!({"name": "Customers", "is_starred": true})).await;
    let attributes = &renamed.body["data"]["attributes"];
    assert_eq!((&attributes["name"], &attributes["is_starred"]), (&json!("Customers"), &json!(true)));
    assert_eq!(attributes["updated"], "2026-06-17T12:00:01+00:00");
    let version = async || world.store.program_version().await.unwrap();
    assert_eq!(version().await, 1);
    let same = change(&world, &id, json!({"definition": at_least(1)})).await;
    assert_eq!((same.status, version().await), (StatusCode::OK, 1));
    assert_eq!(messages(&world).len(), PROFILE_SHARDS as usize);
    let edited = change(&world, &id, json!({"definition": at_least(3)})).await;
    assert_eq!((edited.status, version().await), (StatusCode::OK, 2));
    assert_eq!(edited.body["data"]["attributes"]["is_processing"], true);
    assert_eq!(messages(&world).len(), 2 * PROFILE_SHARDS as usize);
    assert_eq!(
        change(&world, &id, json!({"is_active": false, "name": "x"})).await.error(),
        (400, "/data/attributes/is_active")
    );
    let asleep = change(&world, &id, json!({"is_active": false})).await;
    assert_eq!(asleep.body["data"]["attributes"]["is_active"], false);
    assert_eq!(asleep.body["data"]["attributes"]["is_processing"], false);
    assert_eq!((version().await, messages(&world).len()), (3, 2 * PROFILE_SHARDS as usize));
    let awake = change(&world, &id, json!({"is_active": true})).await;
    assert_eq!(awake.body["data"]["attributes"]["is_processing"], true);
    assert_eq!((version().await, messages(&world).len()), (4, 3 * PROFILE_SHARDS as usize));
    assert_eq!(change(&world, "NONE00", json!({"name": "x"})).await.error().0, 404);
}

#[tokio::test]
async fn definitions_that_change_at_once_all_get_a_version_of_their_own() {
    let world = World::new().await;
    let both = futures::future::join_all((0..4).map(|at| create(&world, "Race", at_least(at + 1)))).await;
    assert!(both.iter().all(|reply| reply.status == StatusCode::CREATED));
    let mut versions: Vec<u64> =
        world.store.segments().await.unwrap().iter().map(|segment| segment.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_deleted_segment_is_gone_and_its_members_are_removed_by_a_job() {
    let world = World::new().await;
    let id = create(&world, "Buyers", at_least(1)).await.id();
    let path = format!("/api/segments/{id}");
    let reply = world.delete(&path).await;
    assert_eq!((reply.status, reply.body), (StatusCode::NO_CONTENT, Value::Null));
    let last = messages(&world).pop().unwrap();
    assert_eq!((last.part, last.cursor), (0, None));
    let job = world.store.job(&last.job).await.unwrap().unwrap();
    assert_eq!(job.kind, JobKind::RemoveMembers { segment: id });
    assert_eq!(world.get(&path).await.error().0, 404);
    assert_eq!(world.delete(&path).await.error().0, 404);
}

#[tokio::test]
async fn segments_are_listed_ten_at_a_time_and_filtered() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for place in 0..12 {
        ids.push(create(&world, &format!("S{place:02}"), at_least(1)).await.id());
        world.pass(1000);
    }
    change(&world, &ids[3], json!({"is_active": false})).await;
    change(&world, &ids[4], json!({"is_starred": true})).await;
    let first = world.get("/api/segments").await;
    assert_eq!(first.ids(), ids[..10].iter().map(String::as_str).collect::<Vec<_>>());
    let second = world.get(&first.next().unwrap()).await;
    assert_eq!(second.ids(), ids[10..].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(second.body["links"]["next"], Value::Null);
    for (query, found) in [
        ("filter=equals(name,%22S05%22)".to_owned(), vec![5]),
        ("filter=any(name,['S05','S07'])".to_owned(), vec![5, 7]),
        (format!("filter=any(id,['{}'])", ids[2]), vec![2]),
        ("filter=equals(is_active,false)".to_owned(), vec![3]),
        ("filter=any(is_active,[true,false]),equals(is_starred,true)".to_owned(), vec![4]),
        ("filter=greater-than(created,2026-06-17T12:00:09Z)".to_owned(), vec![10, 11]),
        ("sort=-name&page[size]=2".to_owned(), vec![11, 10]),
    ] {
        let expected: Vec<&str> = found.iter().map(|place: &usize| ids[*place].as_str()).collect();
        assert_eq!(world.get(&format!("/api/segments?{query}")).await.ids(), expected, "{query}");
    }
    for filter in ["equals(is_active,2)", "less-than(created,2026-01-01)", "equals(colour,'red')"] {
        assert_eq!(world.get(&format!("/api/segments?filter={filter}")).await.error(), (400, "filter"));
    }
}

#[tokio::test]
async fn members_are_paged_by_the_time_they_joined_while_others_come_and_go() {
    let world = World::new().await;
    let segment = create(&world, "Buyers", at_least(1)).await.id();
    let mut people = Vec::new();
    for place in 0..12_i64 {
        let id = world.profile(&format!("p{place:02}@example.com")).await;
        join(&world, &segment, &id, NOW_MS + place, true).await;
        people.push(id);
    }
    let path = format!("/api/segments/{segment}/profiles");
    for (sort, reversed) in [("joined_group_at", false), ("-joined_group_at", true)] {
        let mut seen = Vec::new();
        let mut next = Some(format!("{path}?sort={sort}&page[size]=5"));
        let mut round = 0;
        while let Some(address) = next {
            let page = world.get(&address).await;
            seen.extend(page.ids().into_iter().map(str::to_owned));
            next = page.next();
            let id = world.profile(&format!("late{round}{reversed}@example.com")).await;
            join(&world, &segment, &id, NOW_MS - 1000 - round, true).await;
            join(&world, &segment, &id, NOW_MS, false).await;
            round += 1;
        }
        let mut expected = people.clone();
        if reversed {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{sort}");
    }
    let default = world.get(&path).await;
    assert_eq!(default.ids()[0], people[11]);
    assert_eq!(default.body["data"][0]["attributes"]["joined_group_at"], "2026-06-17T12:00:00.011000+00:00");
    assert_eq!(default.body["data"][0]["attributes"]["email"], "p11@example.com");
    let ids = world.get(&format!("/api/segments/{segment}/relationships/profiles?page[size]=2")).await;
    assert_eq!(
        ids.body["data"],
        json!([{"type": "profile", "id": people[11]}, {"type": "profile", "id": people[10]}])
    );
    for (filter, found) in [
        ("equals(email,'p03@example.com')".to_owned(), vec![3]),
        (format!("any(profile_id,['{}','{}'])", people[1], people[2]), vec![2, 1]),
        ("greater-than(joined_group_at,2026-06-17T12:00:00.009Z)".to_owned(), vec![11, 10]),
        ("less-or-equal(joined_group_at,2026-06-17T12:00:00.001Z)".to_owned(), vec![1, 0]),
        ("equals(email,'none@example.com')".to_owned(), vec![]),
    ] {
        let expected: Vec<&str> = found.iter().map(|place: &usize| people[*place].as_str()).collect();
        assert_eq!(world.get(&format!("{path}?filter={filter}")).await.ids(), expected, "{filter}");
    }
    let count = world.get(&format!("/api/segments/{segment}?additional-fields[segment]=profile_count")).await;
    assert_eq!(count.body["data"]["attributes"]["profile_count"], 12);
    assert_eq!(world.get("/api/segments/NONE00/profiles").await.error().0, 404);

    let of = world.get(&format!("/api/profiles/{}/segments", people[0])).await;
    assert_eq!(of.ids(), [segment.as_str()]);
    assert_eq!(of.body["data"][0]["attributes"]["name"], "Buyers");
    let of = world.get(&format!("/api/profiles/{}/relationships/segments", people[0])).await;
    assert_eq!(of.body["data"], json!([{"type": "segment", "id": segment}]));
    let with = world.get(&format!("/api/profiles/{}?include=segments", people[0])).await;
    assert_eq!(with.body["included"][0]["id"], segment);
    join(&world, &segment, &people[0], NOW_MS + 50, false).await;
    assert_eq!(world.get(&format!("/api/profiles/{}/segments", people[0])).await.ids(), [""; 0]);
}

#[tokio::test]
async fn explain_tells_measure_truth_and_the_next_change() {
    let world = World::new().await;
    let definition = at_least(2);
    let segment = create(&world, "Repeat buyers", definition.clone()).await.id();
    let ann = world.profile("ann@example.com").await;
    let now_s = NOW_MS / 1000;
    world.record(&ann, "Placed Order", "o1", now_s - 86_400, None).await;
    world.record(&ann, "Placed Order", "o2", now_s - 2 * 86_400, None).await;
    let path = format!("/api/segments/{segment}/explain?profile={ann}");
    // No state yet: told from the history.
    let reply = world.get(&path).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let attributes = &reply.body["data"]["attributes"];
    assert_eq!((&attributes["is_member"], &attributes["joined_group_at"]), (&json!(true), &Value::Null));
    let condition = &attributes["condition_groups"][0]["conditions"][0];
    assert_eq!((&condition["holds"], &condition["measure"]), (&json!(true), &json!(2)));
    assert_eq!(condition["condition"], definition["condition_groups"][0]["conditions"][0]);
    // The older order, of 15 June, leaves the window of 30 whole days at the midnight that begins 16 July.
    assert_eq!(condition["next_change"], "2026-07-16T00:00:00+00:00");

    // With a state that is up to date, the same is told from it.
    let parsed = Definition::parse(&definition).unwrap();
    let compiled = vec![Segment { id: segment.clone(), version: 1, definition: parsed }];
    let program = Program::compile(1, compiled, jiff::tz::TimeZone::UTC).unwrap();
    let profile = world.store.profile(&ann).await.unwrap().unwrap().value;
    let history = world.store.history(&ann).await.unwrap();
    let events: Vec<segments::Event<'_>> = history
        .iter()
        .map(|stored| segments::Event {
            id: &stored.event.id,
            metric_id: &stored.metric_id,
            metric: &stored.event.metric,
            occurred_ms: stored.event.occurred_at.as_millis(),
            ingested_ms: stored.ingested_at.as_millis(),
            value: None,
            properties: &stored.event.properties,
        })
        .collect();
    let mut state = State::new();
    program.rebuild(&mut state, &profile, Some(&events), Cause::Definition, NOW_MS);
    let change = MembershipChange {
        segment_id: segment.clone(),
        entered: true,
        at_ms: NOW_MS,
        cause: "definition".to_owned(),
        staged: None,
    };
    let evaluation = Evaluation {
        profile_id: &ann,
        read: None,
        state: state.encode(),
        due_ms: None,
        changes: vec![change],
    };
    world.store.save_evaluation(&evaluation).await.unwrap();
    let told = world.get(&path).await.body["data"]["attributes"].clone();
    assert_eq!(told["condition_groups"], attributes["condition_groups"]);
    assert_eq!(told["joined_group_at"], "2026-06-17T12:00:00+00:00");
    assert_eq!(told["joined_cause"], "definition");

    // Exact to the instant: time alone has changed it, though nobody has touched the profile.
    world.pass(29 * 86_400_000);
    let later = world.get(&path).await.body["data"]["attributes"].clone();
    assert_eq!(
        (&later["is_member"], &later["condition_groups"][0]["conditions"][0]["measure"]),
        (&json!(false), &json!(1))
    );

    assert_eq!(world.get(&format!("/api/segments/{segment}/explain")).await.error(), (400, "profile"));
    assert_eq!(world.get(&format!("/api/segments/{segment}/explain?profile=none")).await.error().0, 404);
    change_active(&world, &segment).await;
    assert_eq!(world.get(&path).await.error().0, 409);
}

async fn change_active(world: &World, segment: &str) {
    assert_eq!(change(world, segment, json!({"is_active": false})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_segment_says_how_far_its_job_is_and_that_it_is_stuck_and_can_be_made_to_go_on() {
    let world = World::new().await;
    let id = create(&world, "Buyers", at_least(1)).await.id();
    let job = messages(&world)[0].job.clone();
    let read = async || {
        let reply =
            world.get(&format!("/api/segments/{id}?additional-fields[segment]=job,profile_count")).await;
        assert_eq!(reply.body["data"]["attributes"]["profile_count"], 0);
        reply.body["data"]["attributes"]["job"].clone()
    };
    assert_eq!((&read().await["id"], &read().await["state"]), (&json!(job), &json!("queued")));
    assert_eq!(read().await["percent"], Value::Null);

    for part in 0..PROFILE_SHARDS {
        world.store.note_job_count(&job, part, 100).await.unwrap();
    }
    world.pass(10_000);
    let step =
        store::Step { job: &job, part: 3, from: None, to: None, profiles: 100, now_ms: NOW_MS + 10_000 };
    world.store.advance_job(&step).await.unwrap().unwrap();
    let running = read().await;
    assert_eq!((&running["state"], &running["kind"]), (&json!("running"), &json!("backfill")));
    assert_eq!((&running["profiles_done"], &running["profiles_total"]), (&json!(100), &json!(800)));
    assert_eq!((&running["percent"], &running["profiles_per_second"]), (&json!(12), &json!(10)));
    assert_eq!(running["estimated_end"], "2026-06-17T12:01:20+00:00");

    // It goes on by itself: asking for more changes nothing.
    let address = format!("/api/segments/{id}/recalculate");
    let sent = messages(&world).len();
    let reply = world.post(&address, Value::Null).await;
    assert_eq!((reply.status, reply.id()), (StatusCode::ACCEPTED, job.clone()));
    assert_eq!(messages(&world).len(), sent);

    world.store.note_job_error(&job, "the table is asleep", NOW_MS + 11_000).await.unwrap();
    world.pass(15 * 60_000);
    let stuck = world.get("/api/segment-jobs?filter=equals(state,%22stuck%22)").await;
    let attributes = &stuck.body["data"][0]["attributes"];
    assert_eq!((&attributes["segment_id"], &attributes["state"]), (&json!(id), &json!("stuck")));
    assert_eq!(attributes["stuck_since"], "2026-06-17T12:00:10+00:00");
    assert_eq!(attributes["last_error"], "the table is asleep");
    assert_eq!(attributes["last_error_at"], "2026-06-17T12:00:11+00:00");
    assert_eq!(attributes["estimated_end"], Value::Null);

    let reply = world.post(&address, Value::Null).await;
    assert_eq!(
        (reply.status, &reply.body["data"]["attributes"]["state"]),
        (StatusCode::ACCEPTED, &json!("queued"))
    );
    assert_eq!(messages(&world).len(), sent + PROFILE_SHARDS as usize - 1, "the parts that are left");
    assert_eq!(world.get(&format!("/api/segment-jobs/{job}")).await.id(), job);
    assert_eq!(world.get("/api/segment-jobs/none").await.status, StatusCode::NOT_FOUND);
    // Others' jobs are none of it, least of all the erasure of a person.
    let choice =
        Choice { from: world.now(), until: world.now(), platform: None, connection: None, topic: None };
    for (id, kind) in [
        ("ERASE", JobKind::EraseArchived { connection: None, names: ["i#A".to_owned()].into() }),
        ("REPLAY", JobKind::Replay { choice }),
        ("EMPTY", JobKind::EmptyList { list: "L1".to_owned() }),
    ] {
        world.store.create_job(&Job::new(id.to_owned(), kind, 1, world.now())).await.unwrap();
        assert_eq!(world.get(&format!("/api/segment-jobs/{id}")).await.status, StatusCode::NOT_FOUND);
        assert!(!world.get("/api/segment-jobs").await.ids().contains(&id));
    }
}

#[tokio::test]
async fn a_segment_that_is_fine_can_be_recalculated_and_one_that_is_not_active_cannot() {
    let world = World::new().await;
    let id = create(&world, "Buyers", at_least(1)).await.id();
    let first = messages(&world)[0].job.clone();
    world.store.segment_is_ready(&id, 1).await.unwrap();
    world.store.delete_job(&first).await.unwrap();
    let read = async || world.get(&format!("/api/segments/{id}?additional-fields[segment]=job")).await;
    assert_eq!(read().await.body["data"]["attributes"]["job"], Value::Null);

    let address = format!("/api/segments/{id}/recalculate");
    let reply = world.post(&address, Value::Null).await;
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    let job = world.store.job(&reply.id()).await.unwrap().unwrap();
    assert_eq!(job.kind, JobKind::Recount { segment: id.clone(), version: 1 });
    assert_eq!(messages(&world).len(), 2 * PROFILE_SHARDS as usize);
    let segment = read().await.body["data"]["attributes"].clone();
    assert_eq!((&segment["is_processing"], &segment["job"]["kind"]), (&json!(true), &json!("recount")));

    change(&world, &id, json!({"is_active": false})).await;
    assert_eq!(world.post(&address, Value::Null).await.status, StatusCode::CONFLICT);
    assert_eq!(read().await.body["data"]["attributes"]["job"], Value::Null);
    change(&world, &id, json!({"is_active": true})).await;
    assert_eq!(world.store.segment(&id).await.unwrap().unwrap().resumed_version, 3);
    assert_eq!(
        world.post("/api/segments/ABC123/recalculate", Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
}
