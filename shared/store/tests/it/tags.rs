use store::{Error, Job, JobKind, JobStatus, ListRecord, OptIn, Tag, TagBook, TagGroup, Taggable};
use testing::World;

use crate::now;

fn list(id: &str) -> ListRecord {
    let name = "Newsletter".to_owned();
    let opt_in_process = OptIn::SingleOptIn;
    ListRecord { id: id.to_owned(), name, opt_in_process, created_at: now(), updated_at: now() }
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test]
async fn all_tags_are_replaced_only_as_they_were_read() {
    let world = World::start().await;
    let store = &world.store;
    let empty = store.tag_book().await.unwrap();
    assert_eq!((empty.value, empty.version), (TagBook::default(), 0));
    let group = TagGroup { id: "G".to_owned(), name: "Group".to_owned(), exclusive: true, is_default: false };
    let tag = Tag { id: "T".to_owned(), name: "Tag".to_owned(), group: "G".to_owned() };
    let book = TagBook { groups: vec![group], tags: vec![tag] };
    store.put_tag_book(&book, 0).await.unwrap();
    assert!(matches!(store.put_tag_book(&TagBook::default(), 0).await, Err(Error::Conflict)));
    let read = store.tag_book().await.unwrap();
    assert_eq!((&read.value, read.version), (&book, 1));
    store.put_tag_book(&book, 1).await.unwrap();
    assert!(matches!(store.put_tag_book(&book, 1).await, Err(Error::Conflict)));
}

#[tokio::test]
async fn something_has_tags_while_it_is_there() {
    let world = World::start().await;
    let store = &world.store;
    let kind = Taggable::List;
    assert!(matches!(store.put_tags_of(kind, "L1", &ids(&["T1"]), 0).await, Err(Error::Conflict)));
    for id in ["L1", "L2", "L3"] {
        store.create_list(&list(id)).await.unwrap();
    }
    store.put_tags_of(kind, "L1", &ids(&["T1"]), 0).await.unwrap();
    assert!(matches!(store.put_tags_of(kind, "L1", &ids(&["T2"]), 0).await, Err(Error::Conflict)));
    store.put_tags_of(kind, "L1", &ids(&["T1", "T2"]), 1).await.unwrap();
    store.put_tags_of(kind, "L2", &ids(&["T2"]), 0).await.unwrap();
    assert!(matches!(store.put_tags_of(Taggable::Segment, "L1", &[], 0).await, Err(Error::Conflict)));

    let read = store.tags_of(kind, "L1").await.unwrap();
    assert_eq!((read.value, read.version), (ids(&["T1", "T2"]), 2));
    let some = store.tags_of_all(kind, &["L2", "L3"]).await.unwrap();
    assert_eq!((some.len(), &some["L2"]), (1, &ids(&["T2"])));
    let tagged = [("L1".to_owned(), ids(&["T1", "T2"])), ("L2".to_owned(), ids(&["T2"]))];
    assert_eq!(store.tagged(kind).await.unwrap(), tagged);

    let status = JobStatus { parts_left: vec![0], ..JobStatus::default() };
    let job = Job {
        id: "J1".to_owned(),
        kind: JobKind::EmptyList { list: "L1".to_owned() },
        created_at: now(),
        status,
    };
    store.delete_list("L1", 0, &job).await.unwrap();
    assert_eq!(store.tagged(kind).await.unwrap(), tagged[1..]);
    assert_eq!(store.tags_of(kind, "L1").await.unwrap().version, 0);
}
