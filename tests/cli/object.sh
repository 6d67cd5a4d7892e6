#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Object files as clang makes them, from the sources here, run by ebpfrun; and
# damaged ones, which are refused in one line.
. "${srcdir:-.}/tests/support/suite.sh"
srcdir=$(cd "$srcdir" && pwd)
run=$builddir/tools/ebpfrun

if ! clang -target bpf -x c -c -o "$scratch/probe.o" /dev/null 2>/dev/null; then
	skip 'no clang that knows the target bpf: no object files to load'
	finish
fi
if "$run" --object="$scratch/probe.o" 2>&1 | grep -q 'built without libelf'; then
	skip 'built without libelf: no object files'
	finish
fi

cat >"$scratch/maps.c" <<'END'
#define SEC(n) __attribute__((section(n), used))
typedef unsigned int u32;
typedef unsigned long long u64;
struct {
	int (*type)[2];
	int (*max_entries)[4];
	u32 *key;
	struct { u64 count, sum; } *value;
} counts SEC(".maps");
struct {
	int (*type)[1];
	int (*key_size)[4];
	int (*value_size)[8];
	int (*max_entries)[16];
} seen SEC(".maps");
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*update)(void *, const void *, const void *, u64) = (void *)2;
static long (*print)(const char *, u32, ...) = (void *)6;
const volatile u64 step = 3;
u64 total;
u64 start = 100;
static __attribute__((noinline)) u64 twice(u64 x) { volatile u64 y = x; return y * 2; }
__attribute__((noinline)) u64 thrice(u64 x) { return twice(x) + x; }
SEC("xdp") u64 entry(unsigned char *mem)
{
	static const char hello[] = "key %u";
	u32 k = mem[0];
	u64 v = 40, *p;

	print(hello, sizeof(hello), k);
	if ((p = lookup(&counts, &k)) == 0)
		return 1;
	p[1] += step;
	total += p[1];
	update(&seen, &k, &v, 0);
	p = lookup(&seen, &k);
	return thrice(total) + start + (p ? *p : 0);
}
SEC("other") u64 second(void *ctx) { return 7; }
SEC("writes") u64 third(void *ctx) { *(volatile u64 *)&step = 1; return 0; }
END
cat >"$scratch/legacy.c" <<'END'
struct { unsigned type, key_size, value_size, max_entries, map_flags; }
	numbers __attribute__((section("maps"), used)) = { 2, 4, 8, 2, 0 };
static void *(*lookup)(void *, const void *) = (void *)1;
unsigned long long main(void)
{
	unsigned k = 1;
	unsigned long long *p = lookup(&numbers, &k);

	return p ? ++*p : 99;
}
END
for source in maps legacy; do
	check "clang compiles $source.c" clang -target bpf -O2 -g -Wno-main -Wno-incompatible-pointer-types-discards-qualifiers \
		-c -o "$scratch/$source.o" "$scratch/$source.c"
done

# hex FILE: its bytes.
hex()
{
	od -An -v -tx1 "$1"
}

# 3 * 3 + 100 + 40
check_same 'maps, data and subprograms' 95 "$("$run" --object="$scratch/maps.o" 02 2>/dev/null)"
check_same 'a key that is not there' 1 "$("$run" --object="$scratch/maps.o:xdp" 04 2>/dev/null)"
check_same 'it prints to standard error' 'key 2' "$("$run" --object="$scratch/maps.o" 02 2>&1 >/dev/null)"
check_same 'a section by name' 7 "$("$run" --object="$scratch/maps.o:other")"
check_same 'a map by numbers' 1 "$("$run" --object="$scratch/legacy.o")"
check_same 'an object in hex on standard input' 1 "$(hex "$scratch/legacy.o" | "$run" --elf)"

# refused FILE PATTERN: status 1 and one line.
refused()
{
	"$run" --object="$1" 00 >"$scratch/out" 2>"$scratch/err" </dev/null
	[ $? -eq 1 ] && [ ! -s "$scratch/out" ] && [ "$(wc -l <"$scratch/err")" -eq 1 ] &&
		grep -q "$2" "$scratch/err"
}

check 'a section that is not there' refused "$scratch/maps.o:nosuch" 'no section nosuch with code'
check 'a file that is not there' refused "$scratch/nosuch.o" 'No such file'
check 'a file that is no object' refused "$scratch/maps.c" 'not an ELF file'
check '.rodata is read-only' refused "$scratch/maps.o:writes" 'the map is read-only'
clang -target bpf -O2 -c -o "$scratch/nobtf.o" "$scratch/maps.c" 2>/dev/null
check 'maps by types without types' refused "$scratch/nobtf.o" 'no .BTF'
check_same 'both sources of a program' 2 \
	"$("$run" --elf --object="$scratch/maps.o" 2>/dev/null; echo $?)"
finish
