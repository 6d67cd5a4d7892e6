#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# cbpf2ebpf end to end: each form in, each form out, what is refused and how.
. "${srcdir:-.}/tests/support/suite.sh"

srcdir=$(cd "$srcdir" && pwd)
tool=$builddir/tools/cbpf2ebpf
cd "$scratch" || exit 99

classic_forms='d dd ddd xt_bpf bpf_asm'
extended_forms='asm c hex raw json dot'
all_forms="$extended_forms $classic_forms"

# refuses STATUS MESSAGE ARGUMENT...: input from the file 'in'; that exit status, that one
# line on standard error, and nothing on standard output.
refuses()
{
	status=$1 message="cbpf2ebpf: $2"
	shift 2
	"$tool" "$@" <in >stdout 2>stderr
	actual=$?
	check_same "status of cbpf2ebpf $*" "$status" "$actual"
	check_same "message of cbpf2ebpf $*" "$message" "$(cat stderr)"
	check_empty "output of cbpf2ebpf $*" "$(cat stdout)"
}

# ---- one program in all forms ----

cat >from.bpf_asm <<'END'
; IPv4 and ARP, and what the kernel knows
        ldh [12]
        jeq #0x800, ipv4, next
next:   jeq #0x806, arp, drop
ipv4:   ldxb 4*([14]&0xf)
        ldh [x + 16]
        st M[3]
        ld M[3]
        rsh #4
        jset #0x1fff, drop, keep
arp:    ldb proto
        ja keep
drop:   ret #0
keep:   ret #-1
END
cat >from.d <<'END'
(000) ldh      [12]
(001) jeq      #0x800           jt 3	jf 2
(002) jeq      #0x806           jt 9	jf 11
(003) ldxb     4*([14]&0xf)
(004) ldh      [x + 16]
(005) st       M[3]
(006) ld       M[3]
(007) rsh      #4
(008) jset     #0x1fff          jt 11	jf 12
(009) ldb      [proto]
(010) ja       12
(011) ret      #0
(012) ret      #-1
END
cat >from.dd <<'END'
{ 0x28, 0, 0, 0x0000000c },
{ 0x15, 1, 0, 0x00000800 },
{ 0x15, 6, 8, 0x00000806 },
{ 0xb1, 0, 0, 0x0000000e },
{ 0x48, 0, 0, 0x00000010 },
{ 0x2, 0, 0, 0x00000003 },
{ 0x60, 0, 0, 0x00000003 },
{ 0x74, 0, 0, 0x00000004 },
{ 0x45, 2, 3, 0x00001fff },
{ 0x30, 0, 0, 0xfffff000 },
{ 0x5, 0, 0, 0x00000001 },
{ 0x6, 0, 0, 0x00000000 },
{ 0x6, 0, 0, 0xffffffff },
END
cat >from.ddd <<'END'
13
40 0 0 12
21 1 0 2048
21 6 8 2054
177 0 0 14
72 0 0 16
2 0 0 3
96 0 0 3
116 0 0 4
69 2 3 8191
48 0 0 4294963200
5 0 0 1
6 0 0 0
6 0 0 4294967295
END
tr '\n' ',' <from.ddd | sed 's/,$//' >from.xt_bpf
echo >>from.xt_bpf
cat >from.hex <<'END'
280000000c000000 1500010000080000 1500060806080000 b10000000e000000
4800000010000000 0200000003000000 6000000003000000 7400000004000000
45000203ff1f0000 3000000000f0ffff 0500000001000000 0600000000000000
06000000ffffffff
END
# The escapes of printf are octal.
for byte in $(tr -d ' \n' <from.hex | sed 's/../& /g'); do
	# shellcheck disable=SC2059
	printf "\\$(printf %03o "0x$byte")"
done >from.raw

for to in $all_forms; do
	check "bpf_asm to $to" "$tool" --from=bpf_asm --to="$to" -f from.bpf_asm -o "want.$to"
	check "bpf_asm to $to, not empty" test -s "want.$to"
done
for form in d dd ddd xt_bpf; do
	check "--to=$form writes that form" cmp "want.$form" "from.$form"
