"""The doctor: what is wrong with a trained network, why, and what helps.

A case (:mod:`.case`) is measured once (:mod:`.figures`), rules (:mod:`.rules`) read the figures and compare them
with the thresholds (:mod:`.thresholds`). A rule is a function of a few lines: see docs/doctor.md.
"""

from minibn.lab.doctor.diagnosis import Diagnosis, Finding, Unchecked
from minibn.lab.doctor.examine import doctor

__all__ = ["Diagnosis", "Finding", "Unchecked", "doctor"]
