"""People who may sign in."""

from typing import Any

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.common import Role
from aimass_core.domain.users import User, UserInvite, UserInvited, UserUpdate

_PATH = "/v1/users"


class UsersApi(Api):
    """`client.users`."""

    def invite(self, email: str, *, role: Role | str, name: str = "") -> UserInvited:
        """A place for a person. Its `invitation` is in this answer and nowhere else, ever: hand it to them."""
        return self._post(UserInvited, _PATH, to_request(UserInvite, email=email, role=role, name=name))

    def invite_again(self, user_id: str) -> UserInvited:
        """Another invitation for one who has not accepted yet; the one before holds no longer."""
        return self._post(UserInvited, f"{_PATH}/{user_id}/invitation")

    def list(self) -> Pages[User]:
        """All of the workspace, newest first."""
        return self._list(User, _PATH)

    def get(self, user_id: str) -> User:
        """One user."""
        return self._get(User, f"{_PATH}/{user_id}")

    def update(self, user_id: str, *, role: Role | str | None = None, name: str | None = None) -> User:
        """What is given changes, from the user's next request on. Raises StaleRevisionError."""
        given: dict[str, Any] = {key: value for key, value in {"role": role, "name": name}.items() if value is not None}
        revision = self.get(user_id).revision
        return self._patch(User, f"{_PATH}/{user_id}", to_request(UserUpdate, **given), revision=revision)

    def remove(self, user_id: str) -> None:
        """Out with their next request."""
        self._delete(f"{_PATH}/{user_id}")
