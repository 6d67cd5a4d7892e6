#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each fuzz target over its seeds, the captures of tests/data among them.
. "${srcdir:-.}/tests/support/suite.sh"

# Of one file at a time: libFuzzer and the driver of AFL++ take no more in the same way.
once_each()
{
	fuzzer=$1
	shift
	for seed; do
		"$fuzzer" "$seed" >/dev/null 2>&1 || return
	done
}

for target in $FUZZ_TARGETS; do
	case $target in
	capture) seeds=$srcdir/tests/data/*.pcap* ;;
	*) seeds=$srcdir/fuzz/seeds/$target/* ;;
	esac
	# shellcheck disable=SC2086
	check "$target" "$builddir/fuzz/replay_$target" $seeds
	# what is fuzzed itself, of a build that has it
	if [ -n "${FUZZERS-}" ]; then
		# shellcheck disable=SC2086
		check "$target, fuzzed" once_each "$builddir/fuzz/fuzz_$target" $seeds
	fi
done
finish
