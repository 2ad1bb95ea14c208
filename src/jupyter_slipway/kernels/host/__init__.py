"""One process a kernel, which needs no server to live: cells that wait go on.

Started by `hosts`, found again by its record; attached to by `link`.

    kernel ──► host ──► journal, facts
                 └────► attached ──► one reader for each server

Standard library and pyzmq only: it also runs where we are not installed, beside a cluster's worker.
"""
