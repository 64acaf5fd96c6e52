//! A shop's XML-RPC interface: a session, and many calls in one request.
//! Source: <https://github.com/OpenMage/magento-lts>, `app/code/core/Mage/Api/Model/Server/Handler/Abstract.php`.

use std::slice::Iter;
use std::time::Duration;

use platform::{ApiRequest, Connection, Fetched};
use serde_json::{Value, json};

use crate::xmlrpc::{self, Fault};

/// Sessions last an hour after they were used last, unless a shop sets less.
const SESSION: Duration = Duration::from_mins(10);
/// The session is over.
const SESSION_EXPIRED: Fault = Fault(5);
/// The resource is not there: versions before 1.4.1 know no credit memos.
const NO_RESOURCE: Fault = Fault(3);
/// What is asked for is not there (any more): an order, a shipment, a credit memo; an address.
const NOT_THERE: [Fault; 2] = [Fault(100), Fault(102)];

/// Where a shop's interface is.
pub(crate) struct Api(String);

impl Api {
    /// `None` without an address, or with one that is no plain `https` address.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        let (url, schemes): (_, &[&str]) = match connection.text("api_url") {
            Some(url) => (url, &["https://", "http://"]),
            None => (connection.text("shop_url")?, &["https://"]),
        };
        let url = url.trim_end_matches('/');
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme))?;
        let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:/".contains(&byte));
        let is_host = rest.starts_with(|first: char| first.is_ascii_alphanumeric());
        (plain && is_host && !rest.contains("..")).then(|| Self(format!("{url}/index.php/api/xmlrpc")))
    }

    /// The request for a session.
    pub(crate) fn login(&self) -> ApiRequest {
        self.post("login", &[json!("{secret:api_user}"), json!("{secret:api_key}")])
    }

    fn post(&self, method: &str, params: &[Value]) -> ApiRequest {
        ApiRequest {
            method: "POST".to_owned(),
            url: self.0.clone(),
            headers: vec![("content-type".to_owned(), "text/xml".to_owned())],
            body: Some(xmlrpc::call(method, params)),
            ..ApiRequest::default()
        }
    }
}

/// A request for a session that may be used again: [`SESSION`].
pub(crate) fn kept(login: ApiRequest) -> ApiRequest {
    login.kept_for(SESSION)
}

/// Why a page cannot be read now.
pub(crate) enum Halt {
    /// These requests first.
    Join(Vec<ApiRequest>),
    /// The shop answered something else than expected.
    Bad(String),
}

impl From<String> for Halt {
    fn from(reason: String) -> Self {
        Self::Bad(reason)
    }
}

/// One call of several: its path, such as `sales_order.info`, and its one argument.
pub(crate) struct Call {
    path: &'static str,
    argument: Value,
}

impl Call {
    pub(crate) fn new(path: &'static str, argument: impl Into<Value>) -> Self {
        Self { path, argument: argument.into() }
    }

    /// The value it was answered with; null if there is none.
    fn answered(&self, answer: &Value) -> Result<Value, String> {
        match xmlrpc::part(answer) {
            Ok(value) => Ok(value.clone()),
            Err(fault) if fault == NO_RESOURCE || NOT_THERE.contains(&fault) => Ok(Value::Null),
            Err(Fault(code)) => Err(format!("the shop refuses {} (fault {code})", self.path)),
        }
    }
}

/// What is said to a shop for one page, from the session on.
pub(crate) struct Talk<'a> {
    api: &'a Api,
    session: String,
    renewed: bool,
    answers: Iter<'a, Fetched>,
}

impl<'a> Talk<'a> {
    /// Begins with the answer to the login, which may be an old one.
    pub(crate) fn begin(api: &'a Api, login: &Fetched, joined: &'a [Fetched]) -> Result<Self, Halt> {
        let mut talk = Self { api, session: String::new(), renewed: false, answers: joined.iter() };
        match session(login)? {
            Ok(session) => talk.session = session,
            Err(_) => talk.renew()?,
        }
        Ok(talk)
    }

    /// Makes the calls of each batch in one request; the values in the same order.
    pub(crate) fn ask(&mut self, batches: &[Vec<Call>]) -> Result<Vec<Vec<Value>>, Halt> {
        if let Some(answers) = self.try_ask(batches)? {
            return Ok(answers);
        }
        self.renew()?;
        self.try_ask(batches)?.ok_or_else(|| Halt::Bad("the shop ends every session at once".to_owned()))
    }

    /// `None` if the session is over.
    fn try_ask(&mut self, batches: &[Vec<Call>]) -> Result<Option<Vec<Vec<Value>>>, Halt> {
        let requests = batches.iter().map(|calls| {
            let calls = calls.iter().map(|call| json!([call.path, [call.argument]])).collect();
            self.api.post("multiCall", &[Value::String(self.session.clone()), Value::Array(calls)])
        });
        let requests: Vec<_> = requests.collect();
        let answers = self.take(requests)?;
        let mut values = Vec::with_capacity(batches.len());
        for (calls, answer) in batches.iter().zip(answers) {
            match read(answer)? {
                Ok(Value::Array(parts)) if parts.len() == calls.len() => {
                    let parts = calls.iter().zip(&parts).map(|(call, part)| call.answered(part));
                    values.push(parts.collect::<Result<_, _>>()?);
                }
                Ok(_) => return Err(Halt::Bad("the shop did not answer every call".to_owned())),
                Err(SESSION_EXPIRED) => return Ok(None),
                Err(Fault(code)) => {
                    return Err(Halt::Bad(format!("the shop refuses multiCall (fault {code})")));
                }
            }
        }
        Ok(Some(values))
    }

    /// Logs in anew, once.
    fn renew(&mut self) -> Result<(), Halt> {
        if std::mem::replace(&mut self.renewed, true) {
            return Err(Halt::Bad("the shop ends every session at once".to_owned()));
        }
        let answers = self.take(vec![self.api.login()])?;
        let answer = answers.first().ok_or_else(|| Halt::Bad("the login was not answered".to_owned()))?;
        self.session = session(answer)?
            .map_err(|Fault(code)| Halt::Bad(format!("the shop refuses the login (fault {code})")))?;
        Ok(())
    }

    /// The answers to the requests, which come all at once.
    fn take(&mut self, requests: Vec<ApiRequest>) -> Result<&'a [Fetched], Halt> {
        let answers = self.answers.as_slice();
        let Some((taken, rest)) = answers.split_at_checked(requests.len()) else {
            return Err(Halt::Join(requests));
        };
        self.answers = rest.iter();
        Ok(taken)
    }
}

fn session(login: &Fetched) -> Result<Result<String, Fault>, String> {
    read(login)?.map_or_else(
        |fault| Ok(Err(fault)),
        |value| match value {
            Value::String(session) if is_plain(&session) => Ok(Ok(session)),
            _ => Err("the login was answered without a session".to_owned()),
        },
    )
}

/// Whether a text of the shop's may stand in a request: what could be taken for the name of a secret may not.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains('{')
}

fn read(answer: &Fetched) -> Result<Result<Value, Fault>, String> {
    if answer.status != 200 {
        return Err(format!("the answer's status is {}", answer.status));
    }
    xmlrpc::answer(&answer.body)
}
