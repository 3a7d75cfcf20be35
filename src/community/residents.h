/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/residents.h: who lives in the town, out of profiles and into them.
 *
 * A profile is the original's: text, or JSON with description, occupation, age
 * and so on in `bio`. What is exported is imported again as it was: a `bio` that
 * is such JSON is written as an object and checked key by key; any other text
 * stays text and is taken as it stands.
 *
 *     {"username": "xiaohe", "nickname": "小荷", "personality": "curious,kind",
 *      "bio": {"description": "…", "occupation": "painter", "age": 25, "gender": "",
 *              "speaking_style": "…", "goals": ["…"], "daily_routine": {},
 *              "personality_traits": ["…"]}}
 *
 * Sentences name the entry and the field; `why->field` is the field.
 */
#pragma once

#include "community/act.h"
#include "store/residents.h"

enum { RESIDENTS_BYTES_MAX = 32 * 1024 * 1024 }; /* of a list as JSON */

struct newcomer {
    struct str username, nickname;
    struct str bio, personality, avatar_path; /* .at NULL: none */
    uint64_t wiki;                            /* that it knows about; 0: none */
    struct user_id id;                        /* once it has been added */
};
struct newcomers {
    struct newcomer *list;
    size_t count;
    bool numbered; /* sentences name the entry */
};

/* A list, {"residents": [...]}, or one alone. Texts live in `arena`. ERR_INVALID. */
MUST_USE enum err newcomers_read(struct arena *arena, const struct json *tree,
                                 struct newcomers *newcomers_out, struct why *why);
/* One of a form, with `avatar_path` and `wiki` (which are not looked at here). ERR_INVALID. */
MUST_USE enum err newcomer_read(struct arena *arena, const struct json *value,
                                struct newcomer *newcomer_out, struct why *why);
/* One whose texts did not come as JSON: a `bio` that is meant as a profile ought to be one. */
MUST_USE enum err newcomer_check(struct arena *arena, const struct newcomer *newcomer,
                                 struct why *why);
/* Make accounts of all of them. ERR_CONFLICT: a name is taken; ERR_INVALID, also for a wiki that is
 * not there or not for everyone: what a resident knows it says where everybody reads. Whatever the
 * failure, the transaction must not be committed. */
MUST_USE enum err newcomers_add(struct act *act, struct newcomers *newcomers, struct why *why);

/*
 * Change the profile of one that lives here: `nickname`, `bio`, `personality`, `avatar_path`, and
 * `wiki`, the number of the one it knows about; what is absent in `change` stays, null and "" take
 * away all but the nickname. `upload_dir` is where a new picture must be. ERR_NOT_FOUND,
 * ERR_INVALID.
 */
MUST_USE enum err resident_change(struct act *act, struct user_id id, const struct json *change,
                                  struct str upload_dir, struct resident *resident_out,
                                  struct why *why);

/* Members of the object that is open: username, nickname, bio and personality, as they are read. */
void resident_put_profile(struct json_out *out, const struct resident *resident);
