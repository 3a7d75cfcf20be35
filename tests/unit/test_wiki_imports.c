/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/imports.h"

#include "base/buf.h"
#include "unit.h"
#include "wiki/language.h"

/* Files of a small repository of everything, and who is meant by what. */
static const char *const files[] = {
    "src/main.c",              /* 0 */
    "src/net/http.h",          /* 1 */
    "include/base/str.h",      /* 2 */
    "src/net/local.h",         /* 3 */
    "tests/net/local.h",       /* 4 */
    "app/__init__.py",         /* 5 */
    "app/models/user.py",      /* 6 */
    "app/views.py",            /* 7 */
    "vendor/json.py",          /* 8 */
    "web/index.ts",            /* 9 */
    "web/lib/store.ts",        /* 10 */
    "web/lib/index.js",        /* 11 */
    "web/parts/Box.vue",       /* 12 */
    "pkg/store/store.go",      /* 13 */
    "pkg/store/util.go",       /* 14 */
    "cmd/main.go",             /* 15 */
    "crate/src/lib.rs",        /* 16 */
    "crate/src/parser.rs",     /* 17 */
    "crate/src/parser/lex.rs", /* 18 */
    "java/org/x/Tool.java",    /* 19 */
    "java/org/x/App.kt",       /* 20 */
    "lib/teapot/kettle.rb",    /* 21 */
    "lib/teapot.rb",           /* 22 */
    "php/Model/User.php",      /* 23 */
    "php/boot.php",            /* 24 */
    "perl/Tea/Pot.pm",         /* 25 */
    "perl/run.pl",             /* 26 */
    "lua/tea/pot.lua",         /* 27 */
    "lua/main.lua",            /* 28 */
    "bin/run.sh",              /* 29 */
    "bin/lib.sh",              /* 30 */
    "go/fmt/fmt.go",           /* 31 */
};

static const struct says {
    int from;
    const char *line;
    int means[3]; /* -1: none, also what is not written here */
} lines[] = {
    {0, "#include \"net/http.h\"", {1, -1, -1}},
    {0, "#  include <base/str.h> /* x */", {2, -1, -1}},
    {0, "#include <stdio.h>", {-1, -1, -1}},
    {0, "#include \"local.h\"", {3, -1, -1}}, /* the nearest of two */
    {4, "#include \"local.h\"", {3, -1, -1}}, /* not itself */
    {0, "#include \"../src/net/http.h\"", {1, -1, -1}},
    {0, "int include = 1;", {-1, -1, -1}},
    {7, "import app.models.user", {6, -1, -1}},
    {7, "from app.models import user, missing", {6, -1, -1}},
    {7, "from .models.user import User", {6, -1, -1}},
    {7, "from . import models", {-1, -1, -1}},
    {6, "from ..views import (index,", {7, -1, -1}},
    {6, "from app import views", {5, 7, -1}},
    {7, "import json", {-1, -1, -1}}, /* some other's, far away */
    {7, "import os, app.models.user as u", {6, -1, -1}},
    {7, "important = 1", {-1, -1, -1}},
    {9, "import { store } from './lib/store'", {10, -1, -1}},
    {9, "import x from \"./lib/store.js\";", {10, -1, -1}},
    {9, "export * from './lib'", {11, -1, -1}},
    {9, "const x = require('./lib/index.js')", {11, -1, -1}},
    {9, "const Box = () => import('./parts/Box.vue')", {12, -1, -1}},
    {12, "import { store } from '../lib/store'", {10, -1, -1}},
    {12, "import store from '@/lib/store'", {10, -1, -1}},
    {9, "import react from 'react'", {-1, -1, -1}},
    {9, "import '../../../etc/passwd'", {-1, -1, -1}},
    {15, "import \"github.com/x/y/pkg/store\"", {13, -1, -1}},
    {15, "import \"fmt\"", {-1, -1, -1}},
    {16, "pub mod parser;", {17, -1, -1}},
    {17, "mod lex;", {18, -1, -1}},
    {16, "use crate::parser::lex::Lexer;", {18, -1, -1}},
    {16, "pub(crate) use crate::parser::Parser;", {17, -1, -1}},
    {16, "use std::fmt;", {-1, -1, -1}},
    {20, "import org.x.Tool", {19, -1, -1}},
    {20, "import static org.x.Tool.run;", {19, -1, -1}},
    {20, "import java.util.List;", {-1, -1, -1}},
    {22, "require 'teapot/kettle'", {21, -1, -1}},
    {22, "require_relative \"teapot/kettle\"", {21, -1, -1}},
    {24, "require_once __DIR__ . '/Model/User.php';", {23, -1, -1}},
    {24, "use App\\Model\\User;", {23, -1, -1}},
    {26, "use Tea::Pot qw(brew);", {25, -1, -1}},
    {26, "use strict;", {-1, -1, -1}},
    {28, "local pot = require(\"tea.pot\")", {27, -1, -1}},
    {29, ". \"$(dirname \"$0\")/lib.sh\"", {30, -1, -1}},
    {29, "source ./lib.sh", {30, -1, -1}},
    {29, "./lib.sh", {-1, -1, -1}},
};

