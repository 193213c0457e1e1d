"""The pure part of the cluster's Kubernetes-shaped API: reading, defaulting, validating, patching.

Rules: plain JSON dicts in and out; no store, no clock, no dice. What a real API server refuses is
refused here with the same Status, as a `status.Rejected`.
"""
