#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Options, messages and exit status of bpfsift, beside tcpdump's where tcpdump
# has them: standard output, standard error but for the program's name, and
# exit status.  What passes a filter is compared in tcpdump.sh, what happens to
# damaged files in damage.sh.
#
# BPFSIFT is another command to try.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi

data=$srcdir/tests/data
in=$data/ether.pcap
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"
TZ=UTC
export TZ

# says WANT ARGUMENT...: the outcome of bpfsift with these arguments.
says()
{
	want=$1
	shift
	# shellcheck disable=SC2086
	check_same "bpfsift $*" "$want" "$(outcome $BPFSIFT "$@")"
}

# same_messages FILE FILE: but for the time that filters took.
same_messages()
{
	for messages; do
		sed 's/^\(  runs .*\) of .*/\1/' "$messages" >"$messages.untimed"
	done
	cmp "$1.untimed" "$2.untimed"
}

# alike ARGUMENT...: bpfsift and tcpdump have the same outcome.
alike()
{
	# shellcheck disable=SC2086
	check_same "bpfsift $* as tcpdump" "$(outcome $peer "$@")" "$(outcome $BPFSIFT "$@")"
}

reading="stderr: reading from file $in, link-type EN10MB (Ethernet), snapshot length 262144"

# ---- beside tcpdump ----

if command -v tcpdump >/dev/null 2>&1; then
	# Started by root, tcpdump would become a user who cannot write to $scratch.
	peer=tcpdump
	[ "$(id -u)" -ne 0 ] || peer='tcpdump -Z root'

	for capture in "$in" "$data/sll2.pcap" "$data/null.pcap" "$data/null-be.pcap" \
		"$data/ng-be.pcapng" "$data/no-packets.pcap"; do
		alike -r "$capture" -w "$scratch/out.pcap"
		alike -r "$capture" --count
		alike -r "$capture" -w "$scratch/out.pcap" --count ip
		alike -r "$capture" -d ip
		alike -r "$capture" --count inbound
	done
	# Dumps of programs.
	for expression in '' ip 'tcp port 80' 'ip broadcast' 'vlan and tcp' 'ip6 protochain 6' \
		'ether[6] & 1 != 0' 'foo bar' 'host'; do
		for dump in -d -dd -ddd -dddd; do
			alike $dump "$expression"
		done
		alike -d -O "$expression"
		alike -d -s 96 "$expression"
		alike -d -s 0 -y RAW "$expression"
	done
	alike -d -y linux_sll tcp port 80
	alike -y EN10MB -d -w "$scratch/none.pcap" ip
	check '-d writes no savefile' test ! -e "$scratch/none.pcap"
	# Refusals.
	alike -d -y NONE ip
	alike -c 0 -r "$in"
	alike -c -1 -r "$in"
	alike -c x -r "$in"
	alike -s -1 -d
	alike -s 262145 -d
	alike -s 1x -d
	alike --time-stamp-precision=milli -d
	alike -B 0 -d
	alike -B x -d
	alike -Q foo -d
	alike -Q IN -d ip
	alike -j foo -d
	alike -j host -I --immediate-mode -B 4096 -U -l -d ip
	alike -r "$scratch/none.pcap"
	alike -r "$in" -w "$scratch/none/out.pcap"
	alike -r "$in" 'host and'
	alike -r "$in" -F "$scratch/none"
	# Options that are accepted, abbreviated, joined, or after the expression.
	alike -r "$in" --count -n -p -O arp
	alike -nOpr "$in" --count arp
	alike arp -r "$in" --count
	alike -r "$in" --coun arp
	alike -r "$in" -c 3 --count
	alike -r "$in" -c 03 --count --micro
	alike -r "$in" --count --nano --no-optimize --no-promiscuous-mode
	alike -r "$in" --count --time-stamp-precision nanoseconds
	alike -r "$in" --count --time-stamp-precision=micro
	alike -r "$in" --count -L
	alike --snapshot-length=40 --linktype=RAW -d ip
	alike -r "$in" --count -y RAW arp
	# Filters in files.
	printf 'arp # or not\n#or ip\n  or rarp' >"$scratch/filter"
	alike -r "$in" --count -F "$scratch/filter"
	alike -r "$in" --count -F "$scratch/filter" ip
	: >"$scratch/empty"
	alike -r "$in" --count -F "$scratch/empty"
	# Several files, in the order in which they are listed.
	printf '%s\n' "$in" "$data/demo.pcap" "$data/pcap-be.pcap" >"$scratch/list"
	alike -V "$scratch/list" -w "$scratch/out.pcap"
	alike -V "$scratch/list" --count ip
	alike -V "$scratch/list" -w "$scratch/out.pcap" udp port 53
	# shellcheck disable=SC2086
	{
		$peer -V "$scratch/list" -w "$scratch/peer.pcap" 2>/dev/null
		$BPFSIFT -V "$scratch/list" -w "$scratch/out.pcap" 2>/dev/null
	}
	check 'and as tcpdump does' cmp "$scratch/peer.pcap" "$scratch/out.pcap"
	# Interfaces.
	alike -D
	alike --list-interfaces
	alike -i 0
	alike -i 99999
	if [ "$(id -u)" -eq 0 ] && $peer -L -i lo >/dev/null 2>&1; then
		alike -L -i lo
		alike --list-data-link-types --interface=lo
		alike -d -i lo ip
		alike -i lo -w "$scratch/none/out.pcap"
		alike -i lo -y RAW -w "$scratch/out.pcap"
		alike -J -i lo
		alike --list-time-stamp-types -i any
		alike -I -i lo -w "$scratch/out.pcap"
	else
		skip 'not allowed to capture: interfaces not compared'
	fi
