#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Manual pages are sound mdoc, their commands print what the page says, their
# program compiles without a warning and prints it too, and each option that a
# tool names in its --help is described.
. "${srcdir:-.}/tests/support/suite.sh"

srcdir=$(cd "$srcdir" && pwd)

if command -v mandoc >/dev/null 2>&1; then
	for page in "$srcdir"/man/*.[1-9]; do
		# Whether pages of other packages are installed is not the page's matter.
		check_empty "${page##*/} is sound" \
			"$(mandoc -Tlint -W style "$page" 2>&1 | grep -vE 'referenced manual|mandoc\.db')"
	done
else
	skip 'no mandoc: manual pages not checked'
fi

# literal PAGE: the lines of each literal block as the reader sees them, with
# "block: " before the first, and the comment above the block after that.
literal()
{
	sed -e '/^\.\\"/!s/\\e/\\/g' "$1" | awk '
		/^\.\\" / { comment = substr($0, 5); next }
		/^\.Bd -literal/ { inside = 1; print "block: " comment; comment = ""; next }
		/^\.Ed/ { inside = 0; next }
		inside { print }
		!inside { comment = "" }'
}

# What bpfsift is confined by is the machine's matter.
anywhere()
{
	sed 's/^\(  confined by  *\).*/\1.../'
}

# run_examples PAGE: "$ command" lines, "> " lines that continue them, and what
# they print.
run_examples()
{
	literal "$1" | awk -v dir="$scratch" '
		/^block: / { skip = /^block: not run: /; next }
		skip { next }
		/^\$ / { n++; command = dir "/" n ".cmd"; output = dir "/" n ".out"
			 print substr($0, 3) >command; printf "" >output; next }
		/^> / && n { print substr($0, 3) >command; next }
		n { print >output }'
	i=1
	while [ -f "$scratch/$i.cmd" ]; do
		check_same "${1##*/}: $(cat "$scratch/$i.cmd")" "$(anywhere <"$scratch/$i.out")" \
			"$(cd "$scratch" && sh "$scratch/$i.cmd" 2>&1 | anywhere)"
		i=$((i + 1))
	done
	check "${1##*/} has an example that runs" test "$i" -gt 1
	rm -f "$scratch"/*.cmd "$scratch"/*.out
}

for header in ebpf cbpf filter; do
	sh "$srcdir/scripts/man-functions" "$srcdir/include/bpfsift/$header.h" \
		"$srcdir/man/bpfsift-$header.3" >"$scratch/page"
	check "bpfsift-$header.3 says what $header.h does (make man-functions)" \
		diff "$srcdir/man/bpfsift-$header.3" "$scratch/page"
done
rm -f "$scratch/page"

PATH=$builddir/tools:$PATH
[ ! -f "$srcdir/tests/data/demo.pcap" ] || cp "$srcdir/tests/data/demo.pcap" "$scratch"
for tool in bpfsift cbpf2ebpf ebpfrun; do
	page=$srcdir/man/$tool.1
	# bpfsift's examples read savefiles.
	if [ "$tool" = bpfsift ] && ! has_libpcap; then
		skip "built without libpcap: the examples of $tool.1 were not run"
	else
		run_examples "$page"
	fi
	check "$tool --help ends well" "$builddir/tools/$tool" --help
	help=$("$builddir/tools/$tool" --help 2>&1)
	check_empty "$tool.1 describes each option of --help" "$(
		printf '%s\n' "$help" | grep -oE '(^|[^a-z0-9-])--[a-z][a-z-]+' | sed 's/.*--//' | sort -u |
			while read -r option; do
				grep -qE -- "(Fl|,) -$option( |\$)" "$page" || echo "--$option"
			done)"
done

# The n-th of the library's examples, and what the page says that it prints.
page=$srcdir/man/libbpfsift.3
library_example()
{
	literal "$page" | awk -v n="$1" '
		/^block: / { on = /^block: example: / && ++seen == n; next } on' >"$scratch/example.c"
	literal "$page" | awk -v n="$1" '
		/^block: / { on = follows; follows = /^block: example: / && ++seen == n; next } on' \
		>"$scratch/example.out"
	check "libbpfsift.3 has example $1" test -s "$scratch/example.c"
	check 'and says what it prints' test -s "$scratch/example.out"
	# shellcheck disable=SC2086
	check 'it compiles without a warning' $CC $MODE_CFLAGS -std=c11 -Wall -Wextra -Wpedantic \
		-Werror -I "$srcdir/include" -c -o "$scratch/example.o" "$scratch/example.c"
	# shellcheck disable=SC2086
	check 'it links' "$builddir/libtool" --silent --tag=CC --mode=link $CC $MODE_CFLAGS \
		-o "$scratch/example" "$scratch/example.o" "$builddir/libbpfsift.la"
	check_same 'it prints what the page says' "$(cat "$scratch/example.out")" \
		"$("$scratch/example" 2>&1)"
}
for n in $(seq "$(literal "$page" | grep -c '^block: example: ')"); do
	library_example "$n"
done
check_same 'each of the two was run' 2 "$n"
finish
