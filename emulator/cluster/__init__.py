"""The simulated platform: a discrete-event model of Kubernetes in virtual time."""
