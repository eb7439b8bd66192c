"""HTTP POST, and what the answer means."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3

from .. import __version__
from ..errors import RefusedError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 5.0
BYTES_TO_TELL = 200
# These say nothing of the alert: who asks, and for what, is wrong until a person acts; the others pass by themselves.
LATER = {
    401: "give it the right username and password_file, or token_file",
    403: "give it a username and password_file, or a token_file, with the right to do this",
    404: "look whether the URL is right",
    407: "there is a proxy, which alerting does not support; name a URL without one",
    408: "",
    425: "",
    429: "",
}


class Poster:
    """Sends JSON to one server, which may be slow or away.

    The URL may hold a secret, so no text here has more of it than the server.
    """

    def __init__(self, url: str, authorization: str | None) -> None:
        self._url = url
        self._where = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self._headers = {"Content-Type": "application/json", "User-Agent": f"raspi-kafka/{__version__}"}
        if authorization:
            self._headers["Authorization"] = authorization
        # Whoever calls tries again; a redirect of a POST would arrive as a GET.
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(TIMEOUT_S), retries=False)

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Return once the server has taken it.

        :raises UnreachableError: it has not.
        :raises RefusedError: it never will.
        """
        try:
            answer = self._pool.request("POST", self._url, body=body, headers={**self._headers, **(headers or {})})
        except urllib3.exceptions.HTTPError as wrong:
            raise UnreachableError(f"{self._where} does not answer: {wrong}") from wrong
        judge(answer.status, f"{self._where} answers {answer.status} {answer.reason}: {told(answer.data)}")


def judge(status: int, said: str) -> None:
    """Return if a status means that the alert was taken.

    :param said: of the answer, for people.
    :raises UnreachableError: it was not, and is to be sent again.
    :raises RefusedError: it never will be.
    """
    if 200 <= status < 300:
        return
    if status in LATER:
        raise UnreachableError(f"{said}; {LATER[status]}" if LATER[status] else said)
    if 400 <= status < 500:
        raise RefusedError(said)
    if 300 <= status < 400:
        raise UnreachableError(f"{said}; name the URL to which it redirects")
    raise UnreachableError(said)


def told(body: bytes) -> str:
    """Return the beginning of an answer, on one line."""
    return " ".join(body[:BYTES_TO_TELL].decode(errors="replace").split())
