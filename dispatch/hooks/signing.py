"""Signatures: Standard Webhooks 1.0, DingTalk's and Feishu's robots. Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64


def key_of(secret: str) -> bytes:
    """The key in a webhook secret: ``whsec_`` and base64. ValueError when it is none, or shorter than 24 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX) + "==", validate=False)
    except (binascii.Error, ValueError):
        msg = "not base64"
        raise ValueError(msg) from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        msg = f"{len(key)} bytes; a secret has {LEAST_BYTES} to {MOST_BYTES}"
        raise ValueError(msg)
    return key


def sign_webhook(keys: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header ``webhook-signature``: one signature for each key, so that a receiver may have any of them."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return " ".join(f"v1,{_base64(hmac.digest(key, signed, hashlib.sha256))}" for key in keys)


def sign_dingtalk(secret: str, timestamp_ms: int) -> str:
    """The query parameter ``sign``, not yet percent-encoded."""
    text = f"{timestamp_ms}\n{secret}"
    return _base64(hmac.digest(secret.encode(), text.encode(), hashlib.sha256))


def sign_feishu(secret: str, timestamp_s: int) -> str:
    """The field ``sign`` of the body: the key is what others sign, and nothing is signed with it."""
    return _base64(hmac.digest(f"{timestamp_s}\n{secret}".encode(), b"", hashlib.sha256))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
