#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Threads that run one program at once, under a thread sanitizer: no race, and
# what they count adds up.
. "${srcdir:-.}/tests/support/suite.sh"

# build PROGRAM SOURCE...: with everything compiled for the sanitizer.
build()
{
	program=$1
	shift
	# shellcheck disable=SC2086
	$CC -std=c11 -O1 -g -w -fsanitize=thread -D_GNU_SOURCE -I "$builddir" -I "$srcdir/include" \
		-I "$srcdir" -o "$program" "$@" -lpthread
}

printf 'int main(void) { return 0; }\n' >"$scratch/empty.c"
if ! build "$scratch/empty" "$scratch/empty.c" >/dev/null 2>&1 || ! "$scratch/empty" 2>/dev/null; then
	skip "$CC has no thread sanitizer that works here"
	finish
	exit
fi

# It does see races: the same counter, without its atomics.
cat >"$scratch/racy.c" <<'END'
#include <pthread.h>
static int n;
static void *add(void *arg) { n++; return arg; }
int main(void)
{
	pthread_t t;
	pthread_create(&t, 0, add, 0);
	add(0);
	pthread_join(t, 0);
	return 0;
}
END
build "$scratch/racy" "$scratch/racy.c"
TSAN_OPTIONS=exitcode=66
export TSAN_OPTIONS
"$scratch/racy" 2>/dev/null
check_same 'a race is seen' 66 $?

sources=
for source in "$srcdir"/ebpf/*.c "$srcdir"/ebpf/jit/*.c; do
	# Digests and object files want their libraries, and no thread shares them.
	case ${source##*/} in
	tag.c | object_elf.c | btf.c) ;;
	*) sources="$sources $source" ;;
	esac
done
# shellcheck disable=SC2086
check 'the core compiles for the sanitizer' build "$scratch/race" "$srcdir/tests/ebpf/race.c" $sources
for n in 1 2 4 8 16; do
	check "$n threads" "$scratch/race" "$n"
done
# shellcheck disable=SC2086
check 'and with what replaces functions' build "$scratch/race_extend" \
	"$srcdir/tests/ebpf/race_extend.c" $sources
check 'functions are replaced while they run' "$scratch/race_extend"
finish
