#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every packet is accounted for: of those that an interface received each was captured,
# refused by the filter or dropped by the socket, wherever the filter runs, and none was
# captured that the filter refuses.  tcpdump captures beside it.
#
#	WIRE_PACKETS   how many are sent for each engine
#	WIRE_RATE      how many a second; 0: as fast as it goes
#	WIRE_BUFFER    KiB of the kernel's buffer
#
# 'make bench-wire' sends 10,000,000, and what is printed then is for reading.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"
if ! command -v tcpdump >/dev/null 2>&1; then
	skip 'no tcpdump: nothing captured'
	finish
fi
# shellcheck source=tests/support/veth.sh
. "$srcdir/tests/support/veth.sh"

: "${WIRE_PACKETS:=$((200 * ${TEST_SCALE:-100}))}" "${WIRE_RATE:=50000}" "${WIRE_BUFFER:=16384}"
wire=$builddir/tests/cli/wire
expression='udp dst port 53 or vlan 42'

# What the interface counts as received.
received()
{
	sed -n 's/^ *receiver://p' /proc/net/dev | awk '{ print $2 }'
}

# cpu_of PID: milliseconds that it has run, its threads too.
cpu_of()
{
	sed 's/.*) //' "/proc/$1/stat" | awk -v ticks="$(getconf CLK_TCK)" \
		'{ print ($12 + $13) * 1000 / ticks }'
}

# Until neither has anything left to do: the last packets are handed out after a second.
wait_till_idle()
{
	before=
	while [ "$before" != "$(cpu_of "$ours") $(cpu_of "$theirs")" ]; do
		before="$(cpu_of "$ours") $(cpu_of "$theirs")"
		sleep 2
	done
}

# said NAME WHAT: the number in a closing line.
said()
{
	sed -n "s/ packets* $2\$//p" "$scratch/$1.err"
}

# account ENGINE: send, and say what became of all.
account()
{
	engine=$1
	rm -f "$scratch"/*.err
	# shellcheck disable=SC2086
	$BPFSIFT --engine="$engine" -i receiver -B "$WIRE_BUFFER" -w "$scratch/ours.pcap" \
		"$expression" 2>"$scratch/ours.err" &
	ours=$!
	tcpdump -Z root -i receiver -B "$WIRE_BUFFER" -w "$scratch/theirs.pcap" "$expression" \
		2>"$scratch/theirs.err" &
	theirs=$!
	for name in ours theirs; do
		check "$engine: $name listens" wait_for grep -q 'listening on' "$scratch/$name.err"
	done
	if [ "$engine" = kernel ] && ! grep -q ', filter in the kernel$' "$scratch/ours.err"; then
		kill -TERM $ours $theirs
		wait $ours $theirs
		skip "the kernel takes no filter: $(sed -n 's/.*, filter in user space//p' \
			"$scratch/ours.err")"
		return
	fi
	before_all=$(received)
	sent=0 matching=0 per_second=0 sender_ns=0
	eval "$("$wire" send sender "$WIRE_PACKETS" "$WIRE_RATE")"
	wait_till_idle
	cpu_ours=$(cpu_of $ours) cpu_theirs=$(cpu_of $theirs)
	arrived=$(($(received) - before_all))
	kill -TERM $ours $theirs
	wait $ours
	check_same "$engine: exit status" 0 $?
	wait $theirs

	captured=$(said ours captured) dropped=$(said ours 'dropped by kernel')
	by_filter=$(said ours 'received by filter')
	good=0 wrong=1
	eval "$("$wire" check "$scratch/ours.pcap" "$WIRE_PACKETS")"
	check_same "$engine: sent are those wanted" "$WIRE_PACKETS" "$sent"
	check_same "$engine: what is captured matches, unchanged and in order" 0 $wrong
	check_same "$engine: it is as much as is said" "$captured" $good
	# What the wire has lost is of a kind unknown; by and large that is nothing.
	lost=$((sent - arrived))
	refused=$((sent - matching))
	if [ "$engine" = kernel ]; then
		check_same "$engine: received by filter are captured or dropped" \
			"$by_filter" $((captured + dropped))
		accounted=$((captured + refused + dropped))
	else
		check_same "$engine: received by filter is what the interface received" \
			"$arrived" "$by_filter"
		# Of those dropped nobody knows which would match: at least these would have.
		missing=$((matching - captured))
		check "$engine: dropped are $dropped, missing $missing" \
			test $missing -le $((dropped + lost)) -a $missing -ge 0
		accounted=$((captured + (by_filter - dropped - captured) + dropped))
		[ "$dropped$lost" != 00 ] ||
			check_same "$engine: refused are those known to be" $refused \
				$((by_filter - captured))
	fi
	check "$engine: $accounted accounted for, $arrived of $sent arrived" \
		test $accounted -ge "$arrived" -a $accounted -le $((arrived + lost))
	printf '%s: %d sent, %d a second, %d received by the interface\n' "$engine" "$sent" \
		"$per_second" $arrived
	printf '    captured %d, refused %d, dropped %d; received by filter %d\n' "$captured" \
		$((accounted - captured - dropped)) "$dropped" "$by_filter"
	printf '    tcpdump: captured %d, dropped %d; received by filter %d\n' \
		"$(said theirs captured)" "$(said theirs 'dropped by kernel')" \
		"$(said theirs 'received by filter')"
	awk -v ours="$cpu_ours" -v theirs="$cpu_theirs" -v sender="$sender_ns" -v n="$sent" 'BEGIN {
		printf "    ns of CPU for each packet sent: bpfsift %.0f, tcpdump %.0f, sender %.0f\n",
			ours * 1e6 / n, theirs * 1e6 / n, sender }'
	rm -f "$scratch"/*.pcap
}

engines='interp kernel'
! has_jit || engines='interp jit kernel'
for engine in ${WIRE_ENGINES:-$engines}; do
	account "$engine"
done
finish