done
for from in $classic_forms hex raw; do
	for to in $all_forms; do
		for said in "$from" auto; do
			"$tool" --from="$said" --to="$to" <"from.$from" >out 2>stderr
			check_same "$from as $said to $to" 0 "$?"
			check "$from as $said to $to is the same program" cmp out "want.$to"
		done
	done
done
check 'what bpf_asm is written reads back' "$tool" -f want.bpf_asm --to=ddd -o out
check 'and is the same program' cmp out from.ddd

# ---- side by side, and graphs ----

"$tool" --side-by-side -f from.ddd >out
check_same 'side by side is asm, but for the other side' "$(cat want.asm)" \
	"$(sed 's/ *;.*//' out)"
sed -n 's/^[^;]*; //p' out | sort -u >one
sed 's/ *$//' from.d | sort >two
check 'the other side has lines of the listing' test -s one
check_empty 'and nothing else' "$(comm -23 one two)"
check_same 'level 0: an instruction for each that can be reached' "$(sed '$d' two | wc -l)" \
	"$("$tool" -O 0 --side-by-side -f from.ddd | sed -n 's/^[^;]*; //p' | sort -u | grep -c -v ' ja ')"

# graph FILE: whether each block is there once, is led to, and leads to what is there.
graph()
{
	awk '
		$2 ~ /^\[label="/ { blocks[$1]++ }
		$2 == "->" { sub(";", "", $3); from[$1]++; to[$3]++; edge[$1, $3]++ }
		END {
			for (b in blocks) {
				if (blocks[b] != 1) print b " twice"
				if (b != "b0" && !to[b]) print b " is not led to"
				if (from[b] > 2) print b " leads to " from[b]
			}
			for (b in from) if (!blocks[b]) print b " is not there"
			for (b in to) if (!blocks[b]) print b " is not there"
			for (e in edge) if (edge[e] != 1) print e " twice"
		}' "$1"
}

"$tool" --to=dot --classic -f from.ddd >classic.dot
check_empty 'the classic graph is sound' "$(graph classic.dot)"
check_empty 'the extended graph is sound' "$(graph want.dot)"
check_same 'a block for each place that is jumped to' 6 "$(grep -c 'label="(' classic.dot)"
check_same 'it shows each instruction' 13 "$(grep -o '(0[01][0-9])' classic.dot | sort -u | wc -l)"
check_same 'true and false, as often' "$(grep -c '" true "' want.dot)" "$(grep -c '" false "' want.dot)"
check_same 'tests of the classic program' 3 "$(grep -c '" true "' classic.dot)"
check_same 'what keeps and what drops has its colour' '1 1' \
	"$(grep -c '#e0f2e3' classic.dot) $(grep -c '#fbe3e1' classic.dot)"
if command -v dot >/dev/null 2>&1; then
	for graph in classic want; do
		check "Graphviz draws $graph.dot" sh -c "dot -Tsvg $graph.dot >$graph.svg 2>stderr &&
			test -s $graph.svg -a ! -s stderr"
	done
else
	skip 'no dot (graphviz): graphs are not drawn'
fi
: >in
refuses 2 '--side-by-side goes with --to=asm' --side-by-side --to=c
refuses 2 '--classic goes with --to=dot' --classic

# The rest has expressions for programs.
if ! has_libpcap; then
	: >in
	refuses 1 'expression: expressions need libpcap, built without it' tcp
	skip 'built without libpcap: nothing is compiled from expressions'
	finish
fi

for target in packet buffer socket; do
	for cpu in v1 v2 v3 v4; do
		for to in $extended_forms; do
			"$tool" --target=$target --cpu=$cpu --to="$to" 'tcp port 80' >one &&
				"$tool" --target=$target --cpu=$cpu --to="$to" 'tcp port 80' >two
			check_same "expression to $to for $target, $cpu" 0 "$?"
			check "and twice the same" cmp one two
		done
	done
done

# ---- the extended forms say the same ----

od -An -v -tx1 want.raw | tr -d ' \n' >one
tr -d '\n' <want.hex >two
check 'hex and raw are the same bytes' cmp one two

cat >array.c <<'END'
#include <stdio.h>
#include <linux/bpf.h>
#include "want.c"
int
main(void)
{
	const unsigned int n = sizeof(program) / sizeof(program[0]);

	for (unsigned int i = 0; i < n; i++) {
		const unsigned short off = (unsigned short)program[i].off;
		const unsigned int imm = (unsigned int)program[i].imm;

		printf("%02x%x%x%02x%02x%02x%02x%02x%02x\n", program[i].code, program[i].src_reg,
		       program[i].dst_reg, off & 0xff, off >> 8, imm & 0xff, imm >> 8 & 0xff,
		       imm >> 16 & 0xff, imm >> 24);
	}
	return 0;
}
END
if echo '#include <linux/bpf.h>' | $CC -E - >/dev/null 2>&1; then
	# shellcheck disable=SC2086
	check 'the C form compiles' $CC $MODE_CFLAGS -Wall -Wextra -Wconversion -Werror -o array array.c
	./array >out
	check 'the C form is the same program' cmp out want.hex
else
	skip 'no <linux/bpf.h>: the C form is not compiled'
fi

if command -v python3 >/dev/null 2>&1; then
	cat >read_json.py <<'END'
import json, struct, sys
j = json.load(open("want.json"))
assert (j["dialect"], j["target"], j["cpu"]) == ("kernel", "packet", "v3"), j
assert sorted(j) == ["cbpf", "cpu", "dialect", "ebpf", "target"], sorted(j)
with open("json.ddd", "w") as f:
    f.write("%d\n" % len(j["cbpf"]))
    for i in j["cbpf"]:
        f.write("%(code)d %(jt)d %(jf)d %(k)d\n" % i)
with open("json.raw", "wb") as f:
    for i in j["ebpf"]:
        f.write(struct.pack("<BBhi", i["code"], i["dst_reg"] | i["src_reg"] << 4, i["off"], i["imm"]))
with open("json.asm", "w") as f:
    for slot, i in enumerate(j["ebpf"]):
        if i["asm"] is not None:
            f.write("%4d: %s\n" % (slot, i["asm"]))
origins = [i["origin"] for i in j["ebpf"]]
assert set(o for o in origins if o is not None) <= set(range(len(j["cbpf"]))), origins
assert {0, 3, 12} <= set(origins), origins
END
	check 'the JSON form is JSON, of the schema' python3 read_json.py
	for form in ddd raw asm; do
		check "the JSON form has the program that $form has" cmp "json.$form" "want.$form"
	done
else
	skip 'no python3: the JSON form is not read back'
fi

# ---- expressions ----

# tcpdump has its own libpcap: where both are of one version they compile alike.
if command -v tcpdump >/dev/null 2>&1 && [ -f "$srcdir/tests/data/demo.pcap" ]; then
	for expression in 'tcp port 80' 'not ip6 and (vlan or udp)' 'ip host 192.0.2.1' ''; do
		for form in d dd ddd; do
			tcpdump -r "$srcdir/tests/data/demo.pcap" -$form "$expression" >one 2>/dev/null
			"$tool" --dialect=pcap --to=$form "$expression" >two
			check "--to=$form '$expression' is what tcpdump -$form prints" cmp one two
		done
		tcpdump -r "$srcdir/tests/data/demo.pcap" -O -d "$expression" >one 2>/dev/null
		"$tool" --dialect=pcap --no-pcap-opt --to=d "$expression" >two
		check "--no-pcap-opt '$expression' is what tcpdump -O prints" cmp one two
	done
else
	skip 'no tcpdump: expressions are not compared with it'
fi
"$tool" --to=ddd tcp port 80 >one
"$tool" --to=ddd 'tcp port 80' >two
check 'words of an expression are joined' cmp one two
printf 'tcp # and more\nport 80 # web\n' >in
"$tool" --from=expr --to=ddd -f in >two
check '-f with --from=expr, comments left out' cmp one two
"$tool" --from=expr --to=ddd <in >two
check 'standard input with --from=expr' cmp one two
check_same '-s is what an expression returns' '(000) ret      #96' "$("$tool" -s 96 --to=d '')"
check_same '-s 0 is the most' '(000) ret      #262144' "$("$tool" -s 0 --to=d '')"
check_same '-y is the link type' '(000) ldb      [0]' \
	"$("$tool" -y RAW --to=d ip | head -n 1)"
check_same '-O 2 is the level' "$("$tool" tcp)" "$("$tool" -O 2 tcp)"
n0=$("$tool" -O 0 tcp | wc -l)
n1=$("$tool" -O 1 tcp | wc -l)
n2=$("$tool" -O 2 tcp | wc -l)
check 'each level is shorter than the one before' test "$n0" -gt "$n1" -a "$n1" -gt "$n2"
"$tool" --trace-passes -O 2 -o /dev/null tcp 2>stderr
check_same '--trace-passes shows each pass' 'build guard thread guard wide chain range swap' \
	"$(sed -n 's/^pass \([a-z]*\):.*/\1/p' stderr | tr '\n' ' ' | sed 's/ $//')"

# ---- what differs by dialect and target ----

"$tool" --dialect=pcap --to=d 'ip6 protochain 6' >out 2>stderr
check_same 'dialect pcap takes backward jumps' 0 "$?"
"$tool" --to=d 'ip6 protochain 6' >stdout 2>stderr
check_same 'dialect kernel does not' 1 "$?"
check 'and says why' grep -qE \
	'^cbpf2ebpf: expression: insn [0-9]+: jump back to [0-9]+, which the kernel refuses$' stderr
printf 'lsh #32\nret a\n' >in
check 'dialect pcap takes wide shifts' "$tool" --dialect=pcap -f in
refuses 1 'stdin: insn 0: shift by 32, the most is 31'
printf 'ld mark\nret a\n' >in
check 'target packet has metadata' "$tool" -f in
"$tool" --target=buffer -f in >stdout 2>stderr
check_same 'target buffer has none' 1 "$?"
check_same 'and says where' 'cbpf2ebpf: in: insn 0:' "$(cut -d' ' -f1-4 stderr)"

# ---- bad input ----

printf '(000) ret #0\n(002) ret #0\n' >in
refuses 1 'stdin: line 2: instruction 2, expected 1'
printf '{ 0x28, 0, 0 },\n' >in
refuses 1 "stdin: line 1: expected ',', found '}'"
printf '2\n6 0 0 1\n' >in
refuses 1 'stdin: line 3: 2 instructions announced, found 1'
printf '2,6 0 0 1' >in
refuses 1 'stdin: offset 9: 2 instructions announced, found 1'
printf 'ldh [12]\njeq #1, nowhere\n' >in
refuses 1 "stdin: line 2: no label 'nowhere'"
refuses 1 "in: line 2: no label 'nowhere'" -f in
printf '280000000c0000' >in
refuses 1 'stdin: offset 14: the last instruction has 7 bytes of 8'
printf '\006\000\000\000\001' >in
refuses 1 'stdin: offset 0: the last instruction has 5 bytes of 8' --from=raw
: >in
refuses 1 'stdin: offset 0: no instructions'
printf '1000001\n' >in
refuses 1 'stdin: line 1: 1000001 instructions announced, limit is 1000000'
printf 'ret x\n' >in
refuses 1 'stdin: insn 0: unknown code 0x0e'
refuses 1 "expression: can't parse filter expression: syntax error" 'tcp and and'
printf 'tc\000p' >in
refuses 1 'stdin: offset 2: a NUL in the expression' --from=expr
refuses 1 'nothing: No such file or directory' -f nothing
refuses 1 '.: Is a directory' -f .
printf '\033[2J\n' >in
"$tool" <in >stdout 2>stderr
check_same 'a control character is refused' 1 "$?"
check_empty 'and does not reach the terminal' "$(tr -d '\n' <stderr | grep '[[:cntrl:]]')"
for form in $classic_forms hex raw; do
	# A program cut anywhere is refused, or a shorter one; never anything else.
	size=$(wc -c <"from.$form")
	bad=
	i=0
	while [ "$i" -lt "$size" ]; do
		head -c "$i" "from.$form" | "$tool" --from="$form" >stdout 2>stderr
		case $?$(wc -l <stderr | tr -d ' ') in
		00 | 11) ;;
		*) bad="$bad $i" ;;
		esac
		i=$((i + 7))
	done
	check_empty "$form cut anywhere" "$bad"
