"""How does an alert become an e-mail? Over TLS only, with a bounded wait."""

from __future__ import annotations

import json
import smtplib
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote, urlsplit

from flows.adapters.alerts.webhook import bounded


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where alerts are mailed: `smtps://USER:PASSWORD@HOST`, or `smtp://` (STARTTLS); from whom, to
    whom. The address holds a password, so it is never shown."""

    url: str = field(repr=False)
    sender: str
    recipients: tuple[str, ...]


def mail(
    box: Mailbox, line: Mapping[str, Any], *, allow_plain: Collection[str], seconds: float
) -> str:
    """Send one alert; why it was not taken, or "".

    Args:
        allow_plain: hosts that may be spoken to without TLS where they offer none.
    """
    return bounded(lambda: _mail(box, line, allow_plain, seconds), 4.0 * seconds)


def _mail(
    box: Mailbox, line: Mapping[str, Any], allow_plain: Collection[str], seconds: float
) -> str:
    try:
        parts = urlsplit(box.url)
        host, secure = parts.hostname or "", ssl.create_default_context()
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, parts.port or 465, timeout=seconds, context=secure
            )
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=seconds)
        with server:
            server.ehlo()
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=secure)
                server.ehlo()
            elif parts.scheme == "smtp" and host not in allow_plain:
                return "the server offers no TLS, and nothing is sent in the open"
            if parts.username is not None:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            refused = server.send_message(_message(box, line))
            return f"{len(refused)} recipients were refused" if refused else ""
    except (smtplib.SMTPException, OSError, ValueError) as problem:
        return type(problem).__name__


def _message(box: Mailbox, line: Mapping[str, Any]) -> EmailMessage:
    message = EmailMessage()
    where = f" ({line['case_type']})" if line.get("case_type") else ""
    message["Subject"] = "".join(
        sign if sign.isprintable() else " " for sign in f"[ratchet] {line['kind']}{where}"
    )
    message["From"], message["To"] = box.sender, ", ".join(box.recipients)
    message["Date"] = formatdate(localtime=False)
    told = json.dumps(dict(line), indent=1, ensure_ascii=False)
    message.set_content(f"{line['sentence']}\n\n{told}\n")
    return message
