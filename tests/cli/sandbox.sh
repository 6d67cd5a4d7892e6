#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The sandbox around what reads packets: that it is there, in each thread, for root and for
# others, for files and interfaces; that everything works in it; and what happens on systems
# that lack a part of it, or refuse it.  What it denies is tests/cli/check_confine's matter.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/peer.sh
. "$srcdir/tests/support/peer.sh"

if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3'
	finish
fi
data=$(cd "$srcdir" && pwd)/tests/data
# Root's alone is $scratch.
[ "$(id -u)" -ne 0 ] || BPFSIFT="$BPFSIFT -Z root"
cd "$scratch" || exit 99
python3 - "$data/demo.pcap" >big.pcap <<'END'
import sys
whole = open(sys.argv[1], 'rb').read()
sys.stdout.buffer.write(whole[:24] + whole[24:] * 40)
END

# shellcheck disable=SC2086
confined_by()
{
	"$@" $BPFSIFT -r "$data/demo.pcap" --count --stats 2>&1 |
		sed -n 's/^  confined by  *//p'
}
has=$(confined_by env)
check '--stats says what confines it' test -n "$has"
# shellcheck disable=SC2086
check_same '--no-sandbox: nothing does' '  confined by       nothing (--no-sandbox)' \
	"$($BPFSIFT --no-sandbox -r "$data/demo.pcap" --count --stats 2>&1 | grep '^  confined')"
case $has in
seccomp* | 'Landlock and seccomp') seccomp=2 ;;
*)
	seccomp=
	skip "confined by $has"
	;;
esac

has_written()
{
	[ "$(wc -c <"$1" 2>/dev/null || echo 0)" -gt "$2" ]
}
# of_tasks PID FIELD: what its threads have there, each value once.
of_tasks()
{
	cat "/proc/$1/task"/*/status | sed -n "s/^$2:[[:space:]]*//p" | sort -u | tr '\n' ' '
}

# ---- that it is there ----

mkfifo fifo
# while_it_reads FILE WHAT COMMAND...: reads a part of the file from a pipe, and stands still.
while_it_reads()
{
	file=$1 what=$2
	shift 2
	rm -f out.pcap
	exec 9<>fifo
	"$@" -r fifo -w out.pcap -U 2>err 9>&- &
	pid=$!
	head -c 50000 "$file" >&9
	check "$what: packets are written" wait_for has_written out.pcap 24
	if [ -n "$seccomp" ]; then
		check_same "$what: system calls are filtered in each thread" "$seccomp " \
			"$(of_tasks $pid Seccomp)"
		check_same "$what: no new privileges in any" '1 ' "$(of_tasks $pid NoNewPrivs)"
	fi
}
end_it()
{
	kill -TERM $pid
	exec 9>&-
	wait $pid
	check_same "$what: exit status" 0 $?
}
# shellcheck disable=SC2086
if [ -d /proc/self/task ]; then
	while_it_reads big.pcap 'a file' $BPFSIFT
	end_it
	while_it_reads big.pcap 'libpcap reads' $BPFSIFT --reader=libpcap
	end_it
	for codec in gzip zstd; do
		$BPFSIFT -r big.pcap -w big.coded --compress=$codec 2>err || continue
		while_it_reads big.coded "$codec" $BPFSIFT --threads=4
		check "$codec: there is another thread" test "$(find "/proc/$pid/task" \
			-mindepth 1 -maxdepth 1 | wc -l)" -gt 1
		end_it
	done
	seccomp_before=$seccomp
	seccomp=
	while_it_reads big.pcap 'no sandbox' $BPFSIFT --no-sandbox
	check_same 'no sandbox: no filter' '0 ' "$(of_tasks $pid Seccomp)"
	check_same 'no sandbox: not even that' '0 ' "$(of_tasks $pid NoNewPrivs)"
	end_it
	seccomp=$seccomp_before
	if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
		chmod 711 .
		chmod 644 big.pcap
		chmod 666 fifo
		mkdir -m 777 others
		# Who is not root has it too.
		cat >as_nobody.py <<-'END'
			import os, pwd, sys
			nobody = pwd.getpwnam('nobody')
			os.setgroups([])
			os.setgid(nobody.pw_gid)
			os.setuid(nobody.pw_uid)
			os.execvp(sys.argv[1], sys.argv[1:])
		END
		as_nobody='python3 as_nobody.py'
		if $as_nobody $BPFSIFT --version >version 2>&1; then
			check_same 'another user: what confines it' "$has" "$(confined_by $as_nobody)"
			$as_nobody $BPFSIFT -r big.pcap -r big.pcap -w others/out.pcap -C 1 -z true \
				2>err
			check_same 'another user: several inputs, rotated files, -z: exit status' 0 $?
			$BPFSIFT --no-sandbox -r big.pcap -r big.pcap -w out.pcap -C 1 2>err
			for file in out.pcap*; do
				check "another user: $file" cmp $file others/$file
			done
			rm -f out.pcap*
		else
			skip 'no other user can run this build'
		fi
	fi
