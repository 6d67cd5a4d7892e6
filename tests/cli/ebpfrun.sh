#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ebpfrun end to end: both kinds of program, what each option does, what is
# refused and how.  Programs are hex, least significant byte first.
. "${srcdir:-.}/tests/support/suite.sh"

tool=$builddir/tools/ebpfrun

# gives EXPECTED PROGRAM ARGUMENT...: that on standard output, and status 0.
gives()
{
	expected=$1 program=$2
	shift 2
	actual=$(printf '%s' "$program" | "$tool" "$@" 2>&1) || actual="$actual, status $?"
	check_same "ebpfrun $*: $program" "$expected" "$actual"
}

# refuses STATUS MESSAGE PROGRAM ARGUMENT...: that status, that one line on
# standard error, and nothing on standard output.
refuses()
{
	status=$1 message="ebpfrun: $2" program=$3
	shift 3
	printf '%s' "$program" | "$tool" "$@" >"$scratch/out" 2>"$scratch/err"
	actual=$?
	check_same "status of ebpfrun $*: $program" "$status" "$actual"
	check_same "message of ebpfrun $*: $program" "$message" "$(cat "$scratch/err")"
	check_empty "output of ebpfrun $*: $program" "$(cat "$scratch/out")"
}

exit_insn=9500000000000000
r0_is_r2="bf20000000000000 $exit_insn"
first_byte="7110000000000000 $exit_insn"
minus_one="b7000000ffffffff $exit_insn"

# ---- extended programs ----

gives ffffffffffffffff "$minus_one"
gives ffffffffffffffff "B7 00 00 00 FF FF FF FF
	$exit_insn"
gives 0 "$r0_is_r2"
gives 3 "$r0_is_r2" --mem '0a 0b 0c'
gives 3 "$r0_is_r2" '0a 0b 0c'
gives a "$first_byte" --mem 0a0b
gives a "$first_byte" --mem 0a0b --no-verify
gives a "$first_byte" --mem 0a0b --engine=interp
if has_jit; then
	gives a "$first_byte" --mem 0a0b --engine=jit
	gives ffffffffffffffff "$minus_one" --engine=jit --blind
	printf '%s' "$minus_one" | "$tool" --dump-native >"$scratch/out" 2>"$scratch/err"
	check_same 'machine code stands behind its instruction' '   0: r0 = -1, then its code
   1: exit, then its code
further entries:' "$(sed -nE 's/^   0: \(b7\) (r0 = -1)$/   0: \1, then its code/p
			s/^   1: \(95\) (exit)$/   1: \1, then its code/p
			/^further/p' "$scratch/out")"
	check 'there is code' grep -qE '^ +4: ' "$scratch/out"
	check_same 'and the result' ffffffffffffffff "$(tail -n 1 "$scratch/out")"
	refuses 1 'the program is not machine code' "$minus_one" --dump-native --engine=interp
else
	refuses 1 'no JIT for this machine, and one is required' "$minus_one" --engine=jit
fi
gives '   0: (71) r0 = *(u8 *)(r1 +0)
   1: (95) exit
a' "$first_byte" --mem 0a --dump
gives '   0: (71) r0 = *(u8 *)(r1 +0) ; r0=0xa
   1: (95) exit
a' "$first_byte" --mem 0a --trace
printf '%s' "$first_byte" | "$tool" --mem 0a --log >"$scratch/out" 2>"$scratch/err"
check_same 'the result of a logged run' a "$(cat "$scratch/out")"
check 'a logged run shows each instruction' grep -q 'r0 = \*(u8 \*)(r1 +0)' "$scratch/err"
printf '8500000005000000 %s' "$exit_insn" | "$tool" >"$scratch/out" 2>&1
check_same 'helper 5 returns' 0 $?

refuses 1 'program has no instructions' ''
refuses 1 'stdin: 4 bytes of program, not a multiple of 8' 95000000
refuses 1 'stdin: an odd number of hexadecimal digits' 950000000000000
refuses 1 'stdin: byte 2 is not a hexadecimal digit' '95xy'
refuses 1 'memory: byte 0 is not a hexadecimal digit' "$first_byte" --mem zz
refuses 1 'insn 0: r1 (mem 0) +0, read 1 bytes: offset up to 1 of 0' "$first_byte"
refuses 1 'insn 0: 1 bytes at offset 0 of the memory, which has 0' "$first_byte" --no-verify
refuses 1 'insn 2: unreachable' "$minus_one $exit_insn"
gives ffffffffffffffff "$minus_one $exit_insn" --no-verify
gives 0 "79a0f8ff00000000 $exit_insn"
refuses 2 '--log shows what the verifier does, not with --no-verify' "$minus_one" --log --no-verify
refuses 1 'insn 0: unknown code 0xff' ff00000000000000
refuses 2 '--no-verify runs in the checked interpreter, not with --engine=jit' "$minus_one" \
	--no-verify --engine=jit
refuses 2 '--trace runs in the checked interpreter, not with --engine=jit' "$minus_one" \
	--trace --engine=jit
