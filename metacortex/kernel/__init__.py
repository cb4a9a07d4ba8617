"""Clock, ids, errors, database access and the decider: what all other packages import.

It imports nothing else of metacortex. Of the modules of the domain it names nothing but
their error codes, in `errors.CODES`.
"""
