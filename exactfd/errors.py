"""One tree of errors.

Every message names its subject, the requirement, the value found and, where there is one, the next step.
``InputError`` and its children are the user's data at fault (exit code 3 of the commands);
``BudgetExceeded`` is a limit that the user set (exit code 4).
"""

from __future__ import annotations

from typing import Any


class ExactFDError(Exception):
    """Base class of every error that this package raises on purpose."""


class InputError(ExactFDError, ValueError):
    """Malformed or unusable input: a number, an array, a file, an option."""


class ShapeError(InputError):
    """Sizes that do not fit: a weight of the wrong shape, a point of the wrong dimension."""


class NonFiniteError(InputError):
    """A NaN or an infinity, which is not a rational number."""


class NonSmoothPointError(InputError):
    """A batch holds a point that is not parametrically smooth at this parameter."""


class BudgetExceeded(ExactFDError, RuntimeError):
    """A limit on cells, time or memory ran out.

    ``partial`` holds whatever had been proved by then (its type depends on the raiser), or ``None``.
    """

    def __init__(self, message: str, partial: Any = None) -> None:
        super().__init__(message)
        self.partial = partial


class MissingExtraError(ExactFDError, ImportError):
    """An optional dependency is needed and not installed; the message says how to install it: by the extra, or by
    another ``command`` where the extra does not hold it.
    """

    def __init__(self, package: str, extra: str, purpose: str, command: str | None = None) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            "install it with: " + (command or f"pip install 'exactfd[{extra}]'")
        )
        self.package = package
        self.extra = extra
        self.purpose = purpose
        self._made_of = package, extra, purpose, command

    def __reduce__(self) -> tuple[Any, ...]:
        """An error crosses from process to process by what it was made of."""
        return type(self), self._made_of


class EngineError(ExactFDError, RuntimeError):
    """An external program does not start, is too old, died, or answered something that cannot be an answer."""


class InternalError(ExactFDError, AssertionError):
    """Two exact computations disagree. This is a bug here, never the user's fault; please report it."""
