"""Traffic: simulated clients that call services in virtual time.

Rules: a load is a value (`load`), its course (`course`) sends requests (`requests`) that chance decides
about (`dice`) when its arrivals say so (`arrivals`), to replicas (`replicas`) of a cluster that is seen
through `ports` alone, and collects durations (`durations`). `Traffic` is the way in.
"""

from emulator.cluster.traffic.course import Result
from emulator.cluster.traffic.durations import Durations, Each, Sketch
from emulator.cluster.traffic.load import Closed, Load, Open, Recorded, Retry
from emulator.cluster.traffic.ports import Directory, Disturb, Disturbance, Network, Serving
from emulator.cluster.traffic.runner import Traffic

__all__ = [
    "Closed",
    "Directory",
    "Disturb",
    "Disturbance",
    "Durations",
    "Each",
    "Load",
    "Network",
    "Open",
    "Recorded",
    "Result",
    "Retry",
    "Serving",
    "Sketch",
    "Traffic",
]
