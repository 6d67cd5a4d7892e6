#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Damaged savefiles.  bpfsift ends with status 1 and one line on standard error
# that names the file and an offset in what is damaged; the packets before it
# have been written, and they are those that tcpdump writes of the same file.
# A file that ends where a record ends is not damaged; one that cannot be opened
# leaves no output.
#
# BPFSIFT is another command to try.  TEST_SCALE=n tries n percent of the cuts.
. "${srcdir:-.}/tests/support/suite.sh"

data=$srcdir/tests/data
scale=${TEST_SCALE:-100}

# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

# ends FILE: for each place where a reader may stop, its offset, the packets
# before it, and 1 if a file that ends there can be opened.
ends()
{
	od -An -v -tu1 "$1" | tr -s ' ' '\n' | sed '/^$/d' | awk '
		{ byte[n++] = $1 }
		function u32(at) {
			return is_big ? ((byte[at] * 256 + byte[at + 1]) * 256 + byte[at + 2]) * 256 + byte[at + 3] \
				: ((byte[at + 3] * 256 + byte[at + 2]) * 256 + byte[at + 1]) * 256 + byte[at]
		}
		END {
			print 0, 0, 0
			if (byte[0] == 10) {            # pcapng
				is_big = byte[8] == 26
				for (at = 0; at < n; at += u32(at + 4)) {
					if (u32(at) == 1)
						is_open = 1
					if (u32(at) == 6)
						packets++
					print at + u32(at + 4), packets + 0, is_open + 0
				}
			} else {
				is_big = byte[0] == 161
				for (at = 24; at < n; at += 16 + u32(at + 8))
					print at, packets++ + 0, 1
				print at, packets, 1
			}
		}'
}

# judge TOOL FILE STATUS OUTPUT LOW HIGH: set 'wrong' to what is wrong with the
# tool's run on FILE.  OUTPUT is what it should write, '' for nothing; LOW and
# HIGH are the range of the offset that its message names.
judge()
{
	wrong=
	rm -f "$scratch/have.pcap"
	# shellcheck disable=SC2086
	$1 -r "$2" -w "$scratch/have.pcap" 2>"$scratch/err"
	status=$?
	[ "$status" -eq "$3" ] || wrong="exit status $status, not $3"
	if [ -z "$4" ]; then
		[ ! -e "$scratch/have.pcap" ] || wrong="$wrong; output of a file that cannot be opened"
	else
		cmp -s "$4" "$scratch/have.pcap" || wrong="$wrong; not the packets before the damage"
	fi
	[ "$3" -eq 0 ] || awk -v file="$2" -v low="$5" -v high="$6" '
		/^reading from file / { next }
		{ lines++ }
		index($0, file) && match($0, /offset [0-9]+/) {
			offset = substr($0, RSTART + 7, RLENGTH - 7) + 0
			found = low <= offset && offset <= high
		}
		END { exit !(lines == 1 && found) }' "$scratch/err" ||
		wrong="$wrong; not one line with an offset from $5 to $6: $(cat "$scratch/err")"
}

# peer_agrees FILE STATUS OUTPUT: so does tcpdump, but for the message.
peer_agrees()
{
	rm -f "$scratch/peer.pcap"
	# shellcheck disable=SC2046,SC2086
	$peer $(precision "$1") -r "$1" -w "$scratch/peer.pcap" 2>/dev/null
	[ $? -eq "$2" ] || return 1
	if [ -z "$3" ]; then
		[ ! -e "$scratch/peer.pcap" ]
	else
		cmp -s "$3" "$scratch/peer.pcap"
	fi
}

# expect_first FILE: what is to be written of its first N packets, in want.N.
expect_first()
{
	for n in 1 2 3; do
		# shellcheck disable=SC2046,SC2086
		$peer $(precision "$1") -r "$1" -c $n -w "$scratch/want.$n" 2>/dev/null || return 1
	done
	head -c 24 "$scratch/want.1" >"$scratch/want.0"
}

# cuts FILE: for each length to try "length packets open low whole": whole is 1
# where a record ends, low the end of the last whole record.
cuts()
{
	ends "$1" | awk -v scale="$scale" '
		{ at[NR] = $1; packets[NR] = $2; is_open[NR] = $3 }
		$2 == 3 && last == 0 { last = NR }
		END {
			step = scale >= 100 ? 1 : scale < 1 ? 100 : int(100 / scale)
			for (i = 1; i < last; i++)
				for (n = at[i]; n < at[i + 1]; n++)
					if (n - at[i] <= 1 || n == at[i + 1] - 1 || n % step == 0)
						print n, packets[i], is_open[i], at[i], is_open[i] && n == at[i]
			print at[last], packets[last], 1, at[last], 1
		}'
}

# ---- the judge is not to be deceived ----

