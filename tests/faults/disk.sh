#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A disk that gets full: what was written before stays good, what is in other files
# too, and the message names the file.  The disk is a small one in memory, which
# this script alone sees.
. "${srcdir:-.}/tests/support/suite.sh"

if [ -z "${BPFSIFT_TEST_MOUNTS-}" ]; then
	if ! unshare -m true 2>/dev/null; then
		skip 'not allowed to mount anything: no disk got full'
		finish
	fi
	rm -rf "$scratch"
	export BPFSIFT_TEST_MOUNTS=yes srcdir builddir
	exec unshare -m sh "$0"
fi

disk=$scratch/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=64k none "$disk" 2>/dev/null; then
	skip 'no file system in memory: no disk got full'
	finish
fi
trap 'umount "$disk"; rm -rf "$scratch"' EXIT

# refused FILE COMMAND...: it ends with status 1 and one line that names the file.
refused()
{
	name=$1
	shift
	"$@" >"$scratch/stdout" 2>"$scratch/stderr"
	check_same "$*: exit status" 1 $?
	check_same "$*: lines that say so" 1 "$(grep -c "$name: .*No space left on device\$" "$scratch/stderr")"
	check_same "$*: other lines" 0 "$(grep -vc -e "$name: " -e '^reading from ' "$scratch/stderr")"
}

echo 'something else' >"$disk/kept"
if has_libpcap; then
	# shellcheck source=tests/support/bpfsift.sh
	. "$srcdir/tests/support/bpfsift.sh"
	[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
	in=$srcdir/tests/data/demo.pcap

	# first_of COUNT FILE OPTION...: what the file holds are the first packets of all.
	first_of()
	{
		file=$1
		shift
		# shellcheck disable=SC2086
		n=$($BPFSIFT -r "$file" --count 2>/dev/null) || n="not to be read: $n"
		n=${n%% *}
		check "$file: some packets are there" test "$n" -gt 0
		# shellcheck disable=SC2086
		$BPFSIFT -r "$in" -c "$n" -w "$scratch/first" "$@" 2>/dev/null
		check "$file: they are the first ones" cmp "$scratch/first" "$file"
		rm -f "$file"
	}

	# shellcheck disable=SC2086
	{
		refused "$disk/a" $BPFSIFT -r "$in" -w "$disk/a"
		first_of "$disk/a"
		refused "$disk/a" $BPFSIFT -r "$in" -U -w "$disk/a"
		first_of "$disk/a"
		refused "$disk/a" $BPFSIFT -r "$in" --reader=libpcap -w "$disk/a"
		first_of "$disk/a"
		refused "$disk/a" $BPFSIFT -r "$in" --format=pcapng -w "$disk/a"
		first_of "$disk/a" --format=pcapng
		# Large enough for several threads.
		{
			cat "$in"
			for _ in 1 2 3 4 5 6 7 8; do tail -c +25 "$in"; done
		} >"$scratch/large.pcap"
		in=$scratch/large.pcap
		refused "$disk/a" $BPFSIFT -r "$in" --threads=3 -w "$disk/a"
		first_of "$disk/a"
		# The first files of several are complete.
		refused "$disk/r[0-9]" $BPFSIFT -r "$in" -C 20k -w "$disk/r"
		check_same 'two files are whole' 2 "$(
			for file in "$disk"/r "$disk"/r1; do
				$BPFSIFT -r "$file" --count 2>/dev/null
			done | grep -c '^[1-9][0-9]* packets$')"
		rm -f "$disk"/r*
		if $BPFSIFT -r "$in" --compress=gzip -w "$scratch/gz" 2>/dev/null; then
			refused "$disk/a" $BPFSIFT -r "$in" --compress=gzip -w "$disk/a"
			rm -f "$disk/a"
		else
			skip 'built without gzip'
		fi
	}
else
	skip 'built without libpcap: bpfsift writes nothing'
fi

# cbpf2ebpf replaces a file whole or not at all.
head -c 61440 /dev/zero >"$disk/fills"
i=0
while [ "$i" -lt 900 ]; do
	echo 'ldh [12]'
	i=$((i + 1))
done >"$scratch/program"
echo 'ret #0' >>"$scratch/program"
refused "$disk/kept" "$builddir/tools/cbpf2ebpf" --to=c -o "$disk/kept" <"$scratch/program"
check_same 'nothing else is left on the disk' 'fills
kept' "$(ls "$disk")"
check_same 'what was there is there' 'something else' "$(cat "$disk/kept")"
finish
