"""What the fuzzer shall not try: an unknown header is nobody's business (RFC 9110).

Unknown query parameters it may try, but with so few examples it does not: where they
passed, it noticed nothing. The tests that name `unknown_parameter` do.
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
