#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# tests/totals.sh counts what suites print, and takes silence for a failure.
. "${srcdir:-.}/tests/support/suite.sh"

# suite NAME RESULT LINE...: what a suite of that name would leave behind.
suite()
{
	name=$1 result=$2
	shift 2
	[ $# -eq 0 ] && : >"$scratch/$name.log"
	[ $# -eq 0 ] || printf '%s\n' "$@" >"$scratch/$name.log"
	[ "$result" = NONE ] || printf ':test-result: %s\n:global-test-result: %s\n' \
		"$result" "$result" >"$scratch/$name.trs"
}

# totals WHAT STATUS LAST NAME...: of the suites named.
totals()
{
	what=$1 status=$2 last=$3
	shift 3
	logs=
	for name; do
		logs="$logs $scratch/$name.log"
	done
	# shellcheck disable=SC2086
	output=$("$srcdir/tests/totals.sh" $logs)
	check_same "$what: exit status" "$status" "$?"
	check_same "$what: last line" "$last" "$(printf '%s\n' "$output" | tail -n 1)"
}

suite program PASS 'Running suite(s): x' '100%: Checks: 10, Failures: 0, Errors: 0' 'PAIRS: 1000'
suite script PASS 'PAIRS: 234' 'Checks: 5, Failures: 0, Errors: 0'
suite red FAIL '50%: Checks: 4, Failures: 1, Errors: 1'
suite red_but_passed PASS 'Checks: 2, Failures: 1, Errors: 0'
suite program_skips PASS 'SKIPPED: no root' '100%: Checks: 3, Failures: 0, Errors: 0'
suite script_skips PASS 'SKIPPED: no mandoc' 'Checks: 3, Failures: 0, Errors: 0'
suite all_skipped SKIP 'SKIPPED: no network' 'Checks: 0, Failures: 0, Errors: 0'
suite silent_skip SKIP 'Checks: 0, Failures: 0, Errors: 0'
suite no_check PASS 'all is well'
suite skip_said_pass PASS 'SKIPPED: why not' 'Checks: 0, Failures: 0, Errors: 0'
suite crash FAIL 'Running suite(s): x'
suite late_crash FAIL '100%: Checks: 3, Failures: 0, Errors: 0'
suite unfinished NONE 'Checks: 3, Failures: 0, Errors: 0'
suite twice PASS '100%: Checks: 1, Failures: 0, Errors: 0' '100%: Checks: 2, Failures: 0, Errors: 0'

totals 'all pass' 0 '15 passed, 0 failed, 0 skipped' program script
check_same 'pairs are summed' '1234 pairs of program and packet compared' \
	"$(printf '%s\n' "$output" | tail -n 2 | head -n 1)"
totals 'failures and errors' 1 '2 passed, 2 failed, 0 skipped' red
totals 'a failure that automake missed' 1 '1 passed, 1 failed, 0 skipped' red_but_passed
totals 'a Check program counts what it skips' 0 '2 passed, 0 failed, 1 skipped' program_skips
totals 'a script does not' 0 '3 passed, 0 failed, 1 skipped' script_skips
totals 'everything skipped' 0 '0 passed, 0 failed, 1 skipped' all_skipped
totals 'skipped without a reason' 1 '0 passed, 1 failed, 0 skipped' silent_skip
totals 'no check' 1 '0 passed, 1 failed, 0 skipped' no_check
totals 'only skips, but status 0' 1 '0 passed, 1 failed, 1 skipped' skip_said_pass
totals 'crash' 1 '0 passed, 1 failed, 0 skipped' crash
totals 'crash after the summary' 1 '3 passed, 1 failed, 0 skipped' late_crash
totals 'killed' 1 '3 passed, 1 failed, 0 skipped' unfinished
totals 'no log' 1 '10 passed, 1 failed, 0 skipped' program missing
totals 'two summaries' 0 '3 passed, 0 failed, 0 skipped' twice
totals 'no suite' 1 '0 passed, 1 failed, 0 skipped'
finish
