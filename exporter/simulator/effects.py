"""The effects of the faults, by the moment at which they strike."""

from __future__ import annotations

import gzip
import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode
from zlib import crc32

from exporter.simulator import answers
from exporter.simulator.query import link, token_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from exporter.simulator.answers import Answer
    from exporter.simulator.asked import Asked
    from exporter.simulator.faults import Fault
    from exporter.simulator.listing import Seen
    from exporter.simulator.query import Query

T = TypeVar("T")

FOREIGN_ORIGIN = "https://elsewhere.invalid"
_HTML = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>\n"
_NONSENSE = {
    "X-RateLimit-Limit": "many",
    "X-RateLimit-Remaining": "few",
    "X-RateLimit-Reset": "1e999",
}


def answer_instead(faults: Iterable[Fault], asked: Asked) -> Answer | None:
    """Return the answer that takes the place of the real one, if a fault has one."""
    for fault in faults:
        if (make := _INSTEAD.get(fault.name)) is not None:
            return make(fault, asked)
    return None


def _reached(fault: Fault, asked: Asked) -> Answer:
    del asked
    answer = answers.too_many_requests()
    if fault.seconds is not None:
        answer.headers["Retry-After"] = str(math.ceil(fault.seconds))
    return answer


def _html_page(fault: Fault, asked: Asked) -> Answer:
    del fault, asked
    return answers.Answer(502, _HTML, {"Content-Type": "text/html"})


def _gzip_error(fault: Fault, asked: Asked) -> Answer:
    del fault
    answer = answers.server_error(asked.id)
    return replace(answer, body=gzip.compress(answer.body, mtime=0))


def _redirect(fault: Fault, asked: Asked) -> Answer:
    origin = FOREIGN_ORIGIN if fault.foreign else asked.origin
    return answers.Answer(307, headers={"Location": origin + asked.target})


_INSTEAD: dict[str, Callable[[Fault, Asked], Answer]] = {
    "429": _reached,
    "500": lambda _, asked: answers.server_error(asked.id),
    "html502": _html_page,
    "401": lambda _, asked: answers.unauthorized(asked.id),
    "403": lambda _, asked: answers.forbidden(asked.id),
    "forbidden-key": lambda _, asked: answers.invalid_api_key(asked.id),
    "gzip-error": _gzip_error,
    "array": lambda *_: answers.json_answer(b"[]"),
    "redirect": _redirect,
}


def shrunk(seen: Seen[T], name_of: Callable[[T], str]) -> Callable[[T], bool]:
    """Return the view of a role that has lost about half of what ``seen`` shows."""
    return lambda record: (
        crc32(name_of(record).encode()) % 2 == 0 and (seen is None or seen(record))
    )


def next_link(names: set[str], asked: Asked, query: Query, token: str | None) -> str | None:
    """Return ``metadata.next``, by rights the link to ``token``, as the faults ``names`` leave it.

    ``loop`` repeats the cursor of the page itself. The first page has none, and gets one that
    leads to the first page again.
    """
    if "loop" in names:
        return link(asked.address, query, token_after(query.after or ""))
    if "notoken" in names:
        return f"{asked.address}?{urlencode({'page_size': query.page_size})}"
    if token is None:
        return None
    address = FOREIGN_ORIGIN + asked.path if "foreign-next" in names else asked.address
    return link(address, query, token)


def damage(answer: Answer, names: set[str]) -> None:
    """Let the faults ``names`` change ``answer`` on its way out."""
    if "truncated" in names:
        answer.body = answer.body[: len(answer.body) // 2]
    if "reset" in names:
        answer.breaks = True
    if names & {"no-headers", "garbled-headers"}:
        signs = {name for name in answer.headers if name.startswith("X-RateLimit-")}
        retry = answer.headers.pop("Retry-After", None)
        for name in signs:
            del answer.headers[name]
        if "garbled-headers" in names:
            answer.headers |= _NONSENSE
            if retry is not None or answer.status == 429:  # noqa: PLR2004 # Too Many Requests
                answer.headers["Retry-After"] = "soon"
