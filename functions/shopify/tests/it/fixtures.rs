//! Every file below `fixtures/` is a case; a new case is a new file.

use crate::case::{Case, paths};

#[test]
fn every_fixture_reads_as_it_says() {
    let mut wrong = Vec::new();
    let paths = paths();
    for path in &paths {
        let case = Case::read(path);
        let got = case.run();
        if got != case.expect {
            wrong.push(format!("{}\n wanted {:#}\n got {got:#}", path.display(), case.expect));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
    assert!(paths.len() > 100, "the folder of fixtures is not all there");
}

#[test]
fn fixtures_lie_in_the_folder_of_their_topic() {
    for path in paths() {
        let topic = Case::read(&path).topic().replace(['/', '.'], "_");
        let folder = path.parent().and_then(|folder| folder.file_name()).unwrap();
        assert!(topic.is_empty() || folder == topic.as_str(), "{}", path.display());
    }
}

#[test]
fn facts_survive_their_own_json() {
    for path in paths() {
        let expect = Case::read(&path).expect;
        let Some(facts) = expect.get("facts") else { continue };
        let read: Vec<canonical::Fact> = serde_json::from_value(facts.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), *facts, "{}", path.display());
    }
}