else
	skip 'tcpdump is missing: nothing to compare with'
fi

# ---- our own ----

# shellcheck disable=SC2086
{
	check_same '-h is the usage' 0 "$($BPFSIFT -h >"$scratch/help"; echo $?)"
	check '-h says the version' grep -q '^bpfsift version [0-9]' "$scratch/help"
	check '-h says how' grep -q '^Usage: bpfsift ' "$scratch/help"
	check_same '--version and no more' "$(grep -v -e '^Usage' -e '^	' "$scratch/help")" \
		"$($BPFSIFT --version)"
	check_same 'an unknown option: exit status' 1 "$($BPFSIFT --none 2>"$scratch/err"; echo $?)"
	check 'an unknown option: usage on stderr' grep -q '^Usage: bpfsift ' "$scratch/err"
}
if has_jit; then
	check '--dump-native shows machine code' sh -c \
		"$BPFSIFT --dump-native -y EN10MB arp 2>/dev/null | grep -qE '^ +4: '"
	(exec $BPFSIFT --perf-map -r "$in" -w - arp >/dev/null 2>&1) &
	pid=$!
	wait "$pid"
	check '--perf-map names the filter' grep -qE '^[0-9a-f]+ [0-9a-f]+ bpfsift_filter$' \
		"/tmp/perf-$pid.map"
	rm -f "/tmp/perf-$pid.map"
	# Where a debugger may debug, and is not the one of another machine.
	if gdb -nx -batch -ex run --args true >"$scratch/gdb" 2>&1 &&
		grep -q 'exited normally' "$scratch/gdb"; then
		gdb -nx -batch -ex 'catch syscall exit_group' -ex run \
			-ex 'info symbol bpfsift_filter' \
			--args $BPFSIFT --gdb -r "$in" -w "$scratch/gdb.pcap" arp >"$scratch/gdb" 2>&1
		check '--gdb names the filter' grep -qE '^bpfsift_filter in section \.text' "$scratch/gdb"
	else
		skip 'no gdb that debugs'
	fi
fi
says 'stderr: the kernel filters no files: no --engine=kernel with -r and -V
status: 1' --engine kernel -r "$in"
says 'stderr: unknown engine steam
status: 1' --engine=steam -r "$in"
says 'stderr: unknown reader me
status: 1' --reader=me -r "$in"
says 'stderr: invalid number of threads 0 (must be 1 to 256)
status: 1' --threads=0 -r "$in"
says 'stderr: invalid number of threads 257 (must be 1 to 256)
status: 1' --threads=257 -r "$in"
says "stdout: 1 packet
$reading
status: 0" --engine=interp --reader=libpcap --threads=1 -r "$in" -c 1 --count
says "stdout: 22:13:20.000000 02:00:5e:10:00:0a > ff:ff:ff:ff:ff:ff protocol 0x0806, length 60
$reading
status: 0" --printer=none -r "$in" -c 1 arp
says "stdout: 22:13:20.000000000 02:00:5e:10:00:0a > ff:ff:ff:ff:ff:ff protocol 0x0806, length 60
$reading
status: 0" --printer=none -r "$in" -c 1 --nano arp
run_by='the interpreter'
! has_jit || run_by='machine code'
# shellcheck disable=SC2086
check_same '--stats' "stdout: 2 packets
$reading
stderr:   filter            arp
stderr:   classic program   4 instructions
stderr:   extended program  N instructions
stderr:   run by            $run_by
stderr:   runs              N, of N ns
stderr:   packets in        2
stderr:   packets out       2
stderr:   too short         0
stderr:   written           0
status: 0" "$(outcome $BPFSIFT -r "$in" -c 2 --count --stats arp |
	sed -E '/ extended | runs /s/[0-9][0-9.]*/N/g')"

