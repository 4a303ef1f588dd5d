"""The one folder that holds all data: who owns it, and whether its disk has room."""

import fcntl
import os
import shutil
from pathlib import Path

from dispatch.embedded.errors import EmbeddedError, broken_folder

NEEDED_BYTES = 500 * 1024 * 1024


class FolderLock:
    """Ownership of a data folder by one process; the kernel ends it with the process, even after kill -9."""

    def __init__(self, folder: Path) -> None:
        """Prepare the lock of `folder`."""
        self.path = folder / "lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise EmbeddedError with the owner's pid."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise broken_folder(f"the lock file {self.path}", error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise EmbeddedError(
                f"The folder {self.path.parent} is in use by the process with pid {owner}. "
                "Stop that process, or choose another folder."
            ) from error
        os.ftruncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        self._file = file

    def release(self) -> None:
        """Give the lock up; nothing happens if it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def make_folder(folder: Path) -> Path:
    """Create `folder`, readable by its owner only, and return it as an absolute path."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise broken_folder(f"the folder {folder}", error) from error
    return folder.resolve()


def require_room(folder: Path, needed_bytes: int = NEEDED_BYTES) -> None:
    """Raise EmbeddedError if the disk of `folder` has less than `needed_bytes` free."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise EmbeddedError(
            f"The disk that holds {folder} has {free // 2**20} MB free, and the embedded servers need "
            f"{needed_bytes // 2**20} MB. Free some space, or choose a folder on another disk."
        )
