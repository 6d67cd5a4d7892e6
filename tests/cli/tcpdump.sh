#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 'bpfsift -r A -w B EXPR' writes byte for byte what tcpdump writes, or refuses
# as tcpdump does, for the captures of tests/data and expressions.txt beside
# this file, which says which go together.  For nanosecond input (names in
# '-ns') tcpdump is asked for nanoseconds; bpfsift keeps them by itself.
#
# BPFSIFT is another command to compare.  Below TEST_SCALE=100 only that share
# of the pairs of capture and expression is tried.
. "${srcdir:-.}/tests/support/suite.sh"

data=$srcdir/tests/data
list=$srcdir/tests/cli/expressions.txt
tab=$(printf '\t')
scale=${TEST_SCALE:-100}
n_workers=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

# runs CAPTURE DIR COMMAND... <selection: the command on each expression of the
# selection.  DIR receives N.pcap, 'status', and 'silent': refused wordlessly.
runs()
{
	capture=$1 dir=$2
	shift 2
	while IFS=$tab read -r n expression; do
		"$@" -r "$capture" -w "$dir/$n.pcap" "$expression" 2>"$dir/stderr.$worker"
		status=$?
		echo "$n $status" >>"$dir/status.$worker"
		[ "$status" -eq 0 ] || [ -s "$dir/stderr.$worker" ] ||
			echo "$n" >>"$dir/silent.$worker"
	done
	rm -f "$dir/stderr.$worker"
}

# compare CAPTURE SELECTION TOOL: leave in $scratch/differ the numbers of the
# expressions that the tool and tcpdump disagree on, and both outputs in
# $scratch/want and $scratch/have.
compare()
{
	rm -rf "$scratch/want" "$scratch/have"
	mkdir "$scratch/want" "$scratch/have" || exit 99
	worker=0
	while [ "$worker" -lt "$n_workers" ]; do
		awk "NR % $n_workers == $worker" "$2" >"$scratch/part.$worker"
		{
			# shellcheck disable=SC2046,SC2086
			runs "$1" "$scratch/want" $peer $(precision "$1") <"$scratch/part.$worker"
			# shellcheck disable=SC2086
			runs "$1" "$scratch/have" $3 <"$scratch/part.$worker"
		} &
		worker=$((worker + 1))
	done
	wait
	for dir in want have; do
		cat "$scratch/$dir"/status.* >"$scratch/$dir/status"
		cat "$scratch/$dir"/silent.* >"$scratch/$dir/silent" 2>/dev/null
		rm -f "$scratch/$dir"/status.* "$scratch/$dir"/silent.*
	done
	{
		diff "$scratch/want/status" "$scratch/have/status" | sed -n 's/^[<>] \([0-9]*\) .*/\1/p'
		(cd "$scratch" && diff -rq want have | sed -n 's/.*[ /]\([0-9]*\)\.pcap.*/\1/p')
		diff "$scratch/want/silent" "$scratch/have/silent" | sed -n 's/^[<>] //p'
	} | sort -nu >"$scratch/differ"
}

# number_of FILE: its lines.
number_of()
{
	awk 'END { print NR }' "$1"
}

# ---- a comparison that cannot fail would be none ----

# liar NAME BODY: a tool that lies; $2 is the capture, $4 the output, $5 the expression.
liar()
{
	printf '#!/bin/sh\nreal() { %s "$@"; }\n%s\n' "$peer" "$2" >"$scratch/$1"
	chmod +x "$scratch/$1"
	compare "$data/pcap-le.pcap" "$scratch/lies" "$scratch/$1"
}

# shellcheck disable=SC2016
{
	printf '1\ttcp port 80\n2\tip6\n3\tport 70000\n4\tno such thing\n' >"$scratch/lies"
	liar honest 'real "$@"'
	check_same 'tcpdump writes what tcpdump writes' '' "$(cat "$scratch/differ")"
	liar deaf 'real -r "$2" -w "$4"'
	check_same 'a tool that ignores the expression is found' '1 2 3 4' "$(paste -s -d " " "$scratch/differ")"
	liar longer 'real "$@" && printf x >>"$4"'
	check_same 'one more byte is found' '1 2' "$(paste -s -d " " "$scratch/differ")"
	liar other_status 'real "$@" || exit 3'
	check_same 'another exit status is found' '3 4' "$(paste -s -d " " "$scratch/differ")"
	liar silent 'real "$@" 2>/dev/null'
	check_same 'a refusal without a word is found' '3 4' "$(paste -s -d " " "$scratch/differ")"
	liar eager ': >"$4"; real "$@"'
	check_same 'an output in spite of a refusal is found' '3 4' "$(paste -s -d " " "$scratch/differ")"
	liar idle 'exit 0'
	check_same 'a missing output is found' '1 2 3 4' "$(paste -s -d " " "$scratch/differ")"
}

