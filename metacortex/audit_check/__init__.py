"""Whether the log in the database is what was appended, read straight from its columns.

A log is read in spans, each in one transaction of its own and in pages of bounded size,
so that several processes can take part. What is appended after the check began is left
to the next one.
"""

from metacortex.audit_check.checking import check
from metacortex.audit_check.heads import UnknownWorkspace
from metacortex.audit_check.logs import Verdict
from metacortex.audit_check.sampling import Sample, sample

__all__ = ["Sample", "UnknownWorkspace", "Verdict", "check", "sample"]
