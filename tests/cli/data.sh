#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The captures of tests/data are what generate.py beside them writes, no more
# and no fewer, and small.
. "${srcdir:-.}/tests/support/suite.sh"
data=$srcdir/tests/data

captures=$(cd "$data" && ls -- *.pcap *.pcapng)
check 'there are captures' test -n "$captures"
# shellcheck disable=SC2086
{
	check_empty 'no capture has 200,000 bytes or more' "$(cd "$data" && wc -c $captures |
		awk '$2 != "total" && $1 >= 200000 { print $2 ": " $1 }')"
	check 'all of them have less than 1,000,000 bytes' \
		test "$(cd "$data" && cat $captures | wc -c)" -lt 1000000
}

# differing FOLDER: what is not the same in both.
differing()
{
	for name in $captures; do
		cmp -s "$data/$name" "$1/$name" || echo "$name"
	done
	(cd "$1" && ls) | while read -r name; do
		[ -e "$data/$name" ] || echo "$name"
	done
}

if command -v python3 >/dev/null 2>&1 && python3 -c 'import hashlib; hashlib.shake_256' 2>/dev/null; then
	mkdir "$scratch/anew" "$scratch/other" || exit 99
	check 'generate.py writes captures' python3 "$data/generate.py" "$scratch/anew"
	check_empty 'what generate.py writes is what is committed' "$(differing "$scratch/anew")"

	cp "$scratch/anew"/* "$scratch/other"
	printf x >>"$scratch/other/demo.pcap"
	rm "$scratch/other/raw.pcap"
	: >"$scratch/other/new.pcap"
	check_same 'a longer, a missing and a new capture are found' 'demo.pcap raw.pcap new.pcap' \
		"$(differing "$scratch/other" | paste -s -d " " -)"
	check_empty 'each capture says what it shows' \
		"$(python3 "$data/generate.py" --list | awk 'NF < 4 { print $1 }')"
else
	skip 'python3 is missing: the captures were not written anew'
fi
finish
