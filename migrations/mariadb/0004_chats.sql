-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The tables of migrations/sqlite/0003_chats.sql in MariaDB's words.
CREATE TABLE chats (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    owner_id   BIGINT NOT NULL,
    title      VARCHAR(200) NOT NULL,
    model      VARCHAR(200) NOT NULL,
    system     MEDIUMTEXT NOT NULL,
    head_id    BIGINT NOT NULL DEFAULT 0,
    created_us BIGINT NOT NULL,
    KEY chats_owner (owner_id, id),
    FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE chat_turns (
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    chat_id       BIGINT NOT NULL,
    parent_id     BIGINT NOT NULL,
    role          VARCHAR(10) NOT NULL CHECK (role IN ('user', 'assistant')),
    status        VARCHAR(12) NOT NULL CHECK (status IN ('streaming', 'complete', 'cut_off', 'refused',
                  'interrupted', 'failed')),
    content       MEDIUMTEXT NOT NULL,
    reasoning     MEDIUMTEXT NOT NULL,
    site          VARCHAR(100) NOT NULL,
    model         VARCHAR(200) NOT NULL,
    detail        TEXT NOT NULL,
    input_tokens  BIGINT,
    output_tokens BIGINT,
    estimated     TINYINT NOT NULL,
    created_us    BIGINT NOT NULL,
    KEY chat_turns_chat (chat_id, id),
    KEY chat_turns_streaming (status),
    FOREIGN KEY (chat_id) REFERENCES chats (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