done
head -c 20000 /dev/zero | "$tool" >stdout 2>stderr
check_same 'zeros are refused' 1 "$?"

# ---- actions ----

# action TARGET OPTION...: what 'ret #1' and 'ret #0' return.
actions()
{
	for k in 1 0; do
		echo "ret #$k" | "$tool" --from=bpf_asm --target="$@" | sed -n '1s/.* = //p'
	done | tr '\n' ' '
}
check_same 'tc: ok, shot' '0 2 ' "$(actions tc)"
check_same 'xdp: pass, drop' '2 1 ' "$(actions xdp)"
check_same 'actions by name' '4 -1 ' "$(actions tc --match=stolen --miss=unspec)"
check_same 'actions by number' '17 -3 ' "$(actions xdp --match=17 --miss=-3)"
check_same 'a result that is A is an action too' '3 4 ' "$(
	for k in 1 0; do
		printf 'ld #%d\nret a\n' $k | "$tool" --from=bpf_asm --target=xdp --match=tx \
			--miss=redirect | sed -n '1s/.* = //p'
	done | tr '\n' ' ')"

# ---- as C, and inside of other code ----

# TCP from or to port 80, arithmetic, and a scratch slot.
cat >math.bpf_asm <<'END'
	ldh [12]
	jne #0x800, drop
	ldb [23]
	st M[3]
	ldxb 4*([14]&0xf)
	ldh [x + 14]
	div #3
	mul x
	tax
	ld M[3]
	add x
	mod #251
	jset #1, drop
	sub #300
	neg
	rsh #2
	ret a
