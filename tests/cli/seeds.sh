#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each fuzz target over its seeds, the captures of tests/data among them.
. "${srcdir:-.}/tests/support/suite.sh"

for target in $FUZZ_TARGETS; do
	case $target in
	capture) seeds=$srcdir/tests/data/*.pcap* ;;
	*) seeds=$srcdir/fuzz/seeds/$target/* ;;
	esac
	# shellcheck disable=SC2086
	check "$target" "$builddir/fuzz/replay_$target" $seeds
done
finish
