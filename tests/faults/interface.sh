#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# An interface that disappears while bpfsift captures from it, one of a pair in a network
# namespace of their own: it ends as tcpdump does, and what was captured is in the file.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: nothing captured'
	finish
fi
# shellcheck source=tests/support/veth.sh
. "$srcdir/tests/support/veth.sh"

listens()
{
	grep -q 'listening on receiver' "$scratch/$1.err"
}

# captured NAME: eight packets, which -U has written.
captured()
{
	[ "$(wc -c <"$scratch/$1.pcap")" -eq $((24 + 8 * (16 + 60))) ]
}

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
