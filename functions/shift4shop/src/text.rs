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
        let begins_tag = tag_and_rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match tag_and_rest.split_once('>') {
            Some((tag, after)) if begins_tag => {
                let name = tag.trim_start_matches('/').trim_end_matches('/').trim();
                if name.eq_ignore_ascii_case("br") {
                    lines.push(String::new());
                }
                rest = after;
            }
            // A lone "less than".
            _ => {
                push(&mut lines, "<");
                rest = tag_and_rest;
            }
        }
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