# shellcheck disable=SC2086
{
	# -s cuts, and says so in the header: 24 bytes, 16 a packet, 40 of each.
	$BPFSIFT -r "$in" -w "$scratch/cut.pcap" -s 40 -c 3 2>/dev/null
	check_same '-s 40 keeps 40 bytes of each packet' $((24 + 3 * 56)) \
		"$(wc -c <"$scratch/cut.pcap" | tr -d ' ')"
	check_same '-s 40 is the snapshot length' \
		"reading from file $scratch/cut.pcap, link-type EN10MB (Ethernet), snapshot length 40" \
		"$($BPFSIFT -r "$scratch/cut.pcap" --count 2>&1 >/dev/null)"
	check_same 'a filter on standard input' "$($BPFSIFT -r "$in" --count arp 2>/dev/null)" \
		"$(printf 'arp # comment\n' | $BPFSIFT -F - -r "$in" --count 2>/dev/null)"

	# Several files.
	count()
	{
		$BPFSIFT "$@" --count 2>/dev/null
	}
	one=$(count -r "$in" ip | cut -d' ' -f1)
	two=$(count -r "$data/sll2.pcap" ip | cut -d' ' -f1)
	check_same 'files of two link types, each with a filter of its own' \
		"$((one + two)) packets" "$(count -r "$in" -r "$data/sll2.pcap" ip)"
	check_same '-c counts over all files' "$((one + 1)) packets" \
		"$(count -r "$in" -r "$in" -c $((one + 1)) ip)"
	check_same 'a list on standard input' "$((one + one)) packets" \
		"$(printf '%s\n\n%s\n' "$in" "$in" | $BPFSIFT -V - --count ip 2>/dev/null)"
	says "stderr: $in and $data/sll2.pcap have different link types, which one pcap file cannot hold: write a file for each, or --format=pcapng
status: 1" -r "$in" -r "$data/sll2.pcap" -w "$scratch/none.pcap"
	check 'of which none is written' test ! -e "$scratch/none.pcap"
	says "stderr: $scratch/none.pcap: No such file or directory
status: 1" -r "$in" -r "$scratch/none.pcap" -w "$scratch/none2.pcap"
	check 'nothing is written where one cannot be read' test ! -e "$scratch/none2.pcap"
	mkdir -p "$scratch/dir/deep"
	cp "$in" "$scratch/dir/b.pcap"
	cp "$data/demo.pcap" "$scratch/dir/deep/a.pcap"
	echo no capture >"$scratch/dir/c.txt"
	says "stderr: $scratch/dir: a directory (--recursive reads what is in it)
status: 1" -r "$scratch/dir"
	$BPFSIFT -r "$scratch/dir" --recursive -w "$scratch/all.pcap" 2>"$scratch/err"
	check_same 'a directory: exit status' 0 $?
	$BPFSIFT -r "$in" -r "$data/demo.pcap" -w "$scratch/two.pcap" 2>/dev/null
	check 'a directory: its files by name' cmp "$scratch/two.pcap" "$scratch/all.pcap"
	cp "$data/demo.pcap" "$scratch/dir/d.pcap"
	$BPFSIFT -r "$scratch/dir/[bd]*" -w "$scratch/all.pcap" 2>/dev/null
	check 'a pattern: the files that match, by name' cmp "$scratch/two.pcap" "$scratch/all.pcap"
	rm "$scratch/dir/d.pcap"
	check 'a directory: what is no savefile is named' \
		grep -q "WARNING: $scratch/dir/c.txt: .*: passed over\$" "$scratch/err"
	rm -r "$scratch/dir/b.pcap" "$scratch/dir/deep"
	says "stderr: WARNING: $scratch/dir/c.txt: offset 0: unknown file format: passed over
stderr: no files to read
status: 1" --recursive -r "$scratch/dir"
	head -c 3000 "$data/demo.pcap" >"$scratch/damaged.pcap"
	$BPFSIFT -r "$scratch/damaged.pcap" -r "$in" -w "$scratch/rest.pcap" 2>"$scratch/err"
	check_same 'a damaged file among others: exit status' 1 $?
	check_same 'a damaged file among others: all that is good' \
		"$(($(count -r "$scratch/damaged.pcap" | cut -d' ' -f1) +
			$(count -r "$in" | cut -d' ' -f1))) packets" "$(count -r "$scratch/rest.pcap")"
	$BPFSIFT -r "$in" -w "$scratch/odd.pcap" 'ether[6] & 1 = 1 or len < 100' 2>/dev/null
	$BPFSIFT -r "$in" -w "$scratch/even.pcap" 'not (ether[6] & 1 = 1 or len < 100)' 2>/dev/null
	$BPFSIFT --merge -r "$scratch/odd.pcap" -r "$scratch/even.pcap" -w "$scratch/both.pcap" 2>/dev/null
	check 'two parts of a file merged are the file' cmp "$in" "$scratch/both.pcap"

	# Compressed files, in and out, and pcapng.
	for codec in gzip:gz zstd:zst lz4:lz4 xz:xz; do
		name=${codec%:*} suffix=${codec#*:}
		if ! $BPFSIFT -r "$in" -w "$scratch/c.pcap.$suffix" 2>"$scratch/err"; then
			check "$name: the message where it is left out" \
				grep -q "$name, which this build leaves out" "$scratch/err"
			skip "built without $name: not tried"
			continue
		fi
		$BPFSIFT -r "$scratch/c.pcap.$suffix" -w "$scratch/plain.pcap" 2>/dev/null
		check "$name: what was packed is unpacked" cmp "$in" "$scratch/plain.pcap"
		$BPFSIFT -r "$in" -w - --compress=$name:1 2>/dev/null | $BPFSIFT -r - -w - 2>/dev/null |
			cmp - "$in"
		check_same "$name: through pipes" 0 $?
		$BPFSIFT -r "$in" -w "$scratch/c.pcap.$suffix" --compress=none 2>/dev/null
		check "$name: an option says more than a suffix" cmp "$in" "$scratch/c.pcap.$suffix"
		if command -v "$name" >/dev/null 2>&1; then
			$BPFSIFT -r "$in" -w - --compress=$name 2>/dev/null | "$name" -dc | cmp - "$in"
			check_same "$name reads it" 0 $?
			"$name" -c <"$data/demo.pcap" >"$scratch/t.$suffix"
			head -c 20000 "$scratch/t.$suffix" >"$scratch/cut.$suffix"
			$BPFSIFT -r "$scratch/cut.$suffix" -w "$scratch/part.pcap" 2>"$scratch/err"
			check_same "$name: a cut file: exit status" 1 $?
			check "$name: a cut file: message" \
				grep -q "cut.$suffix: offset [0-9]*: $name: truncated" "$scratch/err"
		else
			skip "no $name: not held against it"
		fi
	done
	if grep -q '^#define HAVE_LZMA 1' "$builddir/config.h" && command -v xz >/dev/null 2>&1; then
		xz -9 -c <"$in" >"$scratch/big.xz"
		says "stderr: $scratch/big.xz: needs 65 MiB to decompress, the limit is 1 MiB
status: 1" --memlimit=1M -r "$scratch/big.xz"
	else
		skip 'no xz: --memlimit not tried'
	fi
	says 'stderr: invalid size 5T
status: 1' --memlimit=5T
	says 'stderr: unknown compression bzip2 (must be none, gzip, zstd, lz4 or xz)
status: 1' --compress=bzip2
	says 'stderr: invalid compression level fast
status: 1' --compress=zstd:fast
	says 'stderr: unknown format erf (must be pcap or pcapng)
status: 1' --format=erf
	$BPFSIFT -r "$in" -w "$scratch/n.pcapng" 2>/dev/null
	check 'a name that ends with .pcapng asks for pcapng' \
		test "$(head -c 4 "$scratch/n.pcapng" | od -An -tx1 | tr -d ' ')" = 0a0d0d0a
	$BPFSIFT -r "$scratch/n.pcapng" -w "$scratch/plain.pcap" 2>/dev/null
	check 'and holds the packets' cmp "$in" "$scratch/plain.pcap"
	check_same '--format says more than a suffix' "$(cksum <"$in")" \
		"$($BPFSIFT -r "$in" -w "$scratch/n.pcapng" --format=pcap 2>/dev/null;
			cksum <"$scratch/n.pcapng")"

	# An output that is an input.
	cp "$in" "$scratch/self.pcap"
	ln -sf self.pcap "$scratch/link.pcap"
	says "stderr: $scratch/self.pcap: the output is an input as well
