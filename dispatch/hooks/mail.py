"""Mail by SMTP, in threads of its own: to a judged address, by TLS, bounded in time whatever the server does."""

import asyncio
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from typing import Any, Final

from dispatch.errors import Rejected
from dispatch.hooks.addresses import Guard, Lookup, Target
from dispatch.hooks.delivery import Delivery, Outcome
from dispatch.hooks.http import tls_of
from dispatch.hooks.senders import BaseSender, Person, named
from dispatch.models.hooks import SmtpHook

_PERMANENT: Final = range(500, 600)


class _Bound(smtplib.SMTP):
    """Connects to the address that was judged, and knows itself by the name that certificates speak of."""

    def __init__(self, target: Target, host: str, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        super().__init__(timeout=timeout_s)
        self._target = target
        self._tls = tls
        self._host = host  # what starttls() checks the certificate against
        self.opened: socket.socket | None = None

    def _get_socket(self, host: str, _port: int, timeout: float) -> socket.socket:
        sock = socket.socket(self._target.family, socket.SOCK_STREAM)
        self.opened = sock
        sock.settimeout(timeout)
        sock.connect(self._target.sockaddr)
        if self._tls is None:
            return sock
        self.opened = self._tls.wrap_socket(sock, server_hostname=host)
        return self.opened


class SmtpSender(BaseSender):
    """One server of the house."""

    needs_person = True

    def __init__(self, name: str, hook: SmtpHook, login: tuple[str, str] | None, lookup: Lookup | None = None) -> None:
        """``login``: user and password; None when the server wants none."""
        super().__init__(name, hook.concurrency)
        self._hook = hook
        self._login = login
        self._lookup = lookup
        self._guard = Guard(hook.allow, (hook.port,))
        self._tls = tls_of(hook.cafile)
        self._threads = ThreadPoolExecutor(hook.concurrency, thread_name_prefix=f"smtp-{name}")

    async def send(self, deliveries: Sequence[Delivery], person: Person) -> Outcome:
        """See Sender."""
        if not person.email:
            return Outcome(kind="refused", status="no-mail-address")
        began_s = time.monotonic()
        try:
            message = mail_of(deliveries[0], person, self._hook.sender)
            outcome = await self._send(message)
        except (ValueError, IndexError):  # an address that is none
            outcome = Outcome(kind="refused", status="bad-mail-address")
        except Rejected as error:
            outcome = Outcome(kind="refused", status=error.code)
        except TimeoutError:
            outcome = Outcome(kind="retry", status="timeout")
        except smtplib.SMTPRecipientsRefused as error:
            outcome = _answered(next(iter(error.recipients.values()))[0])
        except smtplib.SMTPResponseException as error:
            outcome = _answered(error.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            outcome = Outcome(kind="retry", status=type(error).__name__)
        latency_ms = round((time.monotonic() - began_s) * 1000)
        return Outcome(kind=outcome.kind, status=outcome.status, latency_ms=latency_ms)

    async def _send(self, message: EmailMessage) -> Outcome:
        hook = self._hook
        async with asyncio.timeout(hook.timeout):
            target = (await self._guard.resolve(hook.host, hook.port, self._lookup))[0]
            tls = self._tls if hook.tls == "tls" else None
            client = _Bound(target, hook.host, hook.timeout, tls)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._talk, client, message)
            finally:
                if client.opened is not None:
                    with suppress(OSError):
                        client.opened.shutdown(socket.SHUT_RDWR)  # a thread that still reads ends with this
                    client.opened.close()

    def _talk(self, client: Any, message: EmailMessage) -> Outcome:
        hook = self._hook
        code, _text = client.connect(hook.host, hook.port)
        if code != 220:  # noqa: PLR2004 -- SMTP: ready
            return _answered(code)
        if hook.tls == "starttls":
            client.starttls(context=self._tls)
        if self._login is not None:
            client.login(*self._login)
        client.send_message(message)
        with suppress(smtplib.SMTPException, OSError):
            client.quit()
        return Outcome(kind="ok", status=250)

    async def close(self) -> None:
        """See Sender."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _answered(code: int) -> Outcome:
    """5xx is for good, but for what an administrator can mend: logins."""
    return Outcome(kind="refused" if code in _PERMANENT and code not in {530, 535} else "retry", status=code)


def mail_of(one: Delivery, person: Person, sender: str) -> EmailMessage:
    """The mail of a delivery; its Message-ID is the delivery's, so that a second copy is known as one."""
    local, _at, domain = (person.email or "").rpartition("@")
    message = EmailMessage()
    message["From"] = sender
    message["To"] = Address(display_name=person.name or "", username=local, domain=domain)
    message["Subject"] = " ".join(named(one.title, person).split())
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = f"<{one.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(named(one.text, person))
    return message
