-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0011_society.sql.
CREATE TABLE town_needs (
    town_id BIGINT NOT NULL,
    hour    BIGINT NOT NULL,
    need    VARCHAR(20) NOT NULL,
    mean    INT NOT NULL,
    low     INT NOT NULL,
    middle  INT NOT NULL,
    high    INT NOT NULL,
    PRIMARY KEY (town_id, hour, need),
    CONSTRAINT town_needs_town FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

DROP INDEX action_logs_day ON action_logs;
CREATE INDEX action_logs_day ON action_logs (game_day, action_type, game_time, character_id, created_us);
