-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The tables of migrations/sqlite/0013_notifications.sql in MariaDB's words.
ALTER TABLE comments ADD COLUMN parent_id BIGINT,
    ADD KEY comments_parent (parent_id),
    ADD FOREIGN KEY (parent_id) REFERENCES comments (id) ON DELETE SET NULL;

CREATE TABLE notifications (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    occasion   VARCHAR(60) COLLATE utf8mb4_nopad_bin NOT NULL,
    kind       VARCHAR(10) NOT NULL CHECK (kind IN ('follow', 'like', 'comment', 'reply', 'mention')),
    actor_id   BIGINT NOT NULL,
    post_id    BIGINT,
    comment_id BIGINT,
    is_read    TINYINT NOT NULL DEFAULT 0,
    undone     TINYINT NOT NULL DEFAULT 0,
    created_us BIGINT NOT NULL,
    UNIQUE KEY notifications_occasion (user_id, occasion),
    KEY notifications_user (user_id, id),
    KEY notifications_unread (user_id, is_read, undone),
    KEY notifications_actor (actor_id),
    KEY notifications_post (post_id, user_id),
    KEY notifications_comment (comment_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    FOREIGN KEY (comment_id) REFERENCES comments (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