refuses 2 '--engine is interp or jit, not fast' "$minus_one" --engine=fast
refuses 2 'one argument too many: 00' "$minus_one" 00 00
refuses 2 '--packet, --meta and --wire-len need --cbpf' "$minus_one" --packet 00
head -c 33000000 /dev/zero | tr '\0' ' ' | "$tool" >"$scratch/out" 2>"$scratch/err"
check_same 'input without an end' 'ebpfrun: stdin: over 32000000 bytes' "$(cat "$scratch/err")"

# ---- classic programs ----

ret_a=1600000000000000
ret_k=06000000ffffffff
frame=ffffffffffff0200000000010800450000280000000040060000
div_x="0000000007000000 0100000000000000 3c00000000000000 $ret_k"
shift_33="0000000001000000 0100000021000000 6c00000000000000 $ret_a"

gives 4294967295 "$ret_k" --cbpf --packet ''
gives 2048 "280000000c000000 $ret_a" --cbpf --packet "$frame"
gives 69 "300000000000f0ff $ret_a" --cbpf --packet "$frame"
gives 69 "300000000000f0ff $ret_a" --cbpf --packet "$frame" --target=buffer
gives 0 "300000001a000000 $ret_k" --cbpf --packet "$frame"
gives 0 "$div_x" --cbpf --packet 00
gives 26 "8000000000000000 $ret_a" --cbpf --packet "$frame"
gives 1500 "8000000000000000 $ret_a" --cbpf --packet "$frame" --wire-len 1500
gives 2 "$shift_33" --cbpf --packet 00
gives 0 "$shift_33" --cbpf --packet 00 --dialect=pcap
gives 4294967295 "$ret_k" --cbpf --packet 00 -O 0
for target in packet buffer; do
	"$tool" --cbpf --packet "$frame" --target=$target --trace <<-END >"$scratch/out" 2>&1
		280000000c000000 $ret_a
	END
	check_same "a traced run over target $target ends the same" 2048 "$(tail -n 1 "$scratch/out")"
	check "a traced run over target $target shows the load" grep -q 'u16' "$scratch/out"
done

# meta KEY OFFSET [VALUE]: what is put in is what the ancillary load there gives.
meta()
{
	value=${3:-77}
	gives "$value" "20000000$2f0ffff $ret_a" --cbpf --packet "$frame" --meta "cpu=1,$1=$value"
}
meta protocol 00
meta pkttype 04
meta ifindex 08
meta mark 14
meta queue 18
meta hatype 1c
meta rxhash 20
meta vlan_tci 2c
meta vlan_present 30 1
meta vlan_proto 3c
gives 1 "2000000024f0ffff $ret_a" --cbpf --packet "$frame" --meta cpu=0x1
gives 64 "300000000000f0ff $ret_a" --cbpf --packet "$frame" --meta network_header=22
gives 8 "300000000000e0ff $ret_a" --cbpf --packet "$frame" --meta mac_header=12
gives 0 "300000000000f0ff $ret_k" --cbpf --packet "$frame" --meta network_header=4294967290

refuses 1 'insn 0: the program does not end with ret' 0000000001000000 --cbpf --packet 00
refuses 1 'insn 0: unknown code 0x0e' 0e00000000000000 --cbpf --packet 00
refuses 1 'packet: an odd number of hexadecimal digits' "$ret_k" --cbpf --packet 0
refuses 1 \
	'insn 0: an ancillary load: target buffer has no packet metadata, target packet has' \
	"2000000014f0ffff $ret_a" --cbpf --packet 00 --target=buffer
refuses 2 '--cbpf needs --packet' "$ret_k" --cbpf
refuses 2 '--log is for extended programs; --cbpf lowers its own' "$ret_k" --cbpf --packet 00 --log
refuses 2 'memory is for extended programs; --cbpf takes --packet' "$ret_k" --cbpf --packet 00 00
refuses 2 '--meta: unknown key colour' "$ret_k" --cbpf --packet 00 --meta colour=1
refuses 2 '--meta: mark is not KEY=VALUE' "$ret_k" --cbpf --packet 00 --meta mark
refuses 2 '--meta: queue is a number from 0 to 65535, not 65536' "$ret_k" \
	--cbpf --packet 00 --meta queue=65536
refuses 2 '--meta: vlan_present is a number from 0 to 1, not 2' "$ret_k" \
	--cbpf --packet 00 --meta vlan_present=2
refuses 2 '--wire-len is a number from 0 to 4294967295, not -1' "$ret_k" \
	--cbpf --packet 00 --wire-len -1
refuses 2 '--target is packet or buffer, not socket' "$ret_k" --cbpf --packet 00 --target=socket
refuses 2 '--dialect is kernel or pcap, not bsd' "$ret_k" --cbpf --packet 00 --dialect=bsd

# ---- standard output ----

check_same '-h is --help' "$("$tool" --help)" "$("$tool" -h)"
if [ -c /dev/full ]; then
	for option in --help --version ''; do
		# shellcheck disable=SC2086
		printf '%s' "$minus_one" | "$tool" $option >/dev/full 2>"$scratch/err"
		check_same "full standard output, ${option:-a run}" 1 $?
	done
else
	skip 'no /dev/full'
fi
finish
