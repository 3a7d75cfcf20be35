/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/wiki_shapes.h"

#include "api/input.h"
#include "community/shapes.h"
#include "wiki/embedder.h"

struct wiki_reader wiki_reader_of(const struct call *call)
{
    return (struct wiki_reader){.user = call->who.user, .admin = call->who.role == ROLE_ADMIN};
}

bool wiki_may_change(const struct call *call, const struct wiki *wiki)
{
    bool owns = call->who.user.value != 0 && call->who.user.value == wiki->owner_id.value;
    return owns || call->who.role == ROLE_ADMIN;
}

static void put_progress(struct json_out *out, const struct wiki_progress *progress)
{
    if (!progress->under_way) {
        json_put_null(out, "progress");
        return;
    }
    json_open(out, "progress", '{');
    json_put_str(out, "stage", str_of(progress->stage));
    if (progress->percent >= 0)
        json_put_i64(out, "percent", progress->percent);
    else
        json_put_null(out, "percent");
    json_put_u64(out, "files_done", progress->done);
    json_put_u64(out, "files_all", progress->all);
    json_close(out, '}');
}

/* How far the embedder is; the sentence of what failed is for those who may do something. */
static void put_vectors(struct call *call, struct json_out *out, const struct wiki *wiki, bool ours)
{
    if (call->api->embedder == NULL) {
        json_put_null(out, "vectors");
        return;
    }
    struct wiki_embedding state = wiki_embedder_state(call->api->embedder, wiki->id);
    json_open(out, "vectors", '{');
    json_put_str(out, "embedder", call->api->settings->wiki_embedder);
    json_put_u64(out, "chunks", state.known ? state.chunks : wiki->chunks);
    json_put_u64(out, "have", state.have);
    json_put_u64(out, "refused", state.refused);
    json_put_bool(out, "under_way", state.under_way);
    json_put_str(out, "note", ours ? str_of(state.note) : STR(""));
    json_close(out, '}');
}

static void put_time(struct json_out *out, const char *key, size_t key_len, int64_t wall_us)
{
    if (wall_us)
        json_put_time_n(out, key, key_len, wall_us);
    else
        json_put_raw_n(out, key, key_len, STR("null"));
}

void wiki_put(struct call *call, struct json_out *out, const char *key, const struct wiki *wiki)
{
    struct wiki_progress progress = wiki_library_progress(call->api->wikis, wiki->id);
    bool ours = wiki_may_change(call, wiki), local = str_eq(wiki->kind, STR("local"));
    json_open(out, key, '{');
    json_put_u64(out, "id", wiki->id);
    json_put_str(out, "name", wiki->name);
    json_put_str(out, "kind", wiki->kind);
    json_put_opt(out, "url", ours || !local ? wiki->url : (struct str){0});
    json_put_str(out, "owner", wiki->owner);
    json_put_str(out, "repo", wiki->repo);
    json_put_str(out, "branch", wiki->branch_name.len ? wiki->branch_name : wiki->branch);
    json_put_str(out, "commit", wiki->commit);
    put_time(out, "committed_at", sizeof("committed_at") - 1, wiki->committed_s * 1000000);
    json_put_str(out, "include", wiki->include);
    json_put_str(out, "exclude", wiki->exclude);
    json_put_str(out, "access", str_of(wiki_access_name(wiki->access)));
    json_put_id(out, "group_id", wiki->group.value);
    json_put_id(out, "owner_id", wiki->owner_id.value);
    json_put_time(out, "created_at", wiki->created_us);
    json_put_str(out, "state", str_of(wiki_state_name(wiki->state)));
    json_put_str(out, "fault", wiki->fault);
    json_put_str(out, "note", wiki->note);
    put_time(out, "indexed_at", sizeof("indexed_at") - 1, wiki->indexed_us);
    json_put_u64(out, "files", wiki->files);
    json_put_u64(out, "chunks", wiki->chunks);
    json_put_u64(out, "lines", wiki->lines);
    json_put_bool(out, "may_change", ours);
    put_progress(out, &progress);
    put_vectors(call, out, wiki, ours);
    json_close(out, '}');
}

enum err wiki_of_path(struct call *call, struct wiki *wiki_out, struct why *why)
{
    struct wiki_reader reader = wiki_reader_of(call);
    struct str name;
    enum err err = url_segment_decode(call->arena, call->params[0], &name, why);
    if (err) return err;
    return wikis_named(call->db, call->arena, &reader, name, wiki_out, why);
}

enum err wiki_of_path_to_change(struct call *call, struct wiki *wiki_out, struct why *why)
{
    enum err err = wiki_of_path(call, wiki_out, why);
    if (err || wiki_may_change(call, wiki_out)) return err;
    return why_set(why, ERR_DENIED,
                   "只有添加者和管理员可以更改 (only who added it and "
                   "administrators may change it)");
}
