/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* app/seed.h: a small community to look at, and the code of the first administrator. */
#pragma once

#include "api/api.h"

/* In an empty community: 7 places, 3 residents, 2 members, posts in Chinese and English, likes,
 * comments, messages. Prints the log-ins. Otherwise prints them again and changes nothing. */
MUST_USE enum err seed_demo(struct api *api, struct why *why);
/* The folders of wiki-roots as wikis for everyone, fetched in the background, unless they are
 * there. After the library is open. */
MUST_USE enum err seed_wikis(struct api *api, struct why *why);
/* The password of the demo members, which everybody knows. */
extern const char seed_demo_password[];
/* Nobody here yet who could log in: draw the code that makes the first account an administrator,
 * and print it. */
MUST_USE enum err prepare_admin_code(struct api *api, struct why *why);