# liar BODY: what the judge says of a tool that lies; $2 is the capture, $4 the output.
liar()
{
	printf '#!/bin/sh\n%s\n' "real() { $peer \"\$@\" 2>/dev/null; }
		say() { echo \"liar: \$1: offset \$(wc -c <\"\$1\" | tr -d ' '): cut short\" >&2; }
		$1" >"$scratch/liar"
	chmod +x "$scratch/liar"
	judge "$scratch/liar" "$scratch/cut.pcap" 1 "$scratch/want.1" 82 100
	printf '%s' "${wrong:+found}"
}

check 'tcpdump writes the first packets' expect_first "$data/pcap-le.pcap"
head -c 100 "$data/pcap-le.pcap" >"$scratch/cut.pcap"
# shellcheck disable=SC2016
{
	check_same 'an honest tool passes' '' "$(liar 'real "$@" || { say "$2"; exit 1; }')"
	check_same 'another exit status is found' found "$(liar 'real "$@" || say "$2"')"
	check_same 'silence is found' found "$(liar 'real "$@"')"
	check_same 'two lines are found' found "$(liar 'real "$@" || { say "$2"; say "$2"; exit 1; }')"
	check_same 'another offset is found' found "$(liar 'real "$@" || { say /dev/null; exit 1; }')"
	check_same 'a packet too few is found' found "$(liar 'head -c 24 "$2" >"$4"; say "$2"; exit 1')"
	check_same 'a packet too many is found' found "$(liar 'cat "$2" >"$4"; say "$2"; exit 1')"
	check_same 'no output is found' found "$(liar 'say "$2"; exit 1')"
}

# ---- cut at every byte of the header and the first three records ----

for name in pcap-le.pcap pcap-be.pcap pcap-le-ns.pcap pcap-be-ns.pcap \
	ng-le.pcapng ng-be.pcapng ng-le-ns.pcapng; do
	check "$name: tcpdump writes the first packets" expect_first "$data/$name"
	cuts "$data/$name" >"$scratch/cuts"
	check "$name has three records" test "$(awk 'END { print $2 }' "$scratch/cuts")" -eq 3
	# The name keeps '-ns', by which precision() goes.
	cut=$scratch/cut-$name
	while read -r length packets is_open low is_whole; do
		head -c "$length" "$data/$name" >"$cut"
		want=
		[ "$is_open" -eq 0 ] || want=$scratch/want.$packets
		peer_agrees "$cut" $((1 - is_whole)) "$want" ||
			fail "$name cut to $length bytes: tcpdump is not what this test expects"
		judge "$BPFSIFT" "$cut" $((1 - is_whole)) "$want" "$low" "$length"
		check_empty "$name cut to $length bytes" "$wrong"
	done <"$scratch/cuts"
done

# ---- records that lie ----

# patched NAME AT BYTES [AT BYTES]...: a capture with bytes (of printf) changed.
patched()
{
	bad=$scratch/bad-$1
	cp "$data/$1" "$bad" && chmod u+w "$bad" || exit 99
	shift
	while [ $# -gt 0 ]; do
		# shellcheck disable=SC2059
		printf "$2" | dd of="$bad" bs=1 seek="$1" conv=notrunc 2>/dev/null
		shift 2
	done
}

# as_tcpdump WHAT: bpfsift makes of $bad what tcpdump makes of it.
as_tcpdump()
{
	rm -f "$scratch/like.pcap"
	# shellcheck disable=SC2046,SC2086
	$peer $(precision "$bad") -r "$bad" -w "$scratch/like.pcap" 2>"$scratch/like.err"
	peer_status=$?
	want=
	[ ! -e "$scratch/like.pcap" ] || want=$scratch/like.pcap
	judge "$BPFSIFT" "$bad" "$peer_status" "$want" 0 "$(wc -c <"$bad" | tr -d ' ')"
	check_empty "$1" "${wrong:+$wrong
tcpdump ends with status $peer_status and says: $(cat "$scratch/like.err")}"
}

# refused WHAT: so does tcpdump, and it is an error.
refused()
{
	as_tcpdump "$1"
	check "$1: tcpdump refuses it" test "$peer_status" -eq 1
}

# The second record of pcap-le.pcap begins at 24 + 16 + 42; its caplen is 8 bytes on.
for lie in 'all ones:\377\377\377\377' 'the sign bit:\0\0\0\200' 'one over the limit:\1\0\4\0'; do
	patched pcap-le.pcap 90 "${lie##*:}"
	refused "pcap: a captured length of ${lie%%:*}"
done
patched pcap-be.pcap 90 '\0\4\0\1'
refused 'pcap, big-endian: a captured length of one over the limit'
patched pcap-le.pcap 90 '\0\0\4\0'
refused 'pcap: a captured length of the limit, beyond the end'
patched pcap-le.pcap 90 '\0\0\0\0'
refused 'pcap: a captured length of 0, bytes taken for headers'
patched pcap-le.pcap 94 '\377\377\377\377'
as_tcpdump 'pcap: a length on the wire of all ones'
patched pcap-le.pcap 0 '\0\0\0\0'
refused 'pcap: no magic number'
patched pcap-le.pcap 4 '\3'
refused 'pcap: major version 3'
patched pcap-le.pcap 6 '\377'
as_tcpdump 'pcap: minor version 255'
patched pcap-le.pcap 16 '\377\377\377\377'
as_tcpdump 'pcap: a snap length of all ones'
patched pcap-le.pcap 16 '\0\0\0\200'
as_tcpdump 'pcap: a snap length of the sign bit'
patched pcap-le.pcap 20 '\223'
as_tcpdump "pcap: link type 147, which is anyone's"
# Not damage: libpcap does not compile for it, not even the filter that keeps all.
patched pcap-le.pcap 20 '\377\377'
# shellcheck disable=SC2086
check_same 'pcap: link type 65535: exit status' 1 \
	"$($BPFSIFT -r "$bad" -w "$scratch/none.pcap" 2>/dev/null; echo $?)"
check 'pcap: link type 65535: no output' test ! -e "$scratch/none.pcap"
patched pcap-le.pcap 28 '\377\377\377\377'
as_tcpdump 'pcap: a fraction of a second of all ones'

# ng-le.pcapng: a section header of 28 bytes, an interface of 20, packets of 32 + 44.
patched ng-le.pcapng 8 '\0\0\0\0'
refused 'pcapng: no byte-order magic'
patched ng-le.pcapng 12 '\2'
refused 'pcapng: major version 2'
patched ng-le.pcapng 4 '\10'
refused 'pcapng: a section header of 8 bytes'
patched ng-le.pcapng 28 '\5'
refused 'pcapng: no interface before the first packet'
for lie in '0:\0\0\0\0' '8:\10\0\0\0' '12:\14\0\0\0' '73:\111\0\0\0' 'all ones:\377\377\377\377' \
	'16 MiB and 4:\4\0\0\1'; do
	patched ng-le.pcapng 128 "${lie##*:}"
	refused "pcapng: a second packet block of length ${lie%%:*}"
done
patched ng-le.pcapng 196 '\110'
refused 'pcapng: another length at the end of a block'
patched ng-le.pcapng 132 '\1'
refused 'pcapng: an interface that there is not'
patched ng-le.pcapng 144 '\377\377\377\377'
refused 'pcapng: a captured length of all ones'
patched ng-le.pcapng 144 '\055'
refused 'pcapng: a captured length of one more than the block has'
# what libpcap alone refuses
ours=$BPFSIFT
BPFSIFT="$BPFSIFT --reader=libpcap"
patched ng-two-interfaces.pcapng 56 '\161'
refused 'pcapng: interfaces of two link types'
patched ng-two-interfaces.pcapng 60 '\140'
refused 'pcapng: interfaces of two snap lengths'
BPFSIFT=$ours

# ---- random damage ----

seed=${TEST_SEED:-20231114}
n=$((200 * scale / 100))
[ "$n" -gt 0 ] || n=1
printf 'SEED: %d\n' "$seed"
# Lines of "capture offset byte [offset byte]"; Park and Miller's generator.
awk -v seed="$seed" -v n="$n" '
	function below(limit) {
		x = (16807 * x) % 2147483647
		return int(x / 2147483647 * limit)
	}
	BEGIN {
		x = seed % 2147483646 + 1
		split("pcap-le.pcap pcap-be.pcap ng-le.pcapng ng-be.pcapng", name, " ")
		for (i = 0; i < n; i++) {
			line = name[1 + i % 4]
			for (k = below(2); k >= 0; k--)
				line = line sprintf(" %d \\%03o", below(400), below(256))
			print line
		}
	}' >"$scratch/random"
while IFS=' ' read -r name patches; do
	# shellcheck disable=SC2086
	patched "$name" $patches
	as_tcpdump "$name with $patches"
done <"$scratch/random"

# Files of noise, which are no savefiles at all.
bad=$scratch/noise.pcap
for size in 0 1 3 4 7 23 24 25 100 4096; do
	tail -c +5 "$data/wlan.pcap" | head -c "$size" >"$bad"
	refused "$size bytes that are no savefile"
done

# shellcheck disable=SC2086
{
	head -c 100 "$data/pcap-le.pcap" | $BPFSIFT -r - -w "$scratch/stdin.pcap" 2>"$scratch/err"
	check_same 'standard input cut short: exit status' 1 $?
	check 'standard input cut short: its offset' grep -q 'offset' "$scratch/err"
	expect_first "$data/pcap-le.pcap"
	check 'standard input cut short: output' cmp "$scratch/want.1" "$scratch/stdin.pcap"
}
check 'no such file: exit status 1' sh -c "! $BPFSIFT -r '$scratch/none.pcap' -w '$scratch/none.out'"
check 'no such file: no output' test ! -e "$scratch/none.out"
finish
