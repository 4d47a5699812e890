"""`aimass notifications`."""

from itertools import islice
from typing import Annotated

import typer

from aimass.cli.output import Column, Output, OutputFormat, client_of, plain, say, show_list, show_one
from aimass_core.domain.notification_channels import ChannelCreated, Delivery, DeliveryStatus, NotificationChannel

app = typer.Typer()
_channels = typer.Typer(help="Where notifications go: webhooks, Slack, e-mail.", no_args_is_help=True)
_rules = typer.Typer(help="Which notifications go where.", no_args_is_help=True)
app.add_typer(_channels, name="channels")
app.add_typer(_rules, name="rules")

Limit = Annotated[int, typer.Option(min=1)]
Yes = Annotated[bool, typer.Option("--yes", "-y")]

_NOTIFICATIONS = (
    Column("AT", lambda n: n.created_at),
    Column("EVENT", lambda n: n.type.value),
    Column("LEVEL", lambda n: n.level.value),
    Column("WHAT", lambda n: n.title, is_long=True),
    Column("SENT TO", lambda n: n.num_deliveries, is_number=True),
)
_TYPES = (
    Column("EVENT", lambda t: t.type.value),
    Column("LEVEL", lambda t: t.level.value),
    Column("MEANING", lambda t: t.description, is_long=True),
)
_CHANNELS = (
    Column("NAME", lambda c: c.name),
    Column("TYPE", lambda c: c.type),
    Column("ADDRESS", lambda c: c.address, is_long=True),
    Column("STATUS", lambda c: c.status.value),
    Column("NOTE", lambda c: c.status_reason, is_long=True),
)
_RULES = (
    Column("NAME", lambda r: r.name),
    Column("EVENTS", lambda r: ", ".join(r.events), is_long=True),
    Column("ABOUT", lambda r: ", ".join(r.subjects) or "all", is_long=True),
    Column("CHANNELS", lambda r: ", ".join(r.channels), is_long=True),
    Column("ACTIVE", lambda r: r.is_active),
)


def _answer(delivery: Delivery) -> str | None:
    last = delivery.attempts[-1] if delivery.attempts else None
    return None if last is None else f"{last.status or ''} {last.answer}".strip()


_DELIVERIES = (
    Column("DELIVERY", lambda d: d.id),
    Column("CHANNEL", lambda d: d.channel_name),
    Column("EVENT", lambda d: d.type.value),
    Column("STATUS", lambda d: d.status.value),
    Column("TRIES", lambda d: d.num_attempts, is_number=True),
    Column("NEXT", lambda d: d.next_attempt_at),
    Column("ANSWER", _answer, is_long=True),
)


@app.command("list")
def list_notifications(context: typer.Context, limit: Limit = 20, output: Output = OutputFormat.TABLE) -> None:
    """What has happened in the workspace, newest first."""
    found = islice(client_of(context).notifications.list(), limit)
    show_list(found, _NOTIFICATIONS, output=output, empty="Nothing has happened in the last thirty days.")


