# SPDX-License-Identifier: AGPL-3.0-or-later
#
# awk -f tools/layers.awk tools/layers.txt SYSTEM INCLUDES
#
# Compares includes with the written list. SYSTEM names the headers of the C library and the
# compiler, one a line; INCLUDES holds lines "src/room/file.c:12:#include …". Prints each
# include that the list does not allow; fails when there was one.

function complain(what)
{
    print file ":" line ": " what
    bad = 1
}

# Is `path` (room/file.c) in one of these places, each a room or the beginning of a file name?
function is_in(path, places,    n, i, list)
{
    n = split(places, list, " ")
    for (i = 1; i <= n; i++) {
        if (index(path, list[i] (list[i] ~ /\// ? "" : "/")) == 1) return 1
    }
    return 0
}

function check_ours(path, header,    room, theirs)
{
    room = path
    sub(/\/.*/, "", room)
    theirs = header
    if (!sub(/\/.*/, "", theirs)) {
        # generated files have no room: version.h and the like
        complain("include \"" header "\" by its room: \"" room "/" header "\"")
    } else if (!(room in built_on)) {
        complain("room " room " is not in tools/layers.txt")
    } else if (!((room, theirs) in may)) {
        complain(room "/ may not include \"" header "\"; it is built on:" built_on[room])
    } else if (header ~ /\/internal\.h$/ && theirs != room) {
        complain("\"" header "\" is for " theirs "/ alone")
    }
}

function check_library(path, header,    i)
{
    for (i = 1; i <= libraries; i++) {
        if (index("<" header ">", library[i]) != 1) continue
        if (!is_in(path, library_in[i])) {
            complain("<" header "> belongs into" library_in[i] " only")
        }
        return
    }
    if (!(header in system_header)) {
        complain("<" header "> is a library that tools/layers.txt does not name")
    }
}

FNR == 1 { input++ }

input == 1 && (/^#/ || NF == 0) { next }
input == 1 && /^</ {
    library[++libraries] = $1
    sub(/:$/, "", library[libraries])
    $1 = ""
    library_in[libraries] = $0
    next
}
input == 1 {
    room = $1
    sub(/:$/, "", room)
    may[room, room] = 1
    for (i = 2; i <= NF; i++) {
        if (!($i in built_on)) {
            file = FILENAME
            line = FNR
            complain("room " $i " must stand above " room)
        }
        for (other in built_on) if (($i, other) in may) may[room, other] = 1
    }
    $1 = ""
    built_on[room] = $0 == "" ? " nothing" : $0
    next
}

input == 2 { system_header[$0] = 1; next }

{
    split($0, part, ":")
    file = part[1]
    line = part[2]
    path = file
    sub(/^src\//, "", path)
    header = $0
    if (header ~ /#[ \t]*include[ \t]*"/) {
        sub(/^[^"]*"/, "", header)
        sub(/".*/, "", header)
        check_ours(path, header)
        if (!(file in first)) {
            first[file] = header
            own = path
            sub(/\.c$/, ".h", own)
            if (path ~ /\.c$/ && header != own && (getline unused < ("src/" own)) > 0) {
                complain("a .c includes its own header first: \"" own "\"")
            }
        }
    } else if (header ~ /#[ \t]*include[ \t]*</) {
        sub(/^[^<]*</, "", header)
        sub(/>.*/, "", header)
        check_library(path, header)
    }
}

END { exit bad }
