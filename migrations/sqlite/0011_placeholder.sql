-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Placeholder, not to be merged: this number is another change's.
CREATE TABLE placeholder_0011 (id INTEGER PRIMARY KEY);
DROP TABLE placeholder_0011;
