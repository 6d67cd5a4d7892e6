#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What can be done to bpfsift while it captures or reads: another filter, counts.  On a pair
# of virtual interfaces in a network namespace of their own, and on pipes.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: nothing sent'
	finish
fi

n_of()
{
	$peer --count -r "$1" 2>/dev/null | sed 's/ .*//'
}

# has N FILE; lines N WORDS FILE: so many packets, or lines with these words.
has()
{
	[ "$(n_of "$2")" = "$1" ]
}

lines()
{
	[ "$(grep -c "$2" "$3")" -ge "$1" ]
}

# ---- options ----

for options in '--reload' '--reload tcp' '--reload -F -'; do
	# shellcheck disable=SC2086
	check_same "$options" 'stderr: --reload reads a file named with -F
status: 1' "$(outcome $BPFSIFT -r "$srcdir/tests/data/demo.pcap" $options)"
done

check_same '--reload in the kernel' 'stderr: --reload replaces no filter that the kernel runs
status: 1' "$(outcome $BPFSIFT -i lo --engine=kernel --reload -F "$0")"

# ---- files ----

# A pipe that goes on when it is told to: by a file that appears.
# feed DIRECTORY: one part of the capture, and for each file there another one.
cat >"$scratch/feed.py" <<'END'
import os, sys, time

capture = open(sys.argv[1], "rb").read()
out = os.fdopen(1, "wb", 0)
out.write(capture)
for i in range(1, int(sys.argv[3]) + 1):
    while not os.path.exists("%s/%d" % (sys.argv[2], i)):
        time.sleep(0.01)
    out.write(capture[24:])
END

demo=$srcdir/tests/data/demo.pcap
n_arp=$($peer --count -r "$demo" arp 2>/dev/null | sed 's/ .*//')
n_udp=$($peer --count -r "$demo" udp 2>/dev/null | sed 's/ .*//')
for format in pcap pcapng; do
	out=$scratch/out.$format
	mkdir "$scratch/go"
	mkfifo "$scratch/pipe"
	echo arp >"$scratch/filter"
	python3 "$scratch/feed.py" "$demo" "$scratch/go" 3 >"$scratch/pipe" &
	# shellcheck disable=SC2086
	$BPFSIFT -r - -U -w "$out" --reload -F "$scratch/filter" --stats=json <"$scratch/pipe" \
		2>"$scratch/err" &
	have=$!
	check "$format: as many as match" wait_for has "$n_arp" "$out"
	echo '# not these any more: arp
udp' >"$scratch/filter"
	kill -HUP $have
	# It is read between two batches.
	touch "$scratch/go/1"
	check "$format: another filter" wait_for lines 1 "^bpfsift: filter read again from $scratch/filter\$" \
		"$scratch/err"
	touch "$scratch/go/2"
	# What of the part before was in a batch with it depends on how it was read.
	wait_for lines 1 . "$out"
	sleep 0.3
	echo 'udp prt 53' >"$scratch/filter"
	kill -HUP $have
	touch "$scratch/go/3"
	wait $have
	check_same "$format: exit status" 0 $?
	check_same "$format: a bad filter is told of in a line" 1 \
		"$(grep -c "^bpfsift: $scratch/filter: .*(the filter stays as it was)\$" "$scratch/err")"
	n_all=$(n_of "$out")
	check "$format: by one and by the other, and none lost" test "$n_all" -ge $((n_arp + 2 * n_udp))
	check_same "$format: nothing else" "$n_all" \
		"$($peer --count -r "$out" 'arp or udp' 2>/dev/null | sed 's/ .*//')"
	check_same "$format: each program for itself, and all packets by one of them" 'arp 1340' \
		"$(grep '^{' "$scratch/err" | python3 -c 'import json, sys
f = json.load(sys.stdin)["filters"]
print(f[0]["expression"].strip(), sum(each["runs"] for each in f))')"
	rm -rf "$scratch/go" "$scratch/pipe" "$out"
done

# Not asked for: it ends, in order.
mkdir "$scratch/go"
mkfifo "$scratch/pipe"
python3 "$scratch/feed.py" "$demo" "$scratch/go" 1 >"$scratch/pipe" 2>/dev/null &
feeder=$!
echo arp >"$scratch/filter"
# Of whoever runs this, nohup(1) may be one.
# shellcheck disable=SC2086
python3 -c 'import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' \
	$BPFSIFT -r - -U -w "$scratch/out" -F "$scratch/filter" <"$scratch/pipe" 2>"$scratch/err" &
