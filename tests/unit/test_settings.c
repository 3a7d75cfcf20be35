/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/settings.h"

struct fixture {
    struct arena arena;
    struct settings settings;
    struct why why;
};

static enum err load(struct fixture *f, const char *given, const char *dotenv, const char *env)
{
    /* "name=value;name=value" for all three, so that a case fits on a line. */
    struct setting_value values[8] = {{NULL, NULL}};
    char *names[8] = {NULL};
    size_t count = 0, vars = 0;
    struct str rest = str_of(given), piece;
    while (given && str_split(&rest, ';', &piece)) {
        size_t equals = str_find_byte(piece, '=');
        values[count++] = (struct setting_value){
            arena_copy(&f->arena, str_head(piece, equals)).at,
            arena_copy(&f->arena, str_from(piece, equals + 1)).at,
        };
    }
    rest = str_of(env);
    while (env && str_split(&rest, ';', &piece)) {
        char *text = arena_alloc(&f->arena, piece.len + 1);
        memcpy(text, piece.at, piece.len);
        names[vars++] = text;
    }
    return settings_load(&f->arena, &f->settings, values, count, str_of(dotenv), names, &f->why);
}

static void loaded(struct fixture *f, const char *given, const char *dotenv, const char *env)
{
    if (load(f, given, dotenv, env)) fail_msg("%s", f->why.text);
}

static void the_table_is_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];
        struct str help = str_of(row->help);
        if (!str_ends(help, STR("."))) fail_msg("%s: help is no sentence", row->name);
        assert_ptr_equal(setting_find(str_of(row->name)), row);
        assert_true(row->names[0] != '\0');
        assert_true(row->type != SETTING_INT || row->min < row->max);
        assert_int_equal(row->type == SETTING_CHOICE, row->choices != NULL);
        for (size_t other = 0; other < i; other++) {
            assert_true(settings_table[other].at != row->at);
            struct str mine = str_of(row->names), name;
            while (str_split(&mine, ' ', &name)) {
                struct str theirs = str_of(settings_table[other].names), taken;
                while (str_split(&theirs, ' ', &taken)) assert_false(str_eq(name, taken));
            }
        }
    }
    assert_null(setting_find(STR("no-such-setting")));
}

static void defaults_make_a_server_on_this_machine(void **state)
{
    (void)state;
    struct fixture f = {0};
    loaded(&f, NULL, NULL, NULL);
    assert_str_equal(f.settings.listen, "127.0.0.1:8000");
    assert_str_equal(f.settings.data_dir, "./data");
    assert_str_equal(f.settings.database, "sqlite:./data/hutong.db");
    assert_str_equal(f.settings.upload_dir, "./data/uploads");
    assert_int_equal(f.settings.jwt_secret.len, 0);
    assert_true(f.settings.access_log && f.settings.gzip && f.settings.registration);
    assert_int_equal(f.settings.token_minutes_app, 15);
    assert_int_equal(f.settings.head_timeout_s, 15);
    arena_release(&f.arena);
}