# ---- every capture, every expression ----

# number, link type, 'all' or 'own' captures, expression
awk -F'\t' -v OFS='\t' '
	/^#/ || /^$/ { next }
	/^%own$/ { own = 1; next }
	NF != 2 { print "line " FNR " of expressions.txt has no tab" | "cat >&2"; exit 1 }
	{ print ++n, $1, own ? "own" : "all", $2 }' "$list" >"$scratch/expressions" || exit 99
check 'at least 170 expressions are for every capture' \
	test "$(grep -c "${tab}all${tab}" "$scratch/expressions")" -ge 170

: >"$scratch/sizes"
n_captures=0
for capture in "$data"/*.pcap "$data"/*.pcapng; do
	# shellcheck disable=SC2046,SC2086
	link_type=$($peer $(precision "$capture") -r "$capture" -w "$scratch/whole.pcap" 2>&1 |
		sed -n 's/.*, link-type \([^ ,]*\).*/\1/p')
	case ${capture##*/} in
	pcap-* | ng-*) own= ;;
	*) own=$link_type ;;
	esac
	awk -F'\t' -v OFS='\t' -v own="$own" -v scale="$scale" -v c="$n_captures" '
		($3 == "all" || $2 == own) && (61 * $1 + 37 * c) % 100 < scale { print $1, $4 }
		' "$scratch/expressions" >"$scratch/selection"
	compare "$capture" "$scratch/selection" "$BPFSIFT"
	n_differ=$(number_of "$scratch/differ")
	suite_checks=$((suite_checks + $(number_of "$scratch/selection") - n_differ))
	if [ "$n_differ" -gt 20 ]; then
		suite_checks=$((suite_checks + n_differ - 20))
		suite_failures=$((suite_failures + n_differ - 20))
		echo "FAILED: ${capture##*/}: $n_differ expressions, of which these are the first 20:"
	fi
	head -n 20 "$scratch/differ" >"$scratch/shown"
	while read -r n; do
		fail "${capture##*/}: $(sed -n "${n}s/.*$tab//p" "$scratch/expressions")" \
			"exit status $(sed -n "s/^$n //p" "$scratch/have/status"), tcpdump's $(
			sed -n "s/^$n //p" "$scratch/want/status"); $(
			cmp "$scratch/want/$n.pcap" "$scratch/have/$n.pcap" 2>&1)"
	done <"$scratch/shown"
	# Output of 24 bytes has kept nothing; output as long as the whole has dropped nothing.
	wc -c "$scratch/whole.pcap" "$scratch"/want/*.pcap | awk -v OFS='\t' -v link_type="$link_type" '
		NR == 1 { whole = $1 }
		$2 ~ /want/ {
			sub(/.*\//, "", $2)
			sub(/\.pcap$/, "", $2)
			print $2, link_type, ($1 > 24), ($1 < whole)
		}' >>"$scratch/sizes"
	n_captures=$((n_captures + 1))
done
check 'there are captures' test "$n_captures" -gt 30

if [ "$scale" -ge 100 ]; then
	# An expression that keeps all or nothing would compare little.
	useless=$(awk -F'\t' '
		FILENAME == ARGV[1] {
			accepted[$1] = 1
			if ($3) kept[$1, $2] = 1
			if ($4) dropped[$1, $2] = 1
			next
		}
		$2 == "-" && $1 in accepted { print "accepted: " $4; next }
		$2 == "-" { next }
		!(($1, $2) in kept) { print "keeps nothing of " $2 ": " $4 }
		!(($1, $2) in dropped) { print "drops nothing of " $2 ": " $4 }
		' "$scratch/sizes" "$scratch/expressions")
	check_empty 'each expression keeps and drops a packet of its link type' "$useless"
else
	skip "TEST_SCALE=$scale: not all expressions were tried, so none is asked to keep and drop"
fi

# ---- options ----

# like_tcpdump CAPTURE OPTION...: the same output file and standard output.
like_tcpdump()
{
	capture=$data/$1 wrong=
	shift
	rm -f "$scratch/want.pcap" "$scratch/have.pcap"
	# shellcheck disable=SC2046,SC2086
	$peer $(precision "$capture") -r "$capture" -w "$scratch/want.pcap" "$@" \
		>"$scratch/want.out" 2>/dev/null || wrong='tcpdump failed'
	# shellcheck disable=SC2086
	$BPFSIFT -r "$capture" -w "$scratch/have.pcap" "$@" >"$scratch/have.out" 2>"$scratch/err" ||
		wrong="failed: $(cat "$scratch/err")"
	cmp -s "$scratch/want.pcap" "$scratch/have.pcap" || wrong="$wrong; other output"
	cmp -s "$scratch/want.out" "$scratch/have.out" || wrong="$wrong; other standard output"
	check_empty "${capture##*/}: $*" "$wrong"
}

