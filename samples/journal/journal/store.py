# SPDX-License-Identifier: Apache-2.0
"""Entries, kept in the app's database ``main``."""

from __future__ import annotations

from bulkhead import HostError, sql

TITLE_MAX = 200
TEXT_MAX = 50_000
PAGE = 20

# The index of the text follows the table by triggers, so that no writer can forget it.
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS entry (
         id INTEGER PRIMARY KEY,
         written TEXT NOT NULL,
         changed TEXT,
         title TEXT NOT NULL,
         text TEXT NOT NULL)""",
    """CREATE VIRTUAL TABLE IF NOT EXISTS entry_text USING fts5(
         title, text, content='entry', content_rowid='id',
         tokenize='unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER IF NOT EXISTS entry_added AFTER INSERT ON entry BEGIN
         INSERT INTO entry_text(rowid, title, text) VALUES (new.id, new.title, new.text);
       END""",
    """CREATE TRIGGER IF NOT EXISTS entry_removed AFTER DELETE ON entry BEGIN
         INSERT INTO entry_text(entry_text, rowid, title, text)
           VALUES ('delete', old.id, old.title, old.text);
       END""",
    """CREATE TRIGGER IF NOT EXISTS entry_changed AFTER UPDATE ON entry BEGIN
         INSERT INTO entry_text(entry_text, rowid, title, text)
           VALUES ('delete', old.id, old.title, old.text);
         INSERT INTO entry_text(rowid, title, text) VALUES (new.id, new.title, new.text);
       END""",
)

_db = sql.open("main")
_COLUMNS = "id, written, changed, title, text"


def _rows(statement: str, params: tuple[object, ...]) -> list[dict[str, object]]:
    try:
        return list(_db.query(statement, params).dicts())
    except HostError as error:
        if "no such table" not in error.message:
            raise
    _db.batch(_SCHEMA)
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
    made = _one(
        f"""INSERT INTO entry (written, title, text)
            VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?, ?) RETURNING {_COLUMNS}""",
        (title, text),
    )
    assert made is not None
    return made


def change(number: int, title: str, text: str) -> dict[str, object] | None:
    return _one(
        f"""UPDATE entry SET title = ?, text = ?, changed = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
            WHERE id = ? RETURNING {_COLUMNS}""",
        (title, text, number),
    )


def remove(number: int) -> bool:
    return _db.execute("DELETE FROM entry WHERE id = ?", (number,)).changes == 1
