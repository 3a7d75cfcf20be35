/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* api/overview.c: GET /admin/overview: is all well, and the numbers at a glance. */
#include "api/handlers.h"
#include "api/health.h"
#include "api/ledger.h"
#include "api/metrics.h"
#include "base/clock.h"
#include "base/version.h"
#include "llm/models.h"
#include "llm/tally.h"
#include "store/overview.h"

static uint64_t get(const atomic_ullong *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void put_site(struct json_out *out, const struct llm_numbers *numbers)
{
    uint64_t calls = 0, failed = 0;
    for (size_t kind = 0; kind < LLM_KINDS; kind++) {
        calls += get(&numbers->tally->started[kind]);
        for (size_t fault = 0; fault < LLM_FAULT_COUNT; fault++) {
            failed += get(&numbers->tally->ended[kind][LLM_FAILED][fault]);
        }
    }
    const struct gate_state *gate = &numbers->gate;
    const char *circuit = !gate->open ? "closed" : gate->probing ? "probing" : "open";
    json_open(out, NULL, '{');
    json_put_str(out, "site", numbers->site);
    json_put_u64(out, "calls", calls);
    json_put_u64(out, "failed", failed);
    json_put_str(out, "circuit", str_of(circuit));
    json_close(out, '}');
}

static void put_server(struct json_out *out, const struct api *api)
{
    struct metrics_open open = metrics_open(api->metrics);
    json_put_str(out, "version", str_of(version_text()));
    json_put_time(out, "started_at", api->started_us);
    json_put_i64(out, "uptime_s", (clock_wall_us() - api->started_us) / 1000000);
    json_put_u64(out, "http_connections", open.http);
    json_put_u64(out, "live_connections", open.live);
    json_put_u64(out, "members_online", get(&hub_stats(api->hub)->present));
    json_open(out, "sites", '[');
    for (size_t site = 0; site < llm_site_count(api->llm); site++) {
        struct llm_numbers numbers = llm_numbers(api->llm, site);
        put_site(out, &numbers);
    }
    json_close(out, ']');
}

static void put_numbers(struct json_out *out, const struct overview *overview)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"members", overview->users},
        {"residents", overview->residents},
        {"posts", overview->posts},
        {"posts_today", overview->posts_today},
        {"reports_open", overview->reports_open},
        {"key_requests_today", overview->key_requests},
        {"key_unpriced_today", overview->key_unpriced},
        {"key_cost_today_micro", overview->key_micro},
        {"town_cost_today_micro", overview->town_micro},
        {"database_bytes", overview->database_bytes},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) json_put_u64(out, rows[i].name, rows[i].value);
}

enum err admin_get_overview(struct call *call, struct why *why)
{
    struct overview overview;
    enum err err = overview_load(call->db, ledger_today(), &overview, why);
    if (err) return err;
    struct health_check checks[HEALTH_CHECKS];
    bool ok = health_look(call, checks);
    struct health_disk disk;
    struct why unseen; /* the check of the disk says it */
    if (health_disk(call->api->settings, &disk, &unseen)) disk = (struct health_disk){0};
    struct json_out out = call_json(call);
    json_open(&out, NULL, '{');
    json_put_bool(&out, "ok", ok);
    health_put_checks(&out, checks);
    put_server(&out, call->api);
    put_numbers(&out, &overview);
    bool embedded = store_kind(call->api->store) == DB_SQLITE;
    json_put_str(&out, "database", embedded ? STR("sqlite") : STR("mariadb"));
    json_put_u64(&out, "disk_free_bytes", disk.free_bytes);
    json_put_u64(&out, "disk_bytes", disk.total_bytes);
    json_close(&out, '}');
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    return OK;
}
