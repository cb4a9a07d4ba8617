"""What MetaCortex is measured against: each peer as its own documentation builds it.

A peer that is slow because it was built badly proves nothing; where a choice was open,
the faster one was taken.
"""