status: 1" -r "$scratch/self.pcap" -w "$scratch/link.pcap" arp
	check 'of which nothing is lost' cmp "$in" "$scratch/self.pcap"

	# A damaged file, and one that grows.
	{ head -c 40000 "$data/demo.pcap"; head -c 300 /dev/zero; tail -c +40301 "$data/demo.pcap"; } \
		>"$scratch/hole.pcap"
	$BPFSIFT -r "$scratch/hole.pcap" -w "$scratch/salvaged.pcap" --salvage 2>"$scratch/err"
	check_same '--salvage: exit status' 0 $?
	check '--salvage: what was passed over' \
		grep -q "WARNING: $scratch/hole.pcap: offset [0-9]*: passed over [0-9]* damaged bytes\$" \
		"$scratch/err"
	n=$(count -r "$scratch/salvaged.pcap" | cut -d' ' -f1)
	check '--salvage: nearly all packets' test "$n" -ge 330
	$BPFSIFT -r "$scratch/hole.pcap" -w "$scratch/front.pcap" 2>"$scratch/err"
	check_same 'a hole, without --salvage: exit status' 1 $?
	says "stderr: $data/pcap-kuznetzov.pcap: files of the usual link types alone are salvaged
status: 1" --salvage -r "$data/pcap-kuznetzov.pcap"
	$BPFSIFT -r "$data/demo.pcap" -w "$scratch/sound.pcapng" 2>/dev/null
	{ head -c 40000 "$scratch/sound.pcapng"; head -c 3000 /dev/zero
		tail -c +43001 "$scratch/sound.pcapng"; } >"$scratch/hole.pcapng"
	$BPFSIFT -r "$scratch/hole.pcapng" -w "$scratch/salvaged.pcapng" --salvage 2>"$scratch/err"
	check_same '--salvage of pcapng: exit status' 0 $?
	check '--salvage of pcapng: what was passed over' \
		grep -q "WARNING: $scratch/hole.pcapng: offset [0-9]*: passed over [0-9]* damaged bytes\$" \
		"$scratch/err"
	n=$(count -r "$scratch/salvaged.pcapng" | cut -d' ' -f1)
	check '--salvage of pcapng: nearly all packets' test "$n" -ge 300
	$BPFSIFT -r "$scratch/hole.pcapng" -w "$scratch/front.pcapng" 2>"$scratch/err"
	check_same 'a hole in pcapng, without --salvage: exit status' 1 $?
	says 'stderr: --follow is for one file
