//! OAuth 1.0a (RFC 5849) with HMAC-SHA256: one request, signed. Pure: time and nonce are parameters.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha2::Sha256;

use crate::Error;

/// Who asks, with all secrets filled in.
pub(crate) struct Credentials {
    pub(crate) consumer_key: String,
    pub(crate) consumer_secret: String,
    pub(crate) token: String,
    pub(crate) token_secret: String,
}

/// What makes a signature one of its kind.
pub(crate) struct Stamp {
    pub(crate) nonce: String,
    /// Seconds since 1970.
    pub(crate) timestamp: i64,
}

/// The value of the `Authorization` header. `form` is the body, if it is a form.
pub(crate) fn authorization(
    method: &str,
    url: &Url,
    form: Option<&str>,
    credentials: &Credentials,
    stamp: &Stamp,
) -> Result<String, Error> {
    let timestamp = stamp.timestamp.to_string();
    let protocol = [
        ("oauth_consumer_key", credentials.consumer_key.as_str()),
        ("oauth_nonce", &stamp.nonce),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", &timestamp),
        ("oauth_token", &credentials.token),
        ("oauth_version", "1.0"),
    ];
    let key = format!("{}&{}", encoded(&credentials.consumer_secret), encoded(&credentials.token_secret));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map_err(|_| Error::never("the request cannot be signed"))?;
    mac.update(base_string(method, url, form, &protocol).as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let mut header = "OAuth ".to_owned();
    for (name, value) in protocol {
        let _ = write!(header, "{name}=\"{}\", ", encoded(value));
    }
    let _ = write!(header, "oauth_signature=\"{}\"", encoded(&signature));
    Ok(header)
}

/// The text that is signed (RFC 5849, section 3.4.1): the method, the address without its query, and all parameters,
/// those of the protocol included, by their encoded names and values.
fn base_string(method: &str, url: &Url, form: Option<&str>, protocol: &[(&str, &str)]) -> String {
    let mut address = url.clone();
    address.set_query(form);
    let in_body: Vec<_> = address.query_pairs().into_owned().collect();
    address.set_query(None);
    address.set_fragment(None);
    let _ = address.set_username("").and_then(|()| address.set_password(None));

    let mut parameters: Vec<(String, String)> = url
        .query_pairs()
        .into_owned()
        .chain(in_body)
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .chain(protocol.iter().map(|(name, value)| (encoded(name), encoded(value))))
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<String> =
        parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let method = method.to_ascii_uppercase();
    format!("{}&{}&{}", encoded(&method), encoded(address.as_str()), encoded(&parameters.join("&")))
}

fn encoded(text: &str) -> String {
    let mut into = String::with_capacity(text.len());
    encode(text, &mut into);
    into
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
pub(crate) fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 5849, sections 3.4.1.1 and 3.4.1.3.1.
    #[test]
    fn the_base_string_is_that_of_the_rfc() {
        let url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b".parse().unwrap();
        let protocol = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        assert_eq!(
            base_string("post", &url, Some("c2&a3=2+q"), &protocol),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26\
             c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26\
             oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    /// Computed with Python's `hmac`, and with `openssl dgst -sha256 -hmac` over the same base string.
    #[test]
    fn the_signature_is_what_other_tools_compute() {
        let url = "https://shop.example:8443/rest/V1/orders/7?fields=items%5Bsku%5D,id&searchCriteria%5BpageSize%5D=2+0"
            .parse()
            .unwrap();
        let credentials = Credentials {
            consumer_key: "ck".to_owned(),
            consumer_secret: "c&s ü".to_owned(),
            token: "tk".to_owned(),
            token_secret: "t=s".to_owned(),
        };
        let stamp = Stamp { nonce: "n0nce".to_owned(), timestamp: 1_781_697_600 };
        assert_eq!(
            authorization("GET", &url, None, &credentials, &stamp).unwrap(),
            "OAuth oauth_consumer_key=\"ck\", oauth_nonce=\"n0nce\", oauth_signature_method=\"HMAC-SHA256\", \
             oauth_timestamp=\"1781697600\", oauth_token=\"tk\", oauth_version=\"1.0\", \
             oauth_signature=\"Qk3II5s2ePZbZknbqpP0kT6aGOnq5txYfmA6odZyjgY%3D\""
        );
    }
}
