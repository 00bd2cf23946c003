"""Tells a trouble once, however long it lasts."""

import logging


class Trouble:
    """Logs a warning when it is new or changes, and its end. Used by one thread."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._told = ""

    def tell(self, message: str, *values: object) -> None:
        """Warn, unless that was the last thing said."""
        text = message % values
        if text != self._told:
            self._told = text
            self._logger.warning(message, *values)

    def over(self, message: str) -> None:
        """Say that it is over, if there was one."""
        if self._told:
            self._told = ""
            self._logger.info(message)
