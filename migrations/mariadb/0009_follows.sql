-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The tables of migrations/sqlite/0009_follows.sql in MariaDB's words.
CREATE TABLE follows (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    follower_id BIGINT NOT NULL,
    followed_id BIGINT NOT NULL,
    created_us  BIGINT NOT NULL,
    UNIQUE KEY follows_pair (follower_id, followed_id),
    KEY follows_follower (follower_id, id),
    KEY follows_followed (followed_id, id),
    CONSTRAINT follows_others CHECK (follower_id <> followed_id),
    FOREIGN KEY (follower_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (followed_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE town_notices (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    actor_id    BIGINT NOT NULL,
    followed_id BIGINT,
    post_id     BIGINT,
    told        TINYINT NOT NULL DEFAULT 0,
    UNIQUE KEY town_notices_follow (followed_id, actor_id),
    UNIQUE KEY town_notices_like (post_id, actor_id),
    KEY town_notices_actor (actor_id),
    KEY town_notices_told (told, id),
    CONSTRAINT town_notices_one_deed CHECK ((followed_id IS NULL) <> (post_id IS NULL)),
    FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (followed_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
