"""Colours and type of every figure, light and dark: the Okabe-Ito palette, which people with any colour vision can tell apart.

Okabe M., Ito K. (2008), Color Universal Design, https://jfly.uni-koeln.de/color/. The pages' CSS uses the same values.
"""

from dataclasses import dataclass
from typing import Any, Literal

Mode = Literal["light", "dark"]

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif'


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """One mode's colours, as CSS texts.

    Attributes
    ----------
    series : tuple of str
        Colours of lines, in order of use.
    """

    mode: Mode
    text: str
    muted: str
    grid: str
    axis: str
    surface: str
    series: tuple[str, ...]
    band: str
    expected: str
    anomaly: str
    anomaly_fill: str
    incident: str
    quiet_fill: str
    objective: str
    fan_outer: str
    fan_inner: str
    now: str

    def style(self, index: int) -> tuple[str, str]:
        """Colour and dash of a chart's line: when all colours are used, the next round is dashed, then dotted."""
        turn, place = divmod(index, len(self.series))
        return self.series[place], ("solid", "dash", "dot")[turn % 3]


LIGHT = Theme(
    mode="light",
    text="#1b2330",
    muted="#5a6472",
    grid="#e8ebf0",
    axis="#c9d0da",
    surface="#ffffff",
    series=("#0072B2", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00"),
    band="rgba(86,180,233,0.22)",
    expected="rgba(90,100,114,0.75)",
    anomaly="#D55E00",
    anomaly_fill="rgba(213,94,0,0.13)",
    incident="#a84300",
    quiet_fill="rgba(90,100,114,0.14)",
    objective="#1b2330",
    fan_outer="rgba(0,114,178,0.16)",
    fan_inner="rgba(0,114,178,0.30)",
    now="#5a6472",
)

DARK = Theme(
    mode="dark",
    text="#e6eaf1",
    muted="#9aa5b5",
    grid="#262f3d",
    axis="#3b4657",
    surface="#171d27",
    series=("#56B4E9", "#2CC295", "#E69F00", "#D99BBE", "#7FA8FF", "#F0803C"),
    band="rgba(86,180,233,0.17)",
    expected="rgba(154,165,181,0.8)",
    anomaly="#F0803C",
    anomaly_fill="rgba(240,128,60,0.20)",
    incident="#ff9a5c",
    quiet_fill="rgba(154,165,181,0.16)",
    objective="#e6eaf1",
    fan_outer="rgba(86,180,233,0.16)",
    fan_inner="rgba(86,180,233,0.32)",
    now="#9aa5b5",
)


def theme_of(mode: str | None) -> Theme:
    """The theme called `mode`; the light one for anything else."""
    return DARK if mode == "dark" else LIGHT


def base_layout(theme: Theme) -> dict[str, Any]:
    """What every figure's layout starts from: transparent ground, system fonts, quiet grid."""
    axis = {
        "gridcolor": theme.grid,
        "linecolor": theme.axis,
        "tickcolor": theme.axis,
        "tickfont": {"color": theme.muted, "size": 11},
        "title": {"font": {"color": theme.muted, "size": 11}},
        "zeroline": False,
        "automargin": True,
    }
    return {
        "template": {},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "color": theme.text, "size": 12},
        "colorway": list(theme.series),
        "margin": {"l": 52, "r": 12, "t": 8, "b": 40, "pad": 3},
        "autosize": True,
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": theme.surface, "bordercolor": theme.axis, "font": {"color": theme.text, "size": 12}},
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"color": theme.muted, "size": 11},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "xaxis": {
            **axis,
            "showgrid": False,
            "showline": True,
            "spikecolor": theme.axis,
            "spikethickness": 1,
            "spikedash": "solid",
            "ticks": "outside",
            "ticklen": 4,
            "automargin": False,
            "tickangle": 0,
        },
        "yaxis": {**axis, "rangemode": "tozero", "showline": False, "nticks": 6},
        "dragmode": "zoom",
    }
