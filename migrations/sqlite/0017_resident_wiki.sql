-- SPDX-License-Identifier: AGPL-3.0-or-later
-- A wiki that a resident knows about.
ALTER TABLE users ADD COLUMN wiki_id INTEGER REFERENCES wikis (id) ON DELETE SET NULL;
-- Asked when a wiki goes.
CREATE INDEX users_wiki ON users (wiki_id) WHERE wiki_id IS NOT NULL;
