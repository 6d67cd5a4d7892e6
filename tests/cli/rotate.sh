#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Rotation by size, by time and by both: names, contents and messages beside tcpdump's, and
# what is our own: the clock of packets, alignment, compressed files, the last file's command.
. "${srcdir:-.}/tests/support/suite.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads nothing and compiles nothing'
	finish
fi
if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: no captures to rotate'
	finish
fi

# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"
# What root alone may read is about, and commands there.
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
data=$(cd "$srcdir" && pwd)/tests/data
TZ=UTC
export TZ
cd "$scratch" || exit 99

# 2.9 MB: the same packets thirty times.
python3 - "$data/demo.pcap" >big.pcap <<'END'
import sys
whole = open(sys.argv[1], 'rb').read()
sys.stdout.buffer.write(whole[:24] + whole[24:] * 30)
END

# rotates OPTION...: the same files as tcpdump, whose clock is the wall's.
rotates()
{
	rm -rf want have
	mkdir -p want/into have/into
	# shellcheck disable=SC2086
	{
		(cd want && $peer -r ../big.pcap "$@" 2>/dev/null)
		(cd have && $BPFSIFT --rotate-clock=wall -r ../big.pcap "$@" 2>../err) ||
			fail "rotate $*: exit status"
	}
	check "rotate $*: files" diff -r want have
	n_files=$(find have -type f | wc -l)
}

# Each combination of these, and the names that they give: one line a combination.
for name in out.pcap 'out%Y.pcap' 'into/%Y%%-%j'; do
	for size in '' '-C 1' '-C 2147'; do
		for interval in '' '-G 0' '-G 100000'; do
			for files in '' '-W 1' '-W 2' '-W 9' '-W 10' '-W 11' '-W 1000'; do
				# shellcheck disable=SC2086
				rotates -w "$name" $size $interval $files
			done
		done
	done
done
rotates -w out.pcap -C 1
check_same 'three files' 'have/out.pcap have/out.pcap1 have/out.pcap2' "$(echo have/out*)"
rotates -w out.pcap -C 1 -W 2
check_same 'two of them' 'have/out.pcap0 have/out.pcap1' "$(echo have/out*)"
rotates -w out.pcap -C 1 -W 11
check_same 'numbers of two digits' 'have/out.pcap00 have/out.pcap01 have/out.pcap02' "$(echo have/out*)"
rotates -w out.pcap -C 1 -W 1000 tcp
rotates -w out%Y%%.pcap -C 1 -U -c 5000

# By the clock, both at the same time: three times the same packets, in the middle of a second
# each, and two seconds from one to the next.
cat >feed.py <<'END'
import sys, time
whole = open(sys.argv[1], 'rb').read()
open('ready', 'w').close()
outs = [open(name, 'wb', buffering=0) for name in sys.argv[2:]]
def give(data):
    for at in range(0, len(data), 4096):
        for out in outs:
            try:
                out.write(data[at:at + 4096])
            except BrokenPipeError:
                pass
give(whole[:24])
for n in range(3):
    time.sleep(1.3 - time.time() % 1 if n == 0 else 2)
    give(whole[24:])
END
mkfifo want.fifo have.fifo
# by_time CAPTURE OPTION...: the same files, if both saw the same seconds begin: three tries.
by_time()
{
	capture=$1
	shift
	tries=0
	while :; do
		rm -rf want have ready
		mkdir want have
		timeout 30 python3 feed.py "$capture" want.fifo have.fifo &
		feed=$!
		wait_for test -e ready
		# tcpdump's first interval begins when it reads its options.
		python3 -c 'import time; time.sleep(1.1 - time.time() % 1)'
		# shellcheck disable=SC2086
		{
			(cd want && exec $peer -r ../want.fifo "$@" 2>../want.err) &
			want=$!
			(cd have && exec $BPFSIFT --rotate-clock=wall -r ../have.fifo "$@" \
				2>../have.err) &
			have=$!
		}
		wait $feed
		wait $want
		want_status=$?
		wait $have
		have_status=$?
		tries=$((tries + 1))
		diff -r want have >diff.out && break
		[ $tries -lt 3 ] || break
	done
	check_same "by time, $*: files" '' "$(diff -r want have)"
	check_same "by time, $*: exit status" $want_status $have_status
}
by_time big.pcap -w 'out-%H%M%S.pcap' -G 1 -C 1
check_same 'by time and size: an empty file and three times three' 10 "$(find have -type f | wc -l)"
by_time big.pcap -w 'out-%H%M%S.pcap' -G 1 -C 1 -W 20
by_time "$data/demo.pcap" -U -w out.pcap -G 2 -C 1
by_time "$data/demo.pcap" -U -w 'out-%s.pcap' -G 1 -W 2
check 'the limit of files is told of' grep -qx 'Maximum file limit reached: 2' have.err
check 'as tcpdump tells of it' grep -qx 'Maximum file limit reached: 2' want.err

