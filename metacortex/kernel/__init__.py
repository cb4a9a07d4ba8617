"""Clock, ids, errors, database access, processes, the decider: what all others import.

It imports nothing else of metacortex. Of the modules of the domain it names nothing but
their error codes, in `errors.CODES`.
"""
