-- SPDX-License-Identifier: AGPL-3.0-or-later
--
-- The ground floor: the tables of migrations/sqlite/0001_ground_floor.sql in
-- MariaDB's words. Times are integers: microseconds since 1970-01-01 UTC.
--
-- Order is by id. Here several connections change things at once, so what must
-- follow in the order of its ids takes a row's lock before it asks for one:
-- posts the row of counters, messages their conversation or group, events their topic.
--
-- Texts compare byte by byte. utf8mb4_bin takes "a" and "a " for the same, so
-- texts that are keys have utf8mb4_nopad_bin. A partial index is a plain one
-- here: the engine has no others.

CREATE TABLE counters (
    name  VARCHAR(50) COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY, -- posts, users, residents
    value BIGINT NOT NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO counters VALUES ('posts', 0), ('users', 0), ('residents', 0);

CREATE TABLE locations (
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name          VARCHAR(200) NOT NULL,
    location_type VARCHAR(50),
    x             DOUBLE NOT NULL,          -- top left corner
    y             DOUBLE NOT NULL,
    width         DOUBLE NOT NULL DEFAULT 10,
    height        DOUBLE NOT NULL DEFAULT 10,
    description   TEXT,
    KEY locations_xy (x, y)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE users (
    id              BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    username        VARCHAR(50) NOT NULL,
    username_key    VARCHAR(600) COLLATE utf8mb4_nopad_bin NOT NULL, -- NFKC case-folded: up to 11 times longer
    password_hash   VARCHAR(255),                                    -- NULL: can't log in (residents)
    nickname        VARCHAR(50) NOT NULL,
    avatar_path     VARCHAR(500),
    bio             TEXT,
    is_ai           TINYINT NOT NULL DEFAULT 0,
    role            VARCHAR(20) NOT NULL DEFAULT 'member'
                    CHECK (role IN ('member', 'moderator', 'admin', 'resident')),
    tokens_from_us  BIGINT NOT NULL DEFAULT 0, -- tokens issued before are void (log out everywhere)
    banned_us       BIGINT,
    posts_count     BIGINT NOT NULL DEFAULT 0,
    personality     MEDIUMTEXT,
    fatigue         BIGINT NOT NULL DEFAULT 0,
    current_x       DOUBLE NOT NULL DEFAULT 0,
    current_y       DOUBLE NOT NULL DEFAULT 0,
    current_location_id BIGINT,
    inventory_weight_limit DOUBLE NOT NULL DEFAULT 20,
    created_us      BIGINT NOT NULL,
    updated_us      BIGINT NOT NULL,
    UNIQUE KEY users_username_key (username_key),
    KEY users_is_ai (is_ai, id),
    KEY users_location (current_location_id),
    FOREIGN KEY (current_location_id) REFERENCES locations (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE sessions (
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id       BIGINT NOT NULL,
    family_hash   VARBINARY(64),            -- of what all its refresh tokens begin with; NULL: cannot be refreshed
    refresh_hash  VARBINARY(64),            -- of the rest of the one valid refresh token
    previous_hash VARBINARY(64),            -- of the one before, for two tabs; any other rest was stolen
    created_us    BIGINT NOT NULL,
    used_us       BIGINT NOT NULL,
    expires_us    BIGINT NOT NULL,
    revoked_us    BIGINT,
    client        TEXT,
    address       VARCHAR(100),
    UNIQUE KEY sessions_family (family_hash),
    KEY sessions_user (user_id, id),
    KEY sessions_expires (expires_us),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE posts (
    id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    author_id      BIGINT NOT NULL,
    content        TEXT NOT NULL,
    image_path     VARCHAR(500),
    likes_count    BIGINT NOT NULL DEFAULT 0 CHECK (likes_count >= 0),
    comments_count BIGINT NOT NULL DEFAULT 0 CHECK (comments_count >= 0),
    created_us     BIGINT NOT NULL,
    edited_us      BIGINT,
    KEY posts_author (author_id, id),
    FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE post_likes (
    post_id    BIGINT NOT NULL,
    user_id    BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (post_id, user_id),
    KEY post_likes_user (user_id),
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Words of posts, as store/search.c writes them: whatever case and accents, hence the collation.
CREATE TABLE post_search (
    post_id BIGINT NOT NULL PRIMARY KEY,
    content MEDIUMTEXT COLLATE utf8mb4_unicode_520_ci NOT NULL,
    FULLTEXT KEY post_search_content (content),
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE comments (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    post_id    BIGINT NOT NULL,
    author_id  BIGINT NOT NULL,
    content    TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    KEY comments_post (post_id, id),
    KEY comments_author (author_id, id),
    FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE,
    FOREIGN KEY (author_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE chat_groups (
    id              BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name            VARCHAR(100) NOT NULL,
    group_type      VARCHAR(10) NOT NULL DEFAULT 'online' CHECK (group_type IN ('online', 'offline')),
    owner_id        BIGINT,
    last_message_id BIGINT NOT NULL DEFAULT 0,
    messages_count  BIGINT NOT NULL DEFAULT 0,
    created_us      BIGINT NOT NULL,
    KEY chat_groups_owner (owner_id),
    FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE chat_group_members (
    group_id   BIGINT NOT NULL,
    user_id    BIGINT NOT NULL,
    joined_us  BIGINT NOT NULL,
    read_count BIGINT NOT NULL DEFAULT 0, -- of messages_count; the rest is unread
    read_id    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id),
    KEY chat_group_members_user (user_id, group_id),
    FOREIGN KEY (group_id) REFERENCES chat_groups (id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE messages (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sender_id   BIGINT NOT NULL,
    receiver_id BIGINT,
    group_id    BIGINT,
    low_id      BIGINT NOT NULL DEFAULT 0, -- the smaller of sender and receiver; 0 in groups
    high_id     BIGINT NOT NULL DEFAULT 0, -- the larger: both sides of a conversation find it
    content     TEXT NOT NULL,
    client_id   VARCHAR(64) COLLATE utf8mb4_nopad_bin, -- the sender's own name for it: sent twice, stored once
    created_us  BIGINT NOT NULL,
    KEY messages_pair (low_id, high_id, id),
    KEY messages_group (group_id, id),
    KEY messages_receiver (receiver_id),
    UNIQUE KEY messages_client (sender_id, client_id),
    CONSTRAINT messages_one_place CHECK ((receiver_id IS NULL) <> (group_id IS NULL)),
    FOREIGN KEY (sender_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (receiver_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (group_id) REFERENCES chat_groups (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row a member and partner: what the list of conversations shows.
CREATE TABLE conversations (
    user_id         BIGINT NOT NULL,
    partner_id      BIGINT NOT NULL,
    last_message_id BIGINT NOT NULL DEFAULT 0,
    messages_count  BIGINT NOT NULL DEFAULT 0,
    unread_count    BIGINT NOT NULL DEFAULT 0 CHECK (unread_count >= 0),
    read_id         BIGINT NOT NULL DEFAULT 0, -- the partner's messages up to here were read
    PRIMARY KEY (user_id, partner_id),
    KEY conversations_recent (user_id, last_message_id),
    KEY conversations_partner (partner_id),
    KEY conversations_unread (user_id, unread_count),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (partner_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Live events, numbered without gaps per topic; see docs/live.md.
CREATE TABLE topics (
    id   BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(100) COLLATE utf8mb4_nopad_bin NOT NULL, -- feed, user:7, group:3, post:9
    head BIGINT NOT NULL DEFAULT 0,       -- number of the newest event
    tail BIGINT NOT NULL DEFAULT 0,       -- events up to here are gone
    UNIQUE KEY topics_name (name)
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE events (
    topic_id BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    at_us    BIGINT NOT NULL,
    fold     VARCHAR(100) COLLATE utf8mb4_nopad_bin, -- a newer event with the same fold replaces this one
    payload  MEDIUMTEXT NOT NULL,
    PRIMARY KEY (topic_id, seq),
    UNIQUE KEY events_fold (topic_id, fold),
    KEY events_at (at_us),
    FOREIGN KEY (topic_id) REFERENCES topics (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE files (
    name       VARCHAR(200) COLLATE utf8mb4_nopad_bin NOT NULL PRIMARY KEY,
    kind       VARCHAR(10) NOT NULL CHECK (kind IN ('image', 'avatar')),
    owner_id   BIGINT,
    bytes      BIGINT NOT NULL,
    width      BIGINT NOT NULL,
    height     BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    KEY files_owner (owner_id, created_us),
    FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Answers to changes that carried an idempotency key, for a day.
CREATE TABLE idempotency (
    user_id         BIGINT NOT NULL,
    idempotency_key VARCHAR(255) COLLATE utf8mb4_nopad_bin NOT NULL,
    route           VARCHAR(200) NOT NULL,
    request         VARBINARY(64) NOT NULL, -- hash of target and body: the same key must mean the same
    status          INT NOT NULL,
    body            MEDIUMTEXT NOT NULL,
    at_us           BIGINT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key),
    KEY idempotency_at (at_us),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE audit (
    id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at_us    BIGINT NOT NULL,
    actor_id BIGINT,
    action   VARCHAR(50) NOT NULL,          -- login, login.failed, logout, password.changed …
    target   TEXT,
    address  VARCHAR(100),
    KEY audit_actor (actor_id, id),
    FOREIGN KEY (actor_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The town's tables, used by later floors.
CREATE TABLE memories (
    id             BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id        BIGINT NOT NULL,
    memory_type    VARCHAR(20) NOT NULL
                   CHECK (memory_type IN ('common', 'daily', 'important', 'knowledge', 'relation')),
    target_user_id BIGINT,
    content        TEXT NOT NULL,
    importance     BIGINT NOT NULL DEFAULT 5 CHECK (importance BETWEEN 1 AND 10),
    game_day       BIGINT,
    created_us     BIGINT NOT NULL,
    KEY memories_user (user_id, memory_type, id),
    KEY memories_target (target_user_id),
    KEY memories_day (game_day),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (target_user_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE game_events (
    id                  BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_type          VARCHAR(50) NOT NULL,
    character_id        BIGINT,
    target_character_id BIGINT,
    location_id         BIGINT,
    scheduled_time      BIGINT NOT NULL,    -- game minutes
    duration            BIGINT NOT NULL DEFAULT 0,
    priority            BIGINT NOT NULL DEFAULT 0,
    status              VARCHAR(20) NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled', 'failed')),
    data                MEDIUMTEXT,
    created_us          BIGINT NOT NULL,
    KEY game_events_time (scheduled_time),
    KEY game_events_status (status),
    KEY game_events_character (character_id),
    KEY game_events_target (target_character_id),
    KEY game_events_location (location_id),
    FOREIGN KEY (character_id) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (target_character_id) REFERENCES users (id) ON DELETE SET NULL,
    FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE image_gen_queue (
    id               BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    character_id     BIGINT NOT NULL,
    prompt           MEDIUMTEXT NOT NULL,
    reference_images MEDIUMTEXT,
    status           VARCHAR(20) NOT NULL DEFAULT 'pending'
                     CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    result_path      VARCHAR(500),
    created_us       BIGINT NOT NULL,
    KEY image_gen_queue_status (status),
    KEY image_gen_queue_character (character_id),
    FOREIGN KEY (character_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE inventory (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    item_name  VARCHAR(200) NOT NULL,
    weight     DOUBLE NOT NULL DEFAULT 0,
    quantity   BIGINT NOT NULL DEFAULT 1,
    properties MEDIUMTEXT,
    created_us BIGINT NOT NULL,
    KEY inventory_user (user_id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE action_logs (
    id                  BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    character_id        BIGINT NOT NULL,
    action_type         VARCHAR(50) NOT NULL,
    action_name         VARCHAR(200) NOT NULL,
    description         TEXT,
    location_id         BIGINT,
    target_character_id BIGINT,
    game_day            BIGINT,
    game_time           VARCHAR(5),         -- HH:MM
    duration            BIGINT NOT NULL DEFAULT 0,
    reason              TEXT,
    result              TEXT,
    success             TINYINT NOT NULL DEFAULT 1,
    input_prompt        MEDIUMTEXT,
    llm_response        MEDIUMTEXT,
    extra_data          MEDIUMTEXT,
    created_us          BIGINT NOT NULL,
    KEY action_logs_character (character_id, id),
    KEY action_logs_day (game_day),
    KEY action_logs_location (location_id),
    KEY action_logs_target (target_character_id),
    FOREIGN KEY (character_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (location_id) REFERENCES locations (id) ON DELETE SET NULL,
    FOREIGN KEY (target_character_id) REFERENCES users (id) ON DELETE SET NULL
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