static void what_is_imported_is_found(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct str paths[COUNT_OF(files)];
    for (size_t i = 0; i < COUNT_OF(files); i++) paths[i] = str_of(files[i]);
    struct wiki_importing *importing = wiki_importing_new(&arena, paths, COUNT_OF(files));
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct wiki_import *imports;
        size_t from = (size_t)lines[i].from, found = 0;
        size_t count = wiki_imports(&arena, paths[from], wiki_language(paths[from]),
                                    str_of(lines[i].line), &imports);
        for (size_t n = 0; n < count; n++) {
            size_t to = wiki_importing_find(importing, &arena, from, &imports[n]);
            if (to == COUNT_OF(files)) continue;
            if (found == 3 || lines[i].means[found] != (int)to) {
                fail_msg("%s in %s: %s", lines[i].line, files[from], files[to]);
            }
            found++;
        }
        if (found < 3 && lines[i].means[found] != -1) {
            fail_msg("%s in %s: not found (%zu imports)", lines[i].line, files[from], count);
        }
    }
    wiki_importing_free(importing);
    arena_release(&arena);
}

static void a_block_of_go_is_read_to_its_end(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct wiki_import *imports;
    size_t count = wiki_imports(
        &arena, STR("a.go"), STR("Go"),
        STR("import (\n\t\"fmt\"\n\tx \"a.b/c\"\n\t_ \"a.b/d\"\n)\n\nvar s = \"no/import\"\n"),
        &imports);
    assert_int_equal(count, 2);
    assert_str_equal(imports[0].text, "a.b/c");
    assert_str_equal(imports[1].text, "a.b/d");
    arena_release(&arena);
}

/* Twice the same, longer than any path, in a line without an end, and more than are kept. */
static void ceilings_hold(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct wiki_import *imports;
    struct buf text;
    buf_init(&text, 1 << 24);
    buf_add_str(&text, STR("#include \"a.h\"\n#include \"a.h\"\n#include \""));
    for (int i = 0; i < WIKI_IMPORT_BYTES + 1; i++) buf_add_byte(&text, 'x');
    buf_add_str(&text, STR("\"\n#include \"b;c.h\"\n/*"));
    for (int i = 0; i < 1 << 20; i++) buf_add_byte(&text, ' ');
    buf_add_str(&text,
                STR("*/ #include \"far.h\"\n#include \"open.h\n#include <open.h\n#\n#include\n"));
    assert_int_equal(wiki_imports(&arena, STR("a.c"), STR("C"), buf_str(&text), &imports), 2);
    assert_str_equal(imports[0].text, "a.h");
    assert_str_equal(imports[1].text, "open.h");
    for (int i = 0; i < 100000; i++) buf_printf(&text, "#include \"h%d.h\"\n", i);
    assert_int_equal(wiki_imports(&arena, STR("a.c"), STR("C"), buf_str(&text), &imports),
                     WIKI_IMPORTS_MAX);
    assert_int_equal(wiki_imports(&arena, STR("a.txt"), STR(""), buf_str(&text), &imports), 0);
    buf_release(&text);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_imported_is_found),
        cmocka_unit_test(a_block_of_go_is_read_to_its_end),
        cmocka_unit_test(ceilings_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
