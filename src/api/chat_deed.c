/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/chat_deed.h"

#include "base/clock.h"
#include "base/log.h"

static void on_back(struct task *task)
{
    struct chat_deed *deed = CONTAINER_OF(task, struct chat_deed, back);
    arena_release(&deed->arena);
    deed->done(deed, deed->err);
}

static enum err apply_deed(struct change *change, struct db *db, struct why *why)
{
    struct chat_deed *deed = CONTAINER_OF(change, struct chat_deed, change);
    act_init(&deed->act, db, &deed->arena, clock_wall_us(), deed->owner, ROLE_MEMBER);
    enum err err = deed->apply(deed, why);
    return err ? err : act_store(&deed->act, why);
}

static void settled_deed(struct change *change, enum err err, const struct why *why)
{
    struct chat_deed *deed = CONTAINER_OF(change, struct chat_deed, change);
    deed->err = err;
    if (err) {
        log_error(deed->log, "err=%s reason=\"%s\"", err_name(err), why->text);
    } else {
        act_publish(&deed->act, deed->home->api->hub);
    }
    loop_post(deed->home->loop, &deed->back);
}

static void work_deed(struct job *job, void *own)
{
    store_settle_here(own, &CONTAINER_OF(job, struct chat_deed, job)->change);
}

void chat_deed_begin(struct chat_deed *deed, struct api_loop *home)
{
    struct api *api = home->api;
    deed->home = home;
    deed->change.apply = apply_deed;
    deed->change.settled = settled_deed;
    deed->back.run = on_back;
    deed->job.work = work_deed;
    if (home->db) {
        store_submit(api->store, &deed->change);
    } else if (!workers_submit(api->workers, &deed->job)) {
        struct why why;
        settled_deed(&deed->change, why_set(&why, ERR_BUSY, "too much waits for a worker"), &why);
    }
}
