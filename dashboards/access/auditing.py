"""The note of who did what: a row of the table `audit`, and a line of the log."""

import logging
from collections.abc import Mapping

from core.access import Principal
from core.errors import TpscopeError
from dashboards.context import Web
from storage.audit import write_audit

logger = logging.getLogger(__name__)


def note(web: Web, who: Principal, action: str, subject: str, detail: Mapping[str, object]) -> None:
    """Note it. What is done is done: where the store cannot take the row, the log has it all the same."""
    full = {**detail, "via": who.via.value, **({"token": who.token_id} if who.token_id else {})}
    logger.info("audit: %s %s by %s", action, subject, who.name, extra={"audit": full})
    try:
        write_audit(web.store, web.now(), who.name, action, subject, full)
    except TpscopeError as error:
        logger.error("audit: could not be written (%s)", error)
