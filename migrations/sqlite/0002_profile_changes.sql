-- SPDX-License-Identifier: AGPL-3.0-or-later
-- How often any profile changed: with it and the number of a member's own topic, a list of
-- conversations is known to be the same without being read (docs/decisions/0005).
INSERT INTO counters VALUES ('profiles', 0);