@app.command("types")
def list_types(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """What rules may name."""
    show_list(client_of(context).notifications.types(), _TYPES, output=output)


@app.command("deliveries")
def list_deliveries(
    context: typer.Context,
    status: Annotated[DeliveryStatus | None, typer.Option(help="DEAD: what was given up.")] = None,
    channel: Annotated[str | None, typer.Option()] = None,
    limit: Limit = 20,
    output: Output = OutputFormat.TABLE,
) -> None:
    """What was sent where, and what was answered, newest first."""
    found = islice(client_of(context).notification_deliveries.list(status=status, channel=channel), limit)
    show_list(found, _DELIVERIES, output=output, empty="There are no such deliveries.")


@app.command("retry")
def retry(context: typer.Context, delivery: str) -> None:
    """Send a delivery again, at once."""
    found = client_of(context).notification_deliveries.retry(delivery)
    say(f"It is sent again. See: aimass notifications deliveries --channel {plain(found.channel_name)}")


# --- channels --------------------------------------------------------------------------------------------------------


@_channels.command("create")
def create_channel(
    context: typer.Context,
    name: str,
    webhook: Annotated[str | None, typer.Option(help="The URL of a signed webhook.")] = None,
    slack: Annotated[str | None, typer.Option(help="The URL of an incoming webhook of Slack.")] = None,
    email: Annotated[list[str] | None, typer.Option(help="An address; may be given several times.")] = None,
    description: str = "",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a channel. The secret that signs a webhook is printed now and never again."""
    channels = client_of(context).notification_channels
    given = [each for each in (webhook, slack, email) if each]
    if len(given) != 1:
        raise typer.BadParameter("give one of --webhook, --slack and --email", param_hint="--webhook")
    if webhook:
        made = channels.create_webhook(name, webhook, description=description)
    elif slack:
        made = channels.create_slack(name, slack, description=description)
    else:
        made = channels.create_email(name, *(email or []), description=description)
    _show_channel(made, output)
    if output is OutputFormat.TABLE:
        say(f"Try it: aimass notifications channels test {plain(name)}. Nothing goes there before a rule says so: ")
        say(f"aimass notifications rules create <name> --on job.failed --to {plain(name)}")


@_channels.command("list")
def list_channels(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All channels, newest first."""
    empty = "No channels yet. Make one: aimass notifications channels create <name> --slack <url>"
    show_list(client_of(context).notification_channels.list(), _CHANNELS, output=output, empty=empty)


@_channels.command("test")
def test_channel(context: typer.Context, channel: str) -> None:
    """Send a message that says so."""
    client_of(context).notification_channels.test(channel)
    say(f"It is on its way. See what came of it: aimass notifications deliveries --channel {plain(channel)}")


@_channels.command("rotate")
def rotate_channel(context: typer.Context, channel: str, output: Output = OutputFormat.TABLE) -> None:
    """Give a webhook another secret. For a day deliveries are signed with the former too."""
    _show_channel(client_of(context).notification_channels.rotate(channel), output)


@_channels.command("pause")
def pause_channel(context: typer.Context, channel: str) -> None:
    """Let nothing go there."""
    client_of(context).notification_channels.pause(channel)
    say(f"{plain(channel)} is paused. Go on: aimass notifications channels resume {plain(channel)}")


@_channels.command("resume")
def resume_channel(context: typer.Context, channel: str) -> None:
    """Let what happens from now on go there again."""
    client_of(context).notification_channels.resume(channel)
    say(f"{plain(channel)} is active.")


@_channels.command("delete")
def delete_channel(context: typer.Context, channel: str, yes: Yes = False) -> None:
    """Delete a channel with its secret."""
    if not yes:
        typer.confirm(f"Delete the channel {channel}?", abort=True, err=True)
    client_of(context).notification_channels.delete(channel)
    say(f"Deleted {plain(channel)}.")


def _show_channel(channel: NotificationChannel, output: OutputFormat) -> None:
    secret = {"secret": channel.secret} if isinstance(channel, ChannelCreated) and channel.secret else {}
    fields = {"channel": channel.name, "type": channel.type, "address": channel.address, **secret}
    show_one(channel, fields, output=output)


# --- rules -----------------------------------------------------------------------------------------------------------


@_rules.command("create")
def create_rule(
    context: typer.Context,
    name: str,
    on: Annotated[list[str], typer.Option(help="A type or a group: job.failed, endpoint.*; several times.")],
    to: Annotated[list[str], typer.Option(help="A channel; several times.")],
    about: Annotated[
        list[str] | None, typer.Option(help="Only this dataset, model, endpoint or source; several times.")
    ] = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Say which notifications go where. `aimass notifications types` lists them."""
    made = client_of(context).notification_rules.create(name, events=on, channels=to, subjects=about)
    fields = {"rule": made.name, "events": ", ".join(made.events), "channels": ", ".join(made.channels)}
    show_one(made, fields, output=output)


@_rules.command("list")
def list_rules(context: typer.Context, output: Output = OutputFormat.TABLE) -> None:
    """All rules, newest first."""
    empty = "No rules yet. Make one: aimass notifications rules create <name> --on job.failed --to <channel>"
    show_list(client_of(context).notification_rules.list(), _RULES, output=output, empty=empty)


@_rules.command("delete")
def delete_rule(context: typer.Context, rule: str, yes: Yes = False) -> None:
    """Delete a rule."""
    if not yes:
        typer.confirm(f"Delete the rule {rule}?", abort=True, err=True)
    client_of(context).notification_rules.delete(rule)
    say(f"Deleted {plain(rule)}.")
