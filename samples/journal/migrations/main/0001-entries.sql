CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  written TEXT NOT NULL,
  changed TEXT,
  title TEXT NOT NULL,
  text TEXT NOT NULL
);

-- An index without a copy of the text: who changes `entry` tells it in the same transaction.
CREATE VIRTUAL TABLE entry_text USING fts5 (
  title, text, content = 'entry', content_rowid = 'id',
  tokenize = 'unicode61 remove_diacritics 2'
);
