"""The broker's jars: a locked list, fetched once with jgo into a cache that needs no network afterwards.

`kafka_jars.lock` beside this module has one line per jar, `coordinate bytes sha256`. It is written by
`python -m dispatch.embedded --write-lock`, which asks jgo to resolve ENDPOINTS. Fetching obeys the list, so
that a first start walks no POM files and runs exactly the bytes that were tested.
"""

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dispatch.embedded.errors import OWN_SERVERS, EmbeddedError, broken_folder, missing_extra
from dispatch.embedded.folder import make_folder, require_room

KAFKA_VERSION = "4.1.1"
# The second one gives Kafka a log to write to; its pom has no dependencies that the first one lacks.
ENDPOINTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
LOCK_FILE = "kafka_jars.lock"
NETWORK_TIMEOUT_S = 20
FETCHERS = 6
NEEDED_BYTES = 150 * 1024 * 1024

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One line of the locked list."""

    coordinate: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The file name that Maven gives it."""
        _group, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def default_cache() -> Path:
    """Return the folder for downloads of this user: DISPATCH_CACHE, or `dispatch` in the XDG cache."""
    if own := os.environ.get("DISPATCH_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dispatch"


def locked_jars() -> tuple[Jar, ...]:
    """Read the list that ships with the package."""
    text = resources.files("dispatch.embedded").joinpath(LOCK_FILE).read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate=name, size=int(size), sha256=digest) for name, size, digest in rows)


def ensure_jars(cache: Path, progress: Progress, cancelled: threading.Event | None = None) -> Path:
    """Return the folder with all jars, after fetching those that are missing.

    Several processes may do so at once: each jar appears under its name only when it is whole and checked.
    Raises EmbeddedError when the network, the disk or the extra is missing.
    """
    home = cache / f"kafka-{KAFKA_VERSION}"
    missing = [jar for jar in locked_jars() if not _is_there(home / jar.name, jar)]
    if not missing:
        return home
    home = make_folder(home)
    require_room(home, NEEDED_BYTES)
    try:
        staging = Path(tempfile.mkdtemp(prefix="fetch-", dir=cache))
        try:
            _fetch_all(missing, staging, home, progress, cancelled or threading.Event())
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise _no_download(error, cache) from error
    return home


def classpath(home: Path) -> str:
    """Return the value of Java's `-cp` for the jars in `home`: those of the list and no others."""
    return os.pathsep.join(str(home / jar.name) for jar in locked_jars())


def _is_there(path: Path, jar: Jar) -> bool:
    try:
        return path.stat().st_size == jar.size
    except OSError:
        return False


def _fetch_all(jars: Iterable[Jar], staging: Path, home: Path, progress: Progress, cancelled: threading.Event) -> None:
    """Fetch `jars` a few at a time; the first failure ends it."""
    waiting = sorted(jars, key=lambda jar: -jar.size)
    total_mb = sum(jar.size for jar in waiting) / 1e6
    progress(f"fetching Kafka {KAFKA_VERSION}: {len(waiting)} jars, {total_mb:.0f} MB, only this once")
    context = _maven(staging)
    done_mb = 0.0
    with ThreadPoolExecutor(FETCHERS, thread_name_prefix="jars") as pool:
        tasks = {pool.submit(_fetch, context, jar, home): jar for jar in waiting}
        try:
            for count, task in enumerate(as_completed(tasks), start=1):
                task.result()
                if cancelled.is_set():
                    raise EmbeddedError("The start was cancelled.")
                done_mb += tasks[task].size / 1e6
                progress(f"fetching Kafka {KAFKA_VERSION}: {count}/{len(waiting)} jars, {done_mb:.0f} MB")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fetch(context: Any, jar: Jar, home: Path) -> None:
    """Fetch one jar, compare its digest, and move it to its place."""
    try:
        path: Path = context.create_dependency(jar.coordinate).artifact.resolve()
    except RuntimeError as error:  # how jgo says that no repository has it, a proxy's refusal included
        raise OSError(str(error)) from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != jar.sha256:
        raise OSError(f"{jar.name} arrived with {path.stat().st_size} bytes and sha256 {digest}, not as locked")
    path.replace(home / jar.name)


def _maven(repository: Path) -> Any:
    """Return jgo's context: pure Python, so neither `java` nor `mvn` is needed."""
    try:
        from jgo.maven import MavenContext, PythonResolver
    except ModuleNotFoundError as error:
        raise missing_extra("jgo") from error
    return MavenContext(repo_cache=repository, local_repos=[], resolver=PythonResolver(), timeout=NETWORK_TIMEOUT_S)


def _no_download(error: OSError, cache: Path) -> EmbeddedError:
    if type(error).__module__ == "builtins" and error.errno is not None:
        return broken_folder(f"the cache {cache}", error)
    return EmbeddedError(
        f"Could not fetch the jars of Kafka {KAFKA_VERSION} (46 files, 44 MB, needed once) from Maven "
        f"Central: {error}. They are kept in {cache}. Connect this machine to the network (HTTPS_PROXY is "
        "honoured), or copy that folder from a machine that has it (DISPATCH_CACHE names another place), "
        f"{OWN_SERVERS}."
    )


def write_lock() -> int:
    """Resolve ENDPOINTS with jgo (half a minute, needs the network), write the list, return its length."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        context = _maven(Path(folder))
        first, *others = (context.create_dependency(endpoint) for endpoint in ENDPOINTS)
        inputs, transitive = context.resolver.resolve([first])
        for artifact in [dependency.artifact for dependency in (*inputs, *transitive, *others)]:
            data = artifact.resolve().read_bytes()
            name = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            lines.append(f"{name} {len(data)} {hashlib.sha256(data).hexdigest()}\n")
    Path(__file__).with_name(LOCK_FILE).write_text("".join(sorted(lines)), encoding="utf-8")
    return len(lines)
