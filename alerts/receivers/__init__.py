"""One module per kind of receiver: a pure function from a `Message` to the body of the request."""

from collections.abc import Callable, Mapping

from alerts.message import Message
from alerts.receivers import slack, webhook

Renderer = Callable[[Message], str]

RENDERERS: Mapping[str, Renderer] = {"webhook": webhook.render, "slack": slack.render}
"""By `type` of the receiver in the configuration."""
