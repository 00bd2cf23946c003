"""Every error that tpscope raises on purpose; the class says what the caller should do.

    TpscopeError
    ├── ConfigError (ValueError)       stop: the operator must change the configuration or the command line
    │   └── NotInstalledError          stop: an optional package is missing; the message names the extra
    ├── VersionsDiffer (ValueError)    stop: numbers of two versions of a transaction must not be compared
    ├── InvalidRecord (ValueError)     dead letter: this record cannot be read, the next one may be
    ├── TransientError                 retry: the same call may succeed later
    │   ├── StoreUnavailable (ConnectionError)
    │   ├── BrokerUnavailable (ConnectionError)
    │   └── RegistryUnavailable (ConnectionError)
    ├── StoreError                     the store refused this statement; a retry brings the same answer
    │   └── QuestionAbandoned          stop: whoever asked has left, or has no time left
    ├── StoreInUse (RuntimeError)      stop: another process owns the embedded directory
    └── DeliveryRefused                a receiver refused this notification for good (a 4xx): do not repeat

Each message is one line: what went wrong, where, and what to do.
"""


class TpscopeError(Exception):
    """Base of all errors that tpscope raises on purpose."""


class ConfigError(TpscopeError, ValueError):
    """The configuration or the command line cannot be used as it is.

    Attributes
    ----------
    where : str
        File and key (`tpscope.yaml: kafka.topic`), environment variable or option.
    problem : str
        What is wrong, with the bad value quoted, and what to do.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class NotInstalledError(ConfigError):
    """An optional part is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, f"is not installed; run: pip install 'tpscope[{extra}]'")
        self.extra = extra


class VersionsDiffer(TpscopeError, ValueError):
    """Two sets of numbers come from different versions of a transaction, so that a difference would mean nothing.

    Attributes
    ----------
    transaction, one, other : str
        Its name and the two versions.
    reason : str
        What differs between them.
    """

    def __init__(self, transaction: str, one: str, other: str, reason: str) -> None:
        versions = f"version {one or '(none)'} cannot be compared with version {other or '(none)'}"
        super().__init__(f"transaction {transaction!r}: {versions}: {reason}")
        self.transaction = transaction
        self.one = one
        self.other = other
        self.reason = reason


class InvalidRecord(TpscopeError, ValueError):
    """A record cannot be read; it goes to the dead letters with this reason.

    Attributes
    ----------
    reason : str
        A short fixed word that dead letters are counted by, for example `not_json` or `bad_ts`.
    detail : str
        What was found, quoted and cut short.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TransientError(TpscopeError):
    """The same call may succeed later."""


class StoreUnavailable(TransientError, ConnectionError):
    """The store cannot be reached or did not answer in time."""


class BrokerUnavailable(TransientError, ConnectionError):
    """The Kafka broker cannot be reached."""


class RegistryUnavailable(TransientError, ConnectionError):
    """The schema registry cannot be reached, or does not let us in."""


class StoreError(TpscopeError):
    """The store refused a statement.

    Attributes
    ----------
    code : int
        ClickHouse's error code; 0 where it gave none.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class QuestionAbandoned(StoreError):
    """A question was ended before its answer, because whoever asked left or had no time left; the message says which."""

    @property
    def sentence(self) -> str:
        """The message for a page."""
        text = str(self)
        return f"{text[:1].upper()}{text[1:]}."


class StoreInUse(TpscopeError, RuntimeError):
    """Another process owns the embedded directory.

    Attributes
    ----------
    directory, owner : str
        The directory, and who owns it (process id and API address as its lock file names them).
    """

    def __init__(self, directory: str, owner: str) -> None:
        super().__init__(f"{directory}: is in use by {owner}; stop that process or choose another directory")
        self.directory = directory
        self.owner = owner


class DeliveryRefused(TpscopeError):
    """A receiver refused a notification for good; repeating it brings the same answer."""
