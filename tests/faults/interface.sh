#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# An interface that disappears while bpfsift captures from it, one of a pair in a network
# namespace of their own: it ends as tcpdump does, and what was captured is in the file.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

for needed in python3 ip unshare; do
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

# wait_for COMMAND...: it succeeds within twenty seconds.
wait_for()
{
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		sleep 0.1
	done
}

listens()
{
	grep -q 'listening on receiver' "$scratch/$1.err"
}

# captured NAME: eight packets, which -U has written.
captured()
{
	[ "$(wc -c <"$scratch/$1.pcap")" -eq $((24 + 8 * (16 + 60))) ]
}

ip link add sender type veth peer name receiver || exit 99
for interface in sender receiver; do
	# No packets of its own.
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done
cat >"$scratch/send.py" <<'END'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('sender', 0))
for n in range(8):
    s.send(bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 6]) + bytes([n]) * 46)
END

# start NAME COMMAND...: and what it ends with goes into a file.
start()
{
	name=$1
	shift
	: >"$scratch/$name.err"
	("$@" -i receiver -U -w "$scratch/$name.pcap" 2>"$scratch/$name.err" </dev/null
		echo $? >"$scratch/$name.status") &
}

# shellcheck disable=SC2086
{
	start tcpdump $peer
	start bpfsift $BPFSIFT -Z root
}
check 'both listen' wait_for eval 'listens tcpdump && listens bpfsift'
python3 "$scratch/send.py"
check 'both have captured' wait_for eval 'captured tcpdump && captured bpfsift'
ip link del sender
check 'both end' wait_for test -s "$scratch/tcpdump.status" -a -s "$scratch/bpfsift.status"
check_same 'with the same status' "$(cat "$scratch/tcpdump.status")" "$(cat "$scratch/bpfsift.status")"
check 'bpfsift says why' grep -q '^bpfsift: receiver: .*disappeared' "$scratch/bpfsift.err"
check 'and counts all the same' grep -q '^8 packets captured$' "$scratch/bpfsift.err"
check 'the packets are in the file' captured bpfsift
finish