else
	skip 'no /proc: threads were not looked at'
fi

# ---- that everything works in it ----

# alike WHAT OPTION...: the same output and messages with the sandbox and without.
# shellcheck disable=SC2086
alike()
{
	what=$1
	shift
	rm -rf with without
	mkdir with without
	(cd with && $BPFSIFT "$@" >stdout 2>stderr </dev/null; echo $? >status)
	(cd without && $BPFSIFT --no-sandbox "$@" >stdout 2>stderr </dev/null; echo $? >status)
	check_same "$what: as without the sandbox" '' "$(diff -r with without 2>&1)"
	check_same "$what: exit status" 0 "$(cat with/status)"
}
for codec in none gzip zstd lz4 xz; do
	for threads in 1 4; do
		# shellcheck disable=SC2086
		if $BPFSIFT -r big.pcap -w big.$codec --compress=$codec --threads=$threads 2>err; then
			alike "$codec, $threads threads: read" -r ../big.$codec -w out.pcap \
				--threads=$threads tcp
			alike "$codec, $threads threads: written" -r ../big.pcap -w out \
				--compress=$codec --threads=$threads ip
			check_same "$codec, $threads threads: nothing is lost" "$(cksum <big.pcap)" \
				"$($BPFSIFT -r big.$codec -w - 2>err | cksum)"
		else
			skip "$codec: $(sed -n 's/^bpfsift: //p' err)"
		fi
	done
done
TZ=America/New_York
export TZ
alike 'by size' -r ../big.pcap -w out.pcap -C 1 tcp
alike 'by time, named in local time' -r ../big.pcap -w 'out-%Y%m%d-%H%M%S.pcap' -G 10 tcp
alike 'by both, aligned' -r ../big.pcap -w 'out-%H%M%S.pcap' -G 3600 -C 1 --rotate-align tcp
alike 'the short lines, in local time' -r "$data/demo.pcap" --printer=none
alike 'the printer' -n -r "$data/demo.pcap" tcp
alike 'a printer for each link type' -n -r "$data/demo.pcap" -r "$data/sll2.pcap"
alike 'names in expressions, for each link type' -r "$data/demo.pcap" -r "$data/sll2.pcap" --count \
	'not host localhost'
