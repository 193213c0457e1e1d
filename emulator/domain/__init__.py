"""What DigitalHub and Kubernetes say, as pure values and functions.

Nothing here knows a clock, a socket, a thread or a framework: time and ids are arguments.
"""
