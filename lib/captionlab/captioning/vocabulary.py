"""The words a model knows, and captions as rows of their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

PAD, START, END, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")
FORMAT = 1


def choose_words(captions, min_frequency=1, most_frequent=None):
    """The words a vocabulary keeps: frequent ones, the most frequent first; equally frequent ones by the alphabet.

    Args:
        captions: lists of words, one a caption.
        min_frequency: how often a word must be there, in all captions together, to be kept.
        most_frequent: keep at most this many; None: no limit. Special words such as ``<pad>`` come on top of these.

    Returns:
        A list of str, without the special words.

    Example::

        choose_words([["a", "dog"], ["a", "cat"]])  # ['a', 'cat', 'dog']
        choose_words([["a", "dog"], ["a", "cat"]], most_frequent=2)  # ['a', 'cat']
    """
    counts = Counter(word for caption in captions for word in caption)
    kept = [word for word, count in counts.items() if count >= min_frequency and not word.startswith("<")]
    kept.sort(key=lambda word: (-counts[word], word))
    return kept if most_frequent is None else kept[:most_frequent]


def encode(tokens, ids, max_length):
    """A caption as numbers: ``<start>``, its words, ``<end>``, and then ``<pad>`` up to ``max_length`` numbers.

    A caption that is too long loses words at its end; ``<end>`` stays the last number.

    Args:
        tokens: the words of the caption.
        ids: number of each word, a dict; it has ``<pad>``, ``<start>``, ``<end>`` and ``<unk>`` too.
        max_length: how many numbers to give, ``<start>`` and ``<end>`` among them; at least 2.

    Returns:
        A list of ``max_length`` int. A word without a number becomes ``<unk>``.

    Raises:
        ValueError: if ``max_length`` is below 2.

    Example::

        ids = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "a": 4, "dog": 5}
        encode(["a", "dog", "runs"], ids, 6)  # [1, 4, 5, 3, 2, 0]
        encode(["a", "dog", "runs"], ids, 4)  # [1, 4, 5, 2]
    """
    if max_length < 2:
        raise ValueError(f"max_length is {max_length}: <start> and <end> alone take 2")
    words = [ids.get(token, ids["<unk>"]) for token in tokens[: max_length - 2]]
    numbers = [ids["<start>"], *words, ids["<end>"]]
    return numbers + [ids["<pad>"]] * (max_length - len(numbers))


def decode(numbers, words):
    """The words of a caption from its numbers: up to ``<end>``, without ``<pad>`` and ``<start>``.

    Args:
        numbers: the numbers of the caption, a list of int; without ``<end>`` all of them count.
        words: the word of each number, a list that begins with ``<pad>``, ``<start>``, ``<end>``, ``<unk>``.

    Returns:
        A list of str; an unknown word stays in its place as ``<unk>``.

    Example::

        decode([1, 4, 5, 3, 2, 5, 0], ["<pad>", "<start>", "<end>", "<unk>", "a", "dog"])  # ['a', 'dog', '<unk>']
    """
    kept = []
    for number in numbers:
        if words[number] == "<end>":
            break
        if words[number] not in ("<pad>", "<start>"):
            kept.append(words[number])
    return kept


class Vocabulary:
    """Words with their numbers: 0 to 3 are ``<pad>``, ``<start>``, ``<end>``, ``<unk>``.

    Attributes:
        words: of each number, special words among them.
        ids: the number of each word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """
        Args:
            words: in order, without the special ones.

        Raises:
            ValueError: if a word is there twice, or is a special one.
        """
        self.words = (*SPECIALS, *words)
        self.ids = {word: number for number, word in enumerate(self.words)}
        if len(self.ids) != len(self.words):
            twice = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(f"the words {', '.join(twice[:5])} are there twice, or are special: give each word once")

    @classmethod
    def from_captions(
        cls, captions: Iterable[Sequence[str]], min_frequency: int = 1, most_frequent: int | None = None
    ) -> Vocabulary:
        """The vocabulary of some captions, given as words (see :func:`choose_words`).

        Raises:
            ValueError: if no word is frequent enough.
        """
        words = choose_words(captions, min_frequency, most_frequent)
        if not words:
            raise ValueError(
                f"no word is in the captions {min_frequency} times or more: give more captions, or a smaller frequency"
            )
        return cls(words)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tokens: Sequence[str], max_length: int | None = None) -> list[int]:
        """See :func:`encode`; without a length nothing is cut or padded."""
        return encode(list(tokens), self.ids, len(tokens) + 2 if max_length is None else max_length)

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """See :func:`decode`."""
        return decode(numbers, self.words)

    def to_json(self) -> dict:
        """JSON values from which :meth:`from_json` makes it again."""
        return {"format": FORMAT, "words": list(self.words[len(SPECIALS) :])}

    @classmethod
    def from_json(cls, value: dict) -> Vocabulary:
        """The vocabulary :meth:`to_json` told.

        Raises:
            ValueError: if the values are something else.
        """
        if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("words"), list):
            raise ValueError(f"found no vocabulary of format {FORMAT}: expected a dict with format and words")
        return cls(value["words"])
