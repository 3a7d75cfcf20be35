/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/health.h"

#include <errno.h>
#include <sys/statvfs.h>

#include "base/clock.h"

enum err health_get(struct call *call, struct why *why)
{
    (void)why;
    char now[CLOCK_ISO_BYTES];
    clock_iso_local(clock_wall_us(), now);
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_str(&out, "status", STR("healthy"));
    json_put_str(&out, "timestamp", str_of(now));
    json_put_str(&out, "service", STR("hutong"));
    json_close(&out, '}');
    call_reply(call);
    return OK;
}

enum err health_live_get(struct call *call, struct why *why)
{
    (void)why;
    call->x->status = 200;
    call->x->content_type = "application/json";
    /* Whoever begins at this address sees whether it would share it with another community. */
    buf_printf(&call->x->reply, "{\"status\":\"healthy\",\"community\":\"%s\"}",
               keyring_newest(call->api->keyring)->kid);
    call_reply(call);
    return OK;
}

/* Each looks at one thing, says what it saw and whether that will do. */
typedef bool check(struct call *call, struct why *saw);

static bool check_database(struct call *call, struct why *saw)
{
    struct query *q = db_query_text(call->db, "SELECT 1");
    while (query_next(q)) {
    }
    struct why reason;
    if (query_end(q, &reason)) {
        why_write(saw, "the database does not answer: %s", reason.text);
        return false;
    }
    why_write(saw, "the database answers");
    return true;
}

static bool check_writer(struct call *call, struct why *saw)
{
    const struct writer_stats *stats = store_writer_stats(call->api->store);
    if (stats == NULL) {
        why_write(saw, "the database server writes by itself");
        return true;
    }
    int64_t since_us = atomic_load(&stats->busy_since_us);
    int64_t busy_us = since_us ? clock_mono_us() - since_us : 0;
    /* A group commit takes milliseconds, a bad disk a second or two. */
    if (busy_us > call->api->settings->ready_writer_s * 1000000) {
        why_write(saw, "changes have waited for the database for %lld s",
                  (long long)(busy_us / 1000000));
        return false;
    }
    why_write(saw, "changes are written");
    return true;
}

enum err health_disk(const struct settings *settings, struct health_disk *out, struct why *why)
{
    char folder[4096];
    struct statvfs disk;
    *out = (struct health_disk){0};
    if (settings->data_dir.len >= sizeof(folder)) {
        return why_set(why, ERR_IO, "the name of the data folder is too long");
    }
    str_copy(folder, sizeof(folder), settings->data_dir);
    if (statvfs(folder, &disk)) {
        return why_set(why, ERR_IO, "the data folder cannot be looked at: %s", strerror(errno));
    }
    out->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    out->total_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    return OK;
}

static bool check_disk(struct call *call, struct why *saw)
{
    struct health_disk disk;
    if (health_disk(call->api->settings, &disk, saw)) return false;
    why_write(saw, "%llu MiB are free for the data folder",
              (unsigned long long)(disk.free_bytes >> 20));
    return disk.free_bytes >= HEALTH_DISK_FREE_MIN && disk.free_bytes >= disk.total_bytes / 100;
}

static bool check_serving(struct call *call, struct why *saw)
{
    bool draining = call->home->api->draining;
    why_write(saw, draining ? "the server is about to stop" : "the server takes requests");
    return !draining;
}

static const struct {
    const char *name;
    check *look;
} checks[] = {
    {"database", check_database},
    {"writer", check_writer},
    {"disk", check_disk},
    {"serving", check_serving},
};

static_assert(COUNT_OF(checks) == HEALTH_CHECKS, "as the header says");

bool health_look(struct call *call, struct health_check checks_out[HEALTH_CHECKS])
{
    bool all = true;
    for (size_t i = 0; i < HEALTH_CHECKS; i++) {
        struct health_check *one = &checks_out[i];
        one->name = checks[i].name;
        one->ok = checks[i].look(call, &one->saw);
        all = all && one->ok;
    }
    return all;
}

void health_put_checks(struct json_out *out, const struct health_check seen[HEALTH_CHECKS])
{
    json_open(out, "checks", '{');
    for (size_t i = 0; i < HEALTH_CHECKS; i++) {
        json_open(out, seen[i].name, '{');
        json_put_bool(out, "ok", seen[i].ok);
        json_put_str(out, "detail", str_of(seen[i].saw.text));
        json_close(out, '}');
    }
    json_close(out, '}');
}

enum err health_ready_get(struct call *call, struct why *why)
{
    (void)why;
    struct health_check seen[HEALTH_CHECKS];
    bool ready = health_look(call, seen);
    struct json_out out = call_json(call);
    call->x->status = ready ? 200 : 503;
    json_open(&out, NULL, '{');
    json_put_str(&out, "status", ready ? STR("ready") : STR("not ready"));
    health_put_checks(&out, seen);
    json_close(&out, '}');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return OK;
}
