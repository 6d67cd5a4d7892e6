#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What holds for each file: licence, line length, white space, no path of the
# machine that it was written on; and the version is the same everywhere.
. "${srcdir:-.}/tests/support/suite.sh"
cd "$srcdir" || exit 99

# Files that are ours, by kind; not what autoreconf and make leave behind.
c_files=$(find ebpf cbpf filter tools include tests bench fuzz -name '*.[ch]' | sort)
tables=$(find ebpf cbpf -name '*.def' | sort)
scripts=$(find scripts -type f; find tests bench fuzz -name '*.sh' -o -name '*.py')
build_files="configure.ac Makefile.am $(find m4 -name 'bpfsift*.m4') $(find . -name build.am | sed 's|^\./||')"
texts="README.md NEWS $(find man -type f) $(find . -maxdepth 1 -name '*.pc.in')"
check 'the patterns find files' test -n "$c_files" -a -n "$tables" -a -n "$scripts"

# shellcheck disable=SC2086
{
	check_empty 'each source says its licence in the first two lines' "$(
		for file in $c_files $tables $scripts configure.ac Makefile.am; do
			head -n 2 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || echo "$file"
		done)"
	# Messages stay whole, so that they can be searched for.
	check_empty 'no line of C is longer than 100 columns, strings not counted' "$(
		for file in $c_files; do
			expand "$file" | sed 's/"[^"]*"//g; s/ *\\$//' |
				awk -v file="$file" 'length > 100 { print file ":" NR ": " length }'
		done)"
	check_empty 'no line ends in white space' \
		"$(grep -nE '[[:space:]]+$' $c_files $tables $scripts $build_files $texts)"
	check_empty 'each file ends with a newline' "$(
		for file in $c_files $tables $scripts $build_files $texts; do
			[ -z "$(tail -c 1 "$file")" ] || echo "$file"
		done)"
	# The brackets keep this line from finding itself.
	check_empty 'no path of a machine' \
		"$(grep -nE '(^|[^a-z])/(wor[k]|roo[t]|hom[e])/|\.\./share[d]' \
			$c_files $tables $scripts $build_files $texts)"
	check_empty 'C is indented with tabs' \
		"$(grep -nE '^ {8}' $c_files | grep -vE ':[0-9]+: +(\*|\\$)')"
}

# What a fragment does not list is not in the release, and a line that lost its
# backslash in a merge ends the list without a word.
# shellcheck disable=SC2086
check_empty 'each source is listed once in its fragment' "$(
	{
		find ebpf cbpf filter -name '*.[ch]' -o -name '*.def'
		find ebpf cbpf filter -name '*.[ch]' -o -name '*.def'
		sed -nE 's/^[[:space:]]+((ebpf|cbpf|filter)\/[a-z0-9_\/]+\.(c|h|def))( \\)?$/\1/p' \
			ebpf/build.am cbpf/build.am filter/build.am
	} | sort | uniq -c | awk '$1 != 3 { print $2 ": " $1 - 2 " times" }')"
check_empty 'each list of a fragment goes on where it seems to' "$(
	for file in $build_files; do
		awk -v file="$file" '
			/^\t[A-Za-z0-9_\/.-]+( \\)?$/ && before !~ /\\$/ { print file ":" NR ": " $1 }
			{ before = $0 }' "$file"
	done)"

version=$(sed -nE 's/^AC_INIT\(\[bpfsift\], \[([0-9.]+)\]\)$/\1/p' configure.ac)
check 'configure.ac names the version' test -n "$version"
check_same 'NEWS begins with that version' "bpfsift $version" "$(head -n 1 NEWS | sed 's/ (.*//')"
check_same "the Debian package's too" "bpfsift ($version-" \
	"$(sed -n '1s/^\(bpfsift ([0-9.]*-\).*/\1/p' debian/changelog)"

for script in $scripts; do
	case $(head -n 1 "$script") in
	'#!/bin/sh') check "$script is sound shell" sh -n "$script" ;;
	esac
done
finish
