//! Lambda: functions called in this process, with a time-out, a panic being an error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lambda_http::lambda_runtime::{Context, LambdaEvent};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, IntoResponse, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::faults::Faults;
use crate::template::Function;

/// A function's code: the event's JSON in, the response's JSON or the error's text out.
pub type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// What runs around the work of an invocation, on its thread; it must call what it is given.
pub(crate) type Around = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

tokio::task_local! {
    /// Set by who measures what the invocation does that is made in its scope.
    pub(crate) static AROUND: Around;
}

/// Makes a [`Handler`] from an asynchronous function.
pub fn handler<F, R>(function: F) -> Handler
where
    F: Fn(Value) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, String>> + Send + 'static,
{
    Arc::new(move |event| Box::pin(function(event)))
}

/// Makes a [`Handler`] from a function over typed events, as `lambda_runtime::run` takes it. The
/// error is told with its causes.
pub fn typed<F, R, E, T, X>(function: F) -> Handler
where
    F: Fn(E) -> R + Send + Sync + 'static,
    R: Future<Output = Result<T, X>>,
    E: DeserializeOwned,
    T: Serialize + 'static,
    X: Display,
{
    let function = Arc::new(function);
    Arc::new(move |event| {
        let function = Arc::clone(&function);
        Box::pin(on_own_thread(async move || {
            function(read(event)?).await.map_err(|error| format!("{error:#}"))
        }))
    })
}

/// Makes a [`Handler`] from an HTTP service, as `lambda_http::run` takes it.
pub fn http<S, R, X>(service: S) -> Handler
where
    S: Service<lambda_http::Request, Response = R, Error = X> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    R: IntoResponse + 'static,
    X: Display + 'static,
{
    Arc::new(move |event| {
        let service = service.clone();
        Box::pin(on_own_thread(async move || {
            let event = LambdaEvent::new(read::<LambdaRequest>(event)?, Context::default());
            Adapter::from(service).oneshot(event).await.map_err(|error| format!("{error:#}"))
        }))
    })
}

fn read<E: DeserializeOwned>(event: Value) -> Result<E, String> {
    serde_json::from_value(event).map_err(|error| format!("the event is malformed: {error}"))
}

/// Runs an invocation on a thread of its own, as Lambda does: its future need not be `Send`.
async fn on_own_thread<T: Serialize>(
    invocation: impl AsyncFnOnce() -> Result<T, String> + Send + 'static,
) -> Result<Value, String> {
    // Dropped with this future, which is how a time-out reaches the other thread.
    let (_alive, abandoned) = oneshot::channel::<()>();
    let runtime = Handle::current();
    let around = AROUND.try_with(Arc::clone).ok();
    let thread = tokio::task::spawn_blocking(move || {
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    result = invocation() => serde_json::to_value(result?).map_err(|error| error.to_string()),
                    _ = abandoned => Err("the invocation was abandoned".to_owned()),
                }
            })
        };
        let Some(around) = around else { return work() };
        let (mut work, mut result) = (Some(work), None);
        around(&mut || result = work.take().map(|work| work()));
        result.unwrap_or_else(|| Err("the invocation was not made".to_owned()))
    });
    match thread.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err("the local stack is shutting down".to_owned()),
    }
}

/// Why an invocation has no result.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum InvokeError {
    /// No function of that name.
    #[error("there is no function {0}")]
    Unknown(String),
    /// It returned an error.
    #[error("{0}")]
    Failed(String),
    /// It panicked.
    #[error("the function panicked: {0}")]
    Panicked(String),
    /// It took longer than its time-out.
    #[error("task timed out after {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

impl InvokeError {
    /// What the Invoke API answers in place of a result.
    pub(crate) fn payload(&self) -> Value {
        let kind = match self {
            Self::Unknown(_) => "ResourceNotFoundException",
            Self::Failed(_) => "Error",
            Self::Panicked(_) => "Runtime.ExitError",
            Self::TimedOut(_) => "Sandbox.Timedout",
        };
        json!({"errorType": kind, "errorMessage": self.to_string()})
    }
}

struct Deployed {
    function: Function,
    handler: Handler,
}

/// All functions, by logical id. Cloning shares them.
#[derive(Clone, Default)]
pub struct Functions {
    deployed: Arc<BTreeMap<String, Deployed>>,
    faults: Option<Faults>,
}

