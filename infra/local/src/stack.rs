//! The whole of it: services, functions and what connects them, in one process.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::aws_json;
use crate::background::Background;
use crate::clock::{self, Clock};
use crate::dynamodb::{DynamoDb, DynamoDbError};
use crate::event_source::{
    Checkpoints, Filter, FilterError, QueuePoller, Scheduler, Shutdown, StreamPoller, stopped,
};
use crate::faults::Faults;
use crate::gateway::Gateway;
use crate::lambda::{Functions, Handler, InvokeError};
use crate::s3::S3;
use crate::sqs::{Queues, SqsError, SqsService, queue_url};
use crate::ssm::SsmService;
use crate::state::{OpenError, State};
use crate::template::{Function, Model, Physical, Template, TemplateError};
use crate::{event_source, s3, sqs, ssm};

/// How often expired items, messages and stream records are looked for.
const JANITOR_INTERVAL: Duration = Duration::from_secs(30);
/// What a stream keeps.
const STREAM_RETENTION_S: i64 = 24 * 3600;
/// How long invocations under way may take when the stack shuts down.
const GRACE: Duration = Duration::from_secs(5);

/// How to run the stack.
#[derive(Clone)]
pub struct Options {
    /// The public port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where data lives. `None` keeps it in memory, as far as the machine has a place for that.
    pub data_dir: Option<PathBuf>,
    /// The SAM template's text.
    pub template: String,
    /// Values for the template's parameters, instead of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// The time the services live by.
    pub clock: Clock,
    /// What goes wrong on purpose.
    pub faults: Option<Faults>,
}

impl Options {
    /// Everything in memory, on a free port: for tests.
    pub fn in_memory(template: impl Into<String>) -> Self {
        Self {
            port: 0,
            data_dir: None,
            template: template.into(),
            parameters: BTreeMap::new(),
            clock: clock::system(),
            faults: None,
        }
    }
}

/// Where the embedded services listen, `http://127.0.0.1:port` each.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// DynamoDB and DynamoDB Streams.
    pub dynamodb: String,
    /// SQS.
    pub sqs: String,
    /// Parameter Store.
    pub ssm: String,
    /// S3.
    pub s3: String,
}

/// What a function's handler is made from.
#[derive(Clone, Debug)]
pub struct FunctionContext {
    /// The function as the template declares it, with its environment resolved.
    pub function: Function,
    /// The embedded services.
    pub endpoints: Endpoints,
    /// The public address.
    pub base_url: String,
}

/// An error of the code that makes handlers.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes the handler of each function the template declares; `None` means there is no such code,
/// which stops the start. The embedded services answer already when it is called.
pub trait Handlers: Send + Sync {
    /// The handler of one function.
    fn handler(&self, context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>>;
}

/// Ready-made handlers by crate name or logical id.
impl<S: BuildHasher + Send + Sync> Handlers for HashMap<String, Handler, S> {
    fn handler(&self, context: FunctionContext) -> BoxFuture<'_, Result<Option<Handler>, BoxError>> {
        let handler = self.get(&context.function.id).or_else(|| self.get(&context.function.code)).cloned();
        Box::pin(async move { Ok(handler) })
    }
}

/// Why the stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The template cannot be emulated.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The filter of a mapping cannot be followed.
    #[error("the filter of {mapping}: {source}")]
    Filter {
        /// The mapping's logical id.
        mapping: String,
        /// What is wrong with it.
        source: FilterError,
    },
    /// The data directory or a port.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process works with the same data.
    #[error("the data directory {} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The state file.
    #[error(transparent)]
    State(#[from] OpenError),
    /// A queue cannot be made.
    #[error("the queue {queue}: {source}")]
    Queue {
        /// Its name.
        queue: String,
        /// Why.
        source: SqsError,
    },
    /// A table cannot be made.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// A function's handler cannot be made.
    #[error("the function {function}: {source}")]
    Handler {
        /// The logical id.
        function: String,
        /// Why.
        source: BoxError,
    },
    /// There is no code for a function.
    #[error("no handler for the function {function} (crate {code})")]
    NoHandler {
        /// The logical id.
        function: String,
        /// The crate the template names.
        code: String,
    },
}

/// A running stack. [`Stack::shutdown`] ends it in order; dropping it just stops it.
pub struct Stack {
    /// The public address, `http://127.0.0.1:port`.
    pub base_url: String,
    /// The embedded services.
    pub endpoints: Endpoints,
    /// What the template declares, with everything resolved.
    pub model: Model,
    /// The functions, to be invoked directly.
    pub functions: Functions,
    /// The queues, to be looked into directly.
    pub queues: Queues,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _background: Background,
    /// Keeps other processes from the same data.
    _lock: File,
    /// Removed with the stack, when nothing is to be kept.
    _temporary: Option<TempDir>,
}

