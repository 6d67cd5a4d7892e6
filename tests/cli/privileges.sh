#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Started by root, bpfsift becomes another user: who that is, what it can open afterwards, whose
# its files are, and what it cannot do any more.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if [ "$(id -u)" -ne 0 ]; then
	# shellcheck disable=SC2086
	check '-Z is for root: others stay who they are' \
		$BPFSIFT -Z none -r "$srcdir/tests/data/demo.pcap" --count
	skip 'not root: no privileges to drop'
	finish
fi
if ! id nobody >/dev/null 2>&1 || ! command -v python3 >/dev/null 2>&1 ||
	! python3 -c 'import os, pwd; os.setuid(pwd.getpwnam("nobody").pw_uid)' 2>/dev/null; then
	skip 'no user nobody that can be become, or no python3'
	finish
fi
data=$(cd "$srcdir" && pwd)/tests/data
nobody=$(id -u nobody)
cd "$scratch" || exit 99
python3 - "$data/demo.pcap" >big.pcap <<'END'
import sys
whole = open(sys.argv[1], 'rb').read()
sys.stdout.buffer.write(whole[:24] + whole[24:] * 30)
END
chmod 600 big.pcap # as the directory, for root alone

# owner FILE
owner()
{
	python3 -c 'import os, sys; print(os.stat(sys.argv[1]).st_uid)' "$1"
}

# shellcheck disable=SC2086
{
	$BPFSIFT -Z root -r big.pcap -w root.pcap -C 1 2>err
	check_same '-Z root: whose the file is' 0 "$(owner root.pcap1)"
	for rotation in '-C 1' '-C 1 -W 2' '-C 1 -G 100 --rotate-clock=wall'; do
		rm -f root.pcap* user.pcap*
		$BPFSIFT -Z root -r big.pcap -w root.pcap $rotation 2>err
		$BPFSIFT -Z nobody -r big.pcap -w user.pcap $rotation 2>err
		check_same "$rotation after the drop: exit status" 0 $?
		for file in root.pcap*; do
			check "$rotation after the drop: $file" cmp $file user.${file#root.}
			check_same "$rotation after the drop: whose $file is" "$nobody" \
				"$(owner user.${file#root.})"
		done
	done
	check 'tcpdump cannot' sh -c "! tcpdump -Z nobody -r big.pcap -w peer.pcap -C 1 2>err"
	$BPFSIFT -Z nobody -r big.pcap -r big.pcap -w user.pcap 2>err
	check_same 'a second input after the drop: exit status' 0 $?
	$BPFSIFT -Z root -r big.pcap -r big.pcap -w root.pcap 2>err
	check 'a second input after the drop' cmp user.pcap root.pcap
	# What exists stays whose it is.
	rm user.pcap
	: >user.pcap
	$BPFSIFT -Z nobody -r big.pcap -w user.pcap 2>err
	check_same 'a file that was there stays its owner'"'s" 0 "$(owner user.pcap)"
	# By default somebody else, too.
	rm user.pcap
	$BPFSIFT -r big.pcap -w user.pcap 2>err
	check 'by default it is not root who writes' test "$(owner user.pcap)" -ne 0
	$BPFSIFT -Z no-such-user -r big.pcap -w none.pcap 2>err
	check_same 'an unknown user: exit status' 1 $?
	check_same 'an unknown user: message' "bpfsift: Couldn't find user 'no-such-user'" "$(cat err)"
	check 'an unknown user: nothing is written' test ! -e none.pcap

	# What runs, and what it starts, is that user in all respects.
	mkfifo fifo
	mkdir -m 777 open
	chmod 711 .
	cat >open/whoami <<-'END'
		#!/bin/sh
		echo "$(id -u) $(id -G)" >>open/noted
	END
	chmod 755 open/whoami
	exec 9<>fifo
	rm -f user.pcap
	$BPFSIFT -Z nobody -r fifo -w user.pcap -C 1 -U -z open/whoami 2>err 9>&- &
	pid=$!
	head -c 60000 big.pcap >&9
	wait_for eval '[ "$(wc -c <user.pcap)" -gt 24 ]'
	check_same 'it runs as that user' "$nobody $nobody $nobody $nobody" \
		"$(sed -n 's/^Uid:[[:space:]]*//p' /proc/$pid/status | tr '\t' ' ')"
	check_same 'without capabilities' 0000000000000000 \
		"$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/$pid/status)"
	tail -c +60001 big.pcap >&9
	wait_for test -s open/noted
	check_same '-z runs as that user' "$nobody $(id -G nobody)" "$(head -n 1 open/noted)"
	# The helper has neither the input nor the output, and ends too.
	helper=$(cat /proc/$pid/task/*/children | tr ' ' '\n' | head -n 1)
	check 'there is a helper' test -d "/proc/$helper/fd"
	check_empty 'the helper has none of the files open' \
		"$(find "/proc/$helper/fd" -type l -exec readlink {} + | grep -E 'fifo$|user\.pcap')"
	kill -KILL $pid
	wait $pid 2>/dev/null
	is_gone()
	{
		[ ! -d "/proc/$helper" ] || grep -q '^State:[[:space:]]*Z' "/proc/$helper/status"
	}
	check 'the helper ends with it' wait_for is_gone
	exec 9>&-
}
finish
