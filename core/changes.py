"""Changes: what people said, or the calls showed, was made different at an instant; and what became of it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.series import Selector


class ChangeKind(StrEnum):
    DEPLOY = "deploy"
    CONFIG = "config"
    MODEL = "model"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change.

    Attributes
    ----------
    what : str
        For people: `checkout 4.2.0`.
    selector : Selector
        Which calls it may have touched; empty: all.
    who : str
        Who said so; empty for one that was found.
    found : bool
        Whether the calls showed it, instead of a person saying so.
    """

    id: str
    at: datetime
    kind: ChangeKind
    what: str
    selector: Selector
    who: str
    found: bool
    made_at: datetime

    @property
    def words(self) -> str:
        """For people: what, and of which calls."""
        of = f" ({self.selector.words})" if self.selector.pairs else ""
        return f"{self.kind}: {self.what}{of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeVerdict:
    """What a gate says of the calls after a change beside those before it.

    Attributes
    ----------
    transaction : str
        Whose calls were judged; empty: all calls of the change's selection.
    outcome : str
        `passed`, `regression` or `cannot_judge`.
    report : str
        The gate's report as JSON.
    """

    change_id: str
    transaction: str
    selector: Selector
    judged_at: datetime
    before_from: datetime
    after_to: datetime
    outcome: str
    reasons: tuple[str, ...]
    report: str


def found_id(kind: ChangeKind, what: str, selector: Selector, at: datetime) -> str:
    """The id of a change that was found: the same whenever and by whomever it is found."""
    return hashlib.sha256(f"{kind}|{what}|{selector}|{at.isoformat()}".encode()).hexdigest()[:8]
