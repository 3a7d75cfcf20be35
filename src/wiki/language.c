/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "wiki/language.h"

struct named {
    const char *end; /* an extension without its dot, or a whole name */
    const char *language;
};

static const struct named extensions[] = {
    {"c", "C"},          {"h", "C"},           {"cc", "C++"},         {"cpp", "C++"},
    {"cxx", "C++"},      {"hpp", "C++"},       {"hh", "C++"},         {"hxx", "C++"},
    {"ipp", "C++"},      {"cs", "C#"},         {"java", "Java"},      {"kt", "Kotlin"},
    {"kts", "Kotlin"},   {"scala", "Scala"},   {"go", "Go"},          {"rs", "Rust"},
    {"py", "Python"},    {"pyi", "Python"},    {"pyx", "Cython"},     {"rb", "Ruby"},
    {"rake", "Ruby"},    {"php", "PHP"},       {"pl", "Perl"},        {"pm", "Perl"},
    {"t", "Perl"},       {"lua", "Lua"},       {"tcl", "Tcl"},        {"r", "R"},
    {"jl", "Julia"},     {"m", "Objective-C"}, {"mm", "Objective-C"}, {"swift", "Swift"},
    {"d", "D"},          {"zig", "Zig"},       {"nim", "Nim"},        {"v", "Verilog"},
    {"sv", "SystemVerilog"}, {"vhd", "VHDL"},  {"vhdl", "VHDL"},      {"js", "JavaScript"},
    {"mjs", "JavaScript"}, {"cjs", "JavaScript"}, {"jsx", "JavaScript"}, {"ts", "TypeScript"},
    {"mts", "TypeScript"}, {"cts", "TypeScript"}, {"tsx", "TypeScript"}, {"vue", "Vue"},
    {"svelte", "Svelte"}, {"html", "HTML"},    {"htm", "HTML"},       {"xhtml", "HTML"},
    {"css", "CSS"},      {"scss", "SCSS"},     {"sass", "Sass"},      {"less", "Less"},
    {"xml", "XML"},      {"xsl", "XSLT"},      {"xslt", "XSLT"},      {"svg", "SVG"},
    {"json", "JSON"},    {"jsonc", "JSON"},    {"yaml", "YAML"},      {"yml", "YAML"},
    {"toml", "TOML"},    {"ini", "INI"},       {"cfg", "INI"},        {"conf", "INI"},
    {"sql", "SQL"},      {"sh", "Shell"},      {"bash", "Shell"},     {"zsh", "Shell"},
    {"fish", "Fish"},    {"ps1", "PowerShell"}, {"bat", "Batch"},     {"cmd", "Batch"},
    {"awk", "AWK"},      {"sed", "sed"},       {"mk", "Make"},        {"cmake", "CMake"},
    {"gradle", "Groovy"}, {"groovy", "Groovy"}, {"bzl", "Starlark"},  {"nix", "Nix"},
    {"tf", "HCL"},       {"hcl", "HCL"},       {"proto", "Protobuf"}, {"graphql", "GraphQL"},
    {"gql", "GraphQL"},  {"thrift", "Thrift"}, {"ex", "Elixir"},      {"exs", "Elixir"},
    {"erl", "Erlang"},   {"hrl", "Erlang"},    {"hs", "Haskell"},     {"ml", "OCaml"},
    {"mli", "OCaml"},    {"fs", "F#"},         {"clj", "Clojure"},    {"cljs", "Clojure"},
    {"el", "Emacs Lisp"}, {"lisp", "Common Lisp"}, {"scm", "Scheme"}, {"rkt", "Racket"},
    {"dart", "Dart"},    {"pas", "Pascal"},    {"f", "Fortran"},      {"f90", "Fortran"},
    {"ada", "Ada"},      {"adb", "Ada"},       {"ads", "Ada"},        {"cob", "COBOL"},
    {"asm", "Assembly"}, {"s", "Assembly"},    {"y", "Yacc"},         {"l", "Lex"},
    {"m4", "M4"},        {"ac", "M4"},         {"am", "Make"},        {"vim", "Vim script"},
    {"md", "Markdown"},  {"markdown", "Markdown"}, {"mdx", "Markdown"}, {"rst", "reStructuredText"},
    {"adoc", "AsciiDoc"}, {"asciidoc", "AsciiDoc"}, {"tex", "TeX"},   {"texi", "Texinfo"},
    {"texinfo", "Texinfo"}, {"org", "Org"},    {"txt", "Text"},       {"csv", "CSV"},
    {"po", "Gettext"},   {"diff", "Diff"},     {"patch", "Diff"},     {"cu", "CUDA"},
    {"glsl", "GLSL"},    {"wgsl", "WGSL"},     {"sol", "Solidity"},   {"ipynb", "Jupyter"},
};

static const struct named names[] = {
    {"Makefile", "Make"},       {"makefile", "Make"},     {"GNUmakefile", "Make"},
    {"CMakeLists.txt", "CMake"}, {"Dockerfile", "Docker"}, {"Rakefile", "Ruby"},
    {"Gemfile", "Ruby"},        {"Jenkinsfile", "Groovy"}, {"BUILD", "Starlark"},
    {"WORKSPACE", "Starlark"},  {"meson.build", "Meson"}, {"README", "Text"},
    {"LICENSE", "Text"},        {"COPYING", "Text"},      {"CHANGES", "Text"},
    {"NEWS", "Text"},           {"INSTALL", "Text"},      {"AUTHORS", "Text"},
    {"TODO", "Text"},
};

struct str wiki_language(struct str path)
{
    size_t name = path.len, dot = path.len;
    while (name > 0 && path.at[name - 1] != '/') name--;
    struct str last = str_from(path, name);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (str_eq(last, str_of(names[i].end))) return str_of(names[i].language);
    }
    while (dot > name && path.at[dot - 1] != '.') dot--;
    if (dot == name) return (struct str){0};
    struct str extension = str_from(path, dot);
    for (size_t i = 0; i < COUNT_OF(extensions); i++) {
        if (str_eq_nocase(extension, str_of(extensions[i].end))) {
            return str_of(extensions[i].language);
        }
    }
    /* ".1" to ".9": a page of the manual. */
    if (extension.len == 1 && extension.at[0] >= '1' && extension.at[0] <= '9') return STR("Roff");
    return (struct str){0};
}
