/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * town/deed.h: the table of everything a resident can do.
 *
 * Names, planned minutes and kinds in the log are the original's; what was
 * planned is also what is recorded. Who adds a deed writes a line here, offers
 * it in mind.c, and says in perform.c what it does.
 */
#pragma once

#include "town/resident.h"

enum deed {
    DEED_IDLE, /* between two deeds; never lasts */
    DEED_WAIT,
    DEED_LOOK_AROUND,
    DEED_MOVE_TO,
    DEED_TALK_TO,
    DEED_GREET,
    DEED_REST,
    DEED_SLEEP,
    DEED_EAT,
    DEED_WORK,
    DEED_USE_ITEM,
    DEED_GIVE,
    DEED_THINK,
    DEED_BROWSE_POSTS,
    DEED_CREATE_POST,
    DEED_CHECK_MESSAGES,
    DEED_SEND_MESSAGE,
    DEED_VIEW_USER_PROFILE,
    DEED_FOLLOW,
    DEED_COUNT
};

/* The kinds of entries in the action log. */
enum log_type {
    LOG_MOVE,
    LOG_TALK,
    LOG_USE_PHONE,
    LOG_POST,
    LOG_LIKE,
    LOG_COMMENT,
    LOG_MESSAGE,
    LOG_REST,
    LOG_SLEEP,
    LOG_WAKE_UP,
    LOG_EAT,
    LOG_WORK,
    LOG_THINK,
    LOG_ENCOUNTER,
    LOG_OTHER,
    LOG_TYPE_COUNT
};
const char *log_type_name(enum log_type type); /* "use_phone" */

struct deed_info {
    const char *name; /* "browse_posts" */
    enum log_type log;
    uint16_t planned;     /* minutes, when nothing says otherwise */
    uint16_t least, most; /* what a model may make of them */
    enum exertion exertion;
    bool can_interrupt; /* others may speak to one who does it */
    bool phone;         /* the phone is in its hand */
};
const struct deed_info *deed_info(enum deed deed);

/* Why it did it, in the words of the rule mind; a model gives its own. */
enum reason {
    REASON_NONE,
    REASON_TIRED,
    REASON_BEDTIME,
    REASON_HUNGRY,
    REASON_MEAL_TIME,
    REASON_WORK_TIME,
    REASON_LONELY,
    REASON_BORED,
    REASON_CURIOUS,
    REASON_FOND, /* of whom it goes to or writes to */
    REASON_PLAN,
    REASON_MESSAGE,
    REASON_TELL, /* something to tell */
    REASON_HOME,
    REASON_UNWELL,
    REASON_ENCOUNTER,
    REASON_DAY_OVER,
    REASON_MODEL,
    REASON_ASKING, /* it waits for a model's answer */
    REASON_COUNT
};
