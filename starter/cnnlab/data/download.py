"""An archive from the network, once: checked before use, and each time again.

pooch does the work: it downloads under a temporary name, compares the checksum, and only then gives
the file its name. So a download that was cut off or came out wrong is never used, and two
processes at once do not disturb each other.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
import time
from pathlib import Path

from cnnlab.data.errors import DataError
from cnnlab.data.registry import Archive

RETRIES = 2
SILENCE = 30  # seconds without a byte until a server counts as gone
STALE = 3600  # seconds after which an unfinished download is nobody's


def cache_folder() -> Path:
    """Where downloads are kept: one folder per user, on Linux ~/.cache/cnnlab/datasets."""
    import pooch

    return Path(pooch.os_cache("cnnlab")) / "datasets"


def fetch(archive: Archive, folder: Path) -> Path:
    """The archive as a file in ``folder``; downloaded if it is not there or is damaged.

    Shows a progress bar on stdout (in a notebook stderr would be red). A download that fails is
    begun again, twice.

    Raises:
        DataError: it cannot be had. The message says why; what to do instead, the caller knows.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.ERROR)  # the bar says it better
    _remove_leftovers(folder)
    store = pooch.create(
        path=folder,
        base_url="",
        registry={archive.file_name: archive.checksum},
        urls={archive.file_name: archive.url},
        retry_if_failed=RETRIES,
    )
    try:
        return Path(store.fetch(archive.file_name, downloader=_download))
    except requests.RequestException as error:
        why = _network(error)
    except ValueError:  # pooch's, of the checksum
        why = "what came is not the right file (its checksum differs), so it was deleted"
    except OSError as error:
        raise DataError(_disk(error, folder)) from None
    raise DataError(f"{archive.url} could not be downloaded: {why}.") from None


def _download(url: str, output_file: str, store) -> None:
    import pooch
    from tqdm import tqdm

    class Bar(tqdm):
        def reset(self):  # pooch counts whole chunks, then begins at 0 and adds the true size
            self.n = 0

    looks = {"unit": "B", "unit_scale": True, "file": sys.stdout, "ncols": 79}
    # No bar for a server that does not answer: hence the delay. pooch sets the total, but asks
    # before whether the bar is true, which a bar without a total refuses to say.
    with Bar(desc=url.rsplit("/", 1)[-1], total=1, delay=0.1, **looks) as bar:
        pooch.HTTPDownloader(
            progressbar=bar,
            timeout=SILENCE,
            chunk_size=1 << 16,
            headers={"Accept-Encoding": "identity"},  # else some servers have it unpacked under way
        )(url, output_file, store)


def _remove_leftovers(folder: Path) -> None:
    """Temporary files of processes that were killed."""
    with contextlib.suppress(OSError):  # whatever is wrong with the folder, fetch will say
        for path in folder.glob("tmp*"):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


def _network(error: Exception) -> str:
    import requests
    import urllib3

    inner = error.args[0] if error.args else None
    if isinstance(error, requests.HTTPError):
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout) or isinstance(inner, urllib3.exceptions.TimeoutError):
        return f"nothing came for {SILENCE} seconds"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off, again and again"
    if isinstance(error, requests.ConnectionError):
        return "there is no connection to the server"
    return str(error)


def _disk(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: {folder} needs room for 170 MB. Make room, then try again."
    return (
        f"{folder} cannot be written ({error.strerror or error}). Downloads are kept there; set "
        "XDG_CACHE_HOME to a folder that you may write to."
    )
