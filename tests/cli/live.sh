#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# bpfsift on an interface, beside tcpdump on the same one: a pair of virtual
# ones in a network namespace of their own, where no other packet is seen.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi

: "${BPFSIFT=$builddir/tools/bpfsift}"
# As root tcpdump would give up what it needs to write here.
peer='tcpdump -Z root'

for needed in tcpdump python3; do
	if ! command -v "$needed" >/dev/null 2>&1; then
		skip "no $needed: nothing captured"
		finish
	fi
done
# shellcheck source=tests/support/veth.sh
. "$srcdir/tests/support/veth.sh"

# UDP to port 53 and 54 in turn, the third of them with a VLAN tag; and ARP.
cat >"$scratch/send.py" <<'END'
import socket, struct, sys

def udp(n, port):
    data = struct.pack('!HHHH', 40000 + n, port, 8 + 100, 0) + bytes([n]) * 100
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(data), n, 0, 64, 17, 0,
                       bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
    return b'\x08\x00' + head + data

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
for n in range(8):
    tag = b'\x81\x00\x00\x2a' if n % 4 == 2 else b''
    s.send(macs + tag + udp(n, 53 + n % 2))
s.send(macs + b'\x08\x06' + bytes(46))
END

# Bytes of the packets, without their times, which each takes by itself.
packets()
{
	$peer -nn -t -xx -r "$1" 2>/dev/null
}

n_of()
{
	$peer --count -r "$1" 2>/dev/null | sed 's/ .*//'
}

# handed_out N NAME...: these, whose processes are in variables of their names, have captured
# N packets.  The kernel hands them out a second after they came.
handed_out()
{
	n_captured=$1
	shift
	for name in "$@"; do
		eval "kill -USR1 \$$name" 2>/dev/null
		grep -q "^\([a-z]*: \)*$n_captured packets* captured" "$scratch/$name.err" || return 1
	done
}

