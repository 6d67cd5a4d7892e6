#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A large file is mapped; cut while bpfsift waits for who reads its output, it ends there,
# and what was written are the packets that were there.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"

data=$(cd "$srcdir" && pwd)/tests/data
# What runs as another user could not read what is in $scratch.
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
cd "$scratch" || exit 99
yes "$data/demo.pcap" | head -n 60 >list
# shellcheck disable=SC2086
$BPFSIFT -V list -w big.pcap 2>err || fail "no capture: $(cat err)"
check 'it is large enough to be mapped' test "$(wc -c <big.pcap)" -gt 5000000

# cut THREADS BYTES: the file to so many, while the output is not read.
cut_to()
{
	cp big.pcap in.pcap
	rm -f out.fifo
	mkfifo out.fifo
	# shellcheck disable=SC2086
	$BPFSIFT --threads="$1" -r in.pcap -w - 'ip or not ip' >out.fifo 2>err &
	pid=$!
	exec 3<out.fifo
	dd bs=24 count=1 <&3 >out.pcap 2>/dev/null
	# Several threads have larger ones mapped alone.
	tries=0
	until [ "$1" -gt 1 ] || [ $tries -ge 100 ] ||
		grep -q "$PWD/in.pcap" "/proc/$pid/maps" 2>/dev/null; do
		sleep 0.05
		tries=$((tries + 1))
	done
	[ $tries -lt 100 ] || skip 'the file is not mapped here'
	truncate -s "$2" in.pcap
	cat <&3 >>out.pcap
	exec 3<&-
	wait $pid
	status=$?
}

for threads in 1 2; do
	for bytes in 0 4096 5000 300007; do
		cut_to $threads $bytes
		what="$threads threads, cut to $bytes"
		check "$what: status $status: $(cat err)" test "$status" -le 1
		if [ "$status" -eq 1 ]; then
			check "$what: it says where" grep -q \
				'^bpfsift: in.pcap: offset [0-9]*: truncated dump file' err
		fi
		n=$(wc -c <out.pcap)
		head -c "$n" big.pcap >begin.pcap
		check "$what: what was there" cmp out.pcap begin.pcap
		# shellcheck disable=SC2086
		check "$what: whole packets" sh -c "$BPFSIFT -r out.pcap --count >count 2>&1"
	done
done
finish
