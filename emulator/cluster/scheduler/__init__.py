"""The scheduler: which node a pod goes to, and what is said when none fits.

Rules: a pod is taken from the queue (`queue`), every node is filtered (`filters`), those that pass are
scored (`scores`), the best one is booked at once and bound as the client's rate allows (`cycle`). Where
none passes, pods of lower priority may have to go (`preemption`), and the pod waits for an event that
can help it. Source: Kubernetes facts section 5; pkg/scheduler of 1.36.
"""

from __future__ import annotations

from emulator.cluster.scheduler.cycle import Scheduler

__all__ = ["Scheduler"]
