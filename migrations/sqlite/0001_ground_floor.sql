-- SPDX-License-Identifier: AGPL-3.0-or-later
--
-- The ground floor. Times are integers: microseconds since 1970-01-01 UTC.
-- Order is by id: ids are given out inside the one writer, so they follow time.
-- Counts that lists show are kept beside what they count and change with it,
-- in the same transaction.

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,               -- posts, users, residents
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('posts', 0), ('users', 0), ('residents', 0);

CREATE TABLE locations (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL,
    location_type TEXT,
    x             REAL NOT NULL,          -- top left corner
    y             REAL NOT NULL,
    width         REAL NOT NULL DEFAULT 10,
    height        REAL NOT NULL DEFAULT 10,
    description   TEXT
);
CREATE INDEX locations_xy ON locations (x, y);

CREATE TABLE users (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    username        TEXT NOT NULL,
    username_key    TEXT NOT NULL UNIQUE, -- NFKC case-folded: one name whatever the case
    password_hash   TEXT,                 -- NULL: can't log in (residents)
    nickname        TEXT NOT NULL,
    avatar_path     TEXT,
    bio             TEXT,
    is_ai           INTEGER NOT NULL DEFAULT 0,
    role            TEXT NOT NULL DEFAULT 'member'
                    CHECK (role IN ('member', 'moderator', 'admin', 'resident')),
    tokens_from_us  INTEGER NOT NULL DEFAULT 0, -- tokens issued before are void (log out everywhere)
    banned_us       INTEGER,
    posts_count     INTEGER NOT NULL DEFAULT 0,
    personality     TEXT,
    fatigue         INTEGER NOT NULL DEFAULT 0,
    current_x       REAL NOT NULL DEFAULT 0,
    current_y       REAL NOT NULL DEFAULT 0,
    current_location_id INTEGER REFERENCES locations (id) ON DELETE SET NULL,
    inventory_weight_limit REAL NOT NULL DEFAULT 20,
    created_us      INTEGER NOT NULL,
    updated_us      INTEGER NOT NULL
);
CREATE INDEX users_is_ai ON users (is_ai, id);
CREATE INDEX users_location ON users (current_location_id);

CREATE TABLE sessions (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family_hash   BLOB UNIQUE,            -- of what all its refresh tokens begin with; NULL: cannot be refreshed
    refresh_hash  BLOB,                   -- of the rest of the one valid refresh token
    previous_hash BLOB,                   -- of the one before, for two tabs; any other rest was stolen
    created_us    INTEGER NOT NULL,
    used_us       INTEGER NOT NULL,
    expires_us    INTEGER NOT NULL,
    revoked_us    INTEGER,
    client        TEXT,
    address       TEXT
);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_expires ON sessions (expires_us);

CREATE TABLE posts (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    author_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    content        TEXT NOT NULL,
    image_path     TEXT,
    likes_count    INTEGER NOT NULL DEFAULT 0 CHECK (likes_count >= 0),
    comments_count INTEGER NOT NULL DEFAULT 0 CHECK (comments_count >= 0),
    created_us     INTEGER NOT NULL,
    edited_us      INTEGER
);
CREATE INDEX posts_author ON posts (author_id, id);

CREATE TABLE post_likes (
    post_id    INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us INTEGER NOT NULL,
    PRIMARY KEY (post_id, user_id)
) WITHOUT ROWID;
CREATE INDEX post_likes_user ON post_likes (user_id, post_id);

-- Words of posts; rowid is the post. The text itself stays in posts.
CREATE VIRTUAL TABLE post_search USING fts5 (
    content, content = '', tokenize = 'unicode61 remove_diacritics 2', detail = full
);

CREATE TABLE comments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    post_id    INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    author_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    content    TEXT NOT NULL,
    created_us INTEGER NOT NULL
);
CREATE INDEX comments_post ON comments (post_id, id);
CREATE INDEX comments_author ON comments (author_id, id);

CREATE TABLE chat_groups (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL,
    group_type      TEXT NOT NULL DEFAULT 'online' CHECK (group_type IN ('online', 'offline')),
    owner_id        INTEGER REFERENCES users (id) ON DELETE SET NULL,
    last_message_id INTEGER NOT NULL DEFAULT 0,
    messages_count  INTEGER NOT NULL DEFAULT 0,
    created_us      INTEGER NOT NULL
);
CREATE INDEX chat_groups_owner ON chat_groups (owner_id);

