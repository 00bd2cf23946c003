"""One module per kind of receiver: a template makes the stored body of a message, the module brings it there."""

from collections.abc import Mapping

from alerts.receivers import (
    apprise_service,
    dingtalk,
    discord,
    feishu,
    googlechat,
    mail,
    mattermost,
    pagerduty,
    slack,
    teams,
    telegram,
    webhook,
    wecom,
)
from alerts.receivers.base import Sender

SENDERS: Mapping[str, Sender] = {
    "webhook": webhook.send,
    "slack": slack.send,
    "teams": teams.send,
    "discord": discord.send,
    "googlechat": googlechat.send,
    "mattermost": mattermost.send,
    "feishu": feishu.send,
    "dingtalk": dingtalk.send,
    "wecom": wecom.send,
    "pagerduty": pagerduty.send,
    "telegram": telegram.send,
    "email": mail.send,
    "apprise": apprise_service.send,
}
"""By `type` of the receiver in the configuration."""

PER_MINUTE: Mapping[str, int] = {
    "slack": 50,  # one a second and channel, short bursts
    "discord": 30,  # 5 in 2 s, 30 a minute and webhook
    "googlechat": 50,  # one a second and space
    "teams": 30,
    "telegram": 20,  # 20 a minute and group
    "dingtalk": 18,  # 20 a minute, else the robot is blocked for ten
    "wecom": 18,  # 20 a minute
    "feishu": 60,  # 100 a minute
}
"""Most messages a minute, a little below what the services document; others take 60."""
