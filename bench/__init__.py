"""Measure MetaCortex side by side with its peers, in one run, on one database server.

The rule: both sides run alternately (A B A B ...), each in its own database of the same
server with the same settings, each in its own process; what is printed is the median,
and a target that is missed is printed as missed.
"""