impl Stack {
    /// Starts the services, makes what the template declares, and connects it.
    pub async fn start(options: Options, handlers: &dyn Handlers) -> Result<Self, StartError> {
        let template = Template::parse(&options.template, options.parameters)?;
        let (directory, temporary) = directory(options.data_dir.as_deref())?;
        let lock = lock(&directory)?;
        let clock = options.clock;
        let (stop, shutdown) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let background = Background::start()
            .map_err(|source| StartError::Io { what: "cannot start threads".to_owned(), source })?;

        let state = State::open(
            &directory.join("state.db"),
            &[sqs::SCHEMA, ssm::SCHEMA, s3::SCHEMA, event_source::SCHEMA],
        )?;
        let dynamodb = DynamoDb::open(&directory.join("dynamodb.db"))?;
        let queues = Queues::new(state.clone(), Arc::clone(&clock));

        let (public, base_url) = listen(options.port).await?;
        let (dynamodb_listener, dynamodb_url) = listen(0).await?;
        let (sqs_listener, sqs_url) = listen(0).await?;
        let (ssm_listener, ssm_url) = listen(0).await?;
        let (s3_listener, s3_url) = listen(0).await?;
        let endpoints = Endpoints { dynamodb: dynamodb_url, sqs: sqs_url.clone(), ssm: ssm_url, s3: s3_url };

        let physical = provision(&template, &queues, &dynamodb, &base_url, &sqs_url).await?;
        let model = template.resolve(&physical)?;

        let serve_dynamodb = {
            let (dynamodb, shutdown) = (dynamodb.clone(), shutdown.clone());
            async move {
                let served = dynamodb.serve(dynamodb_listener, async move { stopped(&shutdown).await }).await;
                report("dynamodb", served);
            }
        };
        tasks.spawn_on(serve_dynamodb, &background.handle);
        let service = SqsService::new(queues.clone(), sqs_url, Arc::clone(&clock));
        serve(&mut tasks, "sqs", sqs_listener, aws_json::router(Arc::new(service)), &shutdown);
        let service = SsmService::new(state.clone(), Arc::clone(&clock));
        serve(&mut tasks, "ssm", ssm_listener, aws_json::router(Arc::new(service)), &shutdown);
        let buckets = S3::new(state.clone(), queues.clone(), template.buckets()?, Arc::clone(&clock));
        serve(&mut tasks, "s3", s3_listener, buckets.router(), &shutdown);

        let disturbed = match &options.faults {
            Some(faults) => disturb(faults, &endpoints, &mut tasks, &shutdown).await?,
            None => endpoints.clone(),
        };
        let functions = deploy(&model, handlers, &disturbed, &base_url, options.faults.as_ref()).await?;
        let gateway = Gateway::new(model.routes.clone(), functions.clone(), Arc::clone(&clock), recorder());
        serve(&mut tasks, "gateway", public, gateway.router(), &shutdown);

        for source in model.queue_sources.clone() {
            let poller = QueuePoller {
                source,
                queues: queues.clone(),
                functions: functions.clone(),
                faults: options.faults.clone(),
            };
            tasks.spawn_on(poller.run(shutdown.clone()), &background.handle);
        }
        for source in model.stream_sources.clone() {
            let filters = source.filters.iter().map(Filter::parse).collect::<Result<_, _>>();
            let filters =
                filters.map_err(|error| StartError::Filter { mapping: source.id.clone(), source: error })?;
            let poller = StreamPoller {
                source,
                filters,
                dynamodb: dynamodb.clone(),
                queues: queues.clone(),
                functions: functions.clone(),
                checkpoints: Checkpoints::new(state.clone()),
                clock: Arc::clone(&clock),
                shutdown: shutdown.clone(),
                faults: options.faults.clone(),
            };
            tasks.spawn_on(poller.run(), &background.handle);
        }
        for schedule in model.schedules.clone() {
            let scheduler = Scheduler { schedule, functions: functions.clone(), clock: Arc::clone(&clock) };
            tasks.spawn_on(scheduler.run(shutdown.clone()), &background.handle);
        }
        tasks.spawn_on(janitor(queues.clone(), dynamodb, clock, shutdown), &background.handle);
        if let Some(faults) = &options.faults {
            faults.arm();
        }

        Ok(Self {
            base_url,
            endpoints,
            model,
            functions,
            queues,
            stop,
            tasks,
            _background: background,
            _lock: lock,
            _temporary: temporary,
        })
    }

    /// Invokes a function by its logical id, its name, or the name of its crate.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, InvokeError> {
        self.functions.invoke(function, event).await
    }

    /// The counters of everything in this process, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        recorder().render()
    }

    /// Stops taking requests, lets what is under way end, and stops.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// The data directory, or a temporary one, in memory where the system offers it.
