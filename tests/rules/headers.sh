#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each header compiles alone, and twice in a row: public ones as C11 and C++
# to the letter, private ones and those of the tests as the build compiles.
. "${srcdir:-.}/tests/support/suite.sh"

srcdir=$(cd "$srcdir" && pwd)
: "${CXX:=c++}"
flags='-Wall -Wextra -Werror -fsyntax-only'

# alone HEADER SUFFIX COMPILER...: compile a source that has nothing else.
# shellcheck disable=SC2317
alone()
{
	header=$1 source=$scratch/alone$2
	shift 2
	printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$source"
	"$@" "$source"
}

public=$(cd "$srcdir/include" && find . -name '*.h' | sed 's|^\./||' | sort)
private=$(cd "$srcdir" && find ebpf cbpf filter tools tests fuzz bench -name '*.h' | sort)
check 'there are headers' test -n "$public" -a -n "$private"

for header in $public; do
	# shellcheck disable=SC2086
	check "$header compiles alone as C11" alone "$header" .c \
		$CC -std=c11 -pedantic-errors $flags -I "$srcdir/include"
done
for header in $private; do
	# shellcheck disable=SC2086
	check "$header compiles alone as C11" alone "$header" .c \
		$CC -std=c11 $flags -D_GNU_SOURCE -I "$builddir" -I "$srcdir/include" -I "$srcdir"
done
if command -v "$CXX" >/dev/null 2>&1; then
	for header in $public; do
		# shellcheck disable=SC2086
		check "$header compiles alone as C++" alone "$header" .cc \
			"$CXX" -std=c++11 -pedantic-errors $flags -I "$srcdir/include"
	done
else
	skip "no C++ compiler: public headers not compiled as C++"
fi
finish
