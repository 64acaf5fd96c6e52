//! Item descriptions: the product's name, then its options, in HTML.

/// The name, and the options behind the first line break, if there are any.
pub(crate) fn name_and_options(description: &str) -> (String, Option<String>) {
    let lines = plain_lines(description);
    let mut lines = lines.into_iter();
    let name = lines.next().unwrap_or_default();
    let options: Vec<String> = lines.collect();
    (name, (!options.is_empty()).then(|| options.join(", ")))
}

/// The text of HTML, a line for each `<br>`; blank lines are left out.
fn plain_lines(html: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = html;
    while let Some((text, tag_and_rest)) = rest.split_once('<') {
        push(&mut lines, text);
        rest = tag_and_rest;
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            // A lone "less than".
            push(&mut lines, "<");
            continue;
        }
        let Some((tag, after)) = rest.split_once('>') else {
            // No tag ends any more; looking for an end again and again would take for ever.
            push(&mut lines, "<");
            break;
        };
        let name = tag.trim_start_matches('/').trim_end_matches('/').trim();
        if name.eq_ignore_ascii_case("br") {
            lines.push(String::new());
        }
        rest = after;
    }
    push(&mut lines, rest);
    lines.iter().map(|line| unescape(line.trim()).trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// The entities that editors write by themselves; the ampersand last, so that nothing is decoded twice.
fn unescape(text: &str) -> String {
    let entities =
        [("&nbsp;", " "), ("&quot;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(description: &str) -> String {
        name_and_options(description).0
    }

    #[test]
    fn what_only_looks_like_a_tag_stays() {
        assert_eq!(name("Pot <b>small</b> < 3 l"), "Pot small < 3 l");
        assert_eq!(name("Pot <small"), "Pot <small");
        assert_eq!(name("1 < 2 <br> 3"), "1 < 2");
        assert_eq!(name("a <b <i"), "a <b <i");
    }

    #[test]
    fn tags_that_never_end_are_read_once() {
        let description = "<a".repeat(1_000_000);
        assert_eq!(name(&description), description);
    }
}
