"""The control plane: what DigitalHub core does, sans-IO.

Commands and observations go in; state changes, platform commands and the next wake-up come out.
Nothing here sleeps, calls out, or knows which platform it has.
"""
