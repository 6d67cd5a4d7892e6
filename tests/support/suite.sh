# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# What every shell test shares: counting, skipping, a scratch directory.
#
#	. "${srcdir:-.}/tests/support/suite.sh"
#	check 'bpfsift says its version' bpfsift --version
#	finish
#
# tests/totals.sh adds up what finish prints.  A skipped check is not counted
# among the checks.

LC_ALL=C
export LC_ALL
: "${srcdir:=.}" "${builddir:=$PWD}" "${CC:=cc}"

suite_checks=0
suite_failures=0
suite_skipped=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/bpfsift-test.XXXXXX") || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' HUP INT TERM

# pass: one more check, which held.
pass()
{
	suite_checks=$((suite_checks + 1))
}

# fail WHAT [DETAIL]: one more check, which did not hold.
fail()
{
	suite_checks=$((suite_checks + 1))
	suite_failures=$((suite_failures + 1))
	printf 'FAILED: %s\n' "$1"
	[ -z "${2-}" ] || printf '%s\n' "$2" | sed 's/^/    /'
}

# skip REASON: a check that cannot be made here.
skip()
{
	suite_skipped=$((suite_skipped + 1))
	printf 'SKIPPED: %s\n' "$1"
}

# has_jit: programs become machine code on this machine.
has_jit()
{
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) return 1 ;;
	esac
}

# check WHAT COMMAND...: the command succeeds; its output is shown if not.
check()
{
	suite_what=$1
	shift
	if suite_output=$("$@" 2>&1); then
		pass
	else
		fail "$suite_what" "$suite_output"
	fi
}

# check_empty WHAT TEXT: the text, a list of offenders, is empty.
check_empty()
{
	if [ -z "$2" ]; then
		pass
	else
		fail "$1" "$2"
	fi
}

# check_same WHAT EXPECTED ACTUAL: two texts are the same.
check_same()
{
	if [ "$2" = "$3" ]; then
		pass
	else
		fail "$1" "expected: $2
but it is: $3"
	fi
}

# has_libpcap: whether the library was configured with it.
has_libpcap()
{
	grep -q '^#define HAVE_PCAP 1$' "$builddir/config.h"
}

# wait_for COMMAND...: it succeeds within so many seconds.  Who waits for what a command in
# the background writes empties the file first: the shell that is to become that command may
# come late to it, and what is found would be of the one before.
patience=30
wait_for()
{
	suite_tries=0
	until "$@" >/dev/null 2>&1; do
		suite_tries=$((suite_tries + 1))
		[ "$suite_tries" -lt $((patience * 20)) ] || return 1
		sleep 0.05
	done
}

# finish: print the totals and end with the status that they ask for.
finish()
{
	printf 'Checks: %d, Failures: %d, Errors: 0\n' "$suite_checks" "$suite_failures"
	[ "$suite_failures" -eq 0 ] || exit 1
	[ "$suite_checks" -gt 0 ] && exit 0
	[ "$suite_skipped" -gt 0 ] && exit 77
	exit 1
}
