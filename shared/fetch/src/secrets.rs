//! `{secret:NAME}` in what is sent.

use platform::Secrets;

use crate::Error;

const BEGIN: &str = "{secret:";

/// How a value is written where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// As it is.
    Plain,
    /// Within a JSON text.
    Json,
    /// Within a form (`application/x-www-form-urlencoded`).
    Form,
    /// Within the text of an XML element.
    Xml,
}

impl Writing {
    /// The writing of a body of this content type.
    pub(crate) fn of(content_type: &str) -> Self {
        if content_type.contains("json") {
            Self::Json
        } else if content_type.starts_with("application/x-www-form-urlencoded") {
            Self::Form
        } else if content_type.contains("xml") {
            Self::Xml
        } else {
            Self::Plain
        }
    }

    fn write(self, value: &str, into: &mut String) {
        match self {
            Self::Plain => into.push_str(value),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                into.push_str(&quoted[1..quoted.len() - 1]);
            }
            Self::Form => crate::oauth1::encode(value, into),
            Self::Xml => {
                into.push_str(&value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            }
        }
    }
}

/// The text with the secrets in force put in. What a secret holds is not looked through again.
pub(crate) fn fill(text: &str, secrets: &Secrets, writing: Writing) -> Result<String, Error> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = placeholder(rest) {
        let value = secrets
            .valid(name)
            .next()
            .ok_or_else(|| Error::never(format!("the connection has no secret {name:?}")))?;
        if value.chars().any(char::is_control) {
            return Err(Error::never(format!("the secret {name:?} holds a control character")));
        }
        filled.push_str(before);
        writing.write(value, &mut filled);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The address with the secrets in force put into its query: some APIs take a login nowhere else.
pub(crate) fn fill_address(url: &str, secrets: &Secrets) -> Result<String, Error> {
    match url.split_once('?') {
        Some((before, query)) => Ok(format!("{before}?{}", fill(query, secrets, Writing::Form)?)),
        None => Ok(url.to_owned()),
    }
}

/// What is before the first placeholder, its name, and what is after it.
fn placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from) = text.split_once(BEGIN)?;
    let (name, after) = from.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.rotate("token", "old".to_owned());
        secrets.rotate("token", "s3cret".to_owned());
        secrets.rotate("odd", "a\"b\\c d&ü".to_owned());
        secrets.rotate("marked", "a<b>&amp;".to_owned());
        secrets.rotate("nested", "{secret:token}".to_owned());
        secrets.rotate("broken", "a\r\nx-evil: 1".to_owned());
        secrets
    }

    #[test]
    fn placeholders_become_the_secrets_in_force() {
        for (text, writing, expected) in [
            ("Bearer {secret:token}", Writing::Plain, "Bearer s3cret"),
            ("{secret:token}{secret:token}", Writing::Plain, "s3crets3cret"),
            ("nothing", Writing::Plain, "nothing"),
            ("{secret:token", Writing::Plain, "{secret:token"),
            ("{secret:nested}", Writing::Plain, "{secret:token}"),
            ("{\"password\":\"{secret:odd}\"}", Writing::Json, "{\"password\":\"a\\\"b\\\\c d&ü\"}"),
            ("password={secret:odd}&x=1", Writing::Form, "password=a%22b%5Cc%20d%26%C3%BC&x=1"),
            ("<a>{secret:marked}</a>", Writing::Xml, "<a>a&lt;b&gt;&amp;amp;</a>"),
        ] {
            assert_eq!(fill(text, &secrets(), writing).unwrap(), expected);
        }
    }

    #[test]
    fn addresses_take_secrets_in_their_query_only() {
        for (url, expected) in [
            (
                "https://a.example/x?k={secret:odd}&n={secret:token}",
                "https://a.example/x?k=a%22b%5Cc%20d%26%C3%BC&n=s3cret",
            ),
            ("https://a.example/{secret:token}", "https://a.example/{secret:token}"),
            ("https://a.example/{secret:token}?a=1#b", "https://a.example/{secret:token}?a=1#b"),
        ] {
            assert_eq!(fill_address(url, &secrets()).unwrap(), expected);
        }
        assert!(fill_address("https://a.example/?k={secret:nope}", &secrets()).is_err());
    }

    #[test]
    fn a_content_type_tells_the_writing() {
        for (content_type, writing) in [
            ("application/json; charset=utf-8", Writing::Json),
            ("application/x-www-form-urlencoded", Writing::Form),
            ("text/xml", Writing::Xml),
            ("application/soap+xml", Writing::Xml),
            ("text/plain", Writing::Plain),
            ("", Writing::Plain),
        ] {
            assert_eq!(Writing::of(content_type), writing, "{content_type}");
        }
    }

    #[test]
    fn an_error_names_the_secret_and_never_its_value() {
        let missing = fill("{secret:nope}", &secrets(), Writing::Plain).unwrap_err();
        assert_eq!(missing, Error::never("the connection has no secret \"nope\""));
        let broken = fill("{secret:broken}", &secrets(), Writing::Plain).unwrap_err().to_string();
        assert!(broken.contains("broken") && !broken.contains("evil"), "{broken}");
    }
}