drop:	ret #0
END
cat >main.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include "function.h"
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		unsigned int n = 0;
		unsigned char *packet = malloc(64);

		for (const char *hex = argv[i]; *hex != '\0'; hex += 2)
			if (sscanf(hex, "%2hhx", &packet[n++]) != 1)
				return 1;
		packet = realloc(packet, n);
		printf("%u\n", math(packet, n));
		free(packet);
	}
	return 0;
}
END
head=0200000000020200000000010800
packets=
for ports in 0050c350 c3500050 00350035 ffff0001; do
	for proto in 06 11 2f; do
		for hl in 45 46 40; do
			packets="$packets $head${hl}000028000000004${proto#?}${proto}0000c0000201c0000202$ports"
		done
	done
done
packets="$packets 02 $head ${head}45"
# struct sock_filter, least significant byte first
"$tool" --from=bpf_asm -f math.bpf_asm --to=ddd | awk '
	function bytes(v, n) {
		while (n-- > 0) { printf "%02x", v % 256; v = int(v / 256) }
	}
	NR > 1 { bytes($1, 2); bytes($2, 1); bytes($3, 1); bytes($4, 4); print "" }' >math.hex
for level in 0 1 2; do
	"$tool" --from=bpf_asm -f math.bpf_asm --target=buffer -O $level --to=c --function=math \
		>function.h
	# shellcheck disable=SC2086
	check "level $level: the function compiles without a warning" $CC $MODE_CFLAGS -std=c11 \
		-Wall -Wextra -Wpedantic -Werror -o function main.c
	# shellcheck disable=SC2086
	./function $packets >have
	for packet in $packets; do
		"$builddir/tools/ebpfrun" --cbpf --target=buffer --packet "$packet" <math.hex
	done >want 2>&1
	check "level $level: the function's verdicts" cmp have want