status: 1' --follow -r "$in" -r "$in"
	head -c 30000 "$data/demo.pcap" >"$scratch/grows.pcap"
	rm -f "$scratch/out.pcap"
	$BPFSIFT --follow -r "$scratch/grows.pcap" -w "$scratch/out.pcap" 2>"$scratch/err" &
	pid=$!
	# holds N: the output holds the first N bytes of what it is to be.
	holds()
	{
		[ "$(wc -c <"$scratch/out.pcap" 2>/dev/null || echo 0)" -ge "$1" ]
	}
	check '--follow: what is there is written' wait_for holds 28000
	tail -c +30001 "$data/demo.pcap" >>"$scratch/grows.pcap"
	check '--follow: and what comes' wait_for holds "$(wc -c <"$data/demo.pcap")"
	kill -INT $pid
	wait $pid
	check_same '--follow: ends when it is asked to' 0 $?
	check '--follow: all of it was written' cmp "$data/demo.pcap" "$scratch/out.pcap"

	# pcapng into pcapng, and several link types in one file.
	for file in "$data"/ng*.pcapng; do
		$BPFSIFT -r "$file" -w "$scratch/n.pcapng" 2>/dev/null
		check "$(basename "$file"): written as pcapng it is itself" \
			cmp "$file" "$scratch/n.pcapng"
		for expression in arp 'udp port 53' 'len > 60'; do
			$BPFSIFT -r "$file" -w "$scratch/n.pcapng" "$expression" 2>/dev/null
			$BPFSIFT -r "$scratch/n.pcapng" -w "$scratch/n.pcap" 2>/dev/null
			$BPFSIFT -r "$file" -w "$scratch/direct.pcap" "$expression" 2>/dev/null
			check "$(basename "$file"), '$expression', by way of pcapng" \
				cmp "$scratch/direct.pcap" "$scratch/n.pcap"
		done
	done
	# ng-two-interfaces.pcapng: the second is described at 48, its link type stands at 56.
	mixed=$scratch/mixed.pcapng
	cp "$data/ng-two-interfaces.pcapng" "$mixed" && chmod u+w "$mixed"
	printf '\145' | dd of="$mixed" bs=1 seek=56 conv=notrunc 2>/dev/null
	mixed_reading="stderr: reading from file $mixed, link-type EN10MB (Ethernet), snapshot length 262144"
	says "stdout: $(count -r "$data/ng-two-interfaces.pcapng")
