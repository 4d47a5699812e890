"""E-mail by SES."""

from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.errors import ConflictError, InvalidRequestError
from aimass_core.ports import Mail

_REFUSED = frozenset(
    {"MessageRejected", "MailFromDomainNotVerifiedException", "NotFoundException", "BadRequestException"}
)


class SesMailer:
    """Satisfies `Mailer`. `sender` is empty where the deployment has none."""

    def __init__(self, client: Any, *, sender: str) -> None:
        self._client, self._sender = client, sender

    def check(self) -> None:
        """See Mailer."""
        if not self._sender:
            raise ConflictError(
                "This deployment has no address to send e-mail from. Whoever runs it verifies one in SES and sets "
                "mail_sender in infra/cdk/settings.py; until then use a webhook or Slack."
            )

    def send(self, mail: Mail) -> str:
        """See Mailer."""
        self.check()
        simple: dict[str, Any] = {
            "Subject": {"Data": mail.subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": mail.text, "Charset": "UTF-8"}},
        }
        if mail.attachments:
            simple["Attachments"] = [
                {"FileName": each.name, "RawContent": each.content, "ContentType": each.media_type}
                for each in mail.attachments
            ]
        try:
            answer = self._client.send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": list(mail.to)},
                Content={"Simple": simple},
            )
        except AWS_ERRORS as error:
            if code_of(error) in _REFUSED:
                raise InvalidRequestError(f"SES refuses it ({code_of(error)}): is the sender verified?") from error
            raise to_error(error, what="SES") from error
        return str(answer["MessageId"])
