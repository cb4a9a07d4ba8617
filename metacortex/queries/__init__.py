"""What can be asked: read tables, the projections that fill them, and the queries."""
