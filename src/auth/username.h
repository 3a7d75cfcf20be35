/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * auth/username.h: which names a new member may take, and which names are the same.
 *
 * Two names are the same when their keys are: upper or lower case, full or half
 * width, composed or not, and blanks around make no difference; accents do.
 * The store keeps the key beside the name, unique, and looks names up by it.
 *
 * username_check is for new names only. Imported members may have names that
 * break its rules; username_key works for any valid UTF-8, so they log in.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* No name that passes username_check has a longer key: 50 characters of 4 bytes. */
enum { USERNAME_KEY_BYTES_MAX = 200 };

/*
 * 3 to 50 characters after trimming: letters and digits of any script (with
 * their vowel signs and accents) and `_ - .`, beginning with a letter, a digit
 * or an underscore. No invisible letters, no blanks, and none of all that in
 * the key either; and of one script, so that no Cyrillic а stands among Latin
 * letters. Han goes with Kana, with Bopomofo or with Hangul, each with Latin
 * (Unicode TR39, "highly restrictive"). *trimmed_out points into `raw`. ERR_INVALID says what is
 * wrong.
 */
MUST_USE enum err username_check(struct str raw, struct str *trimmed_out, struct why *why);

/*
 * The name as it is compared: trimmed, NFKC_Casefold (Unicode, section 3.13). `name` must be
 * valid UTF-8. Empty for a name of nothing but invisible characters. Up to 11
 * times longer than the name, so check the length of what strangers send first.
 */
struct str username_key(struct arena *arena, struct str name);
