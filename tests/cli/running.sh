#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What bpfsift tells of a capture while it lasts, beside tcpdump on the same interface: one of
# a pair of virtual ones in a network namespace of their own.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: nothing sent'
	finish
fi

# wait_for COMMAND...: it succeeds within ten seconds.
wait_for()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		sleep 0.05
	done
}

for needed in ip unshare; do
	if ! command -v "$needed" >/dev/null 2>&1; then
		skip "no $needed: nothing captured"
		finish
	fi
done
if [ -z "${BPFSIFT_TEST_ALONE-}" ]; then
	if ! unshare -n true 2>/dev/null; then
		skip 'not allowed to make a network namespace: nothing captured'
		finish
	fi
	rm -rf "$scratch"
	export BPFSIFT_TEST_ALONE=yes srcdir builddir
	exec unshare -n sh "$0"
fi
ip link add sender type veth peer name receiver || exit 99
for interface in sender receiver; do
	# No packets of its own.
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done

# Five packets each of UDP to port 53, and of ARP.
cat >"$scratch/send.py" <<'END'
import socket, struct

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("sender", 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
data = struct.pack("!HHHH", 40000, 53, 8, 0)
head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 1, 0, 64, 17, 0, bytes([192, 0, 2, 1]),
                   bytes([192, 0, 2, 2]))
for n in range(5):
    s.send(macs + b"\x08\x00" + head + data + bytes(18))
    s.send(macs + b"\x08\x06" + bytes(46))
END

# What the interface counted, and what became of it: by each engine, the kernel among them
# where that goes.
received()
{
	kill -USR1 $have
	grep -q " $1 packets received by filter" "$scratch/err"
}
for engine in interp jit kernel; do
	if [ $engine = jit ] && ! has_jit; then
		continue
	fi
	received=10 runs=10
	[ $engine != kernel ] || received=5 runs=0
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver --engine=$engine --immediate-mode -w "$scratch/out" --stats=json \
		'udp dst port 53' 2>"$scratch/err" &
	have=$!
	if ! wait_for grep -q 'listening on receiver' "$scratch/err" && [ $engine = kernel ]; then
		skip "no filter in the kernel: $(cat "$scratch/err")"
		continue
	fi
	python3 "$scratch/send.py"
	check "$engine: all are received" wait_for received $received
	kill -TERM $have
	wait $have
	check_same "$engine: exit status" 0 $?
	check_same "$engine: statistics" "$received 5 0 5 [$received, 0, 0] $runs" \
		"$(grep '^{' "$scratch/err" | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(*s["packets"].values(), list(s["interface"].values()), s["filters"][0]["runs"])')"
done

# -v -w: how many there are, once a second, as tcpdump tells it.
for options in '-v' '-v --print' ''; do
	rm -f "$scratch"/*.pcap
	# shellcheck disable=SC2086
	$peer -i receiver -c 10 -U --immediate-mode $options -w "$scratch/want.pcap" >/dev/null \
		2>"$scratch/want.err" &
	want=$!
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver -c 10 -U --immediate-mode $options -w "$scratch/have.pcap" >/dev/null \
		2>"$scratch/have.err" &
	have=$!
	for name in want have; do
		check "$name listens" wait_for grep -q 'listening on receiver' "$scratch/$name.err"
	done
	sleep 1.5
	# So that each has told of none, and is told to end before it tells of all.
	python3 "$scratch/send.py"
	wait $want
	wait $have
	check_same "$options: exit status" 0 $?
	# What tcpdump says behind its closing lines, as its timer goes on, is left out.
	check_same "messages with $options" \
		"$(sed 's/^tcpdump: //' "$scratch/want.err" | tr '\r' '<' | sed 's/^Got 10<$//')" \
		"$(sed 's/^bpfsift: //' "$scratch/have.err" | tr '\r' '<' | sed 's/^Got 10<$//')"
done
finish
