#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The shared library exports what the public headers declare BPFSIFT_API, no
# more and no less, and the manual has all of it; and the library has no
# writable statics.
. "${srcdir:-.}/tests/support/suite.sh"

: "${NM:=nm}" "${OBJDUMP:=objdump}" "${MODE_CFLAGS=}"

# The name before the first parenthesis after each BPFSIFT_API.
declared=$(cat "$srcdir"/include/bpfsift/*.h | grep -v '^#' | tr '\n' ' ' |
	sed 's/BPFSIFT_API/\n&/g' |
	sed -nE 's/^BPFSIFT_API [^(;]*[ *]([a-z_][a-z0-9_]*)\(.*/\1/p' | sort)
check 'the headers declare functions' test -n "$declared"
check_empty 'public names begin with ebpf_, cbpf_ or sift_' \
	"$(printf '%s\n' "$declared" | grep -vE '^(ebpf|cbpf|sift)_')"
check_empty 'no function is declared twice' "$(printf '%s\n' "$declared" | uniq -d)"

# Pages of section 3 have each function twice: how it is called, and what it does.
pages=$(find "$srcdir/man" -name '*.3')
check 'there are pages' test -n "$pages"
# not_twice: of the names on standard input, and those declared, which are not in both.
not_twice()
{
	{ cat; printf '%s\n' "$declared"; } | sort | uniq -c | awk '$1 != 2 { print $2 }'
}
# shellcheck disable=SC2086
check_empty 'not one prototype in the pages' "$(sed -n 's/^\.Fo //p' $pages | not_twice)"
# shellcheck disable=SC2086
check_empty 'not one place in the pages that says what the function does' \
	"$(sed -nE 's/^\.It Fn ([a-z0-9_]+)$/\1/p' $pages | not_twice)"
check_empty 'a page names a function that there is not' "$(
	sed -nE 's/.*Fn ((ebpf|cbpf|sift)_[a-z0-9_]+)( .*)?$/\1/p' "$srcdir"/man/*.[1-9] | sort -u |
		while read -r name; do
			printf '%s\n' "$declared" | grep -qx "$name" || echo "$name"
		done)"

# The sanitizers and coverage add objects and names of their own.
case " $MODE_CFLAGS " in
*-fsanitize*|*--coverage*) instrumented=yes ;;
*) instrumented= ;;
esac

library=$builddir/.libs/libbpfsift.so
if [ -f "$library" ]; then
	"$NM" -D --defined-only "$library" | awk -v instrumented="$instrumented" '
		$2 ~ /^[Aw]$/ || (instrumented && $3 ~ /^(__|mangle_path$)/) { next }
		{ sub(/@.*/, "", $3); print $3 }' | sort >"$scratch/exported"
	printf '%s\n' "$declared" >"$scratch/declared"
	check_empty 'declared in a header, but not exported' \
		"$(comm -13 "$scratch/exported" "$scratch/declared")"
	check_empty 'exported, but not declared in a header' \
		"$(comm -23 "$scratch/exported" "$scratch/declared")"
else
	skip 'no shared library (--disable-shared): exported symbols not compared'
fi

# Objects in sections that can be written while the library is in use;
# .data.rel.ro is read-only once relocated.
statics()
{
	"$OBJDUMP" -t "$1" | awk '
		$0 ~ / O / {
			for (i = 1; $i != "O"; i++)
				;
			section = $(i + 1)
			if (section ~ /^(\.data|\.bss|\.tdata|\.tbss|COMMON|\*COM\*)/ &&
			    section !~ /^\.data\.rel\.ro/)
				print section, $NF
		}'
}

archive=$builddir/.libs/libcore.a
if [ -n "$instrumented" ]; then
	skip 'writable statics: the sanitizers and coverage add their own'
else
	printf 'int seen; static int seen_too = 1; int *f(void) { return &seen_too; }\n' \
		>"$scratch/static.c"
	# shellcheck disable=SC2086
	check 'a test object compiles' $CC -c -o "$scratch/static.o" "$scratch/static.c"
	check_same 'writable statics are seen' 'seen
seen_too' "$(statics "$scratch/static.o" | sed 's/.* //' | sort)"
	# Allowed: the pages of machine code, which all programs of a process share.
	check 'the library has objects' test -n "$("$NM" "$archive" 2>/dev/null)"
	check_empty 'the library has no writable statics' \
		"$(statics "$archive" | grep -vE ' jit_pages$')"
fi
finish
