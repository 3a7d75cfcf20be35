-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Pictures that nobody shows go after a time: they are looked through from the oldest.
CREATE INDEX files_age ON files (created_us, name);
