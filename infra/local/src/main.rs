//! `tillstream`: the whole application on this machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tillstream::bench::Bench;
use tillstream::cli::{self, Failure, Outcome};
use tillstream::functions::{LOCAL_KEY, ProductFunctions};
use tillstream::{Faults, Options, Stack, TEMPLATE, clock, demo};
use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise. A conditional write that fails is an error to the
/// embedded DynamoDB, not to the functions.
const QUIET: &str = "warn,dynoxide=error";

/// Parameters of the template that are others on one machine unless they are given: who tries things out need not wait.
const PARAMETERS: [(&str, &str); 2] = [("RateLimits", "off"), ("ArchiveDays", "30")];

#[derive(Parser)]
#[command(version, about = "Tillstream on one machine: the deployed functions, without AWS")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: Up,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the stack until it is interrupted (the default).
    Up(Up),
    /// Sends a shop's history through a stack of its own, shows what comes of it and checks it.
    Demo(Demo),
    /// Measures, in a stack of its own.
    #[command(subcommand)]
    Bench(Bench),
    #[command(flatten)]
    Remote(cli::Command),
}

#[derive(Args)]
struct Demo {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Which shop is dealt.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Goes on running afterwards, to look around in.
    #[arg(long)]
    keep: bool,
}

#[derive(Args, Clone)]
struct Up {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where data is kept.
    #[arg(long, default_value = ".tillstream", conflicts_with = "in_memory")]
    data_dir: PathBuf,
    /// Keeps nothing once the process ends.
    #[arg(long)]
    in_memory: bool,
    /// Value for a parameter of the template, instead of its default; may be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Lets things go wrong, to see whether they come right: `seed=7,rate=20` strikes 20 of a thousand occasions.
    #[arg(long, value_name = "seed=SEED,rate=RATE", hide = true)]
    faults: Option<Faults>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not of the form NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(QUIET));
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Up(cli.up)) {
        Command::Up(up) => run(up).await.map(|()| true),
        Command::Demo(demo) => run_demo(demo).await,
        Command::Bench(bench) => Box::pin(bench.run()).await.map(|()| true),
        Command::Remote(command) => match Box::pin(cli::run(command)).await {
            Ok(outcome) => Ok(outcome == Outcome::Good),
            Err(Failure::Usage(error)) => {
                complain(format_args!("tillstream: {error}"));
                return ExitCode::from(2);
            }
            Err(Failure::Failed(error)) => Err(error),
        },
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format_args!("tillstream: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(up: Up) -> anyhow::Result<()> {
    let options = Options {
        port: up.port,
        data_dir: (!up.in_memory).then_some(up.data_dir),
        template: TEMPLATE.to_owned(),
        parameters: local_parameters(up.parameters),
        clock: clock::system(),
        faults: up.faults.clone(),
    };
    let functions = ProductFunctions::new(runtime::Clock::system()).with_faults(up.faults);
    let stack = Stack::start(options, &functions).await?;
    say(format_args!("listening on   {}", stack.base_url));
    say(format_args!("API key        {LOCAL_KEY}"));
    say(format_args!("DynamoDB       {}", stack.endpoints.dynamodb));
    say(format_args!("SQS            {}", stack.endpoints.sqs));
    say(format_args!("SSM            {}", stack.endpoints.ssm));
    say(format_args!("S3             {}", stack.endpoints.s3));
    interrupted().await?;
    stack.shutdown().await;
    Ok(())
}

fn local_parameters(given: Vec<(String, String)>) -> BTreeMap<String, String> {
    let others = PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    others.into_iter().chain(given).collect()
}

/// Returns whether what came out is what had to.
async fn run_demo(options: Demo) -> anyhow::Result<bool> {
    let clock = clock::system();
    let parameters = local_parameters(Vec::new());
    let in_memory = Options { port: options.port, parameters, ..Options::in_memory(TEMPLATE) };
    let stack = Stack::start(in_memory, &ProductFunctions::new(runtime::Clock::system())).await?;
    let mut out = std::io::stdout();
    let passed = demo::run(&stack, &clock, options.seed, &mut out).await;
    if options.keep && passed.is_ok() {
        demo::look_around(&mut out, &stack.base_url, LOCAL_KEY)?;
        interrupted().await?;
    } else if passed.is_ok() {
        writeln!(out, "To look around in it: cargo run --release -- demo --keep")?;
    }
    stack.shutdown().await;
    passed
}

/// Resolves when the user or the system asks the process to end.
async fn interrupted() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

#[allow(clippy::print_stderr, reason = "this is a command: standard error is where it complains")]
fn complain(line: std::fmt::Arguments<'_>) {
    eprintln!("{line}");
}

#[allow(clippy::print_stdout, reason = "this is a command: standard output is its face")]
fn say(line: std::fmt::Arguments<'_>) {
    println!("{line}");
}
