"""The commands of `dhemu`, a module each or a few that belong together.

Rules: a command is thin: it reads its options, asks a running emulator or the library, and shows the
answer. Data goes to stdout, talk to stderr. What is heavy to import is imported where it is used.
"""
