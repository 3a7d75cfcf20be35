/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/leaving.c: DELETE /users/me and DELETE /admin/residents/ID: an account goes, with everything
 * that is its own.
 */
#include "community/leaving.h"

#include "api/chat_run.h"
#include "api/handlers.h"
#include "api/input.h"
#include "base/log.h"
#include "community/shelf.h"
#include "store/files.h"
#include "store/leaving.h"
#include "store/wikis.h"
#include "wiki/library.h"

struct leave {
    struct call *call;
    struct user_id who;
    struct user_id by;  /* whoever sends a resident away; 0: a member goes by itself */
    struct arena arena; /* of one step */
    uint64_t wiki;      /* that goes now */
    bool done;
    struct stored_file files[STORED_FILES_MAX];
    size_t file_count;
};

/* As call_write(), with an arena that is empty again after each step. */
static enum err step(struct leave *leave, call_apply *apply, struct why *why)
{
    enum err err = call_write(leave->call, apply, leave, why);
    arena_reset(&leave->arena);
    return err;
}

/* Everything is done as who leaves would do it. */
static struct leave *as_leaver(void *ctx, struct act *act)
{
    struct leave *leave = ctx;
    act->arena = &leave->arena;
    act->me = leave->who;
    if (leave->by.value) act->role = ROLE_RESIDENT;
    return leave;
}

static enum err apply_begin(void *ctx, struct act *act, struct why *why)
{
    const struct leave *leave = as_leaver(ctx, act);
    return leave->by.value ? leaving_begin_resident(act, why) : leaving_begin(act, why);
}

static enum err apply_step(void *ctx, struct act *act, struct why *why)
{
    struct leave *leave = as_leaver(ctx, act);
    return leaving_step(act, &leave->done, why);
}

static enum err apply_end(void *ctx, struct act *act, struct why *why)
{
    struct leave *leave = as_leaver(ctx, act);
    return leaving_end(act, leave->by, &leave->done, why);
}

static enum err apply_files(void *ctx, struct act *act, struct why *why)
{
    struct leave *leave = ctx;
    enum err err = OK;
    for (size_t i = 0; i < leave->file_count && !err; i++) {
        err = files_drop(act->db, &leave->files[i], why);
    }
    return err;
}

/* First from the disk, then from the table: a file that the table has forgotten would stay for
 * ever. */
static enum err drop_files(struct leave *leave, struct why *why)
{
    struct call *call = leave->call;
    for (;;) {
        enum err err =
            files_of(call->db, call->arena, leave->who, leave->files, &leave->file_count, why);
        if (err || leave->file_count == 0) return err;
        for (size_t i = 0; i < leave->file_count; i++) {
            if (!leave->files[i].shown)
                shelf_unlink(call->api->settings->upload_dir, &leave->files[i]);
        }
        err = call_write(call, apply_files, leave, why);
        if (err) return err;
    }
}

static enum err apply_wiki(void *ctx, struct act *act, struct why *why)
{
    const struct leave *leave = ctx;
    return wikis_remove(act->db, leave->wiki, why);
}

/* Those for themselves alone; what others may see stays, of nobody. */
static enum err drop_wikis(struct leave *leave, struct why *why)
{
    struct call *call = leave->call;
    for (;;) {
        enum err err = wikis_private_of(call->db, leave->who, &leave->wiki, why);
        if (err || leave->wiki == 0) return err;
        err = call_write(call, apply_wiki, leave, why);
        if (!err) err = wiki_library_remove(call->api->wikis, leave->wiki, why);
        if (err) return err;
    }
}

static enum err leave_all(struct leave *leave, struct why *why)
{
    struct call *call = leave->call;
    enum err err = step(leave, apply_begin, why);
    if (!err) chat_runs_stop_of(call->api->chat_runs, leave->who);
    if (!err) err = drop_wikis(leave, why);
    while (!err && !leave->done) err = step(leave, apply_step, why);
    if (!err) err = drop_files(leave, why);
    leave->done = false;
    while (!err && !leave->done) err = step(leave, apply_end, why);
    return err;
}

static enum err check_own_password(struct call *call, struct str password, struct why *why)
{
    struct str hash = {0};
    bool unused;
    enum err err = users_load_password(call->db, call->arena, call->who.user, &hash, why);
    if (err) return err;
    err = password_verify(&call->api->passwords, hash, password, &unused, why);
    if (err != ERR_UNKNOWN_CALLER) return err;
    return why_set(why, ERR_DENIED, "密码错误 (the password is wrong)");
}

enum err users_delete_me(struct call *call, struct why *why)
{
    enum err err = input_json(call, why);
    if (err) return err;
    struct str password = input_str(call, "password", true);
    err = input_check(call, why);
    if (!err) err = check_own_password(call, password, why);
    if (err) return err;
    struct leave leave = {.call = call, .who = call->who.user};
    err = leave_all(&leave, why);
    arena_release(&leave.arena);
    if (err) return err;
    log_info("account.deleted", "member=%llu", (unsigned long long)call->who.user.value);
    call_no_content(call);
    return OK;
}

enum err admin_delete_resident(struct call *call, struct why *why)
{
    struct leave leave = {.call = call, .by = call->who.user};
    leave.who.value = input_path_id(call, 0, "user_id");
    enum err err = input_check(call, why);
    if (!err) err = leave_all(&leave, why);
    arena_release(&leave.arena);
    if (err) return err;
    log_info("resident.removed", "resident=%llu by=%llu", (unsigned long long)leave.who.value,
             (unsigned long long)leave.by.value);
    call_no_content(call);
    return OK;
}
