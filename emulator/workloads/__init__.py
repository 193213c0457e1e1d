"""The behaviours: what answers behind a service of the simulated platform.

Rules: a behaviour implements `emulator.domain.workload` and knows no kubelet; the user's rules are
asked before the catalogue; an answer is marked a stand-in unless the user's own code made it.
"""