# captures N OPTION...: N packets, those that tcpdump captures with the same
# options; then both are told to stop.
captures()
{
	n=$1 what="-i receiver $*"
	shift
	rm -f "$scratch"/*.pcap "$scratch"/*.err
	$peer -i receiver -w "$scratch/want.pcap" "$@" 2>"$scratch/want.err" &
	want=$!
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver -w "$scratch/have.pcap" "$@" 2>"$scratch/have.err" &
	have=$!
	check "$what: tcpdump listens" wait_for grep -q 'listening on receiver' "$scratch/want.err"
	check "$what: bpfsift listens" wait_for grep -q 'listening on receiver' "$scratch/have.err"
	python3 "$scratch/send.py" sender
	if [ "$n" -gt 0 ]; then
		check "$what: they are handed out" wait_for handed_out "$n" want have
	else
		sleep 1.5 # in which some would come
	fi
	# Not INT, which a shell without job control has its children ignore.
	kill -TERM $want $have 2>/dev/null
	wait $want
	wait $have
	check_same "$what: exit status" 0 $?
	check_same "$what: packets" "$n" "$(n_of "$scratch/have.pcap")"
	check_same "$what: as tcpdump's" "$(packets "$scratch/want.pcap")" \
		"$(packets "$scratch/have.pcap")"
	check_same "$what: the same header" "$(head -c 24 "$scratch/want.pcap" | od -An -tx1)" \
		"$(head -c 24 "$scratch/have.pcap" | od -An -tx1)"
	check_same "$what: as many as it says" "$n" \
		"$(sed -n 's/ packets* captured$//p' "$scratch/have.err")"
}

captures 9
captures 1 arp
captures 2 vlan 42
captures 2 -c 2 udp
captures 9 -s 60
captures 4 --nano 'udp dst port 54'
captures 4 -p -y EN10MB 'udp port 54'
captures 9 -Q in -B 512
captures 0 -Q out
captures 9 -j host --immediate-mode -U

has_nine()
{
	[ "$(n_of "$1")" = 9 ]
}

# Signals: the same counts on one line, and packets in the file, where none comes to wake it.
rm -f "$scratch"/*.pcap "$scratch"/*.err
$peer -i receiver --immediate-mode -w "$scratch/want.pcap" 2>"$scratch/want.err" &
want=$!
# shellcheck disable=SC2086
$BPFSIFT -i receiver --immediate-mode -w "$scratch/have.pcap" 2>"$scratch/have.err" &
have=$!
for name in want have; do
	check "signals: $name listens" wait_for grep -q 'listening on receiver' "$scratch/$name.err"
done
python3 "$scratch/send.py" sender
sleep 1
# The checked build has a buffer of less than a packet.
if ! grep -q '^#define BPFSIFT_DEBUG 1$' "$builddir/config.h"; then
	check_same 'nothing is in the file yet' 24 "$(wc -c <"$scratch/have.pcap" | tr -d ' ')"
fi
kill -USR2 $want $have
check 'SIGUSR2: packets are in the file' wait_for has_nine "$scratch/have.pcap"
kill -USR1 $want $have
check 'SIGUSR1: counts' wait_for grep -q captured "$scratch/have.err"
kill -TERM $want $have
wait $want
wait $have
check_same 'signals: exit status' 0 $?
check_same 'signals: messages as tcpdump' "$(sed 's/^tcpdump: //' "$scratch/want.err")" \
	"$(sed 's/^bpfsift: //' "$scratch/have.err")"

# A pcapng file ends with what was counted: a block of 64 bytes, with isb_ifrecv,
# isb_ifdrop and isb_osdrop of 8 bytes each.
rm -f "$scratch/have.err"
# shellcheck disable=SC2086
$BPFSIFT -i receiver -w "$scratch/have.pcapng" 2>"$scratch/have.err" &
have=$!
check 'pcapng: bpfsift listens' wait_for grep -q 'listening on receiver' "$scratch/have.err"
python3 "$scratch/send.py" sender
check 'pcapng: packets are handed out' wait_for handed_out 9 have
kill -TERM $have 2>/dev/null
wait $have
check_same 'pcapng: exit status' 0 $?
check_same 'pcapng: packets' 9 "$(n_of "$scratch/have.pcapng")"
check_same 'pcapng: statistics at the end' "statistics $(sed -n \
	's/ packets* received by filter$//p' "$scratch/have.err") 0 0" \
	"$(python3 -c 'import struct, sys
d = open(sys.argv[1], "rb").read()[-64:]
b = struct.unpack("=5I2HQ2HQ2HQ2HI", d)
ok = b[0] == 5 and b[1] == 64 and b[2] == 0 and b[5:7] == (4, 8) and b[8:10] == (5, 8)
print("statistics" if ok and b[11:13] == (7, 8) else "something else", b[7], b[10], b[13])' \
		"$scratch/have.pcapng")"

# prints N OPTION...: the N lines that tcpdump prints of the same packets, as they come, and the
# same messages, but for the number of those that the kernel filtered out.
prints()
{
	n=$1
	shift
	rm -f "$scratch"/*.out "$scratch"/*.err
	$peer -i receiver "$@" >"$scratch/want.out" 2>"$scratch/want.err" &
	want=$!
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver "$@" >"$scratch/have.out" 2>"$scratch/have.err" &
	have=$!
	check "print $*: tcpdump listens" wait_for grep -q 'listening on receiver' "$scratch/want.err"
	check "print $*: bpfsift listens" wait_for grep -q 'listening on receiver' "$scratch/have.err"
	python3 "$scratch/send.py" sender
	check "print $*: lines come at once" wait_for test -s "$scratch/have.out"
	check "print $*: packets are handed out" wait_for handed_out "$n" want have
	kill -TERM $want $have 2>/dev/null
	wait $want
	wait $have
	check_same "print $*: exit status" 0 $?
	check_same "print $*: lines" "$(cat "$scratch/want.out")" "$(cat "$scratch/have.out")"
	check_same "print $*: messages" \
		"$(grep -v 'received by filter' "$scratch/want.err" | sed 's/^tcpdump: //')" \
		"$(grep -v 'received by filter' "$scratch/have.err" |
			sed 's/^bpfsift: //; s/, filter in the kernel$//; s/, filter in user space by .*//')"
}

prints 9 -t -n -l
prints 2 -t -n -l -e vlan
prints 1 -t -n -U -v -xx arp
prints 9 -t -n --print -w "$scratch/both.pcap" -U
check 'packets were written too' test "$(n_of "$scratch/both.pcap")" -eq 9

# What the kernel alone knows of a packet does not reach the filter.
for expression in inbound outbound 'ifindex 1'; do
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver -w "$scratch/none.pcap" $expression 2>"$scratch/err"
	check_same "$expression: refused" 1 $?
	check "$expression: nothing is created" test ! -e "$scratch/none.pcap"
done
finish
