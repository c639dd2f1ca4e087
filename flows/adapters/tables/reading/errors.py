"""What goes wrong while a source's files are read, as a sentence for people.

What a library says about a file may quote a cell of it, so none of its words are passed on.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError

import pandas as pd
import pyarrow as pa

from configs.errors import ServiceUnreachable, UserError
from configs.sources import SourceSettings
from flows.adapters.sql.database import hidden

_DAMAGED = (
    pa.ArrowException, pd.errors.ParserError, UnicodeError, zlib.error, LZMAError, EOFError,
    zipfile.BadZipFile, KeyError, IndexError, OverflowError, MemoryError,
)  # fmt: skip


@contextmanager
def clear_file_errors(source: SourceSettings, path: str) -> Iterator[None]:
    """Turn what the libraries raise into a `UserError` or `ServiceUnreachable`."""
    where = f"Source {source.name!r}: {hidden(path)}"
    try:
        yield
    except (UserError, ServiceUnreachable):
        raise
    except FileNotFoundError:
        raise UserError(f"{where} does not exist; check `path:` in the source file.") from None
    except (IsADirectoryError, NotADirectoryError):
        raise UserError(f"{where} is a folder where a file is due, or the reverse.") from None
    except _DAMAGED as error:
        raise _damaged(where, error) from None
    except ImportError as error:
        raise UserError(
            f"{where} cannot be read: the package {error.name or 'for this address'!r} is not "
            "installed; install it, or copy the file here."
        ) from None
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise _damaged(where, error) from None
    except PermissionError:
        raise UserError(f"{where} may not be read by this user; change its permissions.") from None
    except OSError as error:
        # Arrow and gzip say OSError of a file that is whole on disk and broken inside.
        if error.errno is None and "://" not in path:
            raise _damaged(where, error) from None
        said = error.strerror or type(error).__name__
        raise ServiceUnreachable(
            f"{where} does not answer: {said}. Try again when it does."
        ) from None


def _damaged(where: str, error: BaseException) -> UserError:
    return UserError(
        f"{where} cannot be read ({type(error).__name__}). Is it whole, and what its ending says?"
    )
