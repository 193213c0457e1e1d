"""The simulated cluster's Kubernetes API over HTTP, for clients like kubectl.

Rules: this package reads requests and writes answers; what they mean is decided by
`emulator.cluster.apiserver`. JSON only, no users, no encryption.
"""
