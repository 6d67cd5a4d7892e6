#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Filters that are replaced while several threads run them, and counters that are read while
# they are written, under a thread sanitizer.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/tsan.sh
. "$srcdir/tests/support/tsan.sh"

sources=
for source in "$srcdir"/ebpf/*.c "$srcdir"/ebpf/jit/*.c "$srcdir"/cbpf/*.c; do
	# Digests and object files want their libraries, and no thread shares them.
	case ${source##*/} in
	tag.c | object_elf.c | btf.c) ;;
	*) sources="$sources $source" ;;
	esac
done
for source in dissect filter linktype prog_packet tally view; do
	sources="$sources $srcdir/filter/$source.c"
done
# shellcheck disable=SC2086
check 'filters compile for the sanitizer' objects "$scratch/filters" $sources
check 'and with what runs them' build "$scratch/race" "$srcdir/tests/filter/race.c" "$scratch/filters"/*.o
for n in 1 2 4; do
	check "$n threads" "$scratch/race" "$n"
done
finish