done
for level in 0 2; do
	{
		"$tool" --from=bpf_asm -f math.bpf_asm --target=buffer -O $level --inline --to=hex
		echo 0700000001000000           # r0 += 1
		echo 9500000000000000           # exit
	} >inline.hex
	check_same "level $level: --inline goes on behind the program" "$(
		printf '%x' "$(($(sed -n 1p want) + 1))")" "$("$builddir/tools/ebpfrun" \
			"$(echo "${packets# }" | cut -d' ' -f1)" --no-verify <inline.hex)"
done

# ---- wrong usage ----

: >in
refuses 2 "--from: 'x' is none of auto, expr, d, dd, ddd, xt_bpf, bpf_asm, hex, raw" --from=x
refuses 2 "--to: 'x' is none of asm, c, hex, raw, json, dot, elf, d, dd, ddd, xt_bpf, bpf_asm" --to=x
refuses 2 "--target: 'x' is none of packet, buffer, socket, tc, xdp" --target=x
refuses 2 "--cpu: 'v5' is none of v1, v2, v3, v4" --cpu=v5
refuses 2 "--dialect: 'x' is none of kernel, pcap" --dialect=x
refuses 2 "-y: 'x' is no link type" -y x
refuses 2 "-s: '-1' is no number from 0 to 2147483647" -s -1
refuses 2 "-s: '2147483648' is no number from 0 to 2147483647" -s 2147483648
refuses 2 "-O: 'x' is none of 0, 1, 2" -O x
refuses 2 '--match and --miss go with --target=tc and xdp' --match=ok
refuses 2 "--match: 'x' is none of aborted, drop, pass, tx, redirect" --target=xdp --match=x
refuses 2 "--miss: '4294967296' is no number of 32 bits" --target=tc --miss=4294967296
refuses 2 '--counter goes with --to=elf, and not with --load' --counter
refuses 2 '--function goes with --to=c' --function=f
refuses 2 "--function: '1f' is no name for a function" --to=c --function=1f
refuses 2 '--inline goes with --to=asm, c, hex, raw and json' --inline --to=dot
refuses 2 '--load goes with --target=socket, tc and xdp' --load
refuses 2 '--log goes with --load' --log
refuses 2 '--attach and --detach go with --target=tc and xdp' --target=socket --attach=lo
refuses 2 '--attach and --detach go with --target=tc and xdp' --detach=lo
refuses 2 '--attach: say with --match and --miss what is to happen to packets' --target=tc \
	--attach=lo --match=ok
refuses 2 '--load: classic programs are not loaded' --target=tc --load --to=dd
refuses 2 '--to=elf goes with --target=socket, tc and xdp' --to=elf
refuses 2 'an expression or -f, not both' -f in tcp
refuses 2 "'tcp' is an expression, but --from=d has no such thing" --from=d tcp
"$tool" --nonsense >stdout 2>stderr
check_same 'an unknown option' 2 "$?"
check_same '--version' "cbpf2ebpf" "$("$tool" --version | cut -d' ' -f1)"
"$tool" -h >one
"$tool" --help >two
check '-h and --help' cmp one two
check '--help says how' grep -q '^usage: cbpf2ebpf' one

# ---- output ----

if [ -c /dev/full ]; then
	for to in $all_forms; do
		"$tool" --to="$to" tcp >/dev/full 2>stderr
		check_same "full standard output, $to" 1 "$?"
		check_same 'its message' 'cbpf2ebpf: stdout: No space left on device' \
			"$(cat stderr)"
		: >in
		refuses 1 '/dev/full: No space left on device' --to="$to" -o /dev/full tcp
	done
	check 'a device stays a device' test -c /dev/full
	"$tool" --help >/dev/full 2>stderr
	check_same 'full standard output, --help' 1 "$?"
else
	skip 'no /dev/full: a full disk is not tried'
fi
"$tool" tcp >&- 2>stderr
check_same 'closed standard output' 1 "$?"

mkdir empty
refuses 1 "expression: can't parse filter expression: syntax error" -o empty/out 'tcp and and'
check_empty 'nothing is left of a refused program' "$(ls -A empty)"
echo old >kept
refuses 1 "expression: can't parse filter expression: syntax error" -o kept 'tcp and and'
check_same 'the file that was there is still the old one' old "$(cat kept)"
refuses 1 'nowhere/out: No such file or directory' -o nowhere/out tcp
refuses 1 'empty: Is a directory' -o empty tcp

# Disks get full only now and then; files get too long when told to.
(
	trap '' XFSZ
	ulimit -f 0
	"$tool" --to=json -o empty/out tcp 2>/dev/null
	echo "$?" >&3
) 3>&1 >/dev/null | grep -qx 1
check_same 'a write that fails is an error' 0 "$?"
check_empty 'and leaves nothing' "$(ls -A empty)"

umask 027
"$tool" -o new tcp
check_same 'a new file has the permissions of the umask' -rw-r----- \
	"$(find new -prune -exec ls -l {} + | cut -c1-10)"
chmod 604 kept
ln -s kept link
"$tool" --to=d -o link ''
check_same 'a replaced file keeps its permissions' -rw----r-- \
	"$(find kept -prune -exec ls -l {} + | cut -c1-10)"
check 'a link stays a link' test -h link
check_same 'and its file is written' '(000) ret      #262144' "$(cat kept)"
mkfifo pipe
"$tool" --to=d -o pipe '' &
check_same 'a pipe is written to' '(000) ret      #262144' "$(timeout 30 cat pipe)"
wait
finish
