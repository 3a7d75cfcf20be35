/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/leave.h"

#include "base/limits.h"

/* --- folders --- */

/* A file that says which tool works in its folder. */
enum {
    BESIDE_GO = 1 << 0,
    BESIDE_RUST = 1 << 1,
    BESIDE_NODE = 1 << 2,
    BESIDE_PHP = 1 << 3,
    BESIDE_RUBY = 1 << 4,
    BESIDE_MAVEN = 1 << 5,
    BESIDE_GRADLE = 1 << 6,
    BESIDE_ELIXIR = 1 << 7,
    BESIDE_DOTNET = 1 << 8,
    BESIDE_COCOA = 1 << 9,
    BESIDE_SWIFT = 1 << 10,
    BESIDE_DART = 1 << 11,
    BESIDE_SBT = 1 << 12,
    AT_TOP = 1 << 13,
    ANYWHERE = 1 << 14,
};

static const struct {
    const char *name; /* of a file; "*" in front: how it ends */
    unsigned mark;
} manifests[] = {
    {"go.mod", BESIDE_GO},           {"Cargo.toml", BESIDE_RUST},
    {"package.json", BESIDE_NODE},   {"composer.json", BESIDE_PHP},
    {"Gemfile", BESIDE_RUBY},        {"pom.xml", BESIDE_MAVEN},
    {"build.gradle", BESIDE_GRADLE}, {"build.gradle.kts", BESIDE_GRADLE},
    {"mix.exs", BESIDE_ELIXIR},      {"*.csproj", BESIDE_DOTNET},
    {"*.fsproj", BESIDE_DOTNET},     {"*.vbproj", BESIDE_DOTNET},
    {"Podfile", BESIDE_COCOA},       {"Cartfile", BESIDE_COCOA},
    {"Package.swift", BESIDE_SWIFT}, {"pubspec.yaml", BESIDE_DART},
    {"build.sbt", BESIDE_SBT},
};

static const struct {
    const char *name;
    unsigned where;
    enum wiki_left_out why;
} folders[] = {
    {"node_modules", ANYWHERE, WIKI_LEFT_VENDORED},
    {"bower_components", ANYWHERE, WIKI_LEFT_VENDORED},
    {"jspm_packages", ANYWHERE, WIKI_LEFT_VENDORED},
    {"third_party", ANYWHERE, WIKI_LEFT_VENDORED},
    {"third-party", ANYWHERE, WIKI_LEFT_VENDORED},
    {"thirdparty", ANYWHERE, WIKI_LEFT_VENDORED},
    {"3rdparty", ANYWHERE, WIKI_LEFT_VENDORED},
    {"site-packages", ANYWHERE, WIKI_LEFT_VENDORED},
    {".venv", ANYWHERE, WIKI_LEFT_VENDORED},
    {".yarn", ANYWHERE, WIKI_LEFT_VENDORED},
    {".bundle", ANYWHERE, WIKI_LEFT_VENDORED},
    {".cargo-vendor", ANYWHERE, WIKI_LEFT_VENDORED},
    {"vendor", AT_TOP | BESIDE_GO | BESIDE_RUST | BESIDE_NODE | BESIDE_PHP | BESIDE_RUBY,
     WIKI_LEFT_VENDORED},
    {"deps", BESIDE_ELIXIR, WIKI_LEFT_VENDORED},
    {"Pods", BESIDE_COCOA, WIKI_LEFT_VENDORED},
    {"Carthage", BESIDE_COCOA, WIKI_LEFT_VENDORED},
    {"__pycache__", ANYWHERE, WIKI_LEFT_GENERATED},
    {".mypy_cache", ANYWHERE, WIKI_LEFT_GENERATED},
    {".pytest_cache", ANYWHERE, WIKI_LEFT_GENERATED},
    {".ruff_cache", ANYWHERE, WIKI_LEFT_GENERATED},
    {".tox", ANYWHERE, WIKI_LEFT_GENERATED},
    {".nox", ANYWHERE, WIKI_LEFT_GENERATED},
    {".gradle", ANYWHERE, WIKI_LEFT_GENERATED},
    {".terraform", ANYWHERE, WIKI_LEFT_GENERATED},
    {".next", ANYWHERE, WIKI_LEFT_GENERATED},
    {".nuxt", ANYWHERE, WIKI_LEFT_GENERATED},
    {".svelte-kit", ANYWHERE, WIKI_LEFT_GENERATED},
    {".dart_tool", ANYWHERE, WIKI_LEFT_GENERATED},
    {".svn", ANYWHERE, WIKI_LEFT_GENERATED},
    {".hg", ANYWHERE, WIKI_LEFT_GENERATED},
    {"target", BESIDE_RUST | BESIDE_MAVEN | BESIDE_SBT, WIKI_LEFT_GENERATED},
    {"dist", BESIDE_NODE, WIKI_LEFT_GENERATED},
    {"build", BESIDE_GRADLE | BESIDE_DART, WIKI_LEFT_GENERATED},
    {"coverage", BESIDE_NODE, WIKI_LEFT_GENERATED},
    {"_build", BESIDE_ELIXIR, WIKI_LEFT_GENERATED},
    {".build", BESIDE_SWIFT, WIKI_LEFT_GENERATED},
    {"obj", BESIDE_DOTNET, WIKI_LEFT_GENERATED},
};

