# SPDX-License-Identifier: Apache-2.0
"""Entries, kept in the app's database ``main``; its tables are made by ``migrations/main``."""

from __future__ import annotations

from bulkhead import sql
from bulkhead.json import dumps

TITLE_MAX = 200
TEXT_MAX = 50_000
PAGE = 20
EXPORT_MAX = 8_388_608
"""Bytes of entries in one export; they are in memory at once, for the signature comes first."""

_db = sql.open("main")
_COLUMNS = "id, written, changed, title, text"

# What the index is told of a row that comes, and of one that goes.
_INDEX = "INSERT INTO entry_text (rowid, title, text)"
_FORGET = """INSERT INTO entry_text (entry_text, rowid, title, text)
             SELECT 'delete', id, title, text FROM entry WHERE id = ?"""


def _rows(statement: str, params: tuple[object, ...]) -> list[dict[str, object]]:
    return list(_db.query(statement, params).dicts())


def _one(statement: str, params: tuple[object, ...]) -> dict[str, object] | None:
    rows = _rows(statement, params)
    return rows[0] if rows else None


def latest(before: int | None) -> list[dict[str, object]]:
    """One entry more than a page, newest first, older than ``before``."""
    return _rows(
        f"SELECT {_COLUMNS} FROM entry WHERE id < ? ORDER BY id DESC LIMIT ?",
        (2**63 - 1 if before is None else before, PAGE + 1),
    )


def search(words: str) -> list[dict[str, object]]:
    """The best matches. What was found stands between \\x01 and \\x02."""
    # Each word is quoted, so that nothing a person types is an operator; the last may go on.
    terms = " ".join('"' + word.replace('"', '""') + '"' for word in words.split())
    return _rows(
        """SELECT entry.id, entry.written, entry.changed,
             highlight(entry_text, 0, char(1), char(2)) AS title,
             snippet(entry_text, 1, char(1), char(2), '…', 40) AS text
           FROM entry_text JOIN entry ON entry.id = entry_text.rowid
           WHERE entry_text MATCH ? ORDER BY rank LIMIT 50""",
        (terms + "*",),
    )


def get(number: int) -> dict[str, object] | None:
    return _one(f"SELECT {_COLUMNS} FROM entry WHERE id = ?", (number,))


def add(title: str, text: str) -> dict[str, object]:
    made, _ = _db.batch(
        [
            (
                f"""INSERT INTO entry (written, title, text)
                    VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?, ?) RETURNING {_COLUMNS}""",
                (title, text),
            ),
            (_INDEX + " VALUES (last_insert_rowid(), ?, ?)", (title, text)),
        ]
    )
    return made.one().as_dict()


def change(number: int, title: str, text: str) -> dict[str, object] | None:
    _, made, _ = _db.batch(
        [
            (_FORGET, (number,)),
            (
                f"""UPDATE entry SET title = ?, text = ?,
                      changed = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
                    WHERE id = ? RETURNING {_COLUMNS}""",
                (title, text, number),
            ),
            (_INDEX + " SELECT id, title, text FROM entry WHERE id = ?", (number,)),
        ]
    )
    return made.one().as_dict() if made else None


def remove(number: int) -> bool:
    _, gone = _db.batch(
        [(_FORGET, (number,)), ("DELETE FROM entry WHERE id = ?", (number,))]
    )
    return gone.changes == 1


def export(after: int) -> tuple[list[str], int | None]:
    """Entries as JSON, oldest first, those after ``after``; and after which to go on, if more are left."""
    parts: list[str] = []
    size, last = 0, after
    for row in _db.stream(f"SELECT {_COLUMNS} FROM entry WHERE id > ? ORDER BY id", (after,)):
        part = dumps(row.as_dict())
        size += len(part.encode()) + 1
        if parts and size > EXPORT_MAX:
            return parts, last
        parts.append(part)
        last = row["id"]
    return parts, None
