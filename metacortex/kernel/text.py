"""Which texts may be names: those that show something, and only what they are."""

import re
import unicodedata

HIDING = re.compile("[\x1b\x7f\x9b\u202d\u202e]")
"""ESC, DEL and CSI steer terminals; overrides make a text read backwards."""

BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols without a shape: fillers of Hangul, the empty Braille cell."""


def shows(text: str) -> bool:
    """Tell whether anybody would see a text: more than spaces and formatting."""
    return any(
        character not in BLANK and unicodedata.category(character)[0] not in "ZC"
        for character in text
    )