static bool written_so(const char *written, struct str name)
{
    struct str rule = str_of(written);
    if (rule.at[0] != '*') return str_eq(rule, name);
    return name.len >= rule.len && str_ends(name, str_from(rule, 1));
}

unsigned wiki_leave_marks(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(manifests); i++) {
        if (written_so(manifests[i].name, name)) return manifests[i].mark;
    }
    return 0;
}

enum wiki_left_out wiki_leave_folder(struct str name, unsigned marks, bool top)
{
    unsigned here = marks | ANYWHERE | (top ? AT_TOP : 0);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        if (folders[i].where & here && str_eq(str_of(folders[i].name), name)) return folders[i].why;
    }
    return WIKI_TAKEN;
}

/* --- files, by name --- */

/* clang-format off */
static const char *const generated[] = {
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml",
    "bun.lock", "Cargo.lock", "poetry.lock", "Pipfile.lock", "uv.lock",
    "pdm.lock", "composer.lock", "Gemfile.lock", "go.sum", "go.work.sum",
    "flake.lock", "mix.lock", "pubspec.lock", "Podfile.lock",
    "Package.resolved", "packages.lock.json", "gradle.lockfile", "deno.lock",
    "*.pb.go", "*_pb2.py", "*_pb2_grpc.py", "*.pb.cc", "*.pb.h",
    "*.g.dart", "*.freezed.dart", "*.Designer.cs", "*.g.cs",
    "*.js.map", "*.css.map", "*.mjs.map",
};
static const char *const minified[] = {
    "*.min.js", "*.min.css", "*.min.mjs", "*.min.cjs", "*.min.html",
};
/* What people keep passwords and keys in. Examples of such files are for reading. */
static const char *const secret[] = {
    ".env", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".htpasswd",
    ".git-credentials", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk",
};
static const char *const examples[] = {
    ".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults",
};
/* Endings of what is no text. Read as bytes they would be found out as well; so they need
 * not be read. */
static const char *const binary[] = {
    "7z", "a", "aac", "ai", "apk", "avif", "bin", "blend", "bmp", "br", "bz2", "cab", "class",
    "dat", "db", "deb", "dex", "dll", "dmg", "doc", "docx", "dylib", "ear", "eot", "exe", "fbx",
    "flac", "gif", "glb", "gz", "heic", "icns", "ico", "img", "iso", "jar", "jpeg", "jpg", "jxl",
    "ko", "lib", "lz4", "m4a", "mkv", "mo", "mov", "mp3", "mp4", "msi", "node", "npy", "npz", "o",
    "obj", "odt", "ogg", "onnx", "otf", "parquet", "pdb", "pdf", "pickle", "pkl", "png", "ppt",
    "pptx", "psd", "pt", "pth", "pyc", "pyd", "pyo", "rar", "rlib", "rpm", "safetensors", "so",
    "sqlite", "sqlite3", "swf", "tar", "tgz", "tif", "tiff", "ttf", "wasm", "wav", "webm", "webp",
    "whl", "woff", "woff2", "xls", "xlsx", "xz", "zip", "zst",
};
/* Of these the small are configuration and examples, the large are data. */
static const char *const data[] = {
    "csv", "geojson", "html", "ipynb", "json", "jsonl", "ndjson", "po", "sql", "svg", "tsv", "txt",
    "xml", "yaml", "yml",
};
/* clang-format on */

static struct str ending(struct str name)
{
    size_t at = name.len;
    while (at > 0 && name.at[at - 1] != '.') at--;
    return at > 1 ? str_from(name, at) : (struct str){NULL, 0}; /* ".zip" is a name */
}

/* A loop over some hundred short words costs less than the file's stat. */
static bool one_of(const char *const *words, size_t count, struct str word)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(str_of(words[i]), word)) return true;
    }
    return false;
}

static bool written_as(const char *const *rules, size_t count, struct str name,
                       struct str *rule_out)
{
    for (size_t i = 0; i < count; i++) {
        if (!written_so(rules[i], name)) continue;
        *rule_out = str_of(rules[i]);
        return true;
    }
    return false;
}

static bool is_secret(struct str name)
{
    struct str unused;
    if (written_as(secret, COUNT_OF(secret), name, &unused)) return true;
    return str_starts(name, STR(".env.")) && !one_of(examples, COUNT_OF(examples), name);
}

