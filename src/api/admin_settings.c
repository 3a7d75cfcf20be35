/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/admin_settings.c: GET /admin/settings: the one table of settings, with what they are now and
 * from where they come, for administrators.
 *
 * To read only. A setting counts from the start of the program on, may come from a command line or
 * an environment that stand above any file, and a wrong one keeps the server from starting: whoever
 * changes one has to be where the program can be started again.
 */
#include "api/handlers.h"

static const char *const type_names[] = {[SETTING_TEXT] = "text",
                                         [SETTING_INT] = "number",
                                         [SETTING_BOOL] = "switch",
                                         [SETTING_CHOICE] = "choice",
                                         [SETTING_SECRET] = "secret"};

static const char *const origin_names[] = {[SETTING_BY_DEFAULT] = "default",
                                           [SETTING_BY_DOTENV] = ".env",
                                           [SETTING_BY_ENVIRONMENT] = "environment",
                                           [SETTING_BY_COMMAND_LINE] = "command line"};

static void put_words(struct json_out *out, const char *key, const char *words)
{
    struct str rest = str_of(words), word;
    json_open(out, key, '[');
    while (rest.len > 0 && str_split(&rest, ' ', &word)) json_put_str(out, NULL, word);
    json_close(out, ']');
}

static void put_setting(struct json_out *out, struct call *call, const struct setting *row)
{
    const struct settings *settings = call->api->settings;
    struct str value = setting_public(call->arena, settings, row);
    bool secret = row->type == SETTING_SECRET, number = row->type == SETTING_INT;
    json_open(out, NULL, '{');
    json_put_str(out, "name", str_of(row->name));
    put_words(out, "variables", row->names);
    json_put_str(out, "type", str_of(type_names[row->type]));
    json_put_str(out, "default", str_of(row->initial));
    json_put_str(out, "help", str_of(row->help));
    if (number) json_put_i64(out, "min", row->min);
    if (number) json_put_i64(out, "max", row->max);
    put_words(out, "choices", row->choices ? row->choices : "");
    /* A secret is told from none, and nothing else is said of it. */
    if (secret) value = value.len ? STR("set") : STR("not set");
    json_put_str(out, "value", value);
    json_put_str(out, "origin", str_of(origin_names[setting_origin(settings, row)]));
    json_close(out, '}');
}

enum err admin_get_settings(struct call *call, struct why *why)
{
    (void)why;
    struct json_out out = call_json(call);
    http_add_header(call->x, "Cache-Control", STR("no-store"));
    json_open(&out, NULL, '{');
    json_open(&out, "items", '[');
    for (size_t i = 0; i < settings_count; i++) put_setting(&out, call, &settings_table[i]);
    json_close(&out, ']');
    json_close(&out, '}');
    return OK;
}
