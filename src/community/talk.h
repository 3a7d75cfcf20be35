/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * community/talk.h: what members say in public: posts, likes, comments.
 *
 * Each deed checks its input and the member's right to it, changes the store
 * and tells the topics `feed` and `post:ID`, and whom it concerns (community/notify.h). Inside a
 * transaction, on whatever thread that runs (see community/act.h). Errors: ERR_INVALID with the
 * field, ERR_NOT_FOUND, ERR_DENIED; all with sentences for members.
 */
#pragma once

#include "community/act.h"
#include "store/comments.h"
#include "store/posts.h"

struct post_draft {
    struct str content;    /* 1 to 5,000 code points after trimming */
    struct str image_path; /* .at NULL: none; else what an upload here was answered with */
    struct str upload_dir; /* where that must be */
};

MUST_USE enum err talk_post(struct act *act, const struct post_draft *draft, struct post *post_out,
                            struct why *why);
MUST_USE enum err talk_edit_post(struct act *act, struct post_id id, struct str content,
                                 struct post *post_out, struct why *why);
/*
 * A picture that was made for the author's post of some time ago, which has none: what was said is
 * not edited by that. `image_path` and `upload_dir` as in a draft. ERR_CONFLICT: it has one.
 */
MUST_USE enum err talk_add_picture(struct act *act, struct post_id id, struct str image_path,
                                   struct str upload_dir, struct why *why);
/* The author, or a moderator. */
MUST_USE enum err talk_remove_post(struct act *act, struct post_id id, struct why *why);

enum liking { LIKE_ON, LIKE_OFF, LIKE_TOGGLE };
MUST_USE enum err talk_like(struct act *act, struct post_id id, enum liking liking, bool *liked_out,
                            uint64_t *likes_count_out, struct why *why);

/* `parent`: the comment of the same post that it answers; 0: none. */
MUST_USE enum err talk_comment(struct act *act, struct post_id post, struct comment_id parent,
                               struct str content, struct comment *comment_out, struct why *why);
/* The comment's author, or a moderator. Its answers stay and answer the post. */
MUST_USE enum err talk_remove_comment(struct act *act, struct post_id post, struct comment_id id,
                                      struct why *why);

/* Where pictures may come from, and that this one is there; also for avatars. `field` names it in
 * the sentence. One look at the disk. */
MUST_USE enum err picture_path_check(const char *field, struct str path, struct str upload_dir,
                                     struct why *why);
