"""The process around the service: logging, signals, and running until it is told to stop."""

import logging
import signal
import threading
from pathlib import Path
from types import FrameType

from core.errors import ConfigError, TpscopeError
from core.load import load_settings
from tpscope.memory import collect_less_often, give_memory_back
from tpscope.wiring import Role, Service, open_service

logger = logging.getLogger(__name__)

_LIBRARIES = {
    "apscheduler": logging.ERROR,  # a run that is skipped because the last one goes on is made good by the next
    "kafka": logging.CRITICAL,  # it reports every attempt to connect as an error; we say so once
    "uvicorn": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
}
"""From which level on what libraries log is passed on."""


def prepare_process(level: str) -> threading.Event:
    """Set up memory and logging (to stderr); returns an event that SIGTERM and SIGINT set."""
    if level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ConfigError("--log-level", f"{level!r} is unknown; choose DEBUG, INFO, WARNING or ERROR")
    give_memory_back()
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name, least in _LIBRARIES.items():
        logging.getLogger(name).setLevel(least)
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def run_serve(config: Path | None, store: str | None, role: str, log_level: str) -> int:
    """Run the service until SIGTERM or SIGINT; exit code 1 when a part ended by itself."""
    from tpscope.options import settings_of

    stop = prepare_process(log_level)
    reload = threading.Event()
    signal.signal(signal.SIGHUP, lambda number, frame: reload.set())
    settings = settings_of(config, store)
    service = open_service(settings, Role(role))
    logger.info("opened %s", settings.store.url)
    try:
        service.start()
        collect_less_often()
        if not settings.kafka.brokers and role in (Role.ALL, Role.INGEST):
            logger.warning("kafka.brokers is empty: calls come only by import and by POST; set it to consume a topic")
        logger.info("role %s is up%s", role, f", pages at {service.address}" if service.address else "")
        return _run(service, stop, reload, config)
    finally:
        logger.info("stopping")
        service.stop()


def _run(service: Service, stop: threading.Event, reload: threading.Event, config: Path | None) -> int:
    while not stop.wait(0.2):
        if service.failed.is_set():
            return 1
        if reload.is_set():
            reload.clear()
            _reload(service, config)
    return 0


def _reload(service: Service, config: Path | None) -> None:
    """Put a changed configuration in force; a bad one is refused and the old one stays."""
    try:
        for name in service.reload(load_settings(config)):
            logger.warning("configuration: %r has changed but takes a restart", name)
    except TpscopeError as error:
        logger.error("configuration not reloaded: %s", error)
