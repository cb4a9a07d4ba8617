"""How much of a request is read before it is refused: one table for the whole edge.

The server's protocol holds these while headers arrive, and the ASGI layer once more
for whatever other server runs the application.
"""

HEADER_LINES = 100
HEADER_BYTES = 16_384  # of one line
HEADERS_BYTES = 65_536  # of all lines together
TARGET_BYTES = 8_192  # RFC 9110, section 4.1, asks for 8,000 at least
