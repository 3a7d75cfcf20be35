-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0012_moderation.sql.
ALTER TABLE audit
    ADD COLUMN deed TINYINT NOT NULL DEFAULT 0,
    ADD COLUMN kind VARCHAR(30),
    ADD COLUMN object_id BIGINT,
    ADD COLUMN detail TEXT,
    ADD KEY audit_deed (deed, id),
    ADD KEY audit_action (action, id);
UPDATE audit SET kind = SUBSTRING(target, 1, LOCATE(':', target) - 1),
    object_id = CAST(SUBSTRING(target, LOCATE(':', target) + 1) AS SIGNED)
    WHERE target LIKE '_%:%';
UPDATE audit SET deed = 1 WHERE action IN ('role.changed', 'banned', 'unbanned');
ALTER TABLE audit DROP COLUMN target;
