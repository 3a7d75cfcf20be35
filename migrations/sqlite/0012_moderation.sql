-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The audit log says of what it speaks in two columns, how it was, and whether it was a deed of
-- who runs the community; and members' reports.
ALTER TABLE audit ADD COLUMN deed INTEGER NOT NULL DEFAULT 0; -- 0: of somebody's own account
ALTER TABLE audit ADD COLUMN kind TEXT;                       -- of `object_id`: user, post, key …
ALTER TABLE audit ADD COLUMN object_id INTEGER;
ALTER TABLE audit ADD COLUMN detail TEXT;
UPDATE audit SET kind = substr(target, 1, instr(target, ':') - 1),
    object_id = CAST(substr(target, instr(target, ':') + 1) AS INTEGER)
    WHERE target LIKE '_%:%';
UPDATE audit SET deed = 1 WHERE action IN ('role.changed', 'banned', 'unbanned');
ALTER TABLE audit DROP COLUMN target;
CREATE INDEX audit_deed ON audit (deed, id);
CREATE INDEX audit_action ON audit (action, id);

-- What members told moderators of: one row for each who told, until it is resolved. What it is about
-- may be gone; what it said then stays. It refers to no post: a report outlives it.
CREATE TABLE reports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    created_us  INTEGER NOT NULL,
    reporter_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('post', 'comment', 'message', 'user')),
    object_id   INTEGER NOT NULL,
    author_id   INTEGER REFERENCES users (id) ON DELETE SET NULL, -- whose it is
    post_id     INTEGER,                                          -- where a comment stands
    content     TEXT NOT NULL,                                    -- as it was
    reason      TEXT NOT NULL CHECK (reason IN ('spam', 'abuse', 'illegal', 'other')),
    note        TEXT,
    is_open     INTEGER DEFAULT 1 CHECK (is_open = 1),            -- or NULL: of those there may be many
    outcome     TEXT CHECK (outcome IN ('removed', 'dismissed', 'banned')),
    resolved_us INTEGER,
    resolved_by INTEGER REFERENCES users (id) ON DELETE SET NULL
);
CREATE UNIQUE INDEX reports_once ON reports (reporter_id, is_open, kind, object_id);
CREATE INDEX reports_object ON reports (kind, object_id, is_open);
CREATE INDEX reports_open ON reports (is_open, id);
CREATE INDEX reports_author ON reports (author_id);
CREATE INDEX reports_resolver ON reports (resolved_by);

-- How many administrators there are, and how many posts since midnight.
CREATE INDEX users_role ON users (role, id);
CREATE INDEX posts_created ON posts (created_us);