$mixed_reading
status: 0" -r "$mixed" --count
	says "$mixed_reading
stderr: $mixed: offset 48: interface 1 has link type RAW, which the output cannot hold beside EN10MB: --format=pcapng can
status: 1" -r "$mixed" -w "$scratch/n.pcap"
	check_same 'mixed packets are shown in short, all of them' \
		"$(count -r "$mixed" | cut -d' ' -f1)" \
		"$($BPFSIFT -r "$mixed" --printer=none 2>/dev/null | wc -l | tr -d ' ')"
	if command -v tcpdump >/dev/null 2>&1; then
		$BPFSIFT -r "$mixed" 2>&1 >/dev/null | grep -q ': --printer=none can$'
		check_same 'tcpdump prints those of the first link type alone' 0 $?
	fi
	check_same 'what comes before is written' '1 packet' "$(count -r "$scratch/n.pcap")"
	says "$mixed_reading
status: 0" -r "$mixed" -w "$scratch/n.pcap" arp
	says "stdout: 0 packets
$mixed_reading
stderr: $mixed: link type RAW: ethernet addresses supported only on ethernet/FDDI/token ring/802.11/ATM LANE/Fibre Channel
status: 1" -r "$mixed" --count ether src 1:2:3:4:5:6
	says "stdout: 0 packets
$mixed_reading
stderr: $mixed: offset 48: an interface has a type 101 different from the type of the first interface
status: 1" -r "$mixed" --reader=libpcap --count
	says "$mixed_reading
