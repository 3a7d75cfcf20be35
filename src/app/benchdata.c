/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * app/benchdata.c: a community of any size for bench/run, made through the
 * same functions members use, so that its tables look like real ones.
 */
#include <unistd.h>

#include "app/command.h"
#include "app/open.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "community/accounts.h"
#include "community/letters.h"
#include "community/talk.h"

enum { BATCH = 500 };

struct filling {
    struct arena arena;
    uint64_t members, posts, partners, messages;
    uint64_t from; /* of this batch */
    char hash[PASSWORD_HASH_BYTES];
    struct rng rng;
    int64_t now_us;
};

static const char text[] =
    "The quick brown fox met the lazy dog in the 胡同 behind the square, and they talked about "
    "the weather, 今天天气真好, and about what to cook for dinner.";

static struct act act_of(struct filling *filling, struct db *db, uint64_t me)
{
    struct act act;
    act_init(&act, db, &filling->arena, filling->now_us, (struct user_id){me}, ROLE_MEMBER);
    return act;
}

static enum err fill_members(void *ctx, struct db *db, struct why *why)
{
    struct filling *filling = ctx;
    enum err err = OK;
    for (uint64_t i = filling->from; i < filling->members && i < filling->from + BATCH && !err;
         i++) {
        struct str name = arena_printf(&filling->arena, "bench_%llu", (unsigned long long)i + 1);
        struct account_draft draft = {
            .username = name, .nickname = name, .password_hash = str_of(filling->hash)};
        struct user user;
        struct session_id session;
        struct act act = act_of(filling, db, 0);
        err = accounts_create(&act, &draft, &user, why);
        struct login login = {.user = user.brief.id, .token_us = INT64_C(365) * 86400 * 1000000};
        if (!err) err = accounts_log_in(&act, &login, &session, NULL, why);
    }
    arena_reset(&filling->arena);
    return err;
}

static enum err fill_posts(void *ctx, struct db *db, struct why *why)
{
    struct filling *filling = ctx;
    enum err err = OK;
    for (uint64_t i = filling->from; i < filling->posts && i < filling->from + BATCH && !err; i++) {
        struct act act =
            act_of(filling, db, 1 + rng_below(&filling->rng, (uint32_t)filling->members));
        struct post_draft draft = {
            .content = arena_printf(&filling->arena, "%s (%llu)", text, (unsigned long long)i)};
        struct post post;
        err = talk_post(&act, &draft, &post, why);
        if (!err) err = act_store(&act, why);
    }
    arena_reset(&filling->arena);
    return err;
}

/* The first member talks with `partners` others in turn. */
static enum err fill_messages(void *ctx, struct db *db, struct why *why)
{
    struct filling *filling = ctx;
    enum err err = OK;
    for (uint64_t i = filling->from; i < filling->messages && i < filling->from + BATCH && !err;
         i++) {
        uint64_t partner = 2 + i % filling->partners;
        bool mine = i / filling->partners % 2 == 0;
        struct act act = act_of(filling, db, mine ? 1 : partner);
        struct letter_draft draft = {.to = {mine ? partner : 1},
                                     .content = str_head(str_of(text), 90)};
        struct message message;
        err = letters_send(&act, &draft, &message, why);
        if (!err) err = act_store(&act, why);
    }
    arena_reset(&filling->arena);
    return err;
}

static enum err fill(struct store *store, struct db *db, struct filling *filling,
                     store_apply *apply, uint64_t count, struct why *why)
{
    enum err err = OK;
    for (filling->from = 0; filling->from < count && !err; filling->from += BATCH) {
        err = store_write(store, db, apply, filling, why);
    }
    return err;
}

/* One access token a member, good for a year, one a line. */
static enum err write_tokens(struct args *args, const char *path, uint64_t members, struct why *why)
{
    struct keyring *keyring;
    enum err err = open_keyring(&args->settings, &keyring, why);
    if (err) return err;
    FILE *file = fopen(path, "w");
    if (file == NULL) return why_set(why, ERR_IO, "cannot write %s", path);
    int64_t now_s = clock_wall_us() / 1000000;
    for (uint64_t i = 1; i <= members && !err; i++) {
        struct token_claims claims = {
            .user = {i}, .session = i, .issued_s = now_s, .expires_s = now_s + 365 * 86400};
        struct buf token;
        buf_init(&token, TOKEN_BYTES_MAX);
        err = token_sign(keyring, &claims, &token, why);
        if (!err) fprintf(file, "%s\n", token.at);
        buf_release(&token);
    }
    if (fclose(file) != 0 && !err) err = why_set(why, ERR_IO, "cannot write %s", path);
    keyring_free(keyring);
    return err;
}

int run_bench_data(struct args *args)
{
    struct filling *filling = NEW(struct filling);
    struct passwords passwords;
    struct store *store;
    struct db *db;
    struct why why;
    if (!args_number(args, "members", 1000, &filling->members) ||
        !args_number(args, "posts", 1000, &filling->posts) ||
        !args_number(args, "partners", 50, &filling->partners) ||
        !args_number(args, "messages", 4000, &filling->messages) ||
        filling->members <= filling->partners) {
        return usage_error("bench-data: numbers, and more members than partners");
    }
    rng_init(&filling->rng, 42, 1);
    filling->now_us = clock_wall_us();
    enum err err = open_store(&args->settings, &store, &db, &why);
    if (err) return fail(&why);
    err = passwords_open(&passwords, PASSWORD_COST_OWASP, &why);
    if (!err) err = password_hash(&passwords, STR("bench-password"), filling->hash, &why);
    if (!err) err = fill(store, db, filling, fill_members, filling->members, &why);
    if (!err) err = fill(store, db, filling, fill_posts, filling->posts, &why);
    if (!err) err = fill(store, db, filling, fill_messages, filling->messages, &why);
    char folder[4096], path[4200];
    if (!err && realpath(args->settings.data_dir.at, folder)) {
        snprintf(path, sizeof(path), "%s/bench-tokens", folder);
        err = write_tokens(args, path, filling->members, &why);
    }
    db_close(db);
    store_close(store);
    if (!err) {
        printf("{\"tokens\":\"%s\",\"login_body\":\"username=bench_%%d&password=bench-password\","
               "\"members\":%llu,\"posts\":%llu}\n",
               path, (unsigned long long)filling->members, (unsigned long long)filling->posts);
    }
    arena_release(&filling->arena);
    mem_free(filling);
    return err ? fail(&why) : 0;
}
