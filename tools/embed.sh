#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Prints a C file that carries the files named as arguments inside the binary.
# See src/base/embedded.h for what it defines. A page travels with the policy that its header
# must name: PAGE.html also gives PAGE.html.csp. The built app (build/web/dist) is called web/ there
# and has one policy for all of it, in src/api/app_pages.c.
set -eu
with_policy() { # FILE
    case $1 in build/web/*) return 1 ;; *.html) return 0 ;; *) return 1 ;; esac
}
echo '#include "base/embedded.h"'
n=0
for file in "$@"; do
    printf '__asm__(".section .rodata\\n.balign 16\\nembedded_%d: .incbin \\"%s\\"\\nembedded_end_%d: .byte 0\\n.previous\\n");\n' \
        "$n" "$file" "$n"
    printf 'extern const char embedded_%d[], embedded_end_%d[];\n' "$n" "$n"
    if with_policy "$file"; then
        policy=$(sh tools/page_csp.sh "$file")
        printf 'static const char policy_%d[] = "%s";\n' "$n" "$policy"
    fi
    n=$((n + 1))
done
printf 'const struct embedded_file embedded_files[] = {\n'
n=0
for file in "$@"; do
    case $file in build/web/dist/*) name=web/${file#build/web/dist/} ;; *) name=$file ;; esac
    printf '    {"%s", embedded_%d, embedded_end_%d},\n' "$name" "$n" "$n"
    if with_policy "$file"; then
        printf '    {"%s.csp", policy_%d, policy_%d + sizeof(policy_%d) - 1},\n' "$file" "$n" "$n" "$n"
    fi
    n=$((n + 1))
done
printf '    {0},\n};\n'
