//! Every file below `fixtures/` is a case; a new case is a new file.

use std::path::Path;

use serde_json::Value;

use crate::case::Case;
use crate::{Suite, files};

impl Suite {
    /// All fixtures.
    pub fn cases(&self) -> Vec<Case> {
        let paths = files::below(&Path::new(self.folder).join("fixtures"));
        paths.iter().map(|path| files::read(path)).collect()
    }

    /// Every fixture reads as it says, and what it says survives its own JSON.
    pub fn fixtures(&self) {
        let (mut wrong, mut count) = (Vec::new(), 0);
        for path in files::below(&Path::new(self.folder).join("fixtures")) {
            let case: Case = files::read(&path);
            assert!(!case.description.is_empty(), "{}: no description", path.display());
            let got = case.run(self);
            count += 1;
            if case.expect.is_null() && std::env::var_os("BLESS").is_some() {
                let mut file: Value = files::read(&path);
                file["expect"] = got;
                std::fs::write(&path, format!("{file:#}\n")).unwrap();
            } else if got != case.expect {
                wrong.push(format!("{}\n wanted {:#}\n got {got:#}", path.display(), case.expect));
            }
            if let Some(facts) = case.expect.get("facts") {
                let read: Vec<canonical::Fact> = serde_json::from_value(facts.clone()).unwrap();
                assert_eq!(serde_json::to_value(read).unwrap(), *facts, "{}", path.display());
            }
        }
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(count > 0, "no fixtures");
    }
}
