"""A process that owns an embedded directory, for tests of what other processes then meet.

`python -m tests.support.owner DIR [--store]` takes the lock (with `--store` it opens the store and serves its API, unpublished)
and then obeys lines of its input: `publish` or `publish ADDRESS`, `release`; it answers each with a line and ends at the end.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from core.config import StoreSettings
from storage.lock import DirectoryLock
from storage.open import api_token, open_store, publish_api
from tests.support.data import REPOSITORY
from tests.support.store_api import store_api


class Owner:
    """The child process. Killed at the end of the block that started it."""

    def __init__(self, directory: Path, *, store: bool) -> None:
        command = [sys.executable, "-m", "tests.support.owner", str(directory), *(["--store"] if store else [])]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self._expect("owns")

    def publish(self, address: str = "") -> None:
        self._say(f"publish {address}".strip())
        self._expect("published")

    def release(self) -> None:
        self._say("release")
        self._expect("released")

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._process.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin
        print(line, file=self._process.stdin, flush=True)

    def _expect(self, word: str) -> None:
        assert self._process.stdout
        guard = threading.Timer(30, self._process.kill)  # readline has no timeout of its own
        guard.start()
        answer = self._process.stdout.readline().strip()
        guard.cancel()
        assert answer == word, f"the owner said {answer!r} instead of {word!r}"


@contextmanager
def owner(directory: Path, *, store: bool = False) -> Iterator[Owner]:
    """An owner of `directory` in a process of its own."""
    process = Owner(directory, store=store)
    try:
        yield process
    finally:
        process.kill()


def main() -> None:
    directory = Path(sys.argv[1])
    with ExitStack() as stack:
        address = ""
        if "--store" in sys.argv:
            store = open_store(StoreSettings(url=f"chdb://{directory}"), owner=True)
            stack.callback(store.close)
            address = stack.enter_context(store_api(store, api_token(store))).address
        else:
            lock = DirectoryLock(directory)
            stack.callback(lock.release)
        print("owns", flush=True)
        for line in sys.stdin:
            match line.split():
                case ["publish"]:
                    publish_api(store, address)
                    print("published", flush=True)
                case ["publish", given]:
                    lock.publish_api(given)
                    print("published", flush=True)
                case ["release"]:
                    stack.close()
                    print("released", flush=True)


if __name__ == "__main__":
    main()