CREATE TABLE chat_group_members (
    group_id   INTEGER NOT NULL REFERENCES chat_groups (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_us  INTEGER NOT NULL,
    read_count INTEGER NOT NULL DEFAULT 0, -- of messages_count; the rest is unread
    read_id    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX chat_group_members_user ON chat_group_members (user_id, group_id);

CREATE TABLE messages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    sender_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    receiver_id INTEGER REFERENCES users (id) ON DELETE CASCADE,
    group_id    INTEGER REFERENCES chat_groups (id) ON DELETE CASCADE,
    low_id      INTEGER NOT NULL DEFAULT 0, -- the smaller of sender and receiver; 0 in groups
    high_id     INTEGER NOT NULL DEFAULT 0, -- the larger: both sides of a conversation find it
    content     TEXT NOT NULL,
    client_id   TEXT,                       -- the sender's own name for it: sent twice, stored once
    created_us  INTEGER NOT NULL,
    CHECK ((receiver_id IS NULL) <> (group_id IS NULL))
);
CREATE INDEX messages_pair ON messages (low_id, high_id, id) WHERE group_id IS NULL;
CREATE INDEX messages_group ON messages (group_id, id) WHERE group_id IS NOT NULL;
CREATE INDEX messages_receiver ON messages (receiver_id);
CREATE UNIQUE INDEX messages_client ON messages (sender_id, client_id);

-- One row a member and partner: what the list of conversations shows.
CREATE TABLE conversations (
    user_id         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    partner_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_message_id INTEGER NOT NULL DEFAULT 0,
    messages_count  INTEGER NOT NULL DEFAULT 0,
    unread_count    INTEGER NOT NULL DEFAULT 0 CHECK (unread_count >= 0),
    read_id         INTEGER NOT NULL DEFAULT 0, -- the partner's messages up to here were read
    PRIMARY KEY (user_id, partner_id)
) WITHOUT ROWID;
-- unread_count and, as part of the key, partner_id: the list is read from this index alone.
CREATE INDEX conversations_recent ON conversations (user_id, last_message_id, unread_count);
CREATE INDEX conversations_partner ON conversations (partner_id);
CREATE INDEX conversations_unread ON conversations (user_id) WHERE unread_count > 0;

-- Live events, numbered without gaps per topic; see docs/live.md.
CREATE TABLE topics (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,            -- feed, user:7, group:3, post:9
    head INTEGER NOT NULL DEFAULT 0,      -- number of the newest event
    tail INTEGER NOT NULL DEFAULT 0       -- events up to here are gone
);
CREATE TABLE events (
    topic_id INTEGER NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
    seq      INTEGER NOT NULL,
    at_us    INTEGER NOT NULL,
    fold     TEXT,                        -- a newer event with the same fold replaces this one
    payload  TEXT NOT NULL,
    PRIMARY KEY (topic_id, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX events_fold ON events (topic_id, fold) WHERE fold IS NOT NULL;
CREATE INDEX events_at ON events (at_us);

CREATE TABLE files (
    name       TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('image', 'avatar')),
    owner_id   INTEGER REFERENCES users (id) ON DELETE SET NULL,
    bytes      INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_owner ON files (owner_id, created_us);

-- Answers to changes that carried an idempotency key, for a day.
CREATE TABLE idempotency (
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    idempotency_key TEXT NOT NULL,
    route   TEXT NOT NULL,
    request BLOB NOT NULL,                -- hash of target and body: the same key must mean the same
    status  INTEGER NOT NULL,
    body    TEXT NOT NULL,
    at_us   INTEGER NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency (at_us);

CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us    INTEGER NOT NULL,
    actor_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    action   TEXT NOT NULL,               -- login, login.failed, logout, password.changed …
    target   TEXT,
    address  TEXT
);
CREATE INDEX audit_actor ON audit (actor_id, id);

-- The town's tables, used by later floors.
CREATE TABLE memories (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    memory_type    TEXT NOT NULL
                   CHECK (memory_type IN ('common', 'daily', 'important', 'knowledge', 'relation')),
    target_user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    content        TEXT NOT NULL,
    importance     INTEGER NOT NULL DEFAULT 5 CHECK (importance BETWEEN 1 AND 10),
    game_day       INTEGER,
    created_us     INTEGER NOT NULL
);
CREATE INDEX memories_user ON memories (user_id, memory_type, id);
CREATE INDEX memories_target ON memories (target_user_id);
CREATE INDEX memories_day ON memories (game_day);

CREATE TABLE game_events (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type          TEXT NOT NULL,
    character_id        INTEGER REFERENCES users (id) ON DELETE SET NULL,
    target_character_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    location_id         INTEGER REFERENCES locations (id) ON DELETE SET NULL,
    scheduled_time      INTEGER NOT NULL, -- game minutes
    duration            INTEGER NOT NULL DEFAULT 0,
    priority            INTEGER NOT NULL DEFAULT 0,
    status              TEXT NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled', 'failed')),
    data                TEXT,
    created_us          INTEGER NOT NULL
);
CREATE INDEX game_events_time ON game_events (scheduled_time);
CREATE INDEX game_events_status ON game_events (status);
CREATE INDEX game_events_character ON game_events (character_id);
CREATE INDEX game_events_target ON game_events (target_character_id);
CREATE INDEX game_events_location ON game_events (location_id);

CREATE TABLE image_gen_queue (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    character_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    prompt           TEXT NOT NULL,
    reference_images TEXT,
    status           TEXT NOT NULL DEFAULT 'pending'
                     CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    result_path      TEXT,
    created_us       INTEGER NOT NULL
);
CREATE INDEX image_gen_queue_status ON image_gen_queue (status);
CREATE INDEX image_gen_queue_character ON image_gen_queue (character_id);

CREATE TABLE inventory (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    item_name  TEXT NOT NULL,
    weight     REAL NOT NULL DEFAULT 0,
    quantity   INTEGER NOT NULL DEFAULT 1,
    properties TEXT,
    created_us INTEGER NOT NULL
);
CREATE INDEX inventory_user ON inventory (user_id);

CREATE TABLE action_logs (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    character_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    action_type         TEXT NOT NULL,
    action_name         TEXT NOT NULL,
    description         TEXT,
    location_id         INTEGER REFERENCES locations (id) ON DELETE SET NULL,
    target_character_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    game_day            INTEGER,
    game_time           TEXT,             -- HH:MM
    duration            INTEGER NOT NULL DEFAULT 0,
    reason              TEXT,
    result              TEXT,
    success             INTEGER NOT NULL DEFAULT 1,
    input_prompt        TEXT,
    llm_response        TEXT,
    extra_data          TEXT,
    created_us          INTEGER NOT NULL
);
CREATE INDEX action_logs_character ON action_logs (character_id, id);
CREATE INDEX action_logs_day ON action_logs (game_day);
CREATE INDEX action_logs_location ON action_logs (location_id);
CREATE INDEX action_logs_target ON action_logs (target_character_id);
