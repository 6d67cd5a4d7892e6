# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# For the scripts that have races looked for, after suite.sh: ends them where the compiler
# has no thread sanitizer.
#
#   build PROGRAM FILE...        with everything compiled for it
#   objects DIRECTORY SOURCE...  what programs are to share, file by file

tsan_cc()
{
	# shellcheck disable=SC2086
	$CC -std=c11 -O1 -g -w -fsanitize=thread -D_GNU_SOURCE -I "$builddir" -I "$srcdir/include" \
		-I "$srcdir" "$@"
}

build()
{
	program=$1
	shift
	tsan_cc -o "$program" "$@" -lpthread
}

objects()
{
	mkdir "$1"
	into=$1
	shift
	for source; do
		tsan_cc -c -o "$into/o$(printf '%s\n' "${source%.c}" | tr / _).o" "$source" || return
	done
}

printf 'int main(void) { return 0; }\n' >"$scratch/empty.c"
if ! build "$scratch/empty" "$scratch/empty.c" >/dev/null 2>&1 || ! "$scratch/empty" 2>/dev/null; then
	skip "$CC has no thread sanitizer that works here"
	finish
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
