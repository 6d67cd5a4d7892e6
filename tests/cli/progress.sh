#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What bpfsift says of how far it is: on a terminal, of runs of more than a second.
. "${srcdir:-.}/tests/support/suite.sh"
# shellcheck source=tests/support/bpfsift.sh
. "$srcdir/tests/support/bpfsift.sh"

if ! has_libpcap; then
	skip 'built without libpcap: bpfsift reads no savefile'
	finish
fi
if ! command -v python3 >/dev/null 2>&1; then
	skip 'no python3: no terminal'
	finish
fi
if ! python3 -c 'import pty; pty.openpty()' 2>/dev/null; then
	skip 'no terminal is to be had (no /dev/pts?)'
	finish
fi

# run.py WHERE HOW ARGUMENT...: bpfsift, its standard error a terminal or a pipe, fed with a
# capture slowly, at once, or read slowly; what it said, its carriage returns as '<'.
cat >"$scratch/run.py" <<'END'
import os, pty, shlex, subprocess, sys, threading, time

where, how, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
capture = open(os.environ["CAPTURE"], "rb").read()
if where == "terminal":
    ours, theirs = pty.openpty()
else:
    ours, theirs = os.pipe()
slow_reader = how == "slow-reader"
process = subprocess.Popen(shlex.split(os.environ["BPFSIFT"]) + arguments, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE if slow_reader else subprocess.DEVNULL,
                           stderr=theirs)
os.close(theirs)

def feed():
    process.stdin.write(capture)
    process.stdin.flush()
    for i in range(8 if how == "slowly" else 0):
        time.sleep(0.4)
        process.stdin.write(capture[24:])
        process.stdin.flush()
    process.stdin.close()

def read_slowly():
    time.sleep(2.5)
    while process.stdout.read(1 << 16):
        pass

threads = [threading.Thread(target=read_slowly)] if slow_reader else [threading.Thread(target=feed)]
for thread in threads:
    thread.start()
said = b""
while True:
    try:
        got = os.read(ours, 4096)
    except OSError:
        break
    if not got:
        break
    said += got
for thread in threads:
    thread.join()
print(said.replace(b"\r\n", b"\n").replace(b"\r", b"<").replace(b"\033[K", b"^").decode(), end="")
sys.exit(process.wait())
END
export CAPTURE="$srcdir/tests/data/demo.pcap" BPFSIFT

# run WHERE HOW ARGUMENT...
run()
{
	python3 "$scratch/run.py" "$@" >"$scratch/said"
	check_same "$*: exit status" 0 $?
}

# says WHAT PATTERN: a line of it.
says()
{
	check "$1" grep -qE "$2" "$scratch/said"
}

# says_nothing WHAT: but for the opening line.
says_nothing()
{
	check_same "$1" 1 "$(wc -l <"$scratch/said" | tr -d ' ')"
	check_same "$1, no progress" 0 "$(grep -c '[<^]' "$scratch/said")"
}

scaled='[0-9.]+ [kM]?'
run terminal slowly -r - --count tcp
says 'a terminal: a line that is written again and again' \
	"^(${scaled}B, [0-9]+ packets, ${scaled}packets/s, [0-9]+ matched\\^<)+\\^"
run terminal slowly -r - --count --progress=never tcp
says_nothing 'never'
run terminal at-once -r - --count tcp
says_nothing 'a short run'
run pipe slowly -r - --count tcp
says_nothing 'a pipe'
run pipe slowly -r - --count --progress tcp
says 'a pipe that wants it: lines' "^${scaled}B, [0-9]+ packets, ${scaled}packets/s, [0-9]+ matched\$"
check_same 'a pipe: no controls' 0 "$(grep -c '[<^]' "$scratch/said")"

# A regular file, by one thread and by several: how much of it, and for how long yet.
{
	cat "$CAPTURE"
	i=0
	while [ "$i" -lt 40 ]; do
		tail -c +25 "$CAPTURE"
		i=$((i + 1))
	done
} >"$scratch/large.pcap"
for threads in 1 3; do
	run terminal slow-reader -r "$scratch/large.pcap" -w - --threads=$threads
	says "$threads threads: a part of the file" \
		"${scaled}B of ${scaled}B \\([0-9]+%\\), [0-9]+ packets, ${scaled}packets/s, [0-9]+ matched, [0-9]+:[0-9]{2} left"
done
if command -v gzip >/dev/null 2>&1 && grep -q '^#define HAVE_\(ZLIB\|ISAL\) 1$' "$builddir/config.h"; then
	gzip -1 <"$scratch/large.pcap" >"$scratch/large.pcap.gz"
	run terminal slow-reader -r "$scratch/large.pcap.gz" -r "$scratch/large.pcap" -w -
	says 'compressed, and another file: a part of both' \
		"of ${scaled}B \\([0-9]+%\\), .* left"
	check_same 'no part is more than the whole' 0 \
		"$(grep -oE '\([0-9]+%' "$scratch/said" | tr -d '(%' | awk '$1 > 100' | wc -l)"
else
	skip 'no gzip, or built without it'
fi
# shellcheck disable=SC2086
check_same '--progress=often' "stderr: unknown progress often (must be auto, always or never)
status: 1" "$(outcome $BPFSIFT -r "$CAPTURE" --progress=often)"
finish
