"""What can go wrong between a data set's home and its folder, each said in one line."""


class DataError(Exception):
    """Data cannot be fetched, unpacked or read; the message says what was found, what was expected and what to do."""


class MissingAtSource(DataError):
    """The source answers, but has no such file (HTTP 401, 403, 404, 410); trying again will not help."""


class Unreachable(DataError):
    """The source did not answer, or not to the end, after every try."""


class DamagedFile(DataError):
    """A file is not what its source promised: its size, checksum or structure is wrong."""


class UnsafeArchive(DataError):
    """An archive that must not be unpacked: it leaves its folder, holds links, or grows beyond its limit."""


class NotFetched(DataError):
    """The data set is not in the data folder yet."""
