#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Threads that run one program at once, under a thread sanitizer: no race, and
# what they count adds up.
. "${srcdir:-.}/tests/support/suite.sh"

# shellcheck source=tests/support/tsan.sh
. "$srcdir/tests/support/tsan.sh"

sources=
for source in "$srcdir"/ebpf/*.c "$srcdir"/ebpf/jit/*.c; do
	# Digests and object files want their libraries, and no thread shares them.
	case ${source##*/} in
	tag.c | object_elf.c | btf.c) ;;
	*) sources="$sources $source" ;;
	esac
done
# shellcheck disable=SC2086
check 'the core compiles for the sanitizer' objects "$scratch/core" $sources
check 'and with what runs it' build "$scratch/race" "$srcdir/tests/ebpf/race.c" "$scratch/core"/*.o
for n in 1 2 4 8 16; do
	check "$n threads" "$scratch/race" "$n"
done
check 'and with what replaces functions' build "$scratch/race_extend" \
	"$srcdir/tests/ebpf/race_extend.c" "$scratch/core"/*.o
check 'functions are replaced while they run' "$scratch/race_extend"
finish
