#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Printing through tcpdump: lines, messages and exit status are those of tcpdump alone; and
# what happens where there is none, where nobody reads, and where it fails.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"
# What root alone may read is about, and commands there.
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"

data=$srcdir/tests/data
in=$data/demo.pcap
TZ=UTC
export TZ

# alike ARGUMENT...: bpfsift and tcpdump have the same outcome.
alike()
{
	# shellcheck disable=SC2086
	check_same "bpfsift $* as tcpdump" "$(outcome $peer "$@")" "$(outcome $BPFSIFT "$@")"
}

for capture in "$in" "$data"/sll2.pcap "$data"/null.pcap "$data"/null-be.pcap \
	"$data"/pcap-le-ns.pcap "$data"/ng-be.pcapng "$data"/no-packets.pcap; do
	alike -n -r "$capture"
	alike -n -vv -e -r "$capture" ip
	alike -n --nano -r "$capture" -c 5
done
for options in -A -b -e -H -K -l -N -q -S -t -tt -ttt -tttt -ttttt -u -U -v -vvv -x -xx -X -XX \
	'-#' --number --absolute-tcp-sequence-numbers --dont-verify-checksums --packet-buffered \
	--micro --nano '-T rtp' -Tvxlan '-M secret' '-E 1@192.0.2.1 none:0' '-nevvvXX#'; do
	# shellcheck disable=SC2086
	alike -n $options -r "$in" 'udp or tcp port 80'
done
alike -r "$in" -c 7
$BPFSIFT -f -r "$in" >"$scratch/out" 2>"$scratch/err"
check_same "-f with a file" "bpfsift: -f can not be used with -V or -r" "$(cat "$scratch/err")"
alike -n -r "$in" --print -w "$scratch/out.pcap" tcp
# shellcheck disable=SC2086
$peer -r "$in" -w "$scratch/want.pcap" tcp 2>/dev/null
check '--print with -w writes too' cmp "$scratch/want.pcap" "$scratch/out.pcap"

