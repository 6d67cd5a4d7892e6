#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Many small files, in which some are damaged, compressed, of another byte order or no captures:
# whatever the number of threads, and of files that can be open, they give what each gives when
# libpcap reads it, one after the other, and what tcpdump makes of them.
#
# BPFSIFT is another command to try.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi

data=$srcdir/tests/data
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"

mkdir "$scratch/good" "$scratch/any"
for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
	cp "$data/ether.pcap" "$scratch/good/$i-a"
	cp "$data/demo.pcap" "$scratch/good/$i-b"
	cp "$data/no-packets.pcap" "$scratch/good/$i-c"
done
cp "$scratch"/good/* "$scratch/any"
cp "$data/pcap-be.pcap" "$scratch/any/11-d"
cp "$data/pcap-le-ns.pcap" "$scratch/any/12-d"
cp "$data/ng-le.pcapng" "$scratch/any/13-d"
head -c 3000 "$data/demo.pcap" >"$scratch/any/14-d"
echo no capture >"$scratch/any/15-d"
head -c 20 "$data/demo.pcap" >"$scratch/any/16-d"
cp "$data/pcap-be-ns.pcap" "$scratch/any/17-d"
gzip -c "$data/demo.pcap" >"$scratch/any/18-d" 2>/dev/null || rm "$scratch/any/18-d"
# One that is longer than what is read at once.
{
	cat "$data/demo.pcap"
	while [ "$(wc -c <"$scratch/long")" -lt 600000 ]; do
		tail -c +25 "$data/demo.pcap" >>"$scratch/long"
	done
	cat "$scratch/long"
} 2>/dev/null >"$scratch/any/19-d"
printf '%s\n' "$scratch"/good/* >"$scratch/good.list"
printf '%s\n' "$scratch"/any/* | grep -v -e 15-d -e 16-d >"$scratch/any.list"

# run NAME ARGUMENT...: what bpfsift says, how it ends and what it writes.
run()
{
	name=$1
	shift
	rm -f "$scratch/out"
	# shellcheck disable=SC2086
	outcome $BPFSIFT "$@" >"$scratch/$name.says"
	rm -f "$scratch/$name.out"
	[ ! -e "$scratch/out" ] || mv "$scratch/out" "$scratch/$name.out"
}

# same WHAT ARGUMENT...: as libpcap reads the files.
same()
{
	what=$1
	shift
	run libpcap --reader=libpcap --threads=1 "$@"
	for threads in 1 2 5; do
		run ours --threads="$threads" "$@"
		check "$what, $threads threads: what is said" \
			cmp "$scratch/libpcap.says" "$scratch/ours.says"
		[ ! -e "$scratch/libpcap.out" ] ||
			check "$what, $threads threads: what is written" \
				cmp "$scratch/libpcap.out" "$scratch/ours.out"
	done
}

same 'good ones' -V "$scratch/good.list" -w "$scratch/out"
same 'good ones, filtered' -V "$scratch/good.list" -w "$scratch/out" tcp or arp
same 'any' -V "$scratch/any.list" -w "$scratch/out"
same 'any, filtered' -V "$scratch/any.list" -w "$scratch/out" udp
same 'any, counted' -V "$scratch/any.list" --count ip
same 'any, cut' -V "$scratch/any.list" -w "$scratch/out" -s 60 ip
same 'any, in microseconds' -V "$scratch/any.list" -w "$scratch/out" --micro
same 'a directory' --recursive -r "$scratch/any" -w "$scratch/out" ip
same 'one that is no capture among them' -r "$scratch/good/10-a" -r "$scratch/any/15-d" \
	-r "$scratch/good/10-b" -w "$scratch/out"
same 'two link types' -r "$scratch/good/10-a" -r "$data/sll2.pcap" -r "$scratch/good/10-b" \
	-r "$data/sll.pcap" --count ip
for n in 1 7 100 299 300 301 1000; do
	same "the first $n" -V "$scratch/any.list" -w "$scratch/out" -c "$n" ip
done

# Where few files can be open at a time, the others are opened one after the other.
run libpcap --reader=libpcap -V "$scratch/any.list" -w "$scratch/out" ip
(
	ulimit -n 150
	run ours -V "$scratch/any.list" -w "$scratch/out" ip
)
check 'few files open: what is said' cmp "$scratch/libpcap.says" "$scratch/ours.says"
check 'few files open: what is written' cmp "$scratch/libpcap.out" "$scratch/ours.out"

if command -v tcpdump >/dev/null 2>&1; then
	peer=tcpdump
	[ "$(id -u)" -ne 0 ] || peer='tcpdump -Z root'
	for expression in '' tcp 'udp port 53' 'len > 500'; do
		# shellcheck disable=SC2086
		check_same "tcpdump -V $expression" \
			"$(outcome $peer -V "$scratch/good.list" -w "$scratch/peer" $expression)" \
			"$(outcome $BPFSIFT -V "$scratch/good.list" -w "$scratch/out" $expression)"
		check "tcpdump -V $expression writes the same" cmp "$scratch/peer" "$scratch/out"
	done
else
	skip 'no tcpdump to compare with'
fi

finish