# ---- our own ----

# sizes in other units
# shellcheck disable=SC2086
for size in 2k:3000 1m:1048576 1M:1048576 1G:1073741824; do
	rm -f out.pcap*
	$BPFSIFT -r "$data/demo.pcap" -w out.pcap -C ${size%:*} 2>err
	largest=$(wc -c out.pcap* | grep -v total | sort -n | awk 'END { print $1 }')
	# A file takes the packet that makes it too large.
	check "-C ${size%:*}: none is much larger" test "$largest" -le $((${size#*:} + 66000))
done
# refuses MESSAGE OPTION...
refuses()
{
	message=$1
	shift
	# shellcheck disable=SC2086
	$BPFSIFT "$@" >out 2>err
	check_same "$*: exit status" 1 $?
	check_same "$*: message" "bpfsift: $message" "$(cat err)"
}
refuses 'invalid file size 0' -C 0
refuses 'invalid file size 1x' -C 1x
refuses 'invalid file size 1kk' -C 1kk
refuses 'file size 9999999999999999 is too large' -C 9999999999999999
refuses 'invalid number of seconds -1' -G -1
refuses 'invalid number of seconds x' -G x
refuses 'invalid number of output files 0' -W 0
refuses 'unknown clock sun (must be packet or wall)' --rotate-clock=sun
refuses '-G begins new files, and standard output is one' -G 1 -w -

# By the packets' own time.  A packet a second for an hour from 1970-01-01 22:58:20 on.
python3 - >hour.pcap <<'END'
import struct, sys
out = struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
for n in range(3600):
    out += struct.pack('=IIII', 82700 + n, n, 60, 60) + bytes(60)
sys.stdout.buffer.write(out)
END
# shellcheck disable=SC2086
{
	packets()
	{
		echo $((($(wc -c <"$1") - 24) / 76))
	}
	$BPFSIFT -r hour.pcap -w 'p-%H%M%S.pcap' -G 1000 2>err
	check_same 'by packets: names' 'p-225820.pcap p-231500.pcap p-233140.pcap p-234820.pcap' \
		"$(echo p-*)"
	check_same 'by packets: packets' '1000 1000 1000 600' "$(packets p-225820.pcap) \
$(packets p-231500.pcap) $(packets p-233140.pcap) $(packets p-234820.pcap)"
	rm p-*
	$BPFSIFT -r hour.pcap -w 'p-%H%M%S.pcap' -G 1000 --threads=1 --reader=libpcap 2>err
	check_same 'by packets, read by libpcap: names' \
		'p-225820.pcap p-231500.pcap p-233140.pcap p-234820.pcap' "$(echo p-*)"
	rm p-*
	$BPFSIFT -r hour.pcap -w 'p-%H%M%S.pcap' -G 3600 --rotate-align 2>err
	check_same 'aligned: names' 'p-225820.pcap p-230000.pcap' "$(echo p-*)"
	check_same 'aligned: packets' '100 3500' "$(packets p-225820.pcap) $(packets p-230000.pcap)"
	rm p-*
	# A quarter of an hour from the full hour: aligned by local time.
	TZ=XXX-0:15 $BPFSIFT -r hour.pcap -w 'p-%H%M%S.pcap' -G 3600 --rotate-align 2>err
	check_same 'aligned to local time: names' 'p-231320.pcap p-000000.pcap' \
		"$(echo p-23* p-00*)"
	rm p-*
	$BPFSIFT -r hour.pcap -w 'p-%H%M%S.pcap' -G 1000 -W 2 2>err
	check_same 'the limit: exit status' 0 $?
	check_same 'the limit: names' 'p-225820.pcap p-231500.pcap' "$(echo p-*)"
	check 'the limit: message' grep -qx 'Maximum file limit reached: 2' err
	rm p-*
	$BPFSIFT -r hour.pcap -w 'p-%H%M.pcap' -G 1000 -C 20k 2>err
	check_same 'by both: names' "p-2258.pcap p-2258.pcap1 p-2258.pcap2 p-2258.pcap3 \
p-2315.pcap p-2315.pcap1 p-2315.pcap2 p-2315.pcap3 p-2331.pcap p-2331.pcap1 p-2331.pcap2 \
p-2331.pcap3 p-2348.pcap p-2348.pcap1 p-2348.pcap2" "$(echo p-*)"
	check_same 'by both: all packets' 3600 \
		"$(for file in p-*; do packets $file; done | awk '{ n += $1 } END { print n }')"
	rm p-*
	$BPFSIFT -r hour.pcap -w 'p-%Y.pcap' -G 1000 tcp 2>err
	check_same 'no packet: one file, of today' "p-$(date +%Y).pcap" "$(echo p-*)"
	rm p-*

	# Compressed, or as pcapng: the same packets in files of the same names.
	$BPFSIFT -r big.pcap -w o.pcap -C 1 2>err
	for how in compress=gzip compress=zstd compress=lz4 compress=xz format=pcapng; do
		mkdir other
		if ! $BPFSIFT -r big.pcap -w other/o.pcap -C 1 --$how 2>err; then
			skip "$how: $(tail -n 1 err)"
			rm -r other
			continue
		fi
		check "$how: several files" test -s other/o.pcap2
		for file in other/*; do
			$BPFSIFT -r "$file" -w plain.pcap 2>err
			case $how in
			format*) # other framing, other sizes
				tail -c +25 plain.pcap >>joined ;;
			*)
				check "$how: ${file#*/}" cmp plain.pcap "${file#*/}" ;;
			esac
		done
		rm -r other
	done
	tail -c +25 big.pcap >want.joined
	check 'pcapng: all packets' cmp want.joined joined

	# The command.
	cat >note <<-'END'
		#!/bin/sh
		echo "$1" >>noted
	END
	chmod +x note
	rm -f o.pcap*
	$BPFSIFT -r big.pcap -w o.pcap -C 1 -z ./note 2>err
	check_same '-z: each file but the last' 'o.pcap
o.pcap1' "$(sort noted)"
	rm noted
	$BPFSIFT -r big.pcap -w o.pcap -C 1 -z ./note --postrotate-last 2>err
	check_same '-z: the last one too' 'o.pcap
o.pcap1
o.pcap2' "$(sort noted)"
	$BPFSIFT -r big.pcap -w o.pcap -C 1 -z ./none 2>err
	check_same '-z: no such command: exit status' 0 $?
	check 'and a message' grep -q '^bpfsift: WARNING: \./none: No such file or directory$' err
	$BPFSIFT -r big.pcap -w o.pcap -C 1 -z false 2>err
	check '-z: a command that fails' \
		grep -q '^bpfsift: WARNING: false o.pcap: exit status 1$' err
	if command -v gzip >/dev/null 2>&1; then
		$BPFSIFT -r big.pcap -w o.pcap -C 1 2>err
		mkdir zipped
		$BPFSIFT -r big.pcap -w zipped/o.pcap -C 1 -z gzip --postrotate-last 2>err
		for file in o.pcap o.pcap1 o.pcap2; do
			gzip -dc zipped/$file.gz >plain.pcap
			check "-z gzip: $file" cmp $file plain.pcap
		done
	fi
	# A place that is full.
	if [ -c /dev/full ]; then
		ln -s /dev/full full.pcap1
		$BPFSIFT -r big.pcap -w full.pcap -C 1 2>err
		check_same 'a second file that cannot be written: exit status' 1 $?
		check 'and a message' grep -q 'full.pcap1: offset 0: No space left on device$' err
	fi
}
finish
