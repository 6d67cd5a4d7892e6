#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Usage: totals.sh LOG...
#
# Add up what the suites of 'make check' counted.  A log holds
#	Checks: n, Failures: n, Errors: n	(Check puts "100%: " before it)
#	SKIPPED: reason
#	PAIRS: n
# and the .trs beside it the result that automake saw.  A suite fails, beyond
# the failures that it counted itself, if it has no log, ran no check, was
# skipped without a reason, or ended badly although no check failed.
#
# The last line is "N passed, N failed, N skipped".  Exit status 1 if any failed.

LC_ALL=C
export LC_ALL

exec awk '
# One line says what the suite did and how automake judged it.
function judge(log_name, result,    n_failed, why, trs, line, where) {
	trs = log_name
	sub(/\.log$/, ".trs", trs)
	result = "NONE"
	while ((getline line < trs) > 0)
		if (line ~ /^:global-test-result: /)
			result = substr(line, 22)
	close(trs)
	n_failed = failures
	if (result == "NONE")
		why = "did not finish"
	else if (result == "SKIP" && checks == 0 && reasons == 0)
		why = "skipped without a reason"
	else if (result != "SKIP" && checks == 0)
		why = "ran no check"
	else if (result !~ /^(PASS|SKIP)$/ && failures == 0)
		why = "ended badly (" result ") although no check failed"
	if (why != "" && n_failed == 0)
		n_failed = 1
	if (n_failed > 0) {
		if (why == "")
			why = n_failed " of " checks " failed"
		printf "FAILED: %s: %s\n", log_name, why
		if (logged > 0)
			for (where = logged > 40 ? logged - 39 : 1; where <= logged; where++)
				print "    " text[where]
	}
	# What a Check program skips, it counts among its checks.
	if (is_check_program)
		checks = checks > reasons ? checks - reasons : 0
	passed += checks > failures ? checks - failures : 0
	failed += n_failed
	skipped += reasons
}

function read_log(log_name,    line, field) {
	checks = failures = reasons = is_check_program = logged = 0
	while ((getline line < log_name) > 0) {
		text[++logged] = line
		if (line ~ /^([0-9]+%: )?Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+$/) {
			if (sub(/^[0-9]+%: /, "", line))
				is_check_program = 1
			split(line, field, /[^0-9]+/)
			checks += field[2]
			failures += field[3] + field[4]
		} else if (line ~ /^SKIPPED: ./) {
			reasons++
			reason_list = reason_list "\n    " log_name ": " substr(line, 10)
		} else if (line ~ /^PAIRS: [0-9]+$/) {
			pairs += substr(line, 8)
		}
	}
	close(log_name)
}

BEGIN {
	for (i = 1; i < ARGC; i++) {
		read_log(ARGV[i])
		judge(ARGV[i])
	}
	if (ARGC == 1) {
		print "FAILED: there is no suite"
		failed = 1
	}
	if (reason_list != "")
		print "SKIPPED:" reason_list
	printf "%d pairs of program and packet compared\n", pairs
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}' "$@"