alike 'files to be merged' -r "$data/demo.pcap" -r ../big.pcap --merge -w out.pcap
alike 'pcapng' -r "$data/ng-blocks.pcapng" -w out.pcapng
alike 'a directory' --recursive -r "$data" --count
printf '%s\n' ../big.pcap "$data/demo.pcap" >list
alike 'a list of files' -V ../list --count tcp
alike 'the interpreter' -r ../big.pcap -w out.pcap --engine=interp tcp
alike 'machine code that is shown' -r "$data/demo.pcap" --dump-native arp
# shellcheck disable=SC2086
{
	check_same 'a descriptor by name' "$($BPFSIFT -r big.pcap --count tcp 2>err)" \
		"$($BPFSIFT -r /dev/fd/7 --count tcp 7<big.pcap 2>err)"
	check_same 'standard input by name' "$($BPFSIFT -r big.pcap --count tcp 2>err)" \
		"$($BPFSIFT -r /dev/stdin --count tcp <big.pcap 2>err)"

	# -z has no part in it.
	cat >command <<-'END'
		#!/bin/sh
		grep '^Seccomp:' /proc/self/status >noted.$1
		cp "$1" "copy.$1"
	END
	chmod +x command
	rm -f out.pcap*
	$BPFSIFT -r big.pcap -w out.pcap -C 1 -z ./command --postrotate-last --threads=4 2>err
	check_same '-z: exit status' 0 $?
	check_same '-z: no complaint' 1 "$(wc -l <err)"
	for file in out.pcap*; do
		check "-z: $file" cmp $file copy.$file
		check_same "-z: not confined, $file" "$(grep '^Seccomp:' /proc/self/status)" \
			"$(cat noted.$file)"
	done
	rm -f out.pcap*
	$BPFSIFT -r big.pcap -w out.pcap -C 1 -z ./none 2>err
	check '-z: a command that is none' grep -q '^bpfsift: WARNING: ./none: No such file' err
	check_same 'an input that is none: message' 'bpfsift: none: No such file or directory' \
		"$($BPFSIFT -r none 2>&1)"
	check_same 'an output that cannot be: message' \
		"bpfsift: none/out.pcap: No such file or directory" \
		"$($BPFSIFT -r big.pcap -w none/out.pcap 2>&1 | grep -v '^reading')"
	check_same 'an expression that is none: message' 'bpfsift: syntax error' \
		"$($BPFSIFT -r big.pcap tcp tcp 2>&1 | sed -n 's/\(syntax error\).*/\1/p' |
			sed 's/.*: /bpfsift: /')"
}

# Killed, it leaves nobody behind, be it that the helper waits for the end of a FIFO.
mkfifo nobody.fifo
# shellcheck disable=SC2086
$BPFSIFT -r nobody.fifo 2>err &
pid=$!
has_child()
{
	[ -n "$(cat /proc/$pid/task/*/children 2>/dev/null)" ]
}
if [ -e /proc/self/task/$$/children ] && wait_for has_child; then
	helper=$(cat /proc/$pid/task/*/children | tr -d ' ')
	kill -KILL $pid
	wait $pid 2>/dev/null
	is_gone()
	{
		[ ! -d "/proc/$helper" ] || grep -q '^State:[[:space:]]*Z' "/proc/$helper/status"
	}
	check 'the helper of one that is gone ends, though it was to open a FIFO' wait_for is_gone
else
	skip 'no list of children in /proc: the helper was not looked for'
	kill -KILL $pid
fi

# With the helper gone the run ends with an error, and what was written is there.
# shellcheck disable=SC2086
if [ -e /proc/self/task/$$/children ]; then
	rm -f out.pcap*
	exec 9<>fifo
	$BPFSIFT -r fifo -w out.pcap -U -C 1 2>err 9>&- &
	pid=$!
	head -c 50000 big.pcap >&9
	check 'a helper that is killed: packets before that' wait_for has_written out.pcap 40000
	n_before=$(wc -c <out.pcap)
	kill -KILL $(cat /proc/$pid/task/*/children)
	# More than one file takes, into a pipe that nobody may read any more.
	(trap '' PIPE; tail -c +50001 big.pcap | timeout 20 cat >fifo) 2>feed.err &
	feeder=$!
	wait $pid
	check_same 'a helper that is killed: exit status' 1 $?
	exec 9>&-
	wait $feeder
	check 'a helper that is killed: it is said' grep -q '^bpfsift: out.pcap1: Broken pipe' err
	check 'a helper that is killed: the packets stay' test "$(wc -c <out.pcap)" -ge "$n_before"
	check 'a helper that is killed: and can be read' $peer -r out.pcap -w again.pcap
fi

# An output that nobody reads is waited for until somebody interrupts.
if env --default-signal=INT true 2>/dev/null; then
	: >err
	# shellcheck disable=SC2086
	env --default-signal=INT $BPFSIFT -r big.pcap -w nobody.fifo 2>err &
	pid=$!
	check 'a FIFO that nobody reads: it waits' wait_for grep -q '^reading from' err
	kill -INT $pid
	wait $pid
	check_same 'a FIFO that nobody reads: interrupted' 1 $?
	check 'a FIFO that nobody reads: it is said' grep -q '^bpfsift: nobody.fifo: Interrupted' err
else
	skip 'env(1) cannot reset signals: not interrupted'
fi

