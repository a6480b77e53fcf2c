//! `procura signals`: what a running server has heard, what it holds true because of that, and what operators state
//! themselves.

mod show;
mod stream;

use anyhow::{Context, bail};
use clap::Subcommand;
use hyper::Method;
use serde::Serialize;
use serde_json::Value;

use self::show::{Facts, Found, Status};
use super::exit::Exit;
use super::print;
use super::server::{Format, ServerArgs, Shown};
use crate::outgoing::encoded;
use crate::ports::StreamStatus;

const EXAMPLES: &str = "\
Examples:
  procura signals status
  procura signals tail
  procura signals subject principal:ada
  procura signals subject resource:album/a1 -o json
  procura signals set principal:ada on-call --expires 2026-11-23T08:00:00Z --data '{\"shift\": \"night\"}'
  procura signals set principal:ada account-disabled
  procura signals unset principal:ada account-disabled
  procura signals verify okta
  procura signals pause okta --reason maintenance

A signal is an event that is heard, a fact is what is held true because of it. SUBJECT is KIND:ID, where KIND is principal,
session, device, resource, group, application or tenant; a resource is resource:KIND/ID. What `set` states is of the source
`operator`, recorded, and known to every decision that is asked for after the answer; policies read it as `signals`.
Some facts deny without any policy: `account-disabled` about a principal, `session-revoked` about a session or a principal.

All of this takes a credential (`--token-file FILE`) with the role `facts`.";

/// What it may mean that there is nothing to ask.
const NOTHING: &str = "\
there are no signals here, or not for this caller: it takes a credential (`--token-file FILE`) with the role `facts`";

/// Show what was heard and is held true, state facts and withdraw them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how every source fares: when it was last heard, how late, what was taken and refused
    Status(ShowArgs),
    /// Show signals as they come in, taken and refused, until interrupted
    Tail(ShowArgs),
    Subject(SubjectArgs),
    Set(SetArgs),
    Unset(UnsetArgs),
    /// Ask the transmitter of a stream to show that the stream works: its event comes over the stream
    Verify(stream::StreamArgs),
    /// Ask the transmitter of a stream to send its events
    Enable(stream::StatusArgs),
    /// Ask the transmitter of a stream to keep its events for later
    Pause(stream::StatusArgs),
    /// Ask the transmitter of a stream to send no events
    Disable(stream::StatusArgs),
    /// Ask the transmitter of a stream for the events about a subject
    Subscribe(stream::SubjectArgs),
    /// Ask the transmitter of a stream for no more events about a subject
    Unsubscribe(stream::SubjectArgs),
    /// Delete a stream at its transmitter
    Delete(stream::StreamArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    shown: Shown,
}

/// Show every fact about something, in force or not, whoever states it
#[derive(Debug, clap::Args)]
struct SubjectArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// KIND:ID, for example `principal:ada` or `resource:album/a1`
    subject: String,
    #[command(flatten)]
    shown: Shown,
}

/// State a fact
#[derive(Debug, clap::Args)]
struct SetArgs {
    #[command(flatten)]
    of: OneArgs,
    /// Its content: JSON [default: {}]
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// Since when it is true [default: now]
    #[arg(long, value_name = "INSTANT")]
    at: Option<String>,
    /// Until when it is true [default: until it is withdrawn]
    #[arg(long, value_name = "INSTANT")]
    expires: Option<String>,
}

/// Withdraw a fact that operators state
#[derive(Debug, clap::Args)]
struct UnsetArgs {
    #[command(flatten)]
    of: OneArgs,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// KIND:ID, for example `principal:ada` or `resource:album/a1`
    subject: String,
    /// Name of the fact
    name: String,
    #[command(flatten)]
    shown: Shown,
}

/// Asks the server.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Status(args) => status(args)?,
        Command::Tail(args) => tail(args)?,
        Command::Subject(args) => subject(args)?,
        Command::Set(args) => set(args)?,
        Command::Unset(args) => unset(args)?,
        Command::Verify(args) => return stream::verify(args),
        Command::Enable(args) => return stream::status(args, StreamStatus::Enabled),
        Command::Pause(args) => return stream::status(args, StreamStatus::Paused),
        Command::Disable(args) => return stream::status(args, StreamStatus::Disabled),
        Command::Subscribe(args) => return stream::add(args),
        Command::Unsubscribe(args) => return stream::remove(args),
        Command::Delete(args) => return stream::delete(args),
    }
    Ok(Exit::Ok)
}

