-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0009_town_spending.sql.
CREATE TABLE town_spending (
    day BIGINT PRIMARY KEY,
    tokens BIGINT NOT NULL,
    cost_micro BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
