"""What can go wrong between a data set's source and its folder; each message is one line."""


class DataError(Exception):
    """Data cannot be downloaded, unpacked or read; the message says what was found and expected, and what to do."""


class MissingAtSource(DataError):
    """The source responds but does not have the file (HTTP 401, 403, 404, 410); retrying does not help."""


class Unreachable(DataError):
    """The source did not respond, or not completely, in any attempt."""


class DamagedFile(DataError):
    """A file has the wrong size, checksum or structure."""


class UnsafeArchive(DataError):
    """An archive that must not be unpacked: it would write outside its folder, holds links, or exceeds its limit."""


class NotFetched(DataError):
    """The data set is not in the data folder yet."""
