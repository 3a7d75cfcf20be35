-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The residents' picture queue: for which post, how often it was tried, when again, and under which
-- number the picture server knows it.
ALTER TABLE image_gen_queue ADD COLUMN post_id INTEGER REFERENCES posts (id) ON DELETE SET NULL;
ALTER TABLE image_gen_queue ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_gen_queue ADD COLUMN next_try_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_gen_queue ADD COLUMN error TEXT;               -- of the last try, as a sentence
ALTER TABLE image_gen_queue ADD COLUMN seed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_gen_queue ADD COLUMN prompt_id TEXT;           -- ComfyUI's, while processing
ALTER TABLE image_gen_queue ADD COLUMN updated_us INTEGER NOT NULL DEFAULT 0;
CREATE INDEX image_gen_queue_due ON image_gen_queue (status, next_try_us, id);
CREATE INDEX image_gen_queue_day ON image_gen_queue (character_id, created_us);
CREATE INDEX image_gen_queue_post ON image_gen_queue (post_id);