fn status(args: &ShowArgs) -> anyhow::Result<()> {
    let answer: Value = args.server.open()?.ask(Method::GET, "/api/signals")?.context(NOTHING)?;
    if args.shown.output == Format::Json {
        return Ok(print(&format!("{answer}\n"))?);
    }
    let status: Status = serde_json::from_value(answer).context(NOT_UNDERSTOOD)?;
    Ok(print(&status.text())?)
}

/// Everything that comes in, until interrupted.
fn tail(args: &ShowArgs) -> anyhow::Result<()> {
    let server = args.server.open()?;
    let ended = server.listen("/api/signals/events", |data| {
        Ok(print(&match args.shown.output {
            Format::Json => format!("{data}\n"),
            Format::Text => Found::text(data)?,
        })?)
    })?;
    ended.context(NOTHING)?;
    bail!("the server has ended the stream of events")
}

fn subject(args: &SubjectArgs) -> anyhow::Result<()> {
    let (kind, id) = known(&args.subject)?;
    let id = if kind == "resource" { id.replacen('/', "\n", 1) } else { id.to_owned() };
    let path = format!("/api/facts?{kind}={}", encoded(&id));
    let found: Value = args.server.open()?.ask(Method::GET, &path)?.context(NOTHING)?;
    show(found, "", args.shown.output)
}

fn set(args: &SetArgs) -> anyhow::Result<()> {
    let SetArgs { of, data, at, expires } = args;
    let data: Option<Value> =
        data.as_deref().map(serde_json::from_str).transpose().context("`--data` is not JSON")?;
    let wanted = Wanted { data, at: at.as_deref(), expires: expires.as_deref() };
    let stated: Option<Value> = of.server.open()?.tell(Method::PUT, &of.path()?, &wanted)?;
    show(stated.context(NOTHING)?, "set: ", of.shown.output)
}

fn unset(args: &UnsetArgs) -> anyhow::Result<()> {
    let of = &args.of;
    let Some(withdrawn) = of.server.open()?.ask::<Value>(Method::DELETE, &of.path()?)? else {
        bail!("operators state no `{}` about `{}`, or this caller may not do `facts`", of.name, of.subject);
    };
    show(withdrawn, "unset: ", of.shown.output)
}

const NOT_UNDERSTOOD: &str = "the answer of the server is not understood";

fn show(found: Value, before: &str, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        for fact in found.get("facts").and_then(Value::as_array).into_iter().flatten() {
            print(&format!("{fact}\n"))?;
        }
        return Ok(());
    }
    let Facts { facts } = serde_json::from_value(found).context(NOT_UNDERSTOOD)?;
    for fact in facts {
        print(&format!("{before}{}\n", fact.text()))?;
    }
    Ok(())
}

impl OneArgs {
    fn path(&self) -> anyhow::Result<String> {
        let ((kind, id), name) = (known(&self.subject)?, encoded(&self.name));
        let Some((of, id)) = id.split_once('/').filter(|_| kind == "resource") else {
            return Ok(format!("/api/facts/{kind}/{}/{name}", encoded(id)));
        };
        Ok(format!("/api/facts/resource/{}/{}/{name}", encoded(of), encoded(id)))
    }
}

/// Kind and id of a subject.
fn known(subject: &str) -> anyhow::Result<(&str, &str)> {
    let parts = subject.split_once(':').filter(|(_, id)| !id.is_empty());
    let (kind, id) =
        parts.with_context(|| format!("expected KIND:ID such as `principal:ada`, not `{subject}`"))?;
    if kind == "resource" && !id.contains('/') {
        bail!("a resource is `resource:KIND/ID`, not `{subject}`");
    }
    Ok((kind, id))
}

/// What `PUT /api/facts/…` takes.
#[derive(Serialize)]
struct Wanted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<&'a str>,
}
