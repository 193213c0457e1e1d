"""Validation of whole objects: every cause, in the order and the words of the real server.

Rules: a function appends its causes to the list that it is handed, and builds no text unless
something is wrong. Maps are checked in the order of their keys in the document.
"""
