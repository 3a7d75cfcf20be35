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

CREATE TABLE reports (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    created_us  BIGINT NOT NULL,
    reporter_id BIGINT,
    kind        VARCHAR(10) NOT NULL CHECK (kind IN ('post', 'comment', 'message', 'user')),
    object_id   BIGINT NOT NULL,
    author_id   BIGINT,
    post_id     BIGINT,
    content     MEDIUMTEXT NOT NULL,
    reason      VARCHAR(10) NOT NULL CHECK (reason IN ('spam', 'abuse', 'illegal', 'other')),
    note        TEXT,
    is_open     TINYINT DEFAULT 1 CHECK (is_open = 1),
    outcome     VARCHAR(10) CHECK (outcome IN ('removed', 'dismissed', 'banned')),
    resolved_us BIGINT,
    resolved_by BIGINT,
    UNIQUE KEY reports_once (reporter_id, is_open, kind, object_id),
    KEY reports_object (kind, object_id, is_open),
    KEY reports_open (is_open, id),
    KEY reports_author (author_id),
    KEY reports_resolver (resolved_by),
    FOREIGN KEY (reporter_id) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (resolved_by) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX users_role ON users (role, id);
CREATE INDEX posts_created ON posts (created_us);
