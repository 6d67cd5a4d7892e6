#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Each of tcpdump's options, in the table options.txt beside this file: run by tcpdump and by
# bpfsift, standard output, standard error, exit status and the files left behind are the same,
# but for what the table says differs on purpose.  And what differs has to: a line of the table
# that is out of date is found.
#
# OPTIONS_TABLE is another table to try.  Below TEST_SCALE=100 only that share of the lines is.
. "${srcdir:-.}/tests/support/suite.sh"
srcdir=$(cd "$srcdir" && pwd)
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

# Live cases take an interface where no other packet is seen.
if [ -z "${BPFSIFT_TEST_ALONE-}" ] && [ "$(id -u)" -eq 0 ] && command -v ip >/dev/null 2>&1 &&
	unshare -n true 2>/dev/null; then
	rm -rf "$scratch"
	export BPFSIFT_TEST_ALONE=yes BPFSIFT srcdir builddir
	exec unshare -n sh "$0"
fi
table=${OPTIONS_TABLE:-$srcdir/tests/cli/options.txt}
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
TZ=UTC
export TZ
tab=$(printf '\t')
cd "$scratch" || exit 99

# ---- the table ----

# A line each: number, live or not, option, command, what differs.  A continuation is joined.
awk -F'\t+' -v OFS='\t' '
	function flush() { if (command != "") print line, live, option, command, differs }
	/^#/ || /^$/ { next }
	/^%live$/ { flush(); command = ""; live = 1; next }
	/^!\t/ && NF == 3 { differs = differs (differs == "" ? "" : " ") $2; next }
	/^!/ || NF != 2 { print "line " FNR ": not as the head of the table says"; exit }
	{ flush(); line = FNR; option = $1 == "" ? "none" : $1; command = $2; differs = "" }
	BEGIN { live = 0 }
	END { flush() }' "$table" >cases
check_empty 'the table is sound' "$(grep '^line ' cases)"

# Every option that there is to be has a line.
if [ -z "${OPTIONS_TABLE-}" ]; then
	for option in -A -b -B -c -C -d -dd -ddd -D -e -E -f -F -G -h -H -i -I --immediate-mode -j \
		-J -K -l -L -M -n -N -O -p -Q --print -q -r -s -S -t -tt -ttt -tttt -ttttt -T -u -U \
		-v -vv -vvv -V -w -W -x -xx -X -XX -y -z -Z --count --micro --nano --number '-#' \
		--time-stamp-precision --version; do
		check "the table has a case of $option" grep -q "^[0-9]*${tab}[01]$tab$option$tab" cases
	done
fi

awk -F'\t' -v scale="${TEST_SCALE:-100}" '(61 * $1) % 100 < scale' cases >share

# ---- what is at hand for the cases ----

mkdir ready
for capture in demo sll2 no-packets truncated tags; do
	cp "$srcdir/tests/data/$capture.pcap" ready/$capture.pcap
done
cp "$srcdir/tests/data/pcap-le-ns.pcap" ready/ns.pcap
printf 'tcp # not udp\nand port 80\n' >ready/filter
printf 'demo.pcap\ndemo.pcap\n' >ready/list
printf 'demo.pcap\nnone.pcap\n' >ready/list-gap
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "$1" >>noted\n' >ready/note
chmod +x ready/note
# 2.9 MB: the same packets thirty times.
{
	cat ready/demo.pcap
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29; do
		tail -c +25 ready/demo.pcap
	done
} >big.pcap

# in_dir DIR TOOL COMMAND: run where the captures are, leave there what it says.
in_dir()
{
	rm -rf "$1"
	mkdir "$1"
	cp "$scratch"/ready/* "$1"
	ln -s "$scratch/big.pcap" "$1/big.pcap"
	(
		cd "$1" || exit 99
		# shellcheck disable=SC2086
		tool=$2
		T()
		{
			timeout 10 $tool "$@"
		}
		T1()
		{
			# shellcheck disable=SC2086
			$tool "$@" &
			while [ ! -e "$scratch/ended.$line" ]; do
				sleep 0.1
			done
			# As timeout(1) does.
			kill -TERM $!
			kill -TERM $! 2>/dev/null
			wait $!
		}
		shown()
		{
			$peer -n -t -xx -r "$1" 2>/dev/null
			rm "$1"
		}
		eval "$3"
	) >"$1.stdout" 2>"$1.raw" </dev/null
	echo $? >"$1.status"
	sed -E 's/^[^ ]*(bpfsift|tcpdump): //' "$1.raw" >"$1.stderr"
	# What it has left alone is no result.
	for file in ready/*; do
		! cmp -s "$file" "$1/${file#ready/}" || rm "$1/${file#ready/}"
	done
	rm -f "$1/big.pcap"
}

# differing: which of the two runs' streams do.
differing()
{
	for stream in stdout stderr status; do
		cmp -s want.$stream have.$stream || echo $stream
	done
	diff -rq want have >/dev/null || echo files
}

# judge: the last two runs differ in what the table says, and in that alone.
judge()
{
	found=$(differing | sort | paste -s -d ' ' -)
	wanted=$(printf '%s\n' "$differs" | tr ' ' '\n' | sort -u | paste -s -d ' ' -)
	if [ "$found" = "$wanted" ]; then
		pass
		return
	fi
	fail "options.txt:$line: $command" "$(
		echo "differs in: ${found:-nothing}; by the table: ${wanted:-nothing}"
		for stream in stdout stderr status; do
			diff want.$stream have.$stream | head -n 12
		done
		diff -rq want have | head -n 12)"
}

# ---- savefiles ----

while IFS=$tab read -r line live option command differs; do
	[ "$live" = 0 ] || continue
	in_dir want "$peer" "$command" &
	in_dir have "$BPFSIFT" "$command"
	wait
	judge
done <share

# ---- an interface ----

if [ -z "${BPFSIFT_TEST_ALONE-}" ] || ! command -v python3 >/dev/null 2>&1; then
	skip 'not root, no ip(8), no python3 or no network namespace to make: nothing captured'
	finish
fi
ip link add sender type veth peer name receiver || exit 99
for interface in lo sender receiver; do
	# No packets of its own.
	echo 1 >"/proc/sys/net/ipv6/conf/$interface/disable_ipv6" 2>/dev/null
	ip link set "$interface" up || exit 99
done
cat >send.py <<'END'
import socket, struct

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('sender', 0))
macs = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
for n in range(8):
    tag = b'\x81\x00\x00\x2a' if n % 4 == 2 else b''
    data = struct.pack('!HHHH', 40000 + n, 53 + n % 2, 8 + 100, 0) + bytes([n]) * 100
    s.send(macs + tag + b'\x08\x00' + struct.pack('!BBHHHBBH4s4s', 0x45, 0, 128, n, 0, 64, 17, 0,
           bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])) + data)
s.send(macs + b'\x08\x06' + bytes(46))
END

# has_begun NAME PID: it listens, or is over.
has_begun()
{
	grep -q 'listening on' "$1.raw" 2>/dev/null || ! kill -0 "$2" 2>/dev/null
}

# Both at once, on the same frames.
while IFS=$tab read -r line live option command differs; do
	[ "$live" = 1 ] || continue
	rm -f want.raw have.raw
	in_dir want "$peer" "$command" &
	want=$!
	in_dir have "$BPFSIFT" "$command" &
	have=$!
	wait_for eval 'has_begun want $want && has_begun have $have'
	python3 send.py
	case $command in
	*T1*)
		sleep 1.5 # longer than tcpdump's timer of a second
		: >"ended.$line"
		;;
	esac
	wait $want $have
	judge
done <share
finish
