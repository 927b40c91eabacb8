"""Sign vectors as bits: two words for 64 neurons, one with the bits of the positive labels, one of the negative.

Words are stored word by word (shape ``words x m``), so that one neuron is one contiguous array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint64]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
SignArray = np.ndarray[Any, np.dtype[np.int8]]

#: Neurons in one word.
WORD = 64


def words_for(width: int) -> int:
    """Number of words that hold ``width`` bits.

    >>> words_for(64), words_for(65)
    (1, 2)
    """
    return -(-width // WORD)


def bit_of(column: int) -> tuple[int, np.uint64]:
    """Word and mask of one column."""
    return column // WORD, np.uint64(1 << column % WORD)


def pack(flags: BoolArray, skipped: int = 0) -> Words:
    """Rows of booleans (``m x width``) as words (``words x m``); bit ``j % 64`` of word ``j // 64`` is column ``j``.

    So many columns before them as ``skipped``, a multiple of 8, are False.

    >>> pack(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    packed, first = np.packbits(flags, axis=1, bitorder="little"), skipped // 8
    table = np.zeros((len(flags), 8 * words_for(skipped + flags.shape[1])), dtype=np.uint8)
    table[:, first : first + packed.shape[1]] = packed
    return np.ascontiguousarray(table.view("<u8").T, dtype=np.uint64)


def distinct(flags: BoolArray) -> tuple[BoolArray, np.ndarray[Any, np.dtype[np.intp]]]:
    """The distinct rows, in some order, and for every row the number of the one that it is.

    >>> distinct(np.array([[True, False], [False, True], [True, False]]))[1].tolist()
    [0, 1, 0]
    """
    words = pack(flags)
    if len(words) == 1:
        _, first, inverse = np.unique(words[0], return_index=True, return_inverse=True)
    else:
        _, first, inverse = np.unique(words.T, axis=0, return_index=True, return_inverse=True)
    return flags[first], inverse.reshape(-1)


def unpack(words: Words, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The inverse of :func:`pack`, as zeros and ones.

    >>> unpack(np.array([[5]], dtype=np.uint64), 3).tolist()
    [[1, 0, 1]]
    """
    rows = words.T.astype("<u8", order="C").view(np.uint8)
    return np.unpackbits(rows, axis=1, count=width, bitorder="little")


def ternary(positive: Words, negative: Words, width: int) -> SignArray:
    """Labels -1, 0, 1 (``m x width``) from the words of their positive and negative parts.

    >>> ternary(np.array([[1]], dtype=np.uint64), np.array([[4]], dtype=np.uint64), 3).tolist()
    [[1, 0, -1]]
    """
    labels: SignArray = unpack(positive, width).view(np.int8)
    labels -= unpack(negative, width).view(np.int8)
    return labels


def grown(words: Words, count: int, capacity: int) -> Words:
    """The first ``count`` columns, in an array with room for ``capacity``."""
    larger: Words = np.empty((len(words), capacity), dtype=np.uint64)
    larger[:, :count] = words[:, :count]
    return larger