enum wiki_left_out wiki_leave_file(struct str name, uint64_t bytes, struct str *written_as_out)
{
    *written_as_out = name;
    if (is_secret(name)) return WIKI_LEFT_SECRET;
    if (written_as(generated, COUNT_OF(generated), name, written_as_out))
        return WIKI_LEFT_GENERATED;
    if (written_as(minified, COUNT_OF(minified), name, written_as_out)) return WIKI_LEFT_MINIFIED;
    struct str end = ending(name);
    if (end.len > 0 && one_of(binary, COUNT_OF(binary), end)) return WIKI_LEFT_BINARY;
    if (bytes > LIMIT_WIKI_FILE_BYTES) return WIKI_LEFT_HUGE;
    if (bytes > LIMIT_WIKI_DATA_BYTES && end.len > 0 && one_of(data, COUNT_OF(data), end)) {
        return WIKI_LEFT_HUGE;
    }
    return WIKI_TAKEN;
}

/* --- files, by what is in them --- */

enum {
    HEAD_LINES = 12,        /* where a generator says that it was one */
    HEAD_BYTES = 2000,      /* and within which */
    MINIFIED_BYTES = 2000,  /* shorter ones do no harm */
    MINIFIED_AVERAGE = 300, /* bytes a line; people's code has 30 to 40 */
    DATA_AVERAGE = 4000,    /* any other file: a dump, not prose of long paragraphs */
};

/* How lines of remarks begin, in the languages there are. */
static bool is_remark(struct str line)
{
    static const char *const begins[] = {"//", "/*", "*",      "#",  "--", ";",   "%",
                                         "<!", "(*", "\"\"\"", "{-", "'",  "REM "};
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        if (str_starts(line, str_of(begins[i]))) return true;
    }
    return false;
}

static bool has_nocase(struct str line, struct str words)
{
    for (size_t at = 0; at + words.len <= line.len; at++) {
        if (str_eq_nocase((struct str){line.at + at, words.len}, words)) return true;
    }
    return false;
}

/* The words of generators, in a remark: "Code generated by protoc. DO NOT EDIT." */
static bool says_generated(struct str line)
{
    if (str_find(line, STR("@generated")) < line.len) return true;
    bool made = has_nocase(line, STR("generated by")) || has_nocase(line, STR("code generated")) ||
                has_nocase(line, STR("autogenerated")) || has_nocase(line, STR("auto-generated")) ||
                has_nocase(line, STR("automatically generated")) ||
                has_nocase(line, STR("generated automatically"));
    return made && (has_nocase(line, STR("do not edit")) ||
                    has_nocase(line, STR("do not modify")) || has_nocase(line, STR("don't edit")));
}

/* Two lines at a time, for generators say who they are in one and what not to do in the next. */
static bool begins_generated(struct str text)
{
    struct str rest = str_head(text, HEAD_BYTES), line, before = {NULL, 0};
    for (int i = 0; i < HEAD_LINES && str_split(&rest, '\n', &line); i++) {
        struct str trimmed = str_trim(line);
        if (!is_remark(trimmed)) {
            before = (struct str){NULL, 0};
            continue;
        }
        struct str both = trimmed;
        if (before.at) both = (struct str){before.at, (size_t)(line.at + line.len - before.at)};
        if (says_generated(both)) return true;
        before = line;
    }
    return false;
}

/* Fewer lines than that many bytes each would make? Ends as soon as there are enough. */
static bool lines_longer_than(struct str text, size_t average)
{
    size_t enough = text.len / average;
    struct str rest = text, line;
    for (size_t lines = 0; str_split(&rest, '\n', &line);) {
        if (++lines > enough) return false;
    }
    return true;
}

static bool is_minified(struct str name, struct str text)
{
    static const char *const code[] = {"js", "mjs", "cjs", "css", "html", "htm", "svg"};
    static const char *const prose[] = {"md", "markdown", "rst", "txt", "adoc", "tex", "org"};
    if (text.len < MINIFIED_BYTES) return false;
    struct str end = ending(name);
    if (one_of(prose, COUNT_OF(prose), end)) return false;
    bool is_code = one_of(code, COUNT_OF(code), end);
    return lines_longer_than(text, is_code ? MINIFIED_AVERAGE : DATA_AVERAGE);
}

enum wiki_left_out wiki_leave_bytes(struct str bytes)
{
    bool nul = bytes.len > 0 && memchr(bytes.at, '\0', bytes.len) != NULL;
    return nul ? WIKI_LEFT_BINARY : WIKI_TAKEN;
}

enum wiki_left_out wiki_leave_text(struct str name, struct str text)
{
    if (begins_generated(text)) return WIKI_LEFT_GENERATED;
    if (is_minified(name, text)) return WIKI_LEFT_MINIFIED;
    return WIKI_TAKEN;
}
