//! XML-RPC: calls and their answers. Source: <http://xmlrpc.com/spec.md>.

use serde_json::{Map, Value};
use xml::{Element, escaped};

/// A refusal. Its text may hold anything and is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) i64);

/// The body of a call.
pub(crate) fn call(method: &str, params: &[Value]) -> String {
    let params: Vec<_> = params.iter().map(|param| format!("<param>{}</param>", written(param))).collect();
    let params = params.concat();
    format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    )
}

fn written(value: &Value) -> String {
    let inner = match value {
        Value::Null => "<nil/>".to_owned(),
        Value::Bool(truth) => format!("<boolean>{}</boolean>", u8::from(*truth)),
        Value::Number(number) => format!("<int>{number}</int>"),
        Value::String(text) => format!("<string>{}</string>", escaped(text)),
        Value::Array(elements) => {
            let elements: String = elements.iter().map(written).collect();
            format!("<array><data>{elements}</data></array>")
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    format!("<member><name>{}</name>{}</member>", escaped(name), written(value))
                })
                .collect();
            format!("<struct>{}</struct>", members.concat())
        }
    };
    format!("<value>{inner}</value>")
}

/// What a call was answered with: scalars are texts or null.
pub(crate) fn answer(body: &[u8]) -> Result<Result<Value, Fault>, String> {
    let response = Element::parse(body).map_err(|error| error.to_string())?;
    if response.name != "methodResponse" {
        return Err("the answer is not one of XML-RPC".to_owned());
    }
    if let Some(fault) = response.child("fault").and_then(|fault| fault.child("value")) {
        return Ok(Err(Fault(code(&read(fault), "faultCode"))));
    }
    let value = ["params", "param", "value"].iter().try_fold(&response, |element, name| element.child(name));
    value.map(|value| Ok(read(value))).ok_or_else(|| "the answer holds no value".to_owned())
}

/// What one call of several was answered with.
pub(crate) fn part(answer: &Value) -> Result<&Value, Fault> {
    match &answer["isFault"] {
        Value::Null => Ok(answer),
        _ => Err(Fault(code(answer, "faultCode"))),
    }
}

fn code(fault: &Value, name: &str) -> i64 {
    fault[name].as_str().and_then(|code| code.parse().ok()).unwrap_or_default()
}

fn read(value: &Element) -> Value {
    let Some(typed) = value.children.first() else { return value.text.clone().into() };
    match typed.name.as_str() {
        "struct" => Value::Object(typed.children.iter().filter_map(member).collect::<Map<_, _>>()),
        "array" => {
            let data = typed.child("data").map(|data| data.children.as_slice()).unwrap_or_default();
            Value::Array(data.iter().map(read).collect())
        }
        // The extension has a name of its own in some servers.
        "nil" | "ex:nil" => Value::Null,
        _ => typed.text.clone().into(),
    }
}

fn member(member: &Element) -> Option<(String, Value)> {
    Some((member.child("name")?.text.clone(), read(member.child("value")?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_are_written_by_the_specification() {
        let body = call("call", &[json!("s<1>"), json!([1, true, null]), json!({ "a&b": "x" })]);
        assert_eq!(
            body,
            "<?xml version=\"1.0\"?><methodCall><methodName>call</methodName><params>\
             <param><value><string>s&lt;1&gt;</string></value></param>\
             <param><value><array><data><value><int>1</int></value><value><boolean>1</boolean></value>\
             <value><nil/></value></data></array></value></param>\
             <param><value><struct><member><name>a&amp;b</name><value><string>x</string></value></member></struct>\
             </value></param></params></methodCall>"
        );
    }

    #[test]
    fn answers_are_values_or_faults() {
        let value = |inner: &str| {
            let body = format!(
                "<methodResponse><params><param><value>{inner}</value></param></params></methodResponse>"
            );
            answer(body.as_bytes()).unwrap().unwrap()
        };
        assert_eq!(value("plain"), json!("plain"));
        assert_eq!(value("<int>5</int>"), json!("5"));
        assert_eq!(value("<nil/>"), json!(null));
        assert_eq!(value("<array><data/></array>"), json!([]));
        assert_eq!(
            value(
                "<struct><member><name>a</name><value><string> b </string></value></member><member/></struct>"
            ),
            json!({ "a": " b " })
        );
        let fault = b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>5</int></value>\
                      </member></struct></value></fault></methodResponse>";
        assert_eq!(answer(fault), Ok(Err(Fault(5))));
        assert!(answer(b"<html/>").is_err());
        assert!(answer(b"<methodResponse/>").is_err());
        assert!(answer(b"").is_err());
    }

    #[test]
    fn one_call_of_several_may_be_refused() {
        assert_eq!(part(&json!({ "isFault": "1", "faultCode": "100" })), Err(Fault(100)));
        assert_eq!(part(&json!([])), Ok(&json!([])));
    }
}
