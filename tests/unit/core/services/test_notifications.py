"""From a change to the one who hears of it: told once, signed, tried again, given up, sent again."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from aimass import webhooks
from aimass.errors import InvalidSignatureError
from aimass_core.adapters.memory import MemoryPorts, MemoryRegistry
from aimass_core.domain.common import Principal
from aimass_core.domain.costs import Budget, BudgetStatus
from aimass_core.domain.endpoint_watching import AlarmStatus, EndpointWatch
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.notification_channels import (
    ChannelCreate,
    ChannelCreated,
    ChannelStatus,
    DeliveryStatus,
    EmailTarget,
    RuleCreate,
    SlackTarget,
    WebhookTarget,
)
from aimass_core.domain.notifications import Notification, NotificationType, Subject
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.settings.quotas import BudgetStop
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import CourierAnswer, Letter, Put, Write
from aimass_core.services import (
    api_keys,
    dispatch,
    notification_channels,
    notification_deliveries,
    notification_rules,
    notifications,
    reconciler,
    records,
    settings,
    workspaces,
)
from tests.factories.notifications import Carrier
from tests.factories.platform import ManualClock, add_dataset, add_job, add_version, tell

HOOK = WebhookTarget(type="webhook", url="https://receiver.example/in?key=canary")


@pytest.fixture
def carrier(ports: MemoryPorts, principal: Principal) -> Carrier:
    made = Carrier(ports=ports, workspace_id=principal.workspace_id)
    made.carry()
    ports.courier.posts.clear()
    return made


@pytest.fixture
def hook(ports: MemoryPorts, principal: Principal, carrier: Carrier) -> ChannelCreated:
    """A webhook that hears of everything."""
    made = notification_channels.create(ports, principal, ChannelCreate(name="hook", target=HOOK))
    notification_rules.create(ports, principal, RuleCreate(name="all", events=["*"], channels=["hook"]))
    return made


def happen(ports: MemoryPorts, principal: Principal, *, subject: str = "adult", told: str = "it") -> None:
    notifications.tell_once(
        ports,
        principal.workspace_id,
        NotificationType.BUDGET_WARNED,
        Subject(resource="workspace", id=principal.workspace_id, name=subject),
        told=told,
        title="80 % of the budget is spent",
    )


def fail_job(ports: MemoryPorts, principal: Principal) -> Job:
    job = add_job(ports, principal)
    dispatch.dispatch(ports, job.workspace_id, job.id)
    return tell(ports, job, JobStatus.FAILED, exit_code=65)


def answering(*answers: int | Exception | CourierAnswer) -> Callable[[str], CourierAnswer]:
    left = list(answers)

    def answer(_url: str) -> CourierAnswer:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return CourierAnswer(status=found, text="words") if isinstance(found, int) else found

    return answer


def test_failed_job_is_told_with_a_signature_that_the_sdk_accepts(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    job = fail_job(ports, principal)
    carrier.carry()
    ((url, headers, body),) = ports.courier.posts
    assert url == HOOK.url
    event = webhooks.verify(body, headers, secret=str(hook.secret), now=clock())
    assert (event["type"], event["data"]["job_id"], event["data"]["level"]) == ("job.failed", job.id, "error")
    assert event["data"]["subject"] == {"resource": "job", "id": job.id, "name": "adult"}
    (delivery,) = carrier.deliveries()
    assert (delivery.status, delivery.num_attempts, delivery.attempts[0].status) == (DeliveryStatus.DELIVERED, 1, 200)
    assert headers["webhook-id"] == delivery.id


def test_what_the_stream_brings_again_is_told_once(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    fail_job(ports, principal)
    for _ in range(3):
        carrier.carry()
    assert len(ports.courier.posts) == len(carrier.deliveries()) == 1
    found, _ = notifications.list_page(ports, principal, limit=10)
    assert [each.num_deliveries for each in found if each.type is NotificationType.JOB_FAILED] == [1]


def test_new_and_rejected_versions_are_told(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    add_version(ports, principal, add_dataset(ports, principal, name="iris"))
    carrier.carry()
    (told,) = carrier.payloads()
    assert (told["type"], told["data"]["title"], told["data"]["number"]) == (
        "dataset_version.ready",
        "iris@1 is ready",
        1,
    )


def test_rules_say_what_and_about_what(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    rule = notification_rules.get(ports, principal, "all")
    records.save(ports, rule, events=["budget.*"], subjects=["iris"])
    happen(ports, principal, subject="adult", told="a")
    happen(ports, principal, subject="iris", told="b")
    fail_job(ports, principal)
    carrier.carry()
    assert [each["data"]["subject"]["name"] for each in carrier.payloads()] == ["iris"]
    found, _ = notifications.list_page(ports, principal, limit=10)
    assert {each.num_deliveries for each in found} == {0, 1}, "the others are in the list all the same"


def test_h14_slow_or_broken_receiver_is_tried_again_then_given_up_and_sent_again_by_hand(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    ports.courier.answer = answering(UnavailableError("receiver.example has not answered within 15 s."), 500)
    happen(ports, principal)
    carrier.carry()
    (delivery,) = carrier.deliveries()
    assert delivery.attempts[0].answer == "receiver.example has not answered within 15 s."
    waits = []
    while (delivery := carrier.deliveries()[-1]).status is DeliveryStatus.PENDING:
        assert delivery.next_attempt_at is not None
        waits.append((delivery.next_attempt_at - clock()).total_seconds())
        clock.now = delivery.next_attempt_at + timedelta(minutes=1)
        reconciler.run(ports)
        carrier.carry()
    assert waits == list(notification_deliveries.PAUSES_SECONDS)
    assert (delivery.status, delivery.num_attempts) == (DeliveryStatus.DEAD, len(waits) + 1)
    assert notification_deliveries.list_page(ports, principal, limit=9, status=DeliveryStatus.DEAD)[0][-1] == delivery
    ports.courier.answer = answering(200)
    notification_deliveries.retry(ports, principal, delivery.id)
    carrier.carry()
    sent = carrier.deliveries()[-1]
    assert (sent.status, sent.num_attempts, sent.id) == (DeliveryStatus.DELIVERED, len(waits) + 2, delivery.id)


def test_what_is_given_up_is_told_once_and_not_for_ever(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    notification_channels.create(ports, principal, ChannelCreate(name="other", target=HOOK))
    notification_rules.create(ports, principal, RuleCreate(name="also", events=["*"], channels=["other"]))
    ports.courier.answer = lambda _: _refuse()
    for told in ("a", "b"):
        happen(ports, principal, told=told)
        carrier.carry()
    found = [(each.type, each.channel_name) for each in carrier.deliveries()]
    assert {each.status for each in carrier.deliveries()} == {DeliveryStatus.DEAD}
    assert Counter(found) == {
        (NotificationType.BUDGET_WARNED, "hook"): 2,
        (NotificationType.BUDGET_WARNED, "other"): 2,
        # Each hears of the other, once in this hour.
        (NotificationType.DELIVERY_DEAD, "hook"): 1,
        (NotificationType.DELIVERY_DEAD, "other"): 1,
    }


def _refuse() -> CourierAnswer:
    raise InvalidRequestError("The host leads to an address that is not public.")


def test_h14_private_address_is_final(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    ports.courier.answer = lambda _: _refuse()
    happen(ports, principal)
    carrier.carry()
    (delivery,) = (each for each in carrier.deliveries() if each.type is NotificationType.BUDGET_WARNED)
    assert (delivery.status, delivery.num_attempts, delivery.next_attempt_at) == (DeliveryStatus.DEAD, 1, None)
    assert "not public" in delivery.attempts[0].answer


def test_h14_redirect_is_no_delivery(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    ports.courier.answer = answering(302)
    happen(ports, principal)
    carrier.carry()
    (delivery,) = carrier.deliveries()
    assert delivery.status is DeliveryStatus.PENDING
    assert "redirects" in delivery.attempts[0].answer
    assert [url for url, _, _ in ports.courier.posts] == [HOOK.url]


def test_h14_replayed_delivery_is_refused(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    happen(ports, principal)
    carrier.carry()
    ((_, headers, body),) = ports.courier.posts
    for now in (clock() + timedelta(minutes=6), clock() - timedelta(minutes=6)):
        with pytest.raises(InvalidSignatureError, match="replay"):
            webhooks.verify(body, headers, secret=str(hook.secret), now=now)
    moved = {**headers, "webhook-timestamp": str(int(clock.now.timestamp()) + 360)}
    with pytest.raises(InvalidSignatureError, match="not signed"):
        webhooks.verify(body, moved, secret=str(hook.secret), now=clock() + timedelta(minutes=6))


def test_receiver_says_when_to_come_again(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    ports.courier.answer = answering(CourierAnswer(status=429, retry_after_seconds=120.0))
    happen(ports, principal)
    carrier.carry()
    assert carrier.deliveries()[0].next_attempt_at == clock() + timedelta(seconds=120)


def test_gone_pauses_the_channel(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    ports.courier.answer = answering(410)
    happen(ports, principal)
    carrier.carry()
    channel = notification_channels.get(ports, principal, "hook")
    assert channel.status is ChannelStatus.PAUSED
    assert "410" in str(channel.status_reason)
    happen(ports, principal, told="later")
    carrier.carry()
    assert len(ports.courier.posts) == 1


def test_workspace_that_wants_no_notifications_gets_none(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    off = SettingsUpdate(values={"enabled": False})
    settings.update(ports, principal, Subsystem.NOTIFICATIONS, off, revision=1)
    happen(ports, principal)
    carrier.carry()
    assert carrier.deliveries() == []


@pytest.mark.parametrize(
    ("status", "event"), [(BudgetStatus.WARNED, "budget.warned"), (BudgetStatus.SPENT, "budget.reached")]
)
def test_budget_is_told_once_for_each_status(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, status: BudgetStatus, event: str
) -> None:
    budget = Budget(
        **records.new_fields(ports, principal, Budget),
        month="2026-11",
        monthly_budget_usd=100.0,
        spent_usd=81.5,
        forecast_usd=120.0,
        percent=81.5,
        warn_percent=80,
        stops=BudgetStop.NOTHING,
        status=status,
        status_since=ports.clock(),
    )
    budget = records.create(ports, principal, budget)
    carrier.carry()
    records.save(ports, budget, spent_usd=82.0, percent=82.0)
    carrier.carry()
    assert [(each["type"], each["data"]["spent_usd"]) for each in carrier.payloads()] == [(event, 81.5)]


def test_two_that_try_at_once_send_it_once(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    happen(ports, principal)
    carrier.stream(*[row for row in carrier.rows() if row.resource == Notification.resource])
    (delivery,) = carrier.deliveries()

    def meanwhile(_url: str) -> CourierAnswer:
        assert notification_deliveries.attempt(ports, principal.workspace_id, delivery.id) is None
        return CourierAnswer(status=200)

    ports.courier.answer = meanwhile
    assert notification_deliveries.attempt(ports, principal.workspace_id, delivery.id) is not None
    assert len(ports.courier.posts) == 1


def test_crash_within_an_attempt_leaves_one_that_is_tried_again(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    happen(ports, principal)
    carrier.stream(*[row for row in carrier.rows() if row.resource == Notification.resource])
    (delivery,) = carrier.deliveries()

    def crash(_url: str) -> CourierAnswer:
        raise KeyboardInterrupt

    ports.courier.answer = crash
    with pytest.raises(KeyboardInterrupt):
        notification_deliveries.attempt(ports, principal.workspace_id, delivery.id)
    ports.courier.answer = answering(200)
    clock.advance(notification_deliveries.LEASE.total_seconds() + 60)
    assert reconciler.run(ports).notified == 1
    carrier.deliver()
    assert carrier.deliveries()[0].status is DeliveryStatus.DELIVERED


class _Crashing(MemoryRegistry):
    """Dies before or after its n-th write, once."""

    def __init__(self, rows: MemoryRegistry, *, at: int, is_written: bool) -> None:
        super().__init__()
        self.__dict__.update(rows.__dict__)
        self.left, self.is_written = at, is_written

    def write(self, *writes: Write) -> None:
        """See Registry."""
        if self.is_written:
            super().write(*writes)
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        if not self.is_written:
            super().write(*writes)


# NOTE: those before a write count also what is written in vain, as the stream brings all rows again.
@pytest.mark.parametrize(
    ("at", "is_written"), [*((at, True) for at in range(1, 6)), *((at, False) for at in range(1, 9))]
)
def test_j6_crash_between_any_two_writes_leaves_one_delivery_that_arrives(
    ports: MemoryPorts,
    principal: Principal,
    carrier: Carrier,
    hook: ChannelCreated,
    clock: ManualClock,
    at: int,
    is_written: bool,
) -> None:
    ports.registry = _Crashing(ports.registry, at=at, is_written=is_written)
    num_crashes = 0
    for _ in range(4):
        try:
            happen(ports, principal)
            carrier.carry()
        except KeyboardInterrupt:
            num_crashes += 1
        clock.advance(notification_deliveries.LEASE.total_seconds() + 60)
        reconciler.run(ports)
    carrier.carry()
    assert num_crashes == 1
    (delivery,) = carrier.deliveries()
    assert delivery.status is DeliveryStatus.DELIVERED
    assert {headers["webhook-id"] for _, headers, _ in ports.courier.posts} == {delivery.id}


def test_lost_events_are_made_up_for(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    happen(ports, principal)
    clock.advance(61)
    reconciler.run(ports)
    assert len(carrier.deliveries()) == 1
    clock.advance(61)
    reconciler.run(ports)
    carrier.deliver()
    assert len(ports.courier.posts) == 1


def test_for_a_day_both_secrets_verify(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    after = notification_channels.rotate(ports, principal, "hook")
    for hours, secrets in ((0, [hook, after]), (25, [after])):
        clock.advance(hours * 3600)
        ports.courier.posts.clear()
        happen(ports, principal, told=str(hours))
        carrier.carry()
        ((_, headers, body),) = ports.courier.posts
        assert len(headers["webhook-signature"].split()) == len(secrets)
        for each in secrets:
            assert webhooks.verify(body, headers, secret=str(each.secret), now=clock())
    with pytest.raises(InvalidSignatureError):
        webhooks.verify(body, headers, secret=str(hook.secret), now=clock())


def test_slack_gets_no_mention_and_no_signature(ports: MemoryPorts, principal: Principal, carrier: Carrier) -> None:
    slack = SlackTarget(type="slack", url="https://hooks.slack.example/services/T/B/canary")
    notification_channels.create(ports, principal, ChannelCreate(name="slack", target=slack))
    told = notifications.new_write(
        ports,
        principal.workspace_id,
        NotificationType.BUDGET_WARNED,
        Subject(resource="workspace", id="x"),
        title="<!channel> & more",
        channels=["slack"],
    )
    ports.registry.write(told)
    carrier.carry()
    ((url, headers, body),) = ports.courier.posts
    assert (url, headers) == (slack.url, {"content-type": "application/json"})
    assert b"<!channel>" not in body
    assert b"&lt;!channel&gt; &amp; more" in body


def test_email_has_one_line_of_subject(ports: MemoryPorts, principal: Principal, carrier: Carrier) -> None:
    fields = {**records.new_fields(ports, principal, Workspace), "id": principal.workspace_id}
    ports.registry.write(Put(row=records.to_row(Workspace(**fields, name="team"))))
    to = EmailTarget(type="email", to=["a@example.org", "b@example.org"])
    notification_channels.create(ports, principal, ChannelCreate(name="mail", target=to))
    told = notifications.new_write(
        ports,
        principal.workspace_id,
        NotificationType.BUDGET_WARNED,
        Subject(resource="workspace", id="x"),
        title="spent\r\nBcc: evil@example.org",
        channels=["mail"],
    )
    ports.registry.write(told)
    carrier.carry()
    (mail,) = ports.mailer.mails
    assert (mail.to, mail.subject) == (to.to, "[team] spent Bcc: evil@example.org")


def test_alarm_drift_and_their_end_are_told_once_each(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    fields = records.new_fields(ports, principal, EndpointWatch)
    watch = records.create(ports, principal, EndpointWatch(**fields, status=AlarmStatus.OK, since=clock()))
    carrier.carry()
    assert carrier.payloads() == [], "limits that were set are no alarm that has ended"
    drift = ["age has moved by a PSI of 0.4"]
    alarm = {"status": AlarmStatus.ALARM, "since": clock(), "reasons": drift}
    watch = records.save(ports, watch, **alarm, drift_reasons=drift, drifted_at=clock())
    carrier.carry()
    watch = records.save(ports, watch, reasons=[*drift, "9.00% of 100 requests failed"])
    carrier.carry()
    clock.advance(60)
    records.save(ports, watch, status=AlarmStatus.OK, since=clock(), reasons=[], alarm_ended_at=clock())
    carrier.carry()
    assert [each["type"] for each in carrier.payloads()] == [
        "endpoint.drifted",
        "endpoint.alarm",
        "endpoint.alarm_ended",
    ]
    assert carrier.payloads()[1]["data"]["reasons"] == ["9.00% of 100 requests failed"]


def test_old_version_that_changes_is_no_news(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated, clock: ManualClock
) -> None:
    version = add_version(ports, principal, add_dataset(ports, principal, name="iris"))
    clock.advance(notifications.KEPT.total_seconds())
    records.save(ports, version, version.dataset_id, version.number, num_rows=7)
    carrier.carry()
    assert carrier.payloads() == []


def test_unknown_channels_are_refused_with_those_there_are(
    ports: MemoryPorts, principal: Principal, carrier: Carrier, hook: ChannelCreated
) -> None:
    with pytest.raises(InvalidRequestError, match=r"no notification channel 'nobody'.*it has hook"):
        notification_rules.create(ports, principal, RuleCreate(name="r", events=["*"], channels=["nobody"]))


def test_dead_letters_are_told_to_the_first_workspace_as_they_come() -> None:
    clock = ManualClock()
    ports = MemoryPorts(clock=clock)
    _, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)

    def told() -> list[str]:
        reconciler.run(ports)
        return [each.title for each in notifications.list_page(ports, admin, limit=10)[0]]

    def come(number: int) -> None:
        letter = Letter(id="1", receipt=f"{number}", body="{}", sent_at=clock(), attributes={})
        ports.dead_letters.letters.setdefault("job_events", []).append(letter)

    assert told() == []
    come(1)
    assert told() == ["1 event of job_events could not be processed"]
    clock.advance(3_600)
    assert len(told()) == 1, "it still waits, and was told"
    come(2)
    assert told()[0] == "2 events of job_events could not be processed"
    come(3)
    assert len(told()) == 2, "once an hour"
    ports.dead_letters.letters.clear()
    clock.advance(3_600)
    assert len(told()) == 2
    come(4)
    assert told()[0] == "1 event of job_events could not be processed", "those before were dealt with"
