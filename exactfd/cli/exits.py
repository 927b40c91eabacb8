"""Exit codes: other programs rely on them."""

ANSWERED = 0
FALSE = 1
BAD_INPUT = 3
BUDGET = 4
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