# Of an expression whose program takes more than one message.
python3 -c 'print(" or ".join("net 198.%d.%d.0/24 and port %d" % (18 + n // 200, n % 200, n + 1)
                           for n in range(400)), "or arp or udp")' >long.filter
# shellcheck disable=SC2086
{
	n_insns=$($BPFSIFT -y EN10MB -O -ddd -F long.filter 2>err | head -n 1)
	check "a long expression: $n_insns instructions" test "$n_insns" -gt 8192
	check_same 'a long expression: all of them come from the helper' "$n_insns" \
		"$($BPFSIFT -r "$data/demo.pcap" -O -F long.filter -ddd 2>err | head -n 1)"
	check_same 'a long expression: packets' \
		"$($peer -r big.pcap -O -F long.filter --count 2>err)" \
		"$($BPFSIFT -r big.pcap -O -F long.filter --count 2>err)"
}

# ---- what a system may lack, or refuse ----

cat >lacking.c <<'END'
/* lacking CALL ERRNO COMMAND...: a system on which that call fails. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(argv[1]), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)atoi(argv[2])),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, insns };

	if (argc < 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 99;
	execvp(argv[3], argv + 3);
	return 98;
}
END
create=444 restrict=446
seccomp_call=$(printf '#include <sys/syscall.h>\nSYS_seccomp\n' | $CC -E - 2>/dev/null | tail -n 1)
enosys=38 eacces=13 e2big=7
case $has in
'Landlock and seccomp')
	# shellcheck disable=SC2086
	if $CC -o lacking lacking.c 2>err && ./lacking 9999 1 true; then
		check_same 'no Landlock' 'seccomp (the system has no Landlock)' \
			"$(confined_by ./lacking $create $enosys)"
		check_same 'no seccomp' 'Landlock (the system has no seccomp filters)' \
			"$(confined_by ./lacking $seccomp_call $enosys)"
		for call in $create $restrict $seccomp_call; do
			error=$eacces
			[ $call -ne $restrict ] || error=$e2big
			rm -f out.pcap
			./lacking $call $error $BPFSIFT -r big.pcap -w out.pcap >out 2>err
			check_same "call $call refused: exit status" 1 $?
			check "call $call refused: message" \
				grep -qE '^bpfsift: (Landlock|seccomp): ' err
			check "call $call refused: nothing is written" test ! -e out.pcap
			check "call $call refused, --no-sandbox" \
				./lacking $call $error $BPFSIFT --no-sandbox -r big.pcap -w out.pcap
		done
	else
		skip 'no system that lacks something could be made'
	fi
	;;
*) skip "nothing was taken away from: $has" ;;
esac

# ---- an interface ----

if [ "$(id -u)" -ne 0 ] || ! unshare -n true 2>/dev/null; then
	skip 'not root, or no network namespaces: nothing captured'
	finish
fi
cat >live.sh <<'END'
ip link set lo up
"$@" -i lo -B 16384 -w live.pcap -U -C 1 udp 2>live.err &
pid=$!
tries=0
until grep -q '^bpfsift: listening' live.err || [ $tries -ge 200 ]; do
	sleep 0.05
	tries=$((tries + 1))
done
python3 - <<'PYTHON'
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(2000):
    s.sendto(bytes(1000), ('127.0.0.1', 9))
    if n % 100 == 0:
        time.sleep(0.02)
PYTHON
tries=0
until [ "$(cat live.pcap* | wc -c)" -gt 2000000 ] || [ $tries -ge 200 ]; do
	sleep 0.05
	tries=$((tries + 1))
done
sed -n 's/^Seccomp:[[:space:]]*//p' /proc/$pid/status
kill -USR1 $pid
sleep 0.1
kill -INT $pid
wait $pid
echo $?
END
# shellcheck disable=SC2086
check_same 'an interface: confined, and it ends well' "${seccomp:-0} 0" \
	"$(unshare -n sh live.sh $BPFSIFT | tr '\n' ' ' | sed 's/ $//')"
check 'an interface: its packets are rotated' test -s live.pcap1
check 'an interface: counts' grep -qE '^[0-9]+ packets captured' live.err
check_empty 'an interface: it has dropped none' "$(grep 'dropped by interface' live.err)"
finish
