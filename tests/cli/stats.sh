#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What bpfsift --stats counts: that it adds up, whoever reads and filters, and which packets
# were too short to be judged.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: no statistics read'
	finish
fi

# Packets cut to 40 bytes, so many that several threads share them; and the same as pcapng.
# shellcheck disable=SC2086
{
	$BPFSIFT -r "$srcdir/tests/data/demo.pcap" -s 40 -w "$scratch/few.pcap" 2>"$scratch/err"
	head -c 24 "$scratch/few.pcap"
	i=0
	while [ "$i" -lt 60 ]; do
		tail -c +25 "$scratch/few.pcap"
		i=$((i + 1))
	done
} >"$scratch/cut.pcap"
# shellcheck disable=SC2086
$BPFSIFT -r "$scratch/cut.pcap" -w "$scratch/cut.pcapng" 2>"$scratch/err"
check 'it is large enough for threads' test "$(wc -c <"$scratch/cut.pcap")" -gt 800000

# json ARGUMENT...: the statistics, one number a line; as a parser finds them.
json()
{
	# shellcheck disable=SC2086
	$BPFSIFT "$@" --stats=json 2>&1 >/dev/null | grep '^{' | python3 -c '
import json, sys
text = sys.stdin.read()
assert text.count("\n") == 1
s = json.loads(text)
p = s["packets"]
assert p["seen"] >= p["matched"] + p["too_short"] and p["matched"] >= p["written"], p
for f in s["filters"]:
    assert f["misses"] == 0 and (f["nanoseconds"] > 0) == (f["runs"] > 0), f
print("runs", sum(f["runs"] for f in s["filters"]))
for name in p:
    print(name, p[name])
for f in s["filters"]:
    print(f["link_type"], f["expression"])' 2>&1
}

# count EXPRESSION: how many packets tcpdump finds.
count()
{
	$peer --count -r "$scratch/cut.pcap" "$1" 2>/dev/null | sed 's/ .*//'
}

total=$(count '')
# The flags are at the end of what is there, or behind it.
flags='tcp[tcpflags] & tcp-syn != 0'
too_short=$(count 'ip proto 6 and ip[6:2] & 0x1fff = 0 and ip[0] = 0x45 and greater 48')
check 'some are too short' test "$too_short" -gt 0

# adds_up ARGUMENT...: the same for each way to filter them.
adds_up()
{
	check_same "$*" "runs $total
seen $total
matched $(count "$flags")
too_short $too_short
written $1
EN10MB $flags" "$(shift && json "$@" "$flags")"
}

written=$(count "$flags")
for engine in interp auto; do
	for threads in 1 2 5; do
		adds_up 0 -r "$scratch/cut.pcap" --count --engine=$engine --threads=$threads
		adds_up "$written" -r "$scratch/cut.pcap" -w "$scratch/out.pcap" \
			--engine=$engine --threads=$threads
	done
	adds_up 0 -r "$scratch/cut.pcapng" --count --engine=$engine
	adds_up 0 -r "$scratch/cut.pcap" --reader=libpcap --count --engine=$engine
done
adds_up "$written" -r "$scratch/cut.pcapng" -w "$scratch/out.pcapng"

# What was captured says enough, or there was no more on the wire.
check_same 'none is too short for this' "runs $total
seen $total
matched $(count udp)
too_short 0
written 0
EN10MB udp" "$(json -r "$scratch/cut.pcap" --count udp)"
check_same 'nor where packets are whole' 'too_short 0' \
	"$(json -r "$srcdir/tests/data/demo.pcap" --count "$flags" | grep too_short)"
check_same 'with -c, what is behind the last is not seen' 'seen matched' \
	"$(json -r "$scratch/cut.pcap" --count -c 3 --threads=1 '' |
		sed -nE 's/^(seen|matched) 3$/\1/p' | tr '\n' ' ' | sed 's/ $//')"

# Each program for itself, and all characters of an expression.
cat "$scratch/few.pcap" >"$scratch/a.pcap"
check_same 'one for each link type' 'EN10MB len > 1
RAW len > 1' "$(json -r "$scratch/a.pcap" -r "$srcdir/tests/data/raw.pcap" --count 'len > 1' |
	grep 'len' | sed 's/IPV[46]/RAW/' | sort -u)"
printf 'ether proto\t\\arp\n' >"$scratch/filter"
# shellcheck disable=SC2086
check 'JSON is well formed' sh -c "$BPFSIFT -r '$scratch/a.pcap' --count -F '$scratch/filter' \
	--stats=json 2>&1 >/dev/null | grep '^{' | python3 -m json.tool"
check_same 'and says what was given' "EN10MB $(printf 'ether proto\t\\arp')" \
	"$(json -r "$scratch/a.pcap" --count -F "$scratch/filter" | grep proto)"
check_same '--stats=xml' "stderr: unknown statistics xml (must be text or json)
status: 1" "$(outcome $BPFSIFT -r "$scratch/a.pcap" --stats=xml)"
check_same '--stats=text' 'too short         0' \
	"$($BPFSIFT -r "$scratch/a.pcap" --count --stats=text 2>&1 | sed -n 's/^  too/too/p')"

# SIGUSR1 while several threads work: numbers that were there together.
mkfifo "$scratch/slow"
# shellcheck disable=SC2086
$BPFSIFT -r "$scratch/cut.pcap" -w "$scratch/slow" 2>"$scratch/counts" &
pid=$!
{
	sleep 0.3
	kill -USR1 $pid
	sleep 0.3
	cat >/dev/null
} <"$scratch/slow"
wait $pid
check_same 'exit status' 0 $?
check_same 'all that was seen was captured' 1 "$(sed -n 's/^bpfsift: \([0-9]*\) packets* captured, \([0-9]*\) packets* received by filter, 0 packets dropped by kernel$/\1 \2/p' \
	"$scratch/counts" | awk '$1 == $2' | wc -l | tr -d ' ')"
finish
