"""Judges any numeric series point by point, from its own past alone: an alarm score, a smooth severity, an expected range.

`Detector` carries many series of one step from point to point; `detect` runs it over whole matrices. See docs/detection.md.
"""

from analytics.univariate.batch import Judged, detect
from analytics.univariate.cadence import Cadence, step_of
from analytics.univariate.detector import Detector, Verdict

__all__ = ["Cadence", "Detector", "Judged", "Verdict", "detect", "step_of"]
