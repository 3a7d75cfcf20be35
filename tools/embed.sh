#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Prints a C file that carries the files named as arguments inside the binary.
# See src/base/embedded.h for what it defines. A page travels with the policy that its header
# must name: PAGE.html also gives PAGE.html.csp.
set -eu
echo '#include "base/embedded.h"'
n=0
for file in "$@"; do
    printf '__asm__(".section .rodata\\n.balign 16\\nembedded_%d: .incbin \\"%s\\"\\nembedded_end_%d: .byte 0\\n.previous\\n");\n' \
        "$n" "$file" "$n"
    printf 'extern const char embedded_%d[], embedded_end_%d[];\n' "$n" "$n"
    case $file in
    *.html)
        policy=$(sh tools/page_csp.sh "$file")
        printf 'static const char policy_%d[] = "%s";\n' "$n" "$policy"
        ;;
    esac
    n=$((n + 1))
done
printf 'const struct embedded_file embedded_files[] = {\n'
n=0
for file in "$@"; do
    printf '    {"%s", embedded_%d, embedded_end_%d},\n' "$file" "$n" "$n"
    case $file in
    *.html) printf '    {"%s.csp", policy_%d, policy_%d + sizeof(policy_%d) - 1},\n' "$file" "$n" "$n" "$n" ;;
    esac
    n=$((n + 1))
done
printf '    {0},\n};\n'
