-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The tables of migrations/sqlite/0016_community.sql in MariaDB's words.
CREATE TABLE community (
    id        BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    name      VARCHAR(50) COLLATE utf8mb4_nopad_bin NOT NULL,
    about     VARCHAR(200) COLLATE utf8mb4_nopad_bin NOT NULL,
    language  VARCHAR(2) CHECK (language IN ('zh', 'en')),
    set_up_us BIGINT
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO community (id, name, about, set_up_us) SELECT 1, '', '', MIN(created_us) FROM users;

CREATE INDEX reports_reporter ON reports (reporter_id, id);
