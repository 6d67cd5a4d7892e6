#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ebpfrun --blind prints what ebpfrun prints, trace and messages included.
. "${srcdir:-.}/tests/support/suite.sh"

# both PROGRAM OPTION...: what ebpfrun says to both ways of running it.
both()
{
	program=$1
	shift
	plain=$(printf '%s' "$program" | "$builddir/tools/ebpfrun" "$@" 2>&1)
	blinded=$(printf '%s' "$program" | "$builddir/tools/ebpfrun" "$@" --blind 2>&1)
}

# r0 = 0x1122334455667788; r0 += 0x12345678; if r0 != 5 goto +1; exit; *(r10 - 8) = 7; exit
program='1800000088776655 0000000044332211 0700000078563412 5500010005000000
	9500000000000000 7a0af8ff07000000 9500000000000000'
both "$program"
check_same 'the result is right' 11223344679ace00 "$plain"
check_same 'and the same blinded' "$plain" "$blinded"
both "$program" --trace
check_same 'the trace has a line an instruction' 6 "$(printf '%s\n' "$plain" | wc -l)"
check_same 'and is the same blinded' "$plain" "$blinded"
both "$program" --dump
check_same 'the program shown is the one given' "$plain" "$blinded"

# r1 = 77777; r0 = *(r1 + 0)
both 'b7010000d12f0100 7910000000000000 9500000000000000' --no-verify
check_same 'a message names the instruction' \
	'ebpfrun: insn 1: 8 bytes at address 0x12fd1, outside memory, stack and maps' "$plain"
check_same 'and is the same blinded' "$plain" "$blinded"

# ldh [12]; jeq #0x800, accept 262144
classic='280000000c000000 1500000100080000 0600000000000400 0600000000000000'
for target in packet buffer; do
	both "$classic" --cbpf --packet ffffffffffff0202020202020800 --target=$target
	check_same "a classic program is run, target $target" 262144 "$plain"
	check_same "and blinded" "$plain" "$blinded"
done
finish