printf 'tcp port 80\n' >"$scratch/filter"
like_tcpdump demo.pcap -c 7 'tcp port 80'
like_tcpdump demo.pcap -c 100000 udp
like_tcpdump demo.pcap -F "$scratch/filter"
like_tcpdump demo.pcap -O 'tcp port 80 or udp port 53'
like_tcpdump demo.pcap tcp port 80 and host 203.0.113.10
like_tcpdump demo.pcap -s 0 tcp
like_tcpdump demo.pcap -n -p tcp
like_tcpdump pcap-le.pcap --nano ip
like_tcpdump pcap-be.pcap --time-stamp-precision=nano ip
like_tcpdump ng-le.pcapng --nano ip

# tcpdump leaves -s alone when it reads: what it writes, cut by someone else.
if command -v python3 >/dev/null 2>&1; then
	# shellcheck disable=SC2086
	$peer -r "$data/demo.pcap" -w "$scratch/whole.pcap" tcp 2>/dev/null
	python3 - "$scratch/whole.pcap" 40 >"$scratch/want.pcap" <<-'END'
		import struct, sys
		whole, limit = open(sys.argv[1], 'rb').read(), int(sys.argv[2])
		out, at = [whole[:16], struct.pack('=I', limit), whole[20:24]], 24
		while at < len(whole):
		    sec, frac, caplen, wirelen = struct.unpack_from('=IIII', whole, at)
		    cut = min(caplen, limit)
		    out += [struct.pack('=IIII', sec, frac, cut, wirelen), whole[at + 16:at + 16 + cut]]
		    at += 16 + caplen
		sys.stdout.buffer.write(b''.join(out))
	END
	# shellcheck disable=SC2086
	check '-s cuts packets that are read' $BPFSIFT -r "$data/demo.pcap" -w "$scratch/have.pcap" -s 40 tcp
	check '-s cuts them to exactly that' cmp "$scratch/want.pcap" "$scratch/have.pcap"
else
	skip 'no python3 to cut packets with'
fi

# shellcheck disable=SC2086
{
	for capture in pcap-le-ns.pcap ng-be-ns.pcapng; do
		$peer --micro -r "$data/$capture" -w "$scratch/want.pcap" ip 2>/dev/null
		check "$capture: --micro" $BPFSIFT --micro -r "$data/$capture" -w "$scratch/have.pcap" ip
		check "$capture: --micro writes microseconds" cmp "$scratch/want.pcap" "$scratch/have.pcap"
	done
	check_same 'standard input and output, pcap' \
		"$($peer -r - -w - tcp <"$data/demo.pcap" 2>/dev/null | cksum)" \
		"$($BPFSIFT -r - -w - tcp <"$data/demo.pcap" 2>/dev/null | cksum)"
	check_same 'standard input and output, pcapng' \
		"$($peer -r - -w - tcp <"$data/ng-be.pcapng" 2>/dev/null | cksum)" \
		"$($BPFSIFT -r - -w - tcp <"$data/ng-be.pcapng" 2>/dev/null | cksum)"
	check_same '--count' \
		"$($peer -r "$data/demo.pcap" --count tcp port 80 2>/dev/null)" \
		"$($BPFSIFT -r "$data/demo.pcap" --count tcp port 80 2>/dev/null)"
}
finish
