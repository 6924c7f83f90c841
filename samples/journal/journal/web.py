# SPDX-License-Identifier: Apache-2.0
"""The JSON the page asks for.

    GET    /api/entries?before=ID    a page of entries, newest first
    GET    /api/entries?q=WORDS      entries that hold the words
    POST   /api/entries              {"title", "text"}: a new one
    GET    /api/entries/ID           one
    PUT    /api/entries/ID           {"title", "text"}: changed
    DELETE /api/entries/ID           gone
    GET    /api/token                {"token"}: what a browser sends as X-Journal-Token with a write
    GET    /api/export?after=ID      {"entries", "next"}: all, oldest first, signed (see signing.py)
    GET    /api/export/key           the public key of the signature, PEM
"""

from __future__ import annotations

from bulkhead.json import dumps, loads

from . import store

_REASONS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 403: "Forbidden",
            404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large"}
_BODY_MAX = 262_144


class Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def app(environ, start_response):
    headers = [("Cache-Control", "no-store")]
    try:
        status, value = _route(environ, headers)
    except Refused as refused:
        status, value = refused.status, {"detail": str(refused)}
    if isinstance(value, bytes):
        body = value
    else:
        body = b"" if value is None else dumps(value).encode()
        headers.append(("Content-Type", "application/json"))
    start_response(f"{status} {_REASONS[status]}", headers)
    return [body]


def _route(environ, headers):
    """The status, and a JSON value or bytes; what else belongs to the head goes into ``headers``."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/")
    if method in ("POST", "PUT", "DELETE"):
        _refuse_forgery(environ)
    elif method in ("GET", "HEAD"):
        if path == "/api/token":
            from . import forgery

            return 200, {"token": forgery.token(environ["bulkhead.identity"])}
        if path in ("/api/export", "/api/export/key"):
            return 200, _export(path, _query(environ["QUERY_STRING"]), headers)
    if path == "/api/entries":
        if method in ("GET", "HEAD"):
            return 200, _list(_query(environ["QUERY_STRING"]))
        if method == "POST":
            return 201, store.add(*_fields(environ))
    elif path.startswith("/api/entries/") and path[13:].isascii() and path[13:].isdigit():
        return _entry(method, int(path[13:][:18]), environ)
    else:
        raise Refused(404, "There is nothing at this address.")
    raise Refused(405, f"{method} is not possible here.")


def _entry(method, number, environ):
    if method in ("GET", "HEAD"):
        found = store.get(number)
    elif method == "PUT":
        found = store.change(number, *_fields(environ))
    elif method == "DELETE":
        if store.remove(number):
            return 204, None
        found = None
    else:
        raise Refused(405, f"{method} is not possible here.")
    if found is None:
        raise Refused(404, "This entry does not exist any more.")
    return 200, found


def _list(query):
    words = query.get("q", "").strip()[:200]
    if words:
        return {"entries": store.search(words), "next": None}
    found = store.latest(_number(query, "before"))
    page = found[: store.PAGE]
    return {"entries": page, "next": page[-1]["id"] if len(found) > store.PAGE else None}


def _export(path, query, headers):
    from . import signing  # Not before it is wanted: the first page should not wait for it.

    if path == "/api/export/key":
        headers.append(("Content-Type", "application/x-pem-file"))
        return signing.public_key().encode()
    parts, rest = store.export(_number(query, "after") or 0)
    body = ('{"entries":[' + ",\n".join(parts) + '],"next":' + dumps(rest) + "}\n").encode()
    headers += signing.headers(body)
    headers.append(("Content-Type", "application/json"))
    headers.append(("Content-Disposition", 'attachment; filename="journal.json"'))
    return body


def _refuse_forgery(environ):
    from . import forgery

    if forgery.is_forged(environ):
        raise Refused(403, "This page is out of date. Load it again, then save.")


def _number(query, name):
    text = query.get(name, "")
    if text and not (text.isascii() and text.isdigit()):
        raise Refused(400, f"“{name}” must be the number of an entry.")
    return int(text[:18]) if text else None


def _fields(environ):
    body = environ["wsgi.input"].read(_BODY_MAX + 1)
    if len(body) > _BODY_MAX:
        raise Refused(413, "The entry is too long.")
    try:
        value = loads(body.decode())
    except (ValueError, RecursionError):
        raise Refused(400, "The request is not JSON.") from None
    title = value.get("title") if isinstance(value, dict) else None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(title, str) or not isinstance(text, str):
        raise Refused(400, "An entry has a title and a text.")
    title, text = " ".join(title.split()), text.strip()
    if not title and not text:
        raise Refused(400, "Write something first.")
    if len(title) > store.TITLE_MAX:
        raise Refused(400, f"The title has {len(title)} characters; {store.TITLE_MAX} fit.")
    if len(text) > store.TEXT_MAX:
        raise Refused(400, f"The text has {len(text)} characters; {store.TEXT_MAX} fit.")
    return title, text


def _query(text):
    query = {}
    for part in text.split("&"):
        name, _, value = part.partition("=")
        query[name] = _unquote(value)
    return query


def _unquote(value):
    parts = value.replace("+", " ").encode("latin-1").split(b"%")
    out = [parts[0]]
    for part in parts[1:]:
        try:
            out.append(bytes.fromhex(part[:2].decode("ascii")) + part[2:])
        except ValueError:
            out.append(b"%" + part)
    return b"".join(out).decode(errors="replace")