impl Functions {
    pub(crate) fn new(handlers: Vec<(Function, Handler)>, faults: Option<Faults>) -> Self {
        let deployed = handlers
            .into_iter()
            .map(|(function, handler)| (function.id.clone(), Deployed { function, handler }))
            .collect();
        Self { deployed: Arc::new(deployed), faults }
    }

    fn find(&self, name: &str) -> Option<&Deployed> {
        self.deployed.get(name).or_else(|| {
            let mut all = self.deployed.values();
            all.find(|deployed| deployed.function.name == name || deployed.function.code == name)
        })
    }

    /// The function's physical name.
    pub(crate) fn name(&self, name: &str) -> Option<&str> {
        self.find(name).map(|deployed| deployed.function.name.as_str())
    }

    /// Invokes a function by its logical id, its name, or the name of its crate.
    pub async fn invoke(&self, name: &str, event: Value) -> Result<Value, InvokeError> {
        let deployed = self.find(name).ok_or_else(|| InvokeError::Unknown(name.to_owned()))?;
        let Deployed { function, handler } = deployed;
        let started = Instant::now();
        // A task of its own: a panic ends there, and a time-out can abort it.
        let handler = Arc::clone(handler);
        let mut task = tokio::spawn(async move { handler(event).await });
        let death = self.faults.as_ref().and_then(Faults::death);
        let result = match tokio::time::timeout(death.unwrap_or(function.timeout), &mut task).await {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(message))) => Err(InvokeError::Failed(message)),
            Ok(Err(error)) => Err(InvokeError::Panicked(panic_message(error))),
            Err(_) => {
                // It ends where it waits, and what it has begun elsewhere goes on or not, as when a sandbox dies.
                task.abort();
                Err(InvokeError::TimedOut(function.timeout))
            }
        };
        let id = function.id.clone();
        metrics::counter!("lambda_invocations_total", "function" => id.clone()).increment(1);
        metrics::histogram!("lambda_duration_seconds", "function" => id.clone()).record(started.elapsed());
        if let Err(error) = &result {
            metrics::counter!("lambda_errors_total", "function" => id.clone()).increment(1);
            tracing::warn!(function = id, %error, "invocation failed");
        }
        result
    }
}

fn panic_message(error: tokio::task::JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else { return "the invocation was cancelled".to_owned() };
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(handler: Handler, timeout: Duration) -> Functions {
        let function = Function {
            id: "EchoFunction".to_owned(),
            name: "tillstream-EchoFunction".to_owned(),
            code: "echo".to_owned(),
            binary: None,
            timeout,
            memory_mb: 128,
            environment: BTreeMap::new(),
        };
        Functions::new(vec![(function, handler)], None)
    }

    #[tokio::test]
    async fn a_function_is_found_by_id_name_and_crate() {
        let functions = functions(handler(|event| async move { Ok(event) }), Duration::from_mins(1));
        for name in ["EchoFunction", "tillstream-EchoFunction", "echo"] {
            assert_eq!(functions.invoke(name, json!(1)).await, Ok(json!(1)));
        }
        assert_eq!(functions.invoke("gone", json!(1)).await, Err(InvokeError::Unknown("gone".to_owned())));
    }

    async fn misbehave(event: String) -> Result<(), String> {
        match event.as_str() {
            "fail" => Err("refused".to_owned()),
            "panic" => panic!("slipped"),
            _ => std::future::pending().await,
        }
    }

    #[tokio::test]
    async fn errors_panics_and_time_outs_are_invocation_errors() {
        let untyped = handler(async |event: Value| {
            misbehave(event.as_str().unwrap().to_owned()).await.map(|()| Value::Null)
        });
        for handler in [typed(misbehave), untyped] {
            let patient = functions(Arc::clone(&handler), Duration::from_mins(1));
            let invoke = |event: &'static str| patient.invoke("echo", json!(event));
            assert_eq!(invoke("fail").await, Err(InvokeError::Failed("refused".to_owned())));
            assert_eq!(invoke("panic").await, Err(InvokeError::Panicked("slipped".to_owned())));
            let timeout = Duration::from_millis(50);
            let hasty = functions(handler, timeout);
            assert_eq!(hasty.invoke("echo", json!("hang")).await, Err(InvokeError::TimedOut(timeout)));
        }
    }
}
