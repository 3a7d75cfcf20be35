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
