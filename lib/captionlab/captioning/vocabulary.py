"""The words a model knows, and captions as token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

PAD, START, END, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")
FORMAT = 1


def choose_words(
    captions: Iterable[Sequence[str]], min_word_freq: int = 1, max_vocab_size: int | None = None
) -> list[str]:
    """Choose the words of a vocabulary, the most frequent first; ties are in alphabetical order.

    Args:
        captions: the words of each caption.
        min_word_freq: how often a word must occur, in all captions together, to be kept.
        max_vocab_size: keep at most this many words; None: no limit. Special words such as ``<pad>`` do not count.

    Returns:
        The words, without the special ones.

    Example:
        >>> choose_words([["a", "dog"], ["a", "cat"]])
        ['a', 'cat', 'dog']
        >>> choose_words([["a", "dog"], ["a", "cat"]], max_vocab_size=2)
        ['a', 'cat']
    """
    counts = Counter(word for caption in captions for word in caption)
    kept = [word for word, count in counts.items() if count >= min_word_freq and not word.startswith("<")]
    kept.sort(key=lambda word: (-counts[word], word))
    return kept if max_vocab_size is None else kept[:max_vocab_size]


def encode(tokens: Sequence[str], word_to_id: dict[str, int], max_length: int) -> list[int]:
    """Turn a caption into token ids: ``<start>``, its words, ``<end>``, and ``<pad>`` up to ``max_length`` ids.

    A caption that is too long loses its last words, never ``<end>``.

    Args:
        tokens: the words of the caption.
        word_to_id: the id of each word, of ``<pad>``, ``<start>``, ``<end>`` and ``<unk>`` too.
        max_length: the number of ids to return, at least 2: ``<start>`` and ``<end>`` count.

    Returns:
        ``max_length`` ids. A word that is not in ``word_to_id`` becomes ``<unk>``.

    Raises:
        ValueError: if ``max_length`` is below 2.

    Example:
        >>> word_to_id = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3, "a": 4, "dog": 5}
        >>> encode(["a", "dog", "runs"], word_to_id, max_length=6)
        [1, 4, 5, 3, 2, 0]
        >>> encode(["a", "dog", "runs"], word_to_id, max_length=4)
        [1, 4, 5, 2]
    """
    if max_length < 2:
        raise ValueError(f"max_length is {max_length}: give at least 2, as <start> and <end> count")
    words = [word_to_id.get(token, word_to_id["<unk>"]) for token in tokens[: max_length - 2]]
    token_ids = [word_to_id["<start>"], *words, word_to_id["<end>"]]
    return token_ids + [word_to_id["<pad>"]] * (max_length - len(token_ids))


def decode(token_ids: Iterable[int], words: Sequence[str]) -> list[str]:
    """Turn token ids back into words: everything before ``<end>``, without ``<pad>`` and ``<start>``.

    Args:
        token_ids: the ids of the caption; if there is no ``<end>``, all of them count.
        words: the word of each id; the first four are ``<pad>``, ``<start>``, ``<end>`` and ``<unk>``.

    Returns:
        The words of the caption; unknown words stay in place as ``<unk>``.

    Example:
        >>> decode([1, 4, 5, 3, 2, 5, 0], ["<pad>", "<start>", "<end>", "<unk>", "a", "dog"])
        ['a', 'dog', '<unk>']
    """
    kept = []
    for token_id in token_ids:
        if words[token_id] == "<end>":
            break
        if words[token_id] not in ("<pad>", "<start>"):
            kept.append(words[token_id])
    return kept


class Vocabulary:
    """The words a model knows and their ids: 0 to 3 are ``<pad>``, ``<start>``, ``<end>`` and ``<unk>``.

    Attributes:
        words: the word of each id, special words included.
        word_to_id: the id of each word.

    Example:
        >>> vocabulary = Vocabulary.from_captions([["a", "dog"], ["a", "cat"]])
        >>> vocabulary.encode(["a", "cat"])
        [1, 4, 5, 2]
        >>> vocabulary.decode([1, 4, 5, 2])
        ['a', 'cat']
    """

    def __init__(self, words: Sequence[str]) -> None:
        """
        Args:
            words: in the order of their ids, without the special words.

        Raises:
            ValueError: if a word occurs twice or is a special word.
        """
        self.words = (*SPECIALS, *words)
        self.word_to_id = {word: token_id for token_id, word in enumerate(self.words)}
        if len(self.word_to_id) != len(self.words):
            repeated = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(
                f"the words {', '.join(repeated[:5])} occur twice or are special words: give each word once, and none "
                f"of {', '.join(SPECIALS)}"
            )

    @classmethod
    def from_captions(
        cls, captions: Iterable[Sequence[str]], min_word_freq: int = 1, max_vocab_size: int | None = None
    ) -> Vocabulary:
        """The vocabulary of captions that were split into words; for the arguments see :func:`choose_words`.

        Raises:
            ValueError: if no word is frequent enough.
        """
        words = choose_words(captions, min_word_freq, max_vocab_size)
        if not words:
            raise ValueError(
                f"no word occurs {min_word_freq} times or more: give more captions or a smaller min_word_freq"
            )
        return cls(words)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, tokens: Sequence[str], max_length: int | None = None) -> list[int]:
        """See :func:`encode`; without ``max_length`` nothing is cut or padded."""
        return encode(tokens, self.word_to_id, len(tokens) + 2 if max_length is None else max_length)

    def decode(self, token_ids: Iterable[int]) -> list[str]:
        """See :func:`decode`."""
        return decode(token_ids, self.words)

    def to_json(self) -> dict:
        """The vocabulary as JSON values, from which :meth:`from_json` restores it."""
        return {"format": FORMAT, "words": list(self.words[len(SPECIALS) :])}

    @classmethod
    def from_json(cls, value: dict) -> Vocabulary:
        """The vocabulary that :meth:`to_json` described.

        Raises:
            ValueError: if the values are something else.
        """
        if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("words"), list):
            raise ValueError(
                f"this is no vocabulary of format {FORMAT}: expected a dict with the keys format and words"
            )
        if not all(isinstance(word, str) for word in value["words"]):
            odd = next(word for word in value["words"] if not isinstance(word, str))
            raise ValueError(f"this vocabulary contains {odd!r:.60} among its words: expected texts")
        return cls(value["words"])
