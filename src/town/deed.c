/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "town/deed.h"

#include "base/str.h"

static const struct deed_info infos[DEED_COUNT] = {
    /*                   name             log            min least most  exertion        talk  phone
     */
    [DEED_IDLE] = {"idle", LOG_OTHER, 5, 1, 30, EXERTION_CALM, true, false},
    [DEED_WAIT] = {"wait", LOG_OTHER, 10, 1, 120, EXERTION_CALM, true, false},
    [DEED_LOOK_AROUND] = {"look_around", LOG_OTHER, 5, 1, 120, EXERTION_CALM, true, false},
    [DEED_MOVE_TO] = {"move_to", LOG_MOVE, 5, 1, 600, EXERTION_WALK, false, false},
    [DEED_TALK_TO] = {"talk_to", LOG_TALK, 30, 4, 120, EXERTION_CALM, false, false},
    [DEED_GREET] = {"greet", LOG_TALK, 5, 1, 10, EXERTION_CALM, false, false},
    [DEED_REST] = {"rest", LOG_REST, 30, 5, 180, EXERTION_REST, true, false},
    [DEED_SLEEP] = {"sleep", LOG_SLEEP, 480, 30, 720, EXERTION_SLEEP, false, false},
    [DEED_EAT] = {"eat", LOG_EAT, 30, 10, 120, EXERTION_CALM, false, false},
    [DEED_WORK] = {"work", LOG_WORK, 90, 15, 300, EXERTION_WORK, false, false},
    [DEED_USE_ITEM] = {"use_item", LOG_OTHER, 10, 1, 60, EXERTION_CALM, true, false},
    [DEED_GIVE] = {"give", LOG_OTHER, 5, 1, 10, EXERTION_CALM, false, false},
    [DEED_THINK] = {"think", LOG_THINK, 10, 1, 60, EXERTION_CALM, true, false},
    [DEED_BROWSE_POSTS] = {"browse_posts", LOG_USE_PHONE, 15, 2, 60, EXERTION_CALM, true, true},
    [DEED_CREATE_POST] = {"create_post", LOG_POST, 10, 2, 30, EXERTION_CALM, true, true},
    [DEED_CHECK_MESSAGES] = {"check_messages", LOG_MESSAGE, 10, 1, 60, EXERTION_CALM, true, true},
    [DEED_SEND_MESSAGE] = {"send_message", LOG_MESSAGE, 5, 1, 30, EXERTION_CALM, true, true},
    [DEED_VIEW_USER_PROFILE] = {"view_user_profile", LOG_USE_PHONE, 10, 2, 30, EXERTION_CALM, true,
                                true},
    [DEED_FOLLOW] = {"follow", LOG_USE_PHONE, 1, 1, 5, EXERTION_CALM, true, true},
};

const struct deed_info *deed_info(enum deed deed)
{
    ASSERT(deed < DEED_COUNT);
    return &infos[deed];
}

const char *log_type_name(enum log_type type)
{
    static const char *const names[LOG_TYPE_COUNT] = {
        "move",  "talk",    "use_phone", "post", "like",  "comment",   "message", "rest",
        "sleep", "wake_up", "eat",       "work", "think", "encounter", "other"};
    return names[type];
}