fn directory(data_dir: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), StartError> {
    let io = |what: String| move |source| StartError::Io { what, source };
    if let Some(path) = data_dir {
        std::fs::create_dir_all(path).map_err(io(format!("cannot create {}", path.display())))?;
        return Ok((path.to_owned(), None));
    }
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("tillstream-");
    let temporary = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    let temporary = temporary.map_err(io("cannot create a temporary directory".to_owned()))?;
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// Two processes would both feed every message and every record to a function.
fn lock(directory: &Path) -> Result<File, StartError> {
    let path = directory.join("lock");
    let io = |source| StartError::Io { what: format!("cannot lock {}", path.display()), source };
    let file = File::create(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

async fn listen(port: u16) -> Result<(TcpListener, String), StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let io = |source| StartError::Io { what: format!("cannot listen on {address}"), source };
    let listener = TcpListener::bind(address).await.map_err(io)?;
    let url = format!("http://{}", listener.local_addr().map_err(io)?);
    Ok((listener, url))
}

/// Makes queues and tables and returns what refers to them.
async fn provision(
    template: &Template,
    queues: &Queues,
    dynamodb: &DynamoDb,
    base_url: &str,
    sqs_url: &str,
) -> Result<Physical, StartError> {
    let mut physical = Physical { base_url: base_url.to_owned(), ..Physical::default() };
    for queue in template.queues()? {
        let error = |source| StartError::Queue { queue: queue.name.clone(), source };
        queues.ensure(&queue.name, queue.attributes.clone()).await.map_err(error)?;
        // Whoever had a message of it was a part of the process that ended.
        queues.release(&queue.name).await.map_err(error)?;
        physical.queue_urls.insert(queue.id, queue_url(sqs_url, &queue.name));
    }
    for table in template.tables()? {
        let arns = dynamodb.ensure_table(&table).await?;
        physical.table_arns.insert(table.id.clone(), arns.table);
        physical.stream_arns.extend(arns.stream.map(|stream| (table.id, stream)));
    }
    Ok(physical)
}

/// Puts faults in front of the services that the functions will ask.
async fn disturb(
    faults: &Faults,
    endpoints: &Endpoints,
    tasks: &mut JoinSet<()>,
    shutdown: &Shutdown,
) -> Result<Endpoints, StartError> {
    let mut disturbed = endpoints.clone();
    for (service, address) in [("dynamodb", &mut disturbed.dynamodb), ("sqs", &mut disturbed.sqs)] {
        let (listener, url) = listen(0).await?;
        let behind = std::mem::replace(address, url);
        serve(tasks, service, listener, faults.in_front_of(service, behind), shutdown);
    }
    Ok(disturbed)
}

async fn deploy(
    model: &Model,
    handlers: &dyn Handlers,
    endpoints: &Endpoints,
    base_url: &str,
    faults: Option<&Faults>,
) -> Result<Functions, StartError> {
    let mut deployed = Vec::with_capacity(model.functions.len());
    for function in &model.functions {
        let context = FunctionContext {
            function: function.clone(),
            endpoints: endpoints.clone(),
            base_url: base_url.to_owned(),
        };
        let handler = handlers
            .handler(context)
            .await
            .map_err(|source| StartError::Handler { function: function.id.clone(), source })?;
        let handler = handler.ok_or_else(|| StartError::NoHandler {
            function: function.id.clone(),
            code: function.code.clone(),
        })?;
        deployed.push((function.clone(), handler));
    }
    Ok(Functions::new(deployed, faults.cloned()))
}

fn serve(
    tasks: &mut JoinSet<()>,
    name: &'static str,
    listener: TcpListener,
    router: axum::Router,
    shutdown: &Shutdown,
) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served =
            axum::serve(listener, service).with_graceful_shutdown(async move { stopped(&shutdown).await });
        report(name, served.await);
    });
}

fn report<E: std::fmt::Display>(name: &str, served: Result<(), E>) {
    if let Err(error) = served {
        tracing::error!(service = name, %error, "a service stopped");
    }
}

/// Does what AWS does in the background: expires items, messages and stream records.
async fn janitor(queues: Queues, dynamodb: DynamoDb, clock: Clock, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(JANITOR_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stopped(&shutdown) => return,
        }
        // Folds what histograms have gathered since.
        recorder().run_upkeep();
        if let Err(error) = queues.expire().await {
            tracing::error!(%error, "messages cannot be expired");
        }
        let oldest = clock().as_second() - STREAM_RETENTION_S;
        let swept = async {
            dynamodb.sweep_ttl().await?;
            dynamodb.trim_streams(oldest).await
        };
        if let Err(error) = swept.await {
            tracing::error!(%error, "items cannot be expired");
        }
    }
}

/// The recorder of this process' counters: there can be only one.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Whoever embeds the stack may have a recorder; then this one stays empty.
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: /metrics stays empty");
        }
        handle
    };
    RECORDER.get_or_init(install).clone()
}