static void the_stronger_source_wins(void **state)
{
    (void)state;
    static const struct {
        const char *given, *env, *dotenv;
        int64_t loops;
    } cases[] = {
        {NULL, NULL, NULL, 0},
        {NULL, NULL, "HUTONG_LOOPS=2", 2},
        {NULL, "HUTONG_LOOPS=3", "HUTONG_LOOPS=2", 3},
        {"loops=4", "HUTONG_LOOPS=3", "HUTONG_LOOPS=2", 4},
        {NULL, "HUTONG_LOOPS=", "HUTONG_LOOPS=2", 2}, /* set to nothing is not set */
        {NULL, "HUTONG_LOOPS=", NULL, 0},
        {NULL, "hutong_loops=5", NULL, 5},
        {NULL, "HUTONG_LOOPSX=5;XHUTONG_LOOPS=6;PATH", NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        loaded(&f, cases[i].given, cases[i].dotenv, cases[i].env);
        assert_int_equal(f.settings.loops, cases[i].loops);
        arena_release(&f.arena);
    }
}

static void our_own_name_beats_the_old_one(void **state)
{
    (void)state;
    struct fixture f = {0};
    loaded(&f, NULL, NULL, "JWT_SECRET_KEY=old;HUTONG_JWT_SECRET=new;JWT_EXPIRE_MINUTES=30");
    assert_str_equal(f.settings.jwt_secret, "new");
    assert_int_equal(f.settings.token_minutes_form, 30);
    arena_release(&f.arena);
}

static void dotenv_lines_are_read_as_shells_and_compose_read_them(void **state)
{
    (void)state;
    static const struct {
        const char *line, *upload_dir;
    } cases[] = {
        {"UPLOAD_DIR=/a", "/a"},
        {"  UPLOAD_DIR = /a b  ", "/a b"},
        {"export UPLOAD_DIR=/a\r", "/a"},
        {"UPLOAD_DIR=\"/a # b\"", "/a # b"},
        {"UPLOAD_DIR='/a'", "/a"},
        {"UPLOAD_DIR=\"/a\" # where", "/a"},
        {"UPLOAD_DIR='/a \"b\"'# where", "/a \"b\""},
        {"UPLOAD_DIR=\"/a\" b", "\"/a\" b"},
        {"UPLOAD_DIR=/a # where", "/a"},
        {"UPLOAD_DIR=/a#b", "/a#b"},
        {"UPLOAD_DIR=/a=b", "/a=b"},
        {"UPLOAD_DIR=\"", "\""},
        {"#UPLOAD_DIR=/a", "./data/uploads"},
        {"UPLOAD_DIR", "./data/uploads"},
        {"UPLOAD_DIR=", "./data/uploads"},
        {"UPLOAD_DIR=/a\nSOMEBODY_ELSE=1\n\nupload_dir=/b\n", "/b"}, /* the last one counts */
        {"SOMEBODY_ELSE=1", "./data/uploads"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        loaded(&f, NULL, cases[i].line, NULL);
        assert_str_equal(f.settings.upload_dir, cases[i].upload_dir);
        arena_release(&f.arena);
    }
}

static void older_database_names_become_a_url(void **state)
{
    (void)state;
    static const struct {
        const char *env, *database;
    } cases[] = {
        {"MYSQL_HOST=db", "mysql://root:@db:3306/ai_community"},
        {"MYSQL_HOST=db;MYSQL_PORT=3307;MYSQL_USER=u@x;MYSQL_PASSWORD=p:/@ ü%;MYSQL_DATABASE=c",
         "mysql://u%40x:p%3A%2F%40%20%C3%BC%25@db:3307/c"},
        {"MYSQL_HOST=db;DATABASE_URL=sqlite:/x.db", "sqlite:/x.db"},
        {"MYSQL_PASSWORD=alone", "sqlite:./data/hutong.db"},
        {"HUTONG_DATA=/srv/h", "sqlite:/srv/h/hutong.db"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        loaded(&f, NULL, NULL, cases[i].env);
        assert_str_equal(f.settings.database, cases[i].database);
        arena_release(&f.arena);
    }
}

static void older_names_of_the_address_work(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"API_PORT=9000", "127.0.0.1:9000"},
        {"API_HOST=0.0.0.0", "0.0.0.0:8000"},
        {"API_HOST=0.0.0.0;API_PORT=1;HUTONG_LISTEN=127.0.0.1:0", "127.0.0.1:0"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        loaded(&f, NULL, NULL, cases[i][0]);
        assert_str_equal(f.settings.listen, cases[i][1]);
        arena_release(&f.arena);
    }
}

static void a_wrong_value_is_named_with_its_source_and_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *given, *dotenv, *env, *sentence;
    } cases[] = {
        {"loops=many", NULL, NULL,
         "setting loops is \"many\" (from the command line); allowed: a whole number from 0 to "
         "256"},
        {"loops=257", NULL, NULL,
         "setting loops is \"257\" (from the command line); allowed: a whole number from 0 to 256"},
        {"loops=-1", NULL, NULL,
         "setting loops is \"-1\" (from the command line); allowed: a whole number from 0 to 256"},
        {"loops=", NULL, NULL,
         "setting loops is \"\" (from the command line); allowed: a whole number from 0 to 256"},
        {NULL, NULL, "JWT_EXPIRE_MINUTES=1.5",
         "setting token-minutes-form is \"1.5\" (from environment JWT_EXPIRE_MINUTES); allowed: a "
         "whole number from 1 to 525600"},
        {NULL, "hutong_gzip=maybe", NULL,
         "setting gzip is \"maybe\" (from .env HUTONG_GZIP); allowed: on or off"},
        {NULL, "HUTONG_LOG_LEVEL=loud", NULL,
         "setting log-level is \"loud\" (from .env HUTONG_LOG_LEVEL); allowed: error warn info "
         "debug"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        assert_int_equal(load(&f, cases[i].given, cases[i].dotenv, cases[i].env), ERR_INVALID);
        assert_string_equal(f.why.text, cases[i].sentence);
        arena_release(&f.arena);
    }
}

static void switches_understand_the_usual_words(void **state)
{
    (void)state;
    static const struct {
        const char *env;
        bool on;
    } cases[] = {
        {"HUTONG_GZIP=on", true},  {"HUTONG_GZIP=true", true}, {"HUTONG_GZIP=yes", true},
        {"HUTONG_GZIP=1", true},   {"HUTONG_GZIP=off", false}, {"HUTONG_GZIP=false", false},
        {"HUTONG_GZIP=no", false}, {"HUTONG_GZIP=0", false},   {"HUTONG_GZIP=True", true},
        {"HUTONG_GZIP=t", true},   {"HUTONG_GZIP=OFF", false}, {"HUTONG_GZIP=F", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f = {0};
        loaded(&f, NULL, NULL, cases[i].env);
        assert_int_equal(f.settings.gzip, cases[i].on);
        arena_release(&f.arena);
    }
}

static void values_are_shown_as_text_but_secrets_are_not(void **state)
{
    (void)state;
    struct fixture f = {0};
    loaded(&f, NULL, NULL,
           "JWT_SECRET_KEY=hunter2;HUTONG_LOOPS=3;HUTONG_GZIP=0;HUTONG_LOG_LEVEL=warn");
    static const char *const cases[][2] = {
        {"jwt-secret", "***"}, {"mysql-password", ""}, {"loops", "3"},
        {"gzip", "off"},       {"log-level", "warn"},  {"data", "./data"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct setting *row = setting_find(str_of(cases[i][0]));
        assert_non_null(row);
        assert_str_equal(setting_text(&f.arena, &f.settings, row), cases[i][1]);
    }
    for (size_t i = 0; i < settings_count; i++) {
        struct str text = setting_text(&f.arena, &f.settings, &settings_table[i]);
        assert_int_equal(str_find(text, STR("hunter2")), text.len);
    }
    arena_release(&f.arena);
}

static void texts_live_in_the_arena_and_not_in_their_source(void **state)
{
    (void)state;
    struct fixture f = {0};
    char dotenv[] = "HUTONG_DATA=/srv/h", *env[] = {NULL, NULL};
    char var[] = "HUTONG_REDIS=redis://r";
    env[0] = var;
    assert_int_equal(settings_load(&f.arena, &f.settings, NULL, 0, str_of(dotenv), env, &f.why),
                     OK);
    memset(dotenv, '#', sizeof(dotenv));
    memset(var, '#', sizeof(var));
    assert_str_equal(f.settings.data_dir, "/srv/h");
    assert_str_equal(f.settings.redis, "redis://r");
    arena_release(&f.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(defaults_make_a_server_on_this_machine),
        cmocka_unit_test(the_stronger_source_wins),
        cmocka_unit_test(our_own_name_beats_the_old_one),
        cmocka_unit_test(dotenv_lines_are_read_as_shells_and_compose_read_them),
        cmocka_unit_test(older_database_names_become_a_url),
        cmocka_unit_test(older_names_of_the_address_work),
        cmocka_unit_test(a_wrong_value_is_named_with_its_source_and_what_is_allowed),
        cmocka_unit_test(switches_understand_the_usual_words),
        cmocka_unit_test(values_are_shown_as_text_but_secrets_are_not),
        cmocka_unit_test(texts_live_in_the_arena_and_not_in_their_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
