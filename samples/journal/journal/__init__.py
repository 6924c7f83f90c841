# SPDX-License-Identifier: Apache-2.0
"""A journal: entries in SQLite, found again by full text."""