# Several files: numbers go on, and a file of another link type gets a printer of its own.
printf '%s\n' "$in" "$data/no-packets.pcap" "$in" >"$scratch/list"
alike -n '-#' -V "$scratch/list" udp
# shellcheck disable=SC2086
{
	check_same 'link types: each as tcpdump prints it' \
		"$($peer -nr "$in" udp 2>/dev/null; $peer -nr "$data/sll2.pcap" udp 2>/dev/null)" \
		"$($BPFSIFT -n -r "$in" -r "$data/sll2.pcap" udp 2>/dev/null)"
	check_same 'compressed files are printed' "$($peer -nr "$in" arp 2>/dev/null)" \
		"$($BPFSIFT -r "$in" -w - arp 2>/dev/null | gzip | $BPFSIFT -n -r - 2>/dev/null)"

	# Standard output: closed by its reader, full.
	{ $BPFSIFT -n -r "$in" 2>"$scratch/err"; echo $? >"$scratch/status"; } | head -n 1 >/dev/null
	check_same 'a reader that has enough: exit status' 0 "$(cat "$scratch/status")"
	check_same 'and no message' 1 "$(wc -l <"$scratch/err" | tr -d ' ')"
	if [ -c /dev/full ]; then
		$BPFSIFT -n -r "$in" >/dev/full 2>"$scratch/err"
		check_same 'a full standard output: exit status' 1 $?
		check 'and tcpdump says so' grep -q '^tcpdump: .*No space left on device' "$scratch/err"
	fi

	# Options that it refuses.
	$BPFSIFT -n -T none -r "$in" >"$scratch/out" 2>"$scratch/err"
	check_same 'a refused option: exit status' 1 $?
	check 'a refused option: it says why' grep -q '^tcpdump: .*none' "$scratch/err"
	check_same 'and nobody else complains' '' \
		"$(grep -v -e '^tcpdump: ' -e '^reading from' "$scratch/err")"
	# One that reads nothing is gone before, while or after it is written to.
	printf '#!/bin/sh\nexec <&-\necho enough >&2\nexit 3\n' >"$scratch/deaf"
	chmod +x "$scratch/deaf"
	for n in 1 2 3 4 5 6 7 8 9 10; do
		$BPFSIFT --printer="$scratch/deaf" -r "$in" 2>"$scratch/err"
		echo $?
		grep -v '^reading from' "$scratch/err"
	done >"$scratch/out"
	check_same 'a printer that reads nothing' '1
enough' "$(LC_ALL=C sort -u "$scratch/out")"

	# No printer, or another one.
	mkdir "$scratch/bin"
	saying='#!/bin/sh
echo "called: $*"; cat >/dev/null'
	printf '%s\n' "$saying" >"$scratch/bin/tcpdump"
	printf '%s\nexit 3\n' "$saying" >"$scratch/bin/other"
	chmod +x "$scratch/bin/tcpdump" "$scratch/bin/other"
	check_same 'tcpdump is the one on PATH, with its options' 'called: -r - -n -Trtp -v --nano' \
		"$(PATH=$scratch/bin:$PATH; $BPFSIFT -n -T rtp -v --nano -r "$in" 2>/dev/null)"
	check_same '--printer: another one; its failure is ours' 'called: -r -
1' "$($BPFSIFT --printer="$scratch/bin/other" -r "$in" 2>/dev/null; echo $?)"
	$BPFSIFT --printer="$scratch/none" -r "$in" 2>"$scratch/err" >"$scratch/out"
	check_same '--printer: none there: exit status' 1 $?
	check '--printer: none there: message' \
		grep -q "^bpfsift: $scratch/none: No such file or directory\$" "$scratch/err"
	if [ ! -x /usr/sbin/tcpdump ]; then
		PATH=$scratch $BPFSIFT -r "$in" -r "$data/sll2.pcap" >"$scratch/out" 2>"$scratch/err"
		check_same 'no tcpdump: exit status' 0 $?
		check_same 'no tcpdump: it is said once' \
'bpfsift: WARNING: tcpdump is not to be had (No such file or directory): packets are shown in short' \
			"$(grep -v '^reading' "$scratch/err" | head -n 2 | grep -v Warning)"
		$BPFSIFT --printer=none -r "$in" -r "$data/sll2.pcap" >"$scratch/want" 2>/dev/null
		check 'no tcpdump: short lines' cmp "$scratch/want" "$scratch/out"
	else
		skip 'there is a /usr/sbin/tcpdump, which is found everywhere'
	fi

	# Short lines, of every capture: one a packet, and nothing that a terminal would obey.
	for capture in "$data"/*.pcap "$data"/*.pcapng; do
		case ${capture##*/} in
		*-over-snaplen*) flags=--reader=libpcap ;;
		*) flags= ;;
		esac
		$BPFSIFT $flags --printer=none -r "$capture" >"$scratch/out" 2>"$scratch/err"
		check_same "short lines: ${capture##*/}: as many as packets" \
			"$($BPFSIFT $flags -r "$capture" --count 2>/dev/null)" \
			"$(awk 'END { print NR " packet" (NR == 1 ? "" : "s") }' "$scratch/out")"
		check_empty "short lines: ${capture##*/}: each with time, addresses, length" "$(
			grep -nvE '^[0-9]{2}:[0-9]{2}:[0-9]{2}\.([0-9]{6}|[0-9]{9}) (IPv[46] [0-9a-f.:]+ > [0-9a-f.:]+ ([A-Za-z0-9]+|protocol [0-9]+)|[][A-Za-z0-9_ :>.-]+), length [0-9]+$' \
				"$scratch/out" | head -n 3)"
	done

	# Interrupted from a terminal, all processes at once: what has come is printed.
	mkfifo "$scratch/fifo"
	exec 9<>"$scratch/fifo"
	head -c 60000 "$in" >&9 # what a pipe holds
	if command -v setsid >/dev/null 2>&1 && env --default-signal=INT true 2>/dev/null; then
		: >"$scratch/out"
		setsid env --default-signal=INT $BPFSIFT -n -l -r "$scratch/fifo" \
			>"$scratch/out" 2>"$scratch/err" 9>&- &
		pid=$!
		wait_for eval '[ "$(wc -l <"$scratch/out")" -ge 100 ]'
		kill -INT -$pid
		wait $pid
		check_same 'interrupted: exit status' 0 $?
		# And an empty one, which "^C" may stand in front of.
		{
			$peer -n -r "$in" 2>/dev/null | head -n "$(($(wc -l <"$scratch/out") - 1))"
			echo
		} >"$scratch/want"
		check 'interrupted: whole lines, and one more' cmp "$scratch/want" "$scratch/out"
		check 'interrupted: no complaint' test "$(wc -l <"$scratch/err")" -eq 1
	else
		skip 'no setsid(1), or env(1) cannot reset signals: not interrupted'
	fi
	exec 9>&-
}
finish