status: 0" -r "$mixed" -w "$scratch/n.pcapng"
	check 'a mixed file written as pcapng is itself' cmp "$mixed" "$scratch/n.pcapng"
	$BPFSIFT -r "$in" -r "$mixed" -r "$data/sll2.pcap" -w "$scratch/n.pcapng" 2>/dev/null
	check_same 'inputs of all link types, as sections of one file' \
		"$(count -r "$in" -r "$mixed" -r "$data/sll2.pcap" ip)" \
		"$(count -r "$scratch/n.pcapng" ip)"
	$BPFSIFT -r "$in" -r "$data/sll2.pcap" -r "$mixed" --merge -w "$scratch/n.pcapng" 2>/dev/null
	check_same 'link types that differ, merged: exit status' 0 $?
	check_same 'link types that differ, merged: packets' \
		"$(count -r "$in" -r "$data/sll2.pcap" -r "$mixed" ip)" \
		"$(count -r "$scratch/n.pcapng" ip)"
	check_same 'and in no other number' \
		"$(count -r "$in" -r "$data/sll2.pcap" -r "$mixed")" "$(count -r "$scratch/n.pcapng")"
	$BPFSIFT -r "$in" -r "$data/sll2.pcap" --merge -w "$scratch/none.pcap" 2>"$scratch/err"
	check_same 'link types that differ are not merged into pcap' 1 $?
	check 'link types that differ are not merged into pcap: message' \
		grep -q "$in and $data/sll2.pcap have different link types, which one pcap file cannot hold: --format=pcapng can\$" \
		"$scratch/err"
	check 'which says so before it writes' test ! -e "$scratch/none.pcap"

	# A file large enough for several threads, whole and cut, and one that others are at already.
	{ cat "$data/demo.pcap"; for i in 1 2 3 4 5 6 7; do tail -c +25 "$data/demo.pcap"; done; } \
		>"$scratch/some.pcap"
	{ cat "$scratch/some.pcap"; for i in 1 2 3 4 5 6 7; do tail -c +25 "$scratch/some.pcap"; done; } \
		>"$scratch/large.pcap"
	check 'the large file is large enough' \
		test "$(wc -c <"$scratch/large.pcap")" -gt 600000
	head -c 500000 "$scratch/large.pcap" >"$scratch/cut.pcap"
	for file in large cut; do
		for expression in '' tcp 'udp port 53'; do
			$BPFSIFT -r "$scratch/$file.pcap" -w "$scratch/one.pcap" --threads=1 \
				"$expression" 2>"$scratch/one.err"
			one=$?
			for threads in 2 3 8; do
				$BPFSIFT -r "$scratch/$file.pcap" -w "$scratch/many.pcap" \
					--threads=$threads "$expression" 2>"$scratch/many.err"
				check_same "$file, '$expression', $threads threads: exit status" $one $?
				check "$file, '$expression', $threads threads: packets" \
					cmp "$scratch/one.pcap" "$scratch/many.pcap"
				check "$file, '$expression', $threads threads: messages" \
					same_messages "$scratch/one.err" "$scratch/many.err"
			done
			$BPFSIFT -r - -w - --threads=2 "$expression" <"$scratch/$file.pcap" \
				>"$scratch/many.pcap" 2>/dev/null
			check "$file, '$expression', standard input" \
				cmp "$scratch/one.pcap" "$scratch/many.pcap"
		done
	done
	check_same 'a cut file: exit status' 1 $one

	# So with pcapng, copied block by block and as pcap.
	for file in large cut; do
		$BPFSIFT -r "$scratch/$file.pcap" -w "$scratch/$file.pcapng" 2>/dev/null
	done
	head -c 590001 "$scratch/large.pcapng" >"$scratch/cut.pcapng"
	for file in large cut; do
		for out in pcap pcapng; do
			$BPFSIFT -r "$scratch/$file.pcapng" -w "$scratch/one.$out" --threads=1 \
				--stats tcp 2>"$scratch/one.err"
			one=$?
			for threads in 2 3; do
				$BPFSIFT -r "$scratch/$file.pcapng" -w "$scratch/many.$out" \
					--threads=$threads --stats tcp 2>"$scratch/many.err"
				check_same "$file.pcapng as $out, $threads threads: exit status" \
					$one $?
				check "$file.pcapng as $out, $threads threads: packets" \
					cmp "$scratch/one.$out" "$scratch/many.$out"
				check "$file.pcapng as $out, $threads threads: messages" \
					same_messages "$scratch/one.err" "$scratch/many.err"
			done
		done
	done
	check_same 'a cut pcapng file: exit status' 1 $one

	# Outputs that cannot be written.
	if [ -c /dev/full ]; then
		says "$reading
