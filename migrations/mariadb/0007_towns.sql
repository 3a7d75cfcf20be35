-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The tables of migrations/sqlite/0007_towns.sql in MariaDB's words.
CREATE TABLE towns (
    id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name         VARCHAR(200) NOT NULL,
    seed         BIGINT NOT NULL,
    running      TINYINT NOT NULL,
    speed        BIGINT NOT NULL,
    minute       BIGINT NOT NULL,
    effects      BIGINT NOT NULL,
    inputs       BIGINT NOT NULL,
    message_id   BIGINT NOT NULL,
    post_id      BIGINT NOT NULL,
    comment_id   BIGINT NOT NULL,
    holder       VARCHAR(100) NOT NULL,
    fence        BIGINT NOT NULL,
    lease_us     BIGINT NOT NULL,
    created_us   BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_people (
    town_id BIGINT NOT NULL,
    number  BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    PRIMARY KEY (town_id, number),
    UNIQUE KEY town_people_user (user_id),
    FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_checkpoints (
    town_id    BIGINT NOT NULL,
    minute     BIGINT NOT NULL,
    inputs     BIGINT NOT NULL,
    state      LONGBLOB NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (town_id, minute),
    FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_inputs (
    town_id BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    minute  BIGINT NOT NULL,
    input   VARBINARY(64) NOT NULL,
    PRIMARY KEY (town_id, seq),
    FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_posts (
    town_id BIGINT NOT NULL,
    serial  BIGINT NOT NULL,
    post_id BIGINT NOT NULL,
    PRIMARY KEY (town_id, serial),
    KEY town_posts_post (post_id),
    FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE,
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_todo (
    town_id BIGINT NOT NULL,
    number  BIGINT NOT NULL,
    effect  VARBINARY(64) NOT NULL,
    PRIMARY KEY (town_id, number),
    FOREIGN KEY (town_id) REFERENCES towns (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
