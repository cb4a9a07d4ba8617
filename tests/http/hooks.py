"""What the fuzzer shall not try: an unknown header is nobody's business (RFC 9110).

Unknown query parameters and unknown fields it shall try: those are refused.
"""

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Keep the cases that have no header but those of the document."""
    if not any(case.operation.iter_parameters()):
        return True  # what takes nothing has no other cases
    known = {it.name.lower() for it in case.operation.headers}
    return {name.lower() for name in case.headers or ()} <= known