stderr: /dev/full: offset 0: No space left on device
status: 1" -r "$in" -w /dev/full
		check_same 'a full standard output: exit status' 1 \
			"$($BPFSIFT -r "$in" --count >/dev/full 2>"$scratch/err"; echo $?)"
		check 'a full standard output: message' \
			grep -q '^bpfsift: standard output: No space left on device$' "$scratch/err"
		check_same 'a full standard output, packets: exit status' 1 \
			"$($BPFSIFT -r "$in" >/dev/full 2>/dev/null; echo $?)"
	else
		skip 'no /dev/full: full disks not tried'
	fi
	{ $BPFSIFT -r "$data/demo.pcap" -w - 2>"$scratch/err"; echo $? >"$scratch/status"; } |
		head -c 1 >/dev/null
	check_same 'a closed pipe: exit status' 1 "$(cat "$scratch/status")"
	check 'a closed pipe: message' \
		grep -q '^bpfsift: standard output: offset [0-9]*: Broken pipe$' "$scratch/err"
	# The limit counts blocks of 512 or 1024 bytes.  A packet never ends there.
	(ulimit -f 8; $BPFSIFT -r "$data/demo.pcap" -w "$scratch/limit.pcap" 2>"$scratch/err")
	check_same 'a file size limit: exit status' 1 $?
	check 'a file size limit: message' grep -q ': offset [0-9]*: File too large$' "$scratch/err"
	n=$($BPFSIFT -r "$scratch/limit.pcap" --count 2>/dev/null)
	check 'a file size limit: some packets, all of them whole' test "${n%% *}" -gt 0
	$BPFSIFT -r "$data/demo.pcap" -w "$scratch/first.pcap" -c "${n%% *}" 2>/dev/null
	check 'a file size limit: the packets before it' cmp "$scratch/first.pcap" "$scratch/limit.pcap"

	# What is wrong with an input does not hide that the output has failed.
	head -c 20000 "$data/demo.pcap" >"$scratch/torn.pcap"
	(ulimit -f 8; $BPFSIFT -r "$scratch/torn.pcap" -w "$scratch/limit.pcap" 2>"$scratch/err")
	check_same 'a torn input and a file size limit: exit status' 1 $?
	check 'a torn input and a file size limit: message' \
		grep -q '/limit.pcap: offset [0-9]*: File too large$' "$scratch/err"

	# Counts and flushing, while an input does not end.
	rm -f "$scratch/out.pcap"
	: >"$scratch/err"
	mkfifo "$scratch/counts"
	exec 9<>"$scratch/counts"
	$BPFSIFT -r "$scratch/counts" -w "$scratch/out.pcap" arp 2>"$scratch/err" 9>&- &
	pid=$!
	head -c 60000 "$data/demo.pcap" >&9 # what a pipe holds
	# not before the signals are caught: with the header of the file
	tells_counts()
	{
		[ ! -s "$scratch/out.pcap" ] || kill -USR1 $pid
		grep -q captured "$scratch/err"
	}
	wait_for tells_counts
	check 'SIGUSR1: counts of a file' grep -qE \
'^bpfsift: [0-9]+ packets? captured, [0-9]+ packets received by filter, 0 packets dropped by kernel$' \
		"$scratch/err"
	kill -USR2 $pid
	head -c 64000 "$data/demo.pcap" | tail -c 4000 >&9
	check 'SIGUSR2: packets are in the file' wait_for holds 25
	check 'and it runs on' kill -TERM $pid
	wait $pid
	check_same 'and ends well' 0 $?
	exec 9>&-

	# Signals, while an input does not end: whole packets, from the first on.
	# The header is there once the signals are caught.
	# What nohup(1) or a background shell had ignored would stay ignored.
	mkfifo "$scratch/fifo"
	default='env --default-signal=INT,TERM,HUP'
	signals='INT TERM HUP'
	if ! $default true 2>/dev/null; then
		skip 'env(1) cannot reset signals: SIGHUP may be ignored here, and is not tried'
		default='' signals='INT TERM'
	fi
	# That of a mapped file that was cut ends it, where there is none.
	exec 9<>"$scratch/fifo"
	rm -f "$scratch/out.pcap"
	(ulimit -c 0; exec $default $BPFSIFT -r "$scratch/fifo" -w "$scratch/out.pcap") \
		2>"$scratch/err" 9>&- &
	pid=$!
	cat "$in" >&9
	wait_for test -s "$scratch/out.pcap"
	kill -BUS $pid
	wait $pid
	check_same 'SIGBUS: what it ended with' BUS "$(kill -l $?)"
	exec 9>&-

	for signal in $signals; do
		rm -f "$scratch/out.pcap"
		exec 9<>"$scratch/fifo"
		$default $BPFSIFT -r "$scratch/fifo" -w "$scratch/out.pcap" 2>"$scratch/err" 9>&- &
		pid=$!
		cat "$in" >&9
		wait_for test -s "$scratch/out.pcap"
		kill -"$signal" $pid
		wait $pid
		check_same "SIG$signal: exit status" 0 $?
		exec 9>&-
		$BPFSIFT -r "$scratch/out.pcap" --count >/dev/null 2>&1
		check_same "SIG$signal: a whole savefile" 0 $?
		check "SIG$signal: it begins as the input" \
			cmp -n "$(wc -c <"$scratch/out.pcap")" "$in" "$scratch/out.pcap"
	done
}
finish
