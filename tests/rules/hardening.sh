#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What configure hardens the build with is in the files that were built: each
# flag has its trace, which a file built without the flag does not have.
. "${srcdir:-.}/tests/support/suite.sh"

: "${READELF:=readelf}" "${OBJDUMP:=objdump}" "${HARDEN_CFLAGS=}" "${HARDEN_LDFLAGS=}"
: "${CFLAGS=}"
if [ -z "$HARDEN_CFLAGS$HARDEN_LDFLAGS" ]; then
	skip 'configured without hardening, or with sanitizers'
	finish
fi

# has_flag FLAG: it is in use, and CFLAGS, which come later, do not take it back.
has_flag()
{
	case " $HARDEN_CFLAGS $HARDEN_LDFLAGS " in
	*" $1"*) ;;
	*) return 1 ;;
	esac
	case " $CFLAGS " in
	*" -fno-stack-"* | *" -fcf-protection="* | *"_FORTIFY_SOURCE"* | *" -O0 "*) return 1 ;;
	esac
}

# ---- linked files ----

# Each prints a line if the file has the property.
position_independent()
{
	"$READELF" -hW "$1" | grep -E 'Type: +DYN'
}

relocated_read_only()
{
	"$READELF" -lW "$1" | grep 'GNU_RELRO'
}

bound_at_start()
{
	"$READELF" -dW "$1" | grep -E '\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW|\(BIND_NOW\)'
}

stack_not_executed()
{
	"$READELF" -lW "$1" | grep -E 'GNU_STACK.* RW +0x'
}

# No segment is to be written and executed, none of code is relocated.
nothing_written_and_executed()
{
	"$READELF" -lW "$1" | grep -q 'LOAD' &&
		! "$READELF" -lW "$1" | grep -E ' RWE ' && ! "$READELF" -dW "$1" | grep 'TEXTREL'
}

linked_files=
for tool in bpfsift cbpf2ebpf ebpfrun; do
	file=$builddir/tools/.libs/$tool
	[ -f "$file" ] || file=$builddir/tools/$tool
	linked_files="$linked_files $file"
done
if [ -f "$builddir/.libs/libbpfsift.so" ]; then
	linked_files="$linked_files $builddir/.libs/libbpfsift.so"
else
	skip 'no shared library (--disable-shared): it was not looked at'
fi
for file in $linked_files; do
	for property in position_independent relocated_read_only bound_at_start \
		stack_not_executed nothing_written_and_executed; do
		check "$file: $property" "$property" "$file"
	done
done

# ---- compiled files ----

# The objects of a static library: what it took from elsewhere has no say in them.
mkdir "$scratch/objects"
(cd "$scratch/objects" && ar x "$builddir/.libs/libcore.a") || exit 99
n_objects=$(find "$scratch/objects" -name '*.o' | wc -l)
check 'the library has objects' test "$n_objects" -gt 50

# having NAME: how many objects refer to a symbol that the pattern describes.
having()
{
	for object in "$scratch"/objects/*.o; do
		"$READELF" -sW "$object" | awk '$7 == "UND" { print $8 }' | grep -qE "$1" && echo x
	done | wc -l
}

if has_flag -fstack-protector-strong; then
	check 'functions with arrays have canaries' test "$(having '^__stack_chk_fail')" -gt 20
else
	skip 'no -fstack-protector-strong'
fi
if has_flag '-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE='; then
	check "the C library's checked functions are called" \
		test "$(having '^__[a-z]+_chk$')" -gt 20
else
	skip 'no _FORTIFY_SOURCE'
fi

# Notes say what an object was compiled for.
if has_flag -fcf-protection; then
	check_empty 'objects without landing pads or without a shadow stack' "$(
		for object in "$scratch"/objects/*.o; do
			"$READELF" -nW "$object" 2>&1 | grep -q 'IBT, SHSTK' || echo "${object##*/}"
		done)"
	# Functions that are static may be called directly alone, which needs none.
	check_empty 'what the tools are entered at is no landing pad' "$(
		for file in $linked_files; do
			case $file in *.so) continue ;; esac
			"$OBJDUMP" -d --disassemble=main "$file" |
				grep -A 1 '<main>:' | grep -q endbr || echo "$file"
		done)"
else
	skip 'no -fcf-protection'
fi

# ---- a test that cannot fail is none ----

cat >"$scratch/plain.c" <<'END'
#include <string.h>
int main(int argc, char **argv)
{
	char copy[16];

	strcpy(copy, argv[argc - 1]);
	return copy[0];
}
END
# shellcheck disable=SC2086
if $CC -O2 -U_FORTIFY_SOURCE -fno-stack-protector -fno-pie -no-pie -Wl,-z,norelro -Wl,-z,lazy \
	-Wl,-z,execstack -o "$scratch/plain" "$scratch/plain.c" >/dev/null 2>&1; then
	for property in position_independent relocated_read_only bound_at_start stack_not_executed; do
		if "$property" "$scratch/plain" >/dev/null; then
			fail "$property is not seen to be missing"
		else
			pass
		fi
	done
else
	skip 'the compiler makes no program without these'
fi
finish
