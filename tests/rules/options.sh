#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each long option in a tool's table is described in its manual page, named in its --help (if it
# is another name of a short option, that one may be), and completed by bash; and nothing else is.
. "${srcdir:-.}/tests/support/suite.sh"

tab=$(printf '\t')

# table FILE: "name<TAB>letter" of each row of its struct option, no letter where it has none.
table()
{
	sed -n "s/^${tab}{ \"\([a-z-]*\)\", \(no\|required\|optional\)_argument, NULL, \('\(.\)'\|OPT[A-Z_]*\) },\$/\1$tab\4/p" "$1"
}

# offered FILE: the long options that a completion names.
offered()
{
	sed -n "/local long='/,/'\$/p" "$1" | grep -oE -- '--[a-z-]+' | sed 's/^--//' | sort
}

for pair in bpfsift:bpfsift_options cbpf2ebpf:cbpf2ebpf_options ebpfrun:ebpfrun; do
	tool=${pair%:*}
	source=tools/${pair#*:}.c
	page=man/$tool.1
	table "$srcdir/$source" >"$scratch/table"
	check_same "$source: each row of the table was read" \
		"$(grep -cE '^	\{ "[a-z-]+", (no|required|optional)_argument,' "$srcdir/$source")" \
		"$(awk 'END { print NR }' "$scratch/table")"
	check "$source has options" test -s "$scratch/table"
	help=$("$builddir/tools/$tool" --help 2>&1)
	while IFS=$tab read -r name letter; do
		check "$source: --$name: describe it in $page" \
			grep -qE -- "(Fl|,) -$name( |\$)" "$srcdir/$page"
		if [ -n "$letter" ]; then
			# In a list of letters, as "-AbdDe", or by itself.
			printf '%s\n' "$help" | grep -qE -- "(^|[^a-z-])-[A-Za-z#]*$letter|--$name" && continue
			[ "$letter" = h ] && continue # what prints this need not be in it
		else
			printf '%s\n' "$help" | grep -qE -- "--$name([^a-z-]|\$)" && continue
		fi
		fail "$source: --$name: name it in what $tool --help prints"
	done <"$scratch/table"
	cut -f 1 "$scratch/table" | sort >"$scratch/names"
	offered "$srcdir/completions/$tool" >"$scratch/offered"
	check_empty "completions/$tool: to be added to its list of long options" \
		"$(comm -23 "$scratch/names" "$scratch/offered")"
	check_empty "completions/$tool: there is no such option any more" \
		"$(comm -13 "$scratch/names" "$scratch/offered")"
	# The ones that take a value say so.
	check_empty "completions/$tool: those with a value end with '='" "$(
		sed -n 's/^	{ "\([a-z-]*\)", required_argument,.*/\1/p' "$srcdir/$source" | while read -r name; do
			grep -q -e "--$name=" "$srcdir/completions/$tool" || echo "--$name"
		done)"
done
finish
