//! HTML entities, which WordPress leaves in texts that are no HTML.

/// Entities are shorter than this.
const LONGEST: usize = 32;

/// Does as WordPress' `wp_specialchars_decode` with `ENT_QUOTES` does: once, and only the five characters that
/// `esc_html` encodes, in the notations that it knows.
/// Source: <https://developer.wordpress.org/reference/functions/wp_specialchars_decode/>.
pub(crate) fn decode_special(text: &str) -> String {
    decode(text, special)
}

/// Decodes what names of products and categories have: the special characters, those that WordPress' typography
/// makes, and any by number.
pub(crate) fn decode_text(text: &str) -> String {
    decode(text, |entity| {
        special(entity).or_else(|| number(entity)).or_else(|| {
            Some(match entity {
                "nbsp" => '\u{a0}',
                "ndash" => '–',
                "mdash" => '—',
                "hellip" => '…',
                "lsquo" => '‘',
                "rsquo" => '’',
                "ldquo" => '“',
                "rdquo" => '”',
                "times" => '×',
                _ => return None,
            })
        })
    })
}

/// In one pass, so that `&amp;lt;` becomes `&lt;` and not `<`.
fn decode(text: &str, known: impl Fn(&str) -> Option<char>) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let end = after.bytes().take(LONGEST).position(|byte| byte == b';');
        let entity = end.and_then(|end| after.split_at_checked(end));
        let known = entity.and_then(|(entity, rest)| Some((known(entity)?, rest.strip_prefix(';')?)));
        let (character, behind) = known.unwrap_or(('&', after));
        decoded.push(character);
        rest = behind;
    }
    decoded.push_str(rest);
    decoded
}

fn special(entity: &str) -> Option<char> {
    match entity {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        _ => {}
    }
    let digits = entity.strip_prefix('#')?;
    // WordPress does not know the hexadecimal forms of < and >.
    match digits.strip_prefix(['x', 'X']) {
        Some(digits) => code(digits, 16).filter(|character| matches!(character, '&' | '"' | '\'')),
        None => code(digits, 10).filter(|character| matches!(character, '&' | '<' | '>' | '"' | '\'')),
    }
}

fn number(entity: &str) -> Option<char> {
    let digits = entity.strip_prefix('#')?;
    let character = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => code(digits, 16),
        None => code(digits, 10),
    };
    character.filter(|character| !character.is_control())
}

/// `from_str_radix` would take a sign.
fn code(digits: &str, radix: u32) -> Option<char> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_decoded_as_wordpress_does() {
        for (encoded, decoded) in [
            ("plain", "plain"),
            ("a&amp;b&lt;c&gt;d&quot;e", "a&b<c>d\"e"),
            ("&#039;&#39;&#0039;&#x27;&#X0027;", "'''''"),
            ("&#034;&#34;&#x22;&#038;&#38;&#x26;&#060;&#062;", "\"\"\"&&&<>"),
            // Once only.
            ("&amp;lt;", "&lt;"),
            ("&amp;amp;", "&amp;"),
            // Not among what WordPress decodes.
            ("&#x3c;&#65;&nbsp;&AMP;", "&#x3c;&#65;&nbsp;&AMP;"),
            ("& &; &amp &#; &#x; &#+39; ä&ö;", "& &; &amp &#; &#x; &#+39; ä&ö;"),
            ("", ""),
        ] {
            assert_eq!(decode_special(encoded), decoded, "{encoded}");
        }
    }

    #[test]
    fn names_lose_the_entities_of_typography_too() {
        assert_eq!(decode_text("Tools &amp; Toys &ndash; 3&#8243; &#x3c; ä&ö;"), "Tools & Toys – 3″ < ä&ö;");
        assert_eq!(decode_text("&#0;&#xd800;&#99999999999;"), "&#0;&#xd800;&#99999999999;");
    }
}