have=$!
check 'without --reload: as many as match' wait_for has "$n_arp" "$scratch/out"
kill -HUP $have
wait $have
check_same 'without --reload SIGHUP ends it' 0 $?
check 'and nothing was lost' has "$n_arp" "$scratch/out"
touch "$scratch/go/1"
wait $feeder

# ---- interfaces ----

# shellcheck source=tests/support/veth.sh
. "$srcdir/tests/support/veth.sh"

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

for engine in interp auto; do
	echo udp >"$scratch/filter"
	rm -f "$scratch/out" "$scratch/err"
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver --engine=$engine --immediate-mode -U -w "$scratch/out" --reload \
		-F "$scratch/filter" --stats=json 2>"$scratch/err" &
	have=$!
	check "$engine: it listens" wait_for grep -q 'listening on receiver' "$scratch/err"
	python3 "$scratch/send.py"
	check "$engine: packets" wait_for has 5 "$scratch/out"
	printf 'arp and len > 1 # others\n' >"$scratch/filter"
	kill -HUP $have
	# No packet comes that would wake it.
	check "$engine: another filter" wait_for lines 1 'filter read again' "$scratch/err"
	python3 "$scratch/send.py"
	check "$engine: packets by it" wait_for has 10 "$scratch/out"
	check_same "$engine: the other ones" 5 \
		"$($peer --count -r "$scratch/out" arp 2>/dev/null | sed 's/ .*//')"
	echo 'arp arp' >"$scratch/filter"
	kill -HUP $have
	check "$engine: a bad filter" wait_for lines 1 "^bpfsift: $scratch/filter: .*stays" "$scratch/err"
	rm "$scratch/filter"
	kill -HUP $have
	check "$engine: no filter" wait_for lines 1 "^bpfsift: can't open $scratch/filter: .*stays" \
		"$scratch/err"
	python3 "$scratch/send.py"
	check "$engine: packets by the one that stayed" wait_for has 15 "$scratch/out"
	kill -USR1 $have
	check "$engine: counts" wait_for lines 1 \
		'^bpfsift: 15 packets captured, 30 packets received by filter, 0 packets dropped by kernel$' \
		"$scratch/err"
	kill -TERM $have
	wait $have
	check_same "$engine: exit status" 0 $?
	check_same "$engine: statistics" '30 15 0 15 [30, 0, 0] udp:10 arp and len > 1:20' \
		"$(grep '^{' "$scratch/err" | python3 -c 'import json, sys
s = json.load(sys.stdin)
print(*s["packets"].values(), list(s["interface"].values()),
      *("%s:%d" % (f["expression"].split("#")[0].strip(), f["runs"]) for f in s["filters"]))')"
done

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
	rm -f "$scratch/err"
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

# counted OPTION...: both capture ten packets, and say what they say.
counted()
{
	rm -f "$scratch"/*.pcap "$scratch"/*.err
	# shellcheck disable=SC2086
	$peer -i receiver -c 10 -U --immediate-mode "$@" -w "$scratch/want.pcap" >/dev/null \
		2>"$scratch/want.err" &
	want=$!
	# shellcheck disable=SC2086
	$BPFSIFT -i receiver -c 10 -U --immediate-mode "$@" -w "$scratch/have.pcap" >/dev/null \
		2>"$scratch/have.err" &
	have=$!
	for name in want have; do
		check "$name listens" wait_for grep -q 'listening on receiver' "$scratch/$name.err"
	done
	# So that each has told of none, and is told to end before it tells of all.
	if [ "$*" = -v ]; then
		for name in want have; do
			check "$name tells of none" wait_for grep -q 'Got 0' "$scratch/$name.err"
		done
	else
		sleep 1.5 # in which it would
	fi
	python3 "$scratch/send.py"
	wait $want
	wait $have
	check_same "$*: exit status" 0 $?
}

# -v -w: how many there are, once a second, as tcpdump tells it.  What that says behind its
# closing lines, as its timer goes on, is left out.
for options in '-v' '-v --print' ''; do
	tries=0
	while :; do
		# shellcheck disable=SC2086
		counted $options
		told=$(sed 's/^tcpdump: //' "$scratch/want.err" | tr '\r' '<' | sed 's/^Got 10<$//')
		ours=$(sed 's/^bpfsift: //' "$scratch/have.err" | tr '\r' '<' | sed 's/^Got 10<$//')
		tries=$((tries + 1))
		# Where much else runs, one may wait a second longer than the other.
		[ "$told" != "$ours" ] && [ $tries -lt 3 ] || break
	done
	check_same "messages with $options" "$told" "$ours"
done
finish
