"""/v1/sessions: signing in, going on, signing out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import aimass
from aimass_core.adapters.memory_identity import totp
from aimass_core.domain.sessions import SessionCreate
from aimass_core.errors import AimassError, QuotaExceededError, SecondFactorRequiredError, UnauthenticatedError
from aimass_core.services import sign_in as service
from aimass_core.services import sign_ins
from tests.functional.gateway import Api
from tests.functional.terminal import Run
from tests.functional.test_users import PASSWORD, Person, join, refresh, sign_in
from tests.functional.transport import InProcessTransport


@pytest.fixture
def later(api: Api) -> list[timedelta]:
    """What is put into it passes."""
    passed: list[timedelta] = []
    api.ports.clock = lambda: datetime.now(UTC) + sum(passed, timedelta())
    return passed


def _code(api: Api) -> str:
    answer = api.post("/v1/sessions/codes")
    assert answer.status == 201, answer.text
    return str(answer.json["code"])


def test_a_code_becomes_a_session_with_the_role_of_its_key(api: Api) -> None:
    viewer = api.as_role("viewer")
    key = viewer.get("/v1/me").json
    opened = sign_in(api.gateway, code=_code(viewer))
    assert (opened.status, opened.json["token_type"], opened.json["expires_in"]) == (201, "Bearer", 900)
    session = replace(viewer, token=opened.json["access_token"])
    me = session.get("/v1/me").json
    assert {**me, "session_id": None} == key
    assert me["session_id"].startswith("ses_")
    assert session.get("/v1/api-keys").status == 403


def test_h19_code_works_once_also_for_many_at_the_same_moment(api: Api) -> None:
    code = _code(api)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sign_in(api.gateway, code=code).status, range(8)))
    assert sorted(answers) == [201, *[401] * 7]
    assert sign_in(api.gateway, code=code).status == 401


def test_h19_code_lives_a_minute_and_ends_with_its_key(api: Api, later: list[timedelta]) -> None:
    viewer = api.as_role("viewer")
    kept, late = _code(viewer), _code(viewer)
    api.delete(f"/v1/api-keys/{viewer.get('/v1/me').json['actor']}")
    assert sign_in(api.gateway, code=kept).status == 401
    code = _code(api)
    later.append(timedelta(seconds=60))
    assert sign_in(api.gateway, code=code).status == 401
    assert sign_in(api.gateway, code=late).status == 401


def test_h19_there_is_nothing_that_opens_a_new_installation(api: Api) -> None:
    for email, password in (
        ("admin@example.com", "admin"),
        ("admin@localhost.local", "password"),
        ("a@b.cd", PASSWORD),
    ):
        assert sign_in(api.gateway, email=email, password=password).status == 401
    for code in ("", "x", "aic_" + "0" * 27 + "_" + "0" * 27 + "_" + "A" * 43, _code(api)[:-1] + "-"):
        assert sign_in(api.gateway, code=code).status == 401


def test_a_session_ends_with_its_key(api: Api) -> None:
    viewer = api.as_role("viewer")
    opened = sign_in(api.gateway, code=_code(viewer)).json
    session = replace(viewer, token=opened["access_token"])
    assert session.get("/v1/me").status == 200
    api.delete(f"/v1/api-keys/{viewer.get('/v1/me').json['actor']}")
    assert session.get("/v1/me").status == 401
    assert refresh(api.gateway, opened).status == 401


def test_a_session_is_refreshed_and_the_tokens_before_hold_to_their_end(api: Api, later: list[timedelta]) -> None:
    opened = sign_in(api.gateway, code=_code(api)).json
    later.append(timedelta(minutes=10))
    refreshed = refresh(api.gateway, opened)
    assert (refreshed.status, refreshed.json["refresh_token"]) == (201, opened["refresh_token"])
    old, new = (replace(api, token=each["access_token"]) for each in (opened, refreshed.json))
    assert (old.get("/v1/me").status, new.get("/v1/me").status) == (200, 200)
    later.append(timedelta(minutes=6))
    assert (old.get("/v1/me").status, new.get("/v1/me").status) == (401, 200)
    later.append(timedelta(hours=12))
    assert refresh(api.gateway, opened).status == 401


def test_signing_out_ends_the_session_with_all_its_tokens(api: Api) -> None:
    opened = sign_in(api.gateway, code=_code(api)).json
    other = refresh(api.gateway, opened).json
    session = replace(api, token=opened["access_token"])
    assert session.delete("/v1/sessions/current").status == 204
    assert session.get("/v1/me").status == 401
    assert replace(api, token=other["access_token"]).get("/v1/me").status == 401
    assert refresh(api.gateway, opened).status == 401
    assert api.get("/v1/me").status == 200, "the key goes on"


def test_signing_out_ends_one_session_of_a_person_and_not_the_others(api: Api) -> None:
    ada = join(api, role="viewer")
    second = sign_in(api.gateway, email="ada@example.com", password=PASSWORD).json
    assert refresh(api.gateway, ada.tokens).status == 201
    assert ada.api.delete("/v1/sessions/current").status == 204
    assert ada.api.get("/v1/me").status == 401
    assert refresh(api.gateway, ada.tokens).status == 401
    assert replace(api, token=second["access_token"]).get("/v1/me").status == 200
    assert refresh(api.gateway, second).status == 201
    ended = [each for each in api.get("/v1/audit").json["items"] if each["action"] == "session.end"]
    assert [each["created_by"] for each in ended] == [ada.user_id]


def test_an_api_key_is_no_session_and_a_session_makes_no_codes(api: Api) -> None:
    assert api.delete("/v1/sessions/current").code == "conflict"
    session = replace(api, token=sign_in(api.gateway, code=_code(api)).json["access_token"])
    refused = session.post("/v1/sessions/codes")
    assert (refused.status, refused.code) == (403, "permission_denied")


def test_a_token_is_good_for_one_thing(api: Api) -> None:
    """A refresh token opens no route, an access token refreshes nothing, and no API key is a session."""
    opened, invited = (
        sign_in(api.gateway, code=_code(api)).json,
        api.post("/v1/users", {"email": "a@b.cd", "role": "admin"}),
    )
    for token in (opened["refresh_token"], invited.json["invitation"], _code(api)):
        assert replace(api, token=token).get("/v1/me").status == 401
    for token in (opened["access_token"], str(api.token), invited.json["invitation"]):
        assert refresh(api.gateway, {"refresh_token": token}).status == 401
        assert sign_in(api.gateway, code=token).status == 401
    swapped = opened["access_token"].replace("ais_", "aim_")
    assert replace(api, token=swapped).get("/v1/me").status == 401


def test_a_password_for_one_sign_in_must_be_changed_with_it(api: Api) -> None:
    """As of an account that the operator has reset in the user pool."""
    join(api, role="viewer")
    (account,) = api.ports.identity.accounts.values()
    account.password, account.is_temporary = "Temporary 1234", True
    asked = sign_in(api.gateway, email="ada@example.com", password="Temporary 1234")
    assert (asked.status, asked.code) == (409, "new_password_required")
    changed = sign_in(api.gateway, email="ada@example.com", password="Temporary 1234", new_password=PASSWORD)
    assert changed.status == 201
    assert sign_in(api.gateway, email="ada@example.com", password=PASSWORD).status == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.cd"},
        {"password": PASSWORD},
        {"email": "a@b.cd", "password": PASSWORD, "code": "x"},
        {"invitation": "x"},
        {"invitation": "x", "password": PASSWORD, "email": "a@b.cd"},
        {"code": "x", "password": PASSWORD},
        {"code": None},
        {"email": "a@b.cd", "password": ["x"]},
        {"email": "a@b.cd", "password": "x" * 300},
        {"username": "admin", "password": "admin"},
    ],
    ids=str,
)
def test_one_way_in_at_a_time(api: Api, body: dict[str, object]) -> None:
    answer = sign_in(api.gateway, **body)
    assert (answer.status, answer.code) == (422, "invalid_request")
    assert PASSWORD not in answer.text


def test_guesses_are_counted_before_they_are_judged(api: Api, later: list[timedelta]) -> None:
    """The right password is refused too, until the time is over; another account is not touched."""
    join(api, role="viewer")
    bob = join(api, email="bob@example.com", role="viewer")
    answers = [sign_in(api.gateway, email="ada@example.com", password=f"wrong {n}").status for n in range(12)]
    # The invitation is counted too, if it was in the same span.
    assert answers.count(401) in (sign_ins.OF_BOTH.count - 1, sign_ins.OF_BOTH.count)
    assert set(answers) == {401, 429}
    refused = sign_in(api.gateway, email="ada@example.com", password=PASSWORD)
    assert (refused.status, refused.code) == (429, "quota_exceeded")
    seconds = int(refused.headers["retry-after"])
    assert 0 < seconds <= 60 * sign_ins.OF_BOTH.minutes
    assert bob.api.get("/v1/me").status == 200
    later.append(timedelta(seconds=seconds))
    assert sign_in(api.gateway, email="ada@example.com", password=PASSWORD).status == 201


def test_h15_guesses_at_the_same_moment_are_counted_one_by_one(api: Api) -> None:
    """Of the service: a function, and with it the handler of these tests, answers one request at a time."""

    def guess(number: int) -> type[AimassError]:
        body = SessionCreate(email="nobody@example.com", password=f"wrong {number}")
        with pytest.raises(AimassError) as refused:
            service.create(api.ports, body, address="192.0.2.1")
        return refused.type

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(40)))
    # At most two spans, where one ends while they ask.
    assert answers.count(UnauthenticatedError) <= 2 * sign_ins.OF_BOTH.count
    assert set(answers) <= {UnauthenticatedError, QuotaExceededError}


def test_what_is_wrong_is_told_to_nobody(api: Api) -> None:
    join(api, role="viewer")
    wrong = sign_in(api.gateway, email="ada@example.com", password="wrong")
    absent = sign_in(api.gateway, email="eve@example.com", password="wrong")
    assert wrong.status == absent.status == 401
    assert {**wrong.json, "request_id": ""} == {**absent.json, "request_id": ""}


def test_h17_passwords_and_tokens_are_in_no_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    ada = join(api, role="viewer")
    opened = sign_in(api.gateway, code=_code(api)).json
    sign_in(api.gateway, email="ada@example.com", password="wrong " + PASSWORD)
    refresh(api.gateway, ada.tokens)
    logged = capsys.readouterr().out
    for secret in (
        PASSWORD,
        *(each[name] for each in (opened, ada.tokens) for name in ("access_token", "refresh_token")),
    ):
        assert secret not in logged
        assert secret[-40:] not in logged


def test_h19_the_command_line_opens_the_console_by_a_code_that_works_once(api: Api, run: Run) -> None:
    printed = run("console", "--no-open")
    assert printed.code == 0, printed.err
    base, _, code = printed.out.strip().partition("#code=")
    assert base == "http://aimass.test/console/"
    opened = sign_in(api.gateway, code=code)
    assert replace(api, token=opened.json["access_token"]).get("/v1/me").json["role"] == "admin"
    assert sign_in(api.gateway, code=code).status == 401


def test_a_person_changes_their_password_by_the_one_that_they_have(api: Api, transport: InProcessTransport) -> None:
    ada = join(api, role="viewer")
    other = "Another horse 8 8"
    wrong = ada.api.post("/v1/me/password", {"password": "wrong", "new_password": other})
    assert (wrong.status, wrong.code) == (403, "permission_denied")
    weak = ada.api.post("/v1/me/password", {"password": PASSWORD, "new_password": "short"})
    assert (weak.status, weak.code) == (422, "invalid_request")
    with aimass.Client(
        transport=transport, api_key=ada.tokens["access_token"], base_url="http://aimass.test"
    ) as client:
        client.sessions.change_password(PASSWORD, other)
    assert sign_in(api.gateway, email="ada@example.com", password=PASSWORD).status == 401
    assert sign_in(api.gateway, email="ada@example.com", password=other).status == 201
    assert ada.api.get("/v1/me").status == 200
    assert api.post("/v1/me/password", {"password": "a", "new_password": other}).code == "conflict"
    for _ in range(10):
        last = ada.api.post("/v1/me/password", {"password": "guess", "new_password": other})
    assert last.code == "quota_exceeded", "a stolen session guesses no password"


def _enrol(ada: Person) -> str:
    """The secret of a second factor that is asked for from now on."""
    begun = ada.api.post("/v1/me/second-factor", {"password": PASSWORD})
    assert begun.status == 201, begun.text
    confirmed = ada.api.post("/v1/me/second-factor/confirmation", {"code": totp(begun.json["secret"])})
    assert confirmed.status == 204, confirmed.text
    return str(begun.json["secret"])


def test_a_second_factor_is_begun_by_password_and_holds_once_it_is_confirmed(api: Api) -> None:
    ada = join(api, role="viewer")
    wrong = ada.api.post("/v1/me/second-factor", {"password": "guess"})
    assert (wrong.status, wrong.code) == (403, "permission_denied")
    begun = ada.api.post("/v1/me/second-factor", {"password": PASSWORD}).json
    assert begun["uri"] == (f"otpauth://totp/AI%20Mass%3Aada%40example.com?secret={begun['secret']}&issuer=AI%20Mass")
    assert sign_in(api.gateway, email="ada@example.com", password=PASSWORD).status == 201, "not confirmed yet"
    secret = _enrol(ada)
    asked = sign_in(api.gateway, email="ada@example.com", password=PASSWORD)
    assert (asked.status, asked.code) == (409, "second_factor_required")
    refused = sign_in(api.gateway, email="ada@example.com", password="guess", second_factor=totp(secret))
    assert (refused.status, refused.code) == (401, "unauthenticated")
    opened = sign_in(api.gateway, email="ada@example.com", password=PASSWORD, second_factor=totp(secret))
    assert opened.status == 201
    assert ada.api.get("/v1/me").status == 200, "sessions go on"
    actions = [entry["action"] for entry in api.get("/v1/audit").json["items"]]
    assert actions.count("user.second_factor.create") == 1
    assert secret not in api.get("/v1/audit").text


def test_what_a_stolen_session_cannot_do_to_a_second_factor(api: Api) -> None:
    ada = join(api, role="viewer")
    secret = _enrol(ada)
    again = ada.api.post("/v1/me/second-factor", {"password": PASSWORD})
    assert (again.status, again.code) == (409, "conflict")
    for body in ({"password": "guess", "code": totp(secret)}, {"password": PASSWORD, "code": "000000"}):
        assert ada.api.post("/v1/me/second-factor/removal", body).status == 403
    other = "another Horse 7 battery"
    change = {"password": PASSWORD, "new_password": other}
    assert ada.api.post("/v1/me/password", change).code == "second_factor_required"
    assert ada.api.post("/v1/me/password", {**change, "second_factor": totp(secret)}).status == 204
    removal = {"password": other, "code": totp(secret)}
    assert ada.api.post("/v1/me/second-factor/removal", removal).status == 204
    assert sign_in(api.gateway, email="ada@example.com", password=other).status == 201


def test_an_invitation_to_another_workspace_asks_for_the_second_factor(api: Api, transport: InProcessTransport) -> None:
    secret = _enrol(join(api, role="viewer"))
    invited = api.as_stranger().post("/v1/users", {"email": "ada@example.com", "role": "viewer"}).json["invitation"]
    assert sign_in(api.gateway, invitation=invited, password=PASSWORD).code == "second_factor_required"
    with aimass.Client(base_url="http://aimass.test", api_key="none", transport=transport) as client:
        given = client.sessions.accept(invited, password=PASSWORD, second_factor=totp(secret))
        assert replace(api, token=given.access_token).get("/v1/workspaces").json["items"][1]
        with pytest.raises(SecondFactorRequiredError):
            client.sessions.sign_in("ada@example.com", PASSWORD)
        given = client.sessions.sign_in("ada@example.com", PASSWORD, second_factor=totp(secret))
    with aimass.Client(base_url="http://aimass.test", api_key=given.access_token, transport=transport) as client:
        client.sessions.end_second_factor(PASSWORD, totp(secret))
        client.sessions.confirm_second_factor(totp(client.sessions.begin_second_factor(PASSWORD).secret))


def test_a_key_has_no_second_factor_and_guesses_are_counted(api: Api) -> None:
    assert api.post("/v1/me/second-factor", {"password": PASSWORD}).code == "conflict"
    assert api.post("/v1/me/second-factor/confirmation", {"code": "123456"}).code == "conflict"
    ada = join(api, role="viewer")
    assert ada.api.post("/v1/me/second-factor/confirmation", {"code": "12345"}).status == 422
    _enrol(ada)
    for _ in range(20):
        last = sign_in(api.gateway, email="ada@example.com", password=PASSWORD, second_factor="000000")
    assert last.status == 429
