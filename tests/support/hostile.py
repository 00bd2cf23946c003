"""Names and notes as an attacker would choose them, of calls, incidents, silences, masks and changes."""

from dataclasses import replace
from datetime import datetime, timedelta

from core.changes import Change, ChangeKind
from core.masks import Mask, MaskKind
from core.series import Selector
from core.types import IncidentState, RankedCause, Silence
from storage import calls, changes, incidents, masks, silences
from storage.contract import Store
from tests.support.fill import Filled
from tests.unit.storage.batches import batch

MARKUP = '"><img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'
LINK = "<a href='https://evil.example/'>click</a>"
TEXT = MARKUP + LINK
INCIDENT = "i-hostile"


def sow(store: Store, filled: Filled, at: datetime) -> None:
    """A few calls in the minutes after `at`, and an incident, a silence, a mask and a change of that time."""
    names = {"gateway": TEXT, "tenant": TEXT, "service": TEXT, "route": f"/{TEXT}", "provider": TEXT, "model": TEXT}
    rows = [
        {
            "ts": at + timedelta(seconds=20 * n),
            "ingested_at": at,
            "status": 500 * (n % 2) + 200 * (1 - n % 2),
            "latency_ms": 9.0,
        }
        | {"request_id": f"{TEXT}{n}", "error_type": TEXT if n % 2 else "", "kind": "llm", "prompt_tokens": 5, **names}
        for n in range(30)
    ]
    calls.insert_calls(store, batch(rows))
    incident = replace(
        filled.resolved,
        id=INCIDENT,
        fingerprint=INCIDENT,
        state=IncidentState.RESOLVED,
        rule=TEXT,
        labels={"service": TEXT},
        title=TEXT,
        summary=TEXT,
        causes=(RankedCause(text=TEXT, share=0.5),),
        anomaly_id="",
        started_at=at,
        opened_at=at,
        updated_at=at + timedelta(minutes=5),
        resolved_at=at + timedelta(minutes=5),
        runbook="javascript:window.hacked=3",
    )
    incidents.write_incidents(store, [incident], 1)
    until = at + timedelta(minutes=5)
    silence = Silence(
        id="hostile", match={"rule": TEXT}, starts_at=at, ends_at=until, created_at=at, created_by=TEXT, comment=TEXT
    )
    silences.write_silence(store, silence)
    selector = Selector.of(service=TEXT)
    mask = Mask(id="hostile", kind=MaskKind.EXPECTED, start=at, end=until, selector=selector, who=TEXT, why=TEXT, made_at=at)
    masks.add_mask(store, mask)
    change = Change(
        id="hostile", at=at, kind=ChangeKind.DEPLOY, what=TEXT, selector=selector, who=TEXT, found=False, made_at=at
    )
    changes.write_changes(store, [change])
