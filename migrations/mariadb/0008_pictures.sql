-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0008_pictures.sql.
ALTER TABLE image_gen_queue
    ADD COLUMN post_id BIGINT,
    ADD COLUMN tries INT NOT NULL DEFAULT 0,
    ADD COLUMN next_try_us BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN error TEXT,
    ADD COLUMN seed BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN prompt_id VARCHAR(100),
    ADD COLUMN updated_us BIGINT NOT NULL DEFAULT 0,
    ADD KEY image_gen_queue_due (status, next_try_us, id),
    ADD KEY image_gen_queue_day (character_id, created_us),
    ADD KEY image_gen_queue_post (post_id),
    ADD FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE SET NULL;
